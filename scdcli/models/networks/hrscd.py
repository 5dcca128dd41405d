"""The four strategies of HRSCD (Daudt et al. 2019), which the ASN paper compares with."""

import torch
from torch import Tensor, nn

from scdcli.models.networks.blocks import EncoderBlocks
from scdcli.models.networks.fc import EarlyFusion
from scdcli.models.networks.outputs import CoverLogits, Logits
from scdcli.models.networks.trunk import WIDTHS, Decoder, Encoder, scaled


class Strategy1(nn.Module):
    """One land-cover map per date, compared afterwards (Eq. 2)."""

    output = "covers"

    def __init__(
        self, *, bands: int, classes: int, blocks: EncoderBlocks, width: float = 1.0
    ) -> None:
        """Build for ``bands`` per date and ``classes`` K; ``width`` multiplies all channels."""
        super().__init__()
        widths = scaled(WIDTHS, width)
        self.semantic_encoder = Encoder(bands, widths, blocks)
        self.semantic_decoder = Decoder(widths, classes, skips=1)

    def forward(self, before: Tensor, after: Tensor) -> CoverLogits:
        """Logits of a normalized pair, each date (B, bands, H, W) float."""
        semantic = self.semantic_encoder(torch.cat((before, after)))
        return CoverLogits(*self.semantic_decoder(semantic).chunk(2))


class Strategy2(EarlyFusion):
    """One encoder-decoder on both images stacked, for from-to types: FC-EF, a scale deeper."""

    widths = WIDTHS


class Strategy3(nn.Module):
    """Shared semantic branches, and a change branch of its own."""

    output = "branches"
    change_skips = 1

    def __init__(
        self, *, bands: int, classes: int, blocks: EncoderBlocks, width: float = 1.0
    ) -> None:
        """Build for ``bands`` per date and ``classes`` K; ``width`` multiplies all channels."""
        super().__init__()
        widths = scaled(WIDTHS, width)
        self.semantic_encoder = Encoder(bands, widths, blocks)
        self.change_encoder = Encoder(2 * bands, widths, blocks)
        self.semantic_decoder = Decoder(widths, classes, skips=1)
        self.change_decoder = Decoder(widths, 2, skips=self.change_skips)

    def forward(self, before: Tensor, after: Tensor) -> Logits:
        """Logits of a normalized pair, each date (B, bands, H, W) float."""
        semantic = self.semantic_encoder(torch.cat((before, after)))  # (2B, ...): BEFORE first
        change = self.change_encoder(torch.cat((before, after), dim=1))
        from_class, to_class = self.semantic_decoder(semantic).chunk(2)
        skips = [self.join(c, s) for c, s in zip(change, semantic, strict=True)]
        return Logits(from_class, to_class, self.change_decoder(skips))

    def join(self, change: Tensor, semantic: Tensor) -> Tensor:
        """What the change decoder gets at one scale: the change encoder's feature alone."""
        return change


class Strategy4(Strategy3):
    """Strategy 3 whose change decoder also gets the differences of the semantic features.

    With 3 bands at width 1: 13.71 M parameters, 36.3 GMAC for one 512×512 pair.
    """

    change_skips = 2

    def join(self, change: Tensor, semantic: Tensor) -> Tensor:
        """The change encoder's feature and the difference."""
        return concatenated_skip(change, semantic)


def concatenated_skip(change: Tensor, semantic: Tensor) -> Tensor:
    """A change decoder's skip: the change encoder's feature and |f1 - f2| side by side.

    Args:
        change: (B, C, H, W).
        semantic: Both dates in one batch, BEFORE first, (2B, C, H, W).

    Returns:
        (B, 2C, H, W).
    """
    before, after = semantic.chunk(2)
    return torch.cat((change, (before - after).abs()), dim=1)
