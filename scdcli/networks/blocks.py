"""The basic blocks of the HRSCD trunk (residual blocks; ASN paper, Section VI-A).

A block is conv3×3 → BN → LeakyReLU → conv3×3 → BN plus a shortcut, summed and activated. Nothing
is strided: subsampling blocks max-pool between their convolutions, which also keeps odd sizes
exact (pooling rounds up, the upsampling blocks are told the size to return to).
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


def projection(in_channels: int, out_channels: int) -> nn.Module:
    """The shortcut: identity, or 1×1 conv + BN where the width changes."""
    if in_channels == out_channels:
        return nn.Identity()
    return conv_bn(in_channels, out_channels, size=1)


class PlainBlock(nn.Module):
    """Residual block that keeps the size: (B, I, H, W) → (B, O, H, W)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        """Build the body and its shortcut."""
        super().__init__()
        self.first = conv_bn(in_channels, out_channels)
        self.second = conv_bn(out_channels, out_channels)
        self.shortcut = projection(in_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Sum of body and shortcut, activated."""
        body = self.second(F.leaky_relu(self.first(x), SLOPE))
        return F.leaky_relu(body + self.shortcut(x), SLOPE)


class DownBlock(nn.Module):
    """Subsampling residual block: (B, I, H, W) → (B, O, ⌈H/2⌉, ⌈W/2⌉)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        """Build the body and its shortcut."""
        super().__init__()
        self.first = conv_bn(in_channels, out_channels)
        self.second = conv_bn(out_channels, out_channels)
        self.shortcut = projection(in_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Both paths max-pooled by 2, summed and activated."""
        body = _halve(F.leaky_relu(self.first(x), SLOPE))
        return F.leaky_relu(self.second(body) + _halve(self.shortcut(x)), SLOPE)


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
        body = F.leaky_relu(self.first_bn(self.first(x, output_size=size)), SLOPE)
        shortcut = self.shortcut_bn(self.shortcut(x, output_size=size))
        return F.leaky_relu(self.second(body) + shortcut, SLOPE)


def _transposed(in_channels: int, out_channels: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(in_channels, out_channels, 3, stride=2, padding=1, bias=False)


def _halve(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 2, ceil_mode=True)


class EncoderBlocks(NamedTuple):
    """The two block types an encoder is made of; each takes (in_channels, out_channels)."""

    plain: type[nn.Module]
    down: type[nn.Module]


# An entry must halve with rounding up in `down`, as `DownBlock` does.
BLOCKS = {"residual": EncoderBlocks(PlainBlock, DownBlock)}
