"""The encoder and decoder every network here is built from (HRSCD; ASN paper, Section VI-A).

Six scales from 1/1 to 1/32; the widths double from 8 to 256. The encoder has 10 plain and 5
subsampling blocks, the decoder 13 plain and 5 upsampling blocks.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scdcli.models.networks.blocks import EncoderBlocks, PlainBlock, UpBlock
from scdcli.models.networks.encoders import DateEncoder, DateFusion

WIDTHS = (8, 16, 32, 64, 128, 256)
# The pyramids stand between the 6th and 7th plain block of the decoder, at 1/8: its third level,
# and the third feature, from the bottom.
PYRAMID_LEVEL = 3


def scaled(channels: Sequence[int], width: float) -> tuple[int, ...]:
    """Channel counts times the width multiplier, never fewer than 8.

    A narrow network keeps the paper's 8 channels at full resolution: fewer could not carry the
    scores of six classes to the head. Example: ``scaled((8, 16, 32), 0.5) == (8, 8, 16)``.
    """
    return tuple(max(8, round(count * width)) for count in channels)


class Encoder(nn.Module):
    """(B, bands, H, W) → a feature per width, scale 1/1 first: (B, widths[s], H/2^s, W/2^s)."""

    def __init__(self, bands: int, widths: Sequence[int], blocks: EncoderBlocks) -> None:
        """Build one level per scale but the last: two plain blocks, then one that subsamples."""
        super().__init__()
        self.levels = nn.ModuleList(
            nn.Sequential(
                blocks.plain(width, width) if scale else blocks.entry(bands, width),
                blocks.plain(width, width),
            )
            for scale, width in enumerate(widths[:-1])
        )
        self.downs = nn.ModuleList(blocks.down(width, deeper) for width, deeper in pairwise(widths))

    def train(self, mode: bool = True) -> "Encoder":
        """Training mode, unless it is frozen: then its batch statistics stand still, too."""
        learns = any(parameter.requires_grad for parameter in self.parameters())
        return super().train(mode and learns)

    def forward(self, image: Tensor) -> list[Tensor]:
        """The features of every scale, for skips; the last one is the deepest."""
        features = []
        x = image
        for level, down in zip(self.levels, self.downs, strict=True):
            x = level(x)
            features.append(x)
            x = down(x)
        return [*features, x]


class PairEncoder(NamedTuple):
    """The encoders of a siamese network: one for each date, and one for the change branch."""

    widths: tuple[int, ...]  # of the features, finest first
    semantic: nn.Module
    change: nn.Module


def pair_encoder(bands: int, blocks: EncoderBlocks, width: float, encoder: str) -> PairEncoder:
    """Build the encoders of a siamese network, by a name in `encoders.ENCODERS`."""
    widths = scaled(WIDTHS, width)
    if encoder == "paper":
        return PairEncoder(
            widths, Encoder(bands, widths, blocks), Encoder(2 * bands, widths, blocks)
        )
    widths = widths[1:]  # no feature at 1/1
    return PairEncoder(widths, DateEncoder(bands, widths, encoder), DateFusion(widths))


def at_size(logits: Tensor, size: Sequence[int]) -> Tensor:
    """Logits enlarged to (H, W) where the decoder ends below full resolution."""
    if tuple(logits.shape[-2:]) == tuple(size):
        return logits
    return F.interpolate(logits, size=list(size), mode="bilinear", align_corners=False)


class Decoder(nn.Module):
    """The way from the features of all scales back to one map of logits.

    It has two halves, between which the pyramids may stand.

    ``skips`` says how the encoder's features join: 0, they are added to the decoder's feature
    (all have the same width); n > 0, a feature of n widths is concatenated to it. ``deepest`` is
    the number of widths at the deepest scale, where it differs from that.
    """

    def __init__(
        self, widths: Sequence[int], out_channels: int, *, skips: int, deepest: int | None = None
    ) -> None:
        """Build the levels, deepest first: two plain blocks (three at 1/1) and one upsampling."""
        super().__init__()
        self.skips = skips
        at_bottom = deepest or max(skips, 1)
        scales = range(len(widths) - 1, -1, -1)
        bottom = len(widths) - 1
        self.levels = nn.ModuleList()
        for scale in scales:
            width = widths[scale]
            joined = at_bottom if scale == bottom else skips + 1
            more = 2 if scale == 0 else 1
            plain = [PlainBlock(width * joined, width)]
            plain += [PlainBlock(width, width) for _ in range(more)]
            self.levels.append(nn.Sequential(*plain))
        self.ups = nn.ModuleList(UpBlock(widths[s], widths[s - 1]) for s in scales if s > 0)
        self.head = nn.Conv2d(widths[0], out_channels, 1)

    def deep(self, features: list[Tensor]) -> Tensor:
        """Blocks 1 to 6: the feature the pyramids read, (B, widths[-3], H/8, W/8)."""
        x: Tensor = self.levels[0](features[-1])
        for step in range(1, PYRAMID_LEVEL):
            x = self._climb(x, features, step)
        return x

    def shallow(self, x: Tensor, features: list[Tensor]) -> Tensor:
        """Blocks 7 to 13 and the head: logits (B, out_channels, H, W)."""
        for step in range(PYRAMID_LEVEL, len(features)):
            x = self._climb(x, features, step)
        return self.head(x)  # type: ignore[no-any-return]

    def forward(self, features: list[Tensor]) -> Tensor:
        """Both halves with nothing between."""
        return self.shallow(self.deep(features), features)

    def _climb(self, x: Tensor, features: list[Tensor], step: int) -> Tensor:
        skip = features[-1 - step]
        x = self.ups[step - 1](x, list(skip.shape[-2:]))
        x = torch.cat((x, skip), dim=1) if self.skips else x + skip
        return self.levels[step](x)  # type: ignore[no-any-return]
