"""The four strategies of HRSCD (Daudt et al. 2019), which the ASN paper compares with."""

import torch
from torch import Tensor, nn

from scdcli.models.networks.blocks import EncoderBlocks
from scdcli.models.networks.encoders import DateFusion
from scdcli.models.networks.fc import EarlyFusion
from scdcli.models.networks.outputs import CoverLogits, Logits
from scdcli.models.networks.trunk import WIDTHS, Decoder, at_size, pair_encoder


class SiameseNetwork(nn.Module):
    """One semantic encoder and decoder for both dates, and perhaps a change branch beside them.

    Subclasses say with ``change_skips`` how the features of `join` reach the change decoder, as
    the ``skips`` of `Decoder`; None for no change branch.
    """

    change_skips: int | None = None

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
        encoders = pair_encoder(bands, blocks, width, encoder)
        self.widths, self.semantic_encoder, change_encoder = encoders
        if self.change_skips is not None:
            self.change_encoder = change_encoder
        self.semantic_decoder = Decoder(self.widths, classes, skips=1)
        if self.change_skips is not None:
            self.change_decoder = Decoder(self.widths, 2, skips=self.change_skips)

    def features(self, before: Tensor, after: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """The features of every scale, finest first.

        Args:
            before: (B, bands, H, W).
            after: Likewise.

        Returns:
            Those of both dates in one batch, BEFORE first, (2B, C, h, w), and those of the pair,
            (B, C, h, w).
        """
        semantic = self.semantic_encoder(torch.cat((before, after)))
        if isinstance(self.change_encoder, DateFusion):
            return semantic, self.change_encoder(semantic)
        return semantic, self.change_encoder(torch.cat((before, after), dim=1))

    def skips(self, semantic: list[Tensor], change: list[Tensor]) -> list[Tensor]:
        """What the change decoder gets at every scale."""
        return [self.join(c, s) for c, s in zip(change, semantic, strict=True)]

    def join(self, change: Tensor, semantic: Tensor) -> Tensor:
        """The change decoder's input at one scale: here the feature of the change encoder alone.

        Args:
            change: (B, C, H, W).
            semantic: Both dates in one batch, BEFORE first, (2B, C, H, W).
        """
        return change


class Strategy1(SiameseNetwork):
    """One land-cover map per date, compared afterwards (Eq. 2)."""

    output = "covers"

    def forward(self, before: Tensor, after: Tensor) -> CoverLogits:
        """Logits of a normalized pair, each date (B, bands, H, W) float."""
        semantic = self.semantic_encoder(torch.cat((before, after)))
        covers = at_size(self.semantic_decoder(semantic), before.shape[-2:])
        return CoverLogits(*covers.chunk(2))


class Strategy2(EarlyFusion):
    """One encoder-decoder on both images stacked, for from-to types: FC-EF, a scale deeper."""

    widths = WIDTHS


class Strategy3(SiameseNetwork):
    """Shared semantic branches, and a change branch of its own."""

    output = "branches"
    change_skips = 1

    def forward(self, before: Tensor, after: Tensor) -> Logits:
        """Logits of a normalized pair, each date (B, bands, H, W) float."""
        semantic, change = self.features(before, after)
        from_class, to_class = self.semantic_decoder(semantic).chunk(2)
        maps = (from_class, to_class, self.change_decoder(self.skips(semantic, change)))
        return Logits(*(at_size(x, before.shape[-2:]) for x in maps))


class Strategy4(Strategy3):
    """Strategy 3 whose change decoder also gets the differences of the semantic features.

    With 3 bands at width 1: 13.71 M parameters, 36.3 GMAC for one 512×512 pair.
    """

    change_skips = 2

    def join(self, change: Tensor, semantic: Tensor) -> Tensor:
        """The feature of the change encoder and |f1 - f2| side by side, (B, 2C, H, W)."""
        before, after = semantic.chunk(2)
        return torch.cat((change, (before - after).abs()), dim=1)
