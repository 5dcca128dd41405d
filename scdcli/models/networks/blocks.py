"""The basic blocks of the HRSCD trunk, and what replaces them in encoders (ASN paper, VI-C).

A residual block is conv3×3 → BN → LeakyReLU → conv3×3 → BN plus a shortcut, summed and activated.
Nothing is strided: subsampling blocks max-pool between their convolutions, which also keeps odd
sizes exact (pooling rounds up, the upsampling blocks get the size to return to).
"""

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.01


def activation() -> nn.Module:
    """The LeakyReLU used everywhere."""
    return nn.LeakyReLU(SLOPE, inplace=True)


def conv(in_channels: int, out_channels: int, size: int = 3, dilation: int = 1) -> nn.Conv2d:
    """A convolution that keeps height and width, without bias (a BN follows)."""
    padding = dilation * (size // 2)
    return nn.Conv2d(
        in_channels, out_channels, size, padding=padding, dilation=dilation, bias=False
    )


def conv_bn(in_channels: int, out_channels: int, size: int = 3, dilation: int = 1) -> nn.Sequential:
    """Convolution and batch normalization."""
    return nn.Sequential(
        conv(in_channels, out_channels, size, dilation), nn.BatchNorm2d(out_channels)
    )


def separable_bn(in_channels: int, out_channels: int) -> nn.Sequential:
    """Depthwise conv3×3, pointwise conv1×1, batch normalization (Xception)."""
    depthwise = nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False)
    return nn.Sequential(
        depthwise, conv(in_channels, out_channels, size=1), nn.BatchNorm2d(out_channels)
    )


def projection(in_channels: int, out_channels: int) -> nn.Module:
    """The shortcut: identity, or 1×1 conv + BN where the width changes."""
    if in_channels == out_channels:
        return nn.Identity()
    return conv_bn(in_channels, out_channels, size=1)


class ResidualBlock(nn.Module):
    """Two convolutions and a shortcut; subclasses say how they are put together and of what."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        """Build the body and its shortcut."""
        super().__init__()
        self.first = self.convolve(in_channels, out_channels)
        self.second = self.convolve(out_channels, out_channels)
        self.gate = self.weigh(out_channels)
        self.shortcut = projection(in_channels, out_channels)

    def convolve(self, in_channels: int, out_channels: int) -> nn.Module:
        """One convolution of the body, with BN."""
        return conv_bn(in_channels, out_channels)

    def weigh(self, channels: int) -> nn.Module:
        """A module between the body and the sum; here it changes nothing."""
        return nn.Identity()


class PlainBlock(ResidualBlock):
    """Residual block that keeps the size: (B, I, H, W) → (B, O, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        """Sum of body and shortcut, activated."""
        body = self.gate(self.second(F.leaky_relu(self.first(x), SLOPE)))
        return F.leaky_relu(body + self.shortcut(x), SLOPE)


class DownBlock(ResidualBlock):
    """Subsampling residual block: (B, I, H, W) → (B, O, ⌈H/2⌉, ⌈W/2⌉)."""

    def forward(self, x: Tensor) -> Tensor:
        """Both paths max-pooled by 2, summed and activated."""
        body = self.gate(self.second(_halve(F.leaky_relu(self.first(x), SLOPE))))
        return F.leaky_relu(body + _halve(self.shortcut(x)), SLOPE)


class UpBlock(nn.Module):
    """Upsampling residual block that halves the width: (B, I, h, w) → (B, O, H, W)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        """Build the body and its shortcut, both opening with a transposed conv3×3."""
        super().__init__()
        self.first = _transposed(in_channels, out_channels)
        self.first_bn = nn.BatchNorm2d(out_channels)
        self.second = conv_bn(out_channels, out_channels)
        self.shortcut = _transposed(in_channels, out_channels)
        self.shortcut_bn = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor, size: list[int]) -> Tensor:
        """Upsample to ``size`` (H, W), which is 2h or 2h - 1 (likewise for w)."""
        first, shortcut = (
            each(x)[..., : size[0], : size[1]] for each in (self.first, self.shortcut)
        )
        body = F.leaky_relu(self.first_bn(first), SLOPE)
        return F.leaky_relu(self.second(body) + self.shortcut_bn(shortcut), SLOPE)


def _transposed(in_channels: int, out_channels: int) -> nn.ConvTranspose2d:
    """Doubles the size; cut afterwards, so that an exported graph takes odd sizes, too."""
    return nn.ConvTranspose2d(
        in_channels, out_channels, 3, stride=2, padding=1, output_padding=1, bias=False
    )


def _halve(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 2, ceil_mode=True)


class ChannelGate(nn.Module):
    """Squeeze and excitation: each channel times a weight in (0, 1) that the whole image gives."""

    def __init__(self, channels: int) -> None:
        """A two-layer perceptron that narrows to a 16th of the channels, at least 4."""
        super().__init__()
        narrow = max(4, channels // 16)
        self.perceptron = nn.Sequential(
            nn.Linear(channels, narrow), activation(), nn.Linear(narrow, channels), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → the same size."""
        return x * self.perceptron(x.mean(dim=(2, 3)))[:, :, None, None]  # type: ignore[no-any-return]


class _Separable(ResidualBlock):
    def convolve(self, in_channels: int, out_channels: int) -> nn.Module:
        return separable_bn(in_channels, out_channels)


class _Gated(ResidualBlock):
    def weigh(self, channels: int) -> nn.Module:
        return ChannelGate(channels)


class XceptionPlainBlock(_Separable, PlainBlock):
    """Plain block of separable convolutions."""


class XceptionDownBlock(_Separable, DownBlock):
    """Subsampling block of separable convolutions."""


class SEPlainBlock(_Gated, PlainBlock):
    """Plain block whose body is reweighted by channel."""


class SEDownBlock(_Gated, DownBlock):
    """Subsampling block whose body is reweighted by channel."""


class EncoderBlocks(NamedTuple):
    """The blocks of an encoder; each is built from (in_channels, out_channels)."""

    entry: type[nn.Module]  # the first block, on the bands of the image
    plain: type[nn.Module]
    down: type[nn.Module]  # must halve with rounding up, as `DownBlock` does
    gamma: float = 0.5  # γ of adaptive threshold learning that the paper sets with these blocks


BLOCKS = {
    "residual": EncoderBlocks(PlainBlock, PlainBlock, DownBlock),
    # Xception itself opens with ordinary convolutions: three bands are too few to separate.
    "xception": EncoderBlocks(PlainBlock, XceptionPlainBlock, XceptionDownBlock, gamma=0.4),
    "se": EncoderBlocks(SEPlainBlock, SEPlainBlock, SEDownBlock),
}
