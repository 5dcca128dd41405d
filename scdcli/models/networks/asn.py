"""ASN: the asymmetric siamese network (Yang et al., Section III-D and Fig. 2)."""

from torch import Tensor, nn

from scdcli.models.networks.blocks import EncoderBlocks
from scdcli.models.networks.hrscd import concatenated_skip
from scdcli.models.networks.outputs import Logits
from scdcli.models.networks.pyramids import CAPABILITIES, RepresentationPyramid, SpatialPyramid
from scdcli.models.networks.trunk import (
    PYRAMID_LEVEL,
    Decoder,
    at_size,
    encode_pair,
    pair_encoder,
    scaled,
)


class ASN(nn.Module):
    """Asymmetric siamese network on the HRSCD.str4 trunk.

    One semantic encoder and decoder serve both dates, a change encoder reads the 2·bands stack,
    and a change decoder gets, at every scale, the change encoder's feature plus the absolute
    difference of the semantic features, added (not concatenated as in HRSCD.str4). Between the
    6th and 7th plain block of the decoders stand aSP and aRP. The ablations leave parts out.

    With 3 bands and 6 classes at width 1: 24.49 M parameters, 106.3 GMAC for one 512×512 pair;
    at width 0.5: 6.15 M and 30.8 GMAC.
    """

    output = "branches"

    def __init__(
        self,
        *,
        bands: int,
        classes: int,
        blocks: EncoderBlocks,
        width: float = 1.0,
        asp: bool = True,
        arp: bool = True,
        pairs: bool = True,
        concatenate: bool = False,
        encoder: str = "paper",
    ) -> None:
        """Build for ``bands`` per date and ``classes`` K; ``width`` multiplies all channels.

        Ablations: without ``arp`` (w/o-R of Table VI), also without ``asp`` (w/o-R&S), or without
        the ``pairs`` (w/o-AF of Table V), which leaves aSP in the semantic decoders and, since all
        that aRP gives are pairs, no aRP. With ``concatenate`` the change decoder gets the change
        encoder's feature and the difference side by side, as in HRSCD.str4.
        """
        super().__init__()
        encoders = pair_encoder(bands, blocks, width, encoder)
        widths, self.semantic_encoder, self.change_encoder = encoders
        capabilities = scaled(CAPABILITIES, width)
        middle = widths[-PYRAMID_LEVEL]
        self.semantic_decoder = Decoder(widths, classes, skips=1)
        self.change_decoder = Decoder(widths, 2, skips=2 if concatenate else 0)
        self.join = concatenated_skip if concatenate else _sum_skip
        self.asp = SpatialPyramid(middle, middle, capabilities, pairs=pairs) if asp else None
        with_arp = asp and arp and pairs
        self.arp = RepresentationPyramid(middle, middle, capabilities) if with_arp else None

    def forward(self, before: Tensor, after: Tensor) -> Logits:
        """Logits of a normalized pair, each date (B, bands, H, W) float."""
        encoders = self.semantic_encoder, self.change_encoder
        semantic, change = encode_pair(*encoders, before, after)
        skips = [self.join(c, s) for c, s in zip(change, semantic, strict=True)]

        f = self.semantic_decoder.deep(semantic)  # (2B, C, H/8, W/8)
        f_c = self.change_decoder.deep(skips)  # (B, C, H/8, W/8)
        shallow = semantic[-PYRAMID_LEVEL], change[-PYRAMID_LEVEL]
        f, f_c = self._through_pyramids(f, f_c, *shallow)

        from_class, to_class = self.semantic_decoder.shallow(f, semantic).chunk(2)
        maps = (from_class, to_class, self.change_decoder.shallow(f_c, skips))
        return Logits(*(at_size(x, before.shape[-2:]) for x in maps))

    def _through_pyramids(
        self, f: Tensor, f_c: Tensor, f_s: Tensor, f_cs: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Deep features (semantic, change) with what the pyramids make of them and of F_s."""
        if self.asp is None:
            return f, f_c
        f, spatial_pairs, pyramid = self.asp(f, f_s)
        joined = f_c if spatial_pairs is None else f_c + spatial_pairs
        if self.arp is not None:
            joined = joined + self.arp(f_c, f_cs, pyramid)
        return f, joined


def _sum_skip(change: Tensor, semantic: Tensor) -> Tensor:
    before, after = semantic.chunk(2)
    return change + (before - after).abs()
