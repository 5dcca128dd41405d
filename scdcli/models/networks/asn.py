"""ASN: the asymmetric siamese network (Yang et al., Section III-D and Fig. 2), and ASN-ATL.

Adaptive threshold learning (Eq. 10-12) is the second stage of ASN-ATL.
"""

import torch
from torch import Tensor, nn

from scdcli.models.networks.blocks import EncoderBlocks, activation
from scdcli.models.networks.hrscd import SiameseNetwork, Strategy4
from scdcli.models.networks.outputs import Logits
from scdcli.models.networks.pyramids import (
    CAPABILITIES,
    ChainedPyramid,
    ConvolutionPyramid,
    LikeRepresentations,
    RepresentationPyramid,
    SpatialPyramid,
)
from scdcli.models.networks.trunk import PYRAMID_LEVEL, at_size, scaled

HIDDEN = 32  # channels between the two convolutions of ψ1 and of ψ2
SMALL = 1e-3  # deviation of the last weights at the start: the first stage's maps, hardly moved


class ASN(SiameseNetwork):
    """Asymmetric siamese network on the HRSCD.str4 trunk.

    One semantic encoder and decoder serve both dates, a change encoder reads the 2·bands stack,
    and a change decoder gets, at every scale, the change encoder's feature plus the absolute
    difference of the semantic features, added (not concatenated as in HRSCD.str4). Between the
    6th and 7th plain block of the decoders stand aSP and aRP. The ablations leave parts out.

    With 3 bands and 6 classes at width 1: 24.49 M parameters, 106.3 GMAC for one 512×512 pair;
    at width 0.5: 6.15 M and 30.8 GMAC.
    """

    output = "branches"
    change_skips = 0  # added

    def __init__(
        self,
        *,
        bands: int,
        classes: int,
        blocks: EncoderBlocks,
        width: float = 1.0,
        encoder: str = "paper",
        asp: bool = True,
        arp: bool = True,
        pairs: str = "all",
        chained: bool = False,
    ) -> None:
        """Build for ``bands`` per date and ``classes`` K; ``width`` multiplies all channels.

        Ablations: without ``arp`` (w/o-R of Table VI), also without ``asp`` (w/o-R&S), or with
        ``pairs`` (a name in `pyramids.PAIRS`) "none" (w/o-AF of Table V), which leaves aSP in the
        semantic decoders and, since all that aRP gives are pairs, no aRP; or "symmetric", w/o-AF
        in the other sense. ``chained`` is the other reading of Φ_{j,k}.
        """
        super().__init__(bands=bands, classes=classes, blocks=blocks, width=width, encoder=encoder)
        middle = self.widths[-PYRAMID_LEVEL]
        sizes = middle, middle, scaled(CAPABILITIES, width)
        convolutions = ChainedPyramid if chained else ConvolutionPyramid
        self.asp: SpatialPyramid | None = None
        self.arp: RepresentationPyramid | LikeRepresentations | None = None
        if asp:
            self.asp = SpatialPyramid(*sizes, pairs=pairs, convolutions=convolutions)
        if asp and arp and pairs == "all":
            self.arp = RepresentationPyramid(*sizes, convolutions=convolutions)
        elif asp and arp and pairs == "symmetric":
            self.arp = LikeRepresentations(*sizes)

    def forward(self, before: Tensor, after: Tensor) -> Logits:
        """Logits of a normalized pair, each date (B, bands, H, W) float."""
        semantic, change = self.features(before, after)
        skips = self.skips(semantic, change)

        f = self.semantic_decoder.deep(semantic)  # (2B, C, H/8, W/8)
        f_c = self.change_decoder.deep(skips)  # (B, C, H/8, W/8)
        shallow = semantic[-PYRAMID_LEVEL], change[-PYRAMID_LEVEL]
        f, f_c = self._through_pyramids(f, f_c, *shallow)

        from_class, to_class = self.semantic_decoder.shallow(f, semantic).chunk(2)
        maps = (from_class, to_class, self.change_decoder.shallow(f_c, skips))
        return Logits(*(at_size(x, before.shape[-2:]) for x in maps))

    def join(self, change: Tensor, semantic: Tensor) -> Tensor:
        """The feature of the change encoder plus |f1 - f2|, (B, C, H, W)."""
        before, after = semantic.chunk(2)
        return change + (before - after).abs()

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


class ConcatenatedASN(ASN):
    """ASN whose change decoder gets feature and difference side by side; not of the paper."""

    change_skips = 2
    join = Strategy4.join


class SummedASN(ASN):
    """ASN whose change decoder gets the sum of both dates' features, with no difference in it."""

    def join(self, change: Tensor, semantic: Tensor) -> Tensor:
        """The feature of the change encoder plus f1 + f2, (B, C, H, W)."""
        before, after = semantic.chunk(2)
        return change + before + after


class ASNWithThresholds(nn.Module):
    """A trained ASN whose raw maps two short convolution series revise; only these are trained.

    ψ1 is shared by the dates. ψ2 reads both revised maps. The ASN inside stays as it is: its
    parameters take no gradient and its batch statistics stand still, also in training mode.
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
        """Build the ASN and ψ1, ψ2; γ comes with the blocks."""
        super().__init__()
        self.asn = ASN(bands=bands, classes=classes, blocks=blocks, width=width, encoder=encoder)
        self.asn.requires_grad_(False)
        self.psi1 = _series(classes, classes)
        self.psi2 = _series(2 * classes, 2)
        self.gamma = blocks.gamma

    def train(self, mode: bool = True) -> "ASNWithThresholds":
        """Training mode for ψ1 and ψ2 only."""
        super().train(mode)
        self.asn.eval()
        return self

    def forward(self, before: Tensor, after: Tensor) -> Logits:
        """Revised logits of a normalized pair, each date (B, bands, H, W) float."""
        raw = self.asn(before, after)
        from_class, to_class = (  # Eq. 10
            each + self.gamma * self.psi1(each) for each in (raw.from_class, raw.to_class)
        )
        both = torch.cat((from_class, to_class), dim=1)
        return Logits(from_class, to_class, raw.change + self.gamma * self.psi2(both))  # Eq. 11


def _series(in_channels: int, out_channels: int) -> nn.Sequential:
    last = nn.Conv2d(HIDDEN, out_channels, 3, padding=1)
    nn.init.normal_(last.weight, std=SMALL)
    nn.init.zeros_(last.bias)  # type: ignore[arg-type]
    return nn.Sequential(nn.Conv2d(in_channels, HIDDEN, 3, padding=1), activation(), last)
