"""The networks by name: `build` makes one from its settings.

A network takes ``(before, after)``, normalized (B, bands, H, W) floats, and returns `Logits`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from scdcli.errors import ModelError, UnknownName
from scdcli.networks.asn import ASN, Logits
from scdcli.networks.blocks import BLOCKS

__all__ = ["BLOCKS", "NETWORKS", "Logits", "NetworkSettings", "build", "initialize"]

# A network is called with bands, classes, blocks and width, all by keyword.
NETWORKS: dict[str, Callable[..., nn.Module]] = {"asn": ASN}


@dataclass(frozen=True)
class NetworkSettings:
    """All that is needed to build a network again."""

    name: str = "asn"
    blocks: str = "residual"
    width: float = 1.0
    bands: int = 3
    classes: int = 6


def build(settings: NetworkSettings) -> nn.Module:
    """The network, with PyTorch's default initialization.

    Raises:
        UnknownName: No such network or blocks.
        ModelError: The width is not positive.
    """
    if settings.name not in NETWORKS:
        raise UnknownName("network", settings.name, NETWORKS)
    if settings.blocks not in BLOCKS:
        raise UnknownName("blocks", settings.blocks, BLOCKS)
    if not settings.width > 0:
        raise ModelError(
            f"the width multiplier is {settings.width}; give a positive number, 1 is the paper's."
        )
    return NETWORKS[settings.name](
        bands=settings.bands,
        classes=settings.classes,
        blocks=BLOCKS[settings.blocks],
        width=settings.width,
    )


def initialize(network: nn.Module) -> None:
    """He initialization of the convolutions inside, for training from scratch.

    Heads (the convolutions with a bias) keep PyTorch's smaller start: no class is favored.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.bias is None:
            nn.init.kaiming_normal_(module.weight, nonlinearity="leaky_relu")
