"""The networks by name: `build` makes one from its settings.

A network takes ``(before, after)``, normalized (B, bands, H, W) floats, and returns one of the
outputs of `scdcli.models.networks.outputs`; its attribute ``output`` says which.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from inspect import signature

import torch
from torch import nn

from scdcli.errors import ModelError, UnknownName, look_up
from scdcli.models.networks.asn import ASN, ASNWithThresholds, ConcatenatedASN, SummedASN
from scdcli.models.networks.blocks import BLOCKS
from scdcli.models.networks.encoders import ENCODERS, EfficientNetLite
from scdcli.models.networks.fc import EarlyFusion, SiameseConcatenation, SiameseDifference
from scdcli.models.networks.hrscd import Strategy1, Strategy2, Strategy3, Strategy4
from scdcli.models.networks.outputs import Logits
from scdcli.models.networks.own import allowed, is_own
from scdcli.models.networks.sscd import SiameseBaseline
from scdcli.models.networks.trunk import Encoder

__all__ = [
    "BLOCKS",
    "ENCODERS",
    "FREEZABLE",
    "NETWORKS",
    "Logits",
    "NetworkSettings",
    "build",
    "class_head",
    "encoders",
    "freeze",
    "initialize",
    "learn",
    "output_kind",
]

# A network is called with bands, classes, blocks and width, all by keyword; one that can have
# another encoder also takes its name as encoder.
NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "fc-ef": EarlyFusion,
    "fc-siam-conc": SiameseConcatenation,
    "fc-siam-diff": SiameseDifference,
    "hrscd-str1": Strategy1,
    "hrscd-str2": Strategy2,
    "hrscd-str3": Strategy3,
    "hrscd-str4": Strategy4,
    "asn": ASN,
    "asn-atl": ASNWithThresholds,
    "asn-wo-arp": partial(ASN, arp=False),
    "asn-wo-asp-arp": partial(ASN, asp=False, arp=False),
    "asn-wo-pairs": partial(ASN, pairs="none"),
    "asn-wo-unlike-pairs": partial(ASN, pairs="symmetric"),
    "asn-chained": partial(ASN, chained=True),
    "asn-sum": SummedASN,
    "asn-concat": ConcatenatedASN,
    "sscd-l": SiameseBaseline,
}


def encoders(network: nn.Module) -> list[nn.Module]:
    """What reads the images."""
    return [x for x in network.modules() if isinstance(x, Encoder | EfficientNetLite)]


def semantic_parts(network: nn.Module) -> list[nn.Module]:
    """What the classes of both dates come from; nothing in a network without a change branch."""
    inside = dict(network.named_children())
    return [inside[name] for name in SEMANTIC if name in inside]


SEMANTIC = ("semantic_encoder", "semantic_decoder", "asp")

# What of a network may be kept as it is: the parts that then do not learn.
FREEZABLE: dict[str, Callable[[nn.Module], list[nn.Module]]] = {
    "none": lambda network: [],
    "encoder": encoders,
    "semantic": semantic_parts,
}


@dataclass(frozen=True)
class NetworkSettings:
    """The settings from which a network is built.

    Attributes:
        name: A name in `NETWORKS`, or ``package.module:Class`` of one's own.
        blocks: A name in `BLOCKS`, the blocks of the paper's encoder.
        width: Multiplier of all channel counts; 1 is the paper's.
        bands: Bands of the image of each date.
        classes: K, the number of classes.
        encoder: A name in `ENCODERS`.
    """

    name: str = "asn"
    blocks: str = "residual"
    width: float = 1.0
    bands: int = 3
    classes: int = 6
    encoder: str = "paper"


def build(settings: NetworkSettings) -> nn.Module:
    """The network, with PyTorch's default initialization.

    Raises:
        UnknownName: No such network, blocks or encoder.
        ModelError: The network is somebody's own and nobody has allowed it, the width is not
            positive, or the network cannot take the encoder.
    """
    network = _constructor(settings.name)
    blocks = look_up("blocks", settings.blocks, BLOCKS)
    if not settings.width > 0:
        raise ModelError(
            f"the width multiplier is {settings.width}; give a positive number, 1 is the paper's."
        )
    if settings.encoder not in ENCODERS:
        raise UnknownName("encoder", settings.encoder, ENCODERS)
    chosen = {} if settings.encoder == "paper" else {"encoder": settings.encoder}
    if chosen and not _takes_encoder(settings.name):
        takers = ", ".join(filter(_takes_encoder, NETWORKS))
        raise ModelError(
            f"{settings.name} cannot take the encoder {settings.encoder}; these can: {takers}."
        )
    return network(
        bands=settings.bands,
        classes=settings.classes,
        blocks=blocks,
        width=settings.width,
        **chosen,
    )


def _constructor(name: str) -> Callable[..., nn.Module]:
    return allowed(name) if is_own(name) else look_up("network", name, NETWORKS)


def _takes_encoder(name: str) -> bool:
    """Whether a network can have another encoder; one that reads both images at once cannot."""
    return "encoder" in signature(_constructor(name)).parameters


def initialize(network: nn.Module) -> None:
    """He initialization of the convolutions inside, for training from scratch.

    Heads (the convolutions with a bias) keep PyTorch's smaller start: no class is favored.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.bias is None:
            nn.init.kaiming_normal_(module.weight, nonlinearity="leaky_relu")


def class_head(network: nn.Module) -> nn.Conv2d:
    """The convolution that ends in a channel per class, or per from-to type, unchanged first.

    Raises:
        ModelError: A network of one's own has none where it is looked for.
    """
    decoder = "decoder" if network.output == "types" else "semantic_decoder"
    head = getattr(getattr(network, decoder, None), "head", None)
    if not isinstance(head, nn.Conv2d):
        raise ModelError(
            f"{type(network).__name__} has no convolution {decoder}.head that ends in its classes, "
            "and cannot go on with others; give labels of the same classes, or train afresh "
            "without --init."
        )
    return head


def freeze(network: nn.Module, what: str) -> None:
    """Let a part of a network take no gradient, and its batch statistics stand still.

    Raises:
        UnknownName: There is no such name.
    """
    for part in look_up("part to freeze", what, FREEZABLE)(network):
        part.requires_grad_(False)


def learn(network: nn.Module) -> None:
    """Training mode, but for what is frozen: there batch statistics stand still, too."""
    network.train()
    for part in network.modules():
        own = [parameter.requires_grad for parameter in part.parameters()]
        if own and not any(own):
            part.eval()


def output_kind(name: str) -> str:
    """What kind of output a network has, a key of `scdcli.prediction.decode.READOUTS`."""
    with torch.device("meta"):  # without memory and numbers
        return str(build(NetworkSettings(name)).output)
