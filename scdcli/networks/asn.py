"""ASN: the asymmetric siamese network (Yang et al., Section III-D and Fig. 2)."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from scdcli.networks.blocks import EncoderBlocks
from scdcli.networks.pyramids import CAPABILITIES, RepresentationPyramid, SpatialPyramid
from scdcli.networks.trunk import PYRAMID_SCALE, WIDTHS, Decoder, Encoder, scaled


class Logits(NamedTuple):
    """What every network returns, before softmax."""

    from_class: Tensor  # (B, K, H, W), class 1 first
    to_class: Tensor  # (B, K, H, W)
    change: Tensor  # (B, 2, H, W), unchanged first


class ASN(nn.Module):
    """Asymmetric siamese network on the HRSCD.str4 trunk.

    One semantic encoder and decoder serve both dates, a change encoder reads the 2·bands stack,
    and a change decoder gets, at every scale, the change encoder's feature plus the absolute
    difference of the semantic features, added (not concatenated as in HRSCD.str4). Between the
    6th and 7th plain block of the decoders stand aSP and aRP.

    With 3 bands and 6 classes at width 1: 24.49 M parameters, 106.3 GMAC for one 512×512 pair;
    at width 0.5: 6.15 M and 30.8 GMAC.
    """

    def __init__(
        self, *, bands: int, classes: int, blocks: EncoderBlocks, width: float = 1.0
    ) -> None:
        """Build for ``bands`` per date and ``classes`` K; ``width`` multiplies all channels."""
        super().__init__()
        widths = scaled(WIDTHS, width)
        capabilities = scaled(CAPABILITIES, width)
        middle = widths[PYRAMID_SCALE]
        self.semantic_encoder = Encoder(bands, widths, blocks)
        self.change_encoder = Encoder(2 * bands, widths, blocks)
        self.semantic_decoder = Decoder(widths, classes, skips=1)
        self.change_decoder = Decoder(widths, 2, skips=0)
        self.asp = SpatialPyramid(middle, middle, capabilities)
        self.arp = RepresentationPyramid(middle, middle, capabilities)

    def forward(self, before: Tensor, after: Tensor) -> Logits:
        """Logits of a normalized pair, each date (B, bands, H, W) float."""
        semantic = self.semantic_encoder(torch.cat((before, after)))  # (2B, ...): BEFORE first
        change = self.change_encoder(torch.cat((before, after), dim=1))
        skips = [_sum_skip(c, s) for c, s in zip(change, semantic, strict=True)]

        f = self.semantic_decoder.deep(semantic)  # (2B, C, H/8, W/8)
        f_c = self.change_decoder.deep(skips)  # (B, C, H/8, W/8)
        f, spatial_pairs, pyramid = self.asp(f, semantic[PYRAMID_SCALE])
        representation_pairs = self.arp(f_c, change[PYRAMID_SCALE], pyramid)

        classes = self.semantic_decoder.shallow(f, semantic)  # (2B, K, H, W)
        changed = self.change_decoder.shallow(f_c + spatial_pairs + representation_pairs, skips)
        from_class, to_class = classes.chunk(2)
        return Logits(from_class, to_class, changed)


def _sum_skip(change: Tensor, semantic: Tensor) -> Tensor:
    before, after = semantic.chunk(2)
    return change + (before - after).abs()
