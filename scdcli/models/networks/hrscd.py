"""The four strategies of HRSCD (Daudt et al. 2019), which the ASN paper compares with."""

import torch
from torch import Tensor, nn

from scdcli.models.networks.blocks import EncoderBlocks
from scdcli.models.networks.fc import EarlyFusion
from scdcli.models.networks.outputs import CoverLogits, Logits
from scdcli.models.networks.trunk import WIDTHS, Decoder, at_size, encode_pair, pair_encoder


class Strategy1(nn.Module):
    """One land-cover map per date, compared afterwards (Eq. 2)."""

    output = "covers"

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
        self.semantic_decoder = Decoder(widths, classes, skips=1)

    def forward(self, before: Tensor, after: Tensor) -> CoverLogits:
        """Logits of a normalized pair, each date (B, bands, H, W) float."""
        semantic = self.semantic_encoder(torch.cat((before, after)))
        covers = at_size(self.semantic_decoder(semantic), before.shape[-2:])
        return CoverLogits(*covers.chunk(2))


class Strategy2(EarlyFusion):
    """One encoder-decoder on both images stacked, for from-to types: FC-EF, a scale deeper."""

    widths = WIDTHS


class Strategy3(nn.Module):
    """Shared semantic branches, and a change branch of its own."""

    output = "branches"
    change_skips = 1

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
        widths, self.semantic_encoder, self.change_encoder = encoders
        self.semantic_decoder = Decoder(widths, classes, skips=1)
        self.change_decoder = Decoder(widths, 2, skips=self.change_skips)

    def forward(self, before: Tensor, after: Tensor) -> Logits:
        """Logits of a normalized pair, each date (B, bands, H, W) float."""
        encoders = self.semantic_encoder, self.change_encoder
        semantic, change = encode_pair(*encoders, before, after)
        from_class, to_class = self.semantic_decoder(semantic).chunk(2)
        skips = [self.join(c, s) for c, s in zip(change, semantic, strict=True)]
        maps = (from_class, to_class, self.change_decoder(skips))
        return Logits(*(at_size(x, before.shape[-2:]) for x in maps))

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
