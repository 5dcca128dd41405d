"""SSCD-l (Ding et al. 2022), the plain baseline that later work on SECOND compares with."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scdcli.models.networks.blocks import EncoderBlocks, PlainBlock, activation, conv_bn
from scdcli.models.networks.outputs import Logits
from scdcli.models.networks.trunk import PYRAMID_LEVEL, at_size, pair_encoder, scaled

CHANNELS = (128,)  # of the features at 1/8, at width 1
CHANGE_BLOCKS = 6


class EighthDecoder(nn.Module):
    """Features at 1/8, 1/16 and 1/32 joined at 1/8, and a 1×1 convolution to the classes."""

    def __init__(self, inputs: int, channels: int, classes: int) -> None:
        """``inputs`` channels of all three features together."""
        super().__init__()
        self.join = nn.Sequential(conv_bn(inputs, channels, size=1), activation())
        self.head = nn.Conv2d(channels, classes, 1)

    def joined(self, features: list[Tensor]) -> Tensor:
        """The features of every scale, finest first, to one of (B, channels, H/8, W/8)."""
        fine, *deeper = features[-PYRAMID_LEVEL:]
        size = list(fine.shape[-2:])
        enlarged = [F.interpolate(x, size=size, mode="bilinear") for x in deeper]
        return self.join(torch.cat((fine, *enlarged), dim=1))  # type: ignore[no-any-return]


class SiameseBaseline(nn.Module):
    """One encoder for both dates, and six residual blocks on its two features for the change.

    All heads are 1×1 convolutions at 1/8, and their logits are enlarged. There is no decoder and
    no encoder of the pair. Published with a ResNet-34 whose deep stages stay at 1/8; here they are
    those of the encoders there are, whose features at 1/16 and 1/32 are enlarged and joined.
    """

    output = "branches"

    def __init__(
        self,
        *,
        bands: int,
        classes: int,
        blocks: EncoderBlocks,
        width: float = 1.0,
        encoder: str = "paper",
    ) -> None:
        """Build for ``bands`` per date and ``classes`` K; ``width`` multiplies all channels."""
        super().__init__()
        widths, self.semantic_encoder, _ = pair_encoder(bands, blocks, width, encoder)
        (channels,) = scaled(CHANNELS, width)
        self.semantic_decoder = EighthDecoder(sum(widths[-PYRAMID_LEVEL:]), channels, classes)
        more = (PlainBlock(channels, channels) for _ in range(CHANGE_BLOCKS - 1))
        self.change_decoder = nn.Sequential(
            PlainBlock(2 * channels, channels), *more, nn.Conv2d(channels, 2, 1)
        )

    def forward(self, before: Tensor, after: Tensor) -> Logits:
        """Logits of a normalized pair, each date (B, bands, H, W) float."""
        features = self.semantic_encoder(torch.cat((before, after)))
        dates = self.semantic_decoder.joined(features)
        from_class, to_class = self.semantic_decoder.head(dates).chunk(2)
        change = self.change_decoder(torch.cat(dates.chunk(2), dim=1))
        maps = (from_class, to_class, change)
        return Logits(*(at_size(x, before.shape[-2:]) for x in maps))
