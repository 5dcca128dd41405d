"""The fully convolutional baselines (Daudt et al. 2018), extended from binary to semantic change.

Blocks and widths are the trunk's, on five scales: these networks subsample four times. Their head
tells from-to types apart, unchanged among them; the ASN paper does not say how it extended them.
"""

import torch
from torch import Tensor, nn

from scdcli.models.networks.blocks import EncoderBlocks
from scdcli.models.networks.outputs import TypeLogits
from scdcli.models.networks.trunk import WIDTHS, Decoder, Encoder, scaled

FC_WIDTHS = WIDTHS[:-1]


class EarlyFusion(nn.Module):
    """FC-EF: one encoder-decoder on both images stacked."""

    output = "types"
    widths: tuple[int, ...] = FC_WIDTHS

    def __init__(
        self, *, bands: int, classes: int, blocks: EncoderBlocks, width: float = 1.0
    ) -> None:
        """Build for ``bands`` per date and ``classes`` K; ``width`` multiplies all channels."""
        super().__init__()
        widths = scaled(self.widths, width)
        self.encoder = Encoder(2 * bands, widths, blocks)
        self.decoder = Decoder(widths, 1 + classes**2, skips=1)

    def forward(self, before: Tensor, after: Tensor) -> TypeLogits:
        """Logits of a normalized pair, each date (B, bands, H, W) float."""
        return TypeLogits(self.decoder(self.encoder(torch.cat((before, after), dim=1))))


class SiameseConcatenation(nn.Module):
    """FC-Siam-conc: a shared encoder, one decoder that gets both dates' features side by side."""

    output = "types"
    skips = 2

    def __init__(
        self, *, bands: int, classes: int, blocks: EncoderBlocks, width: float = 1.0
    ) -> None:
        """Build for ``bands`` per date and ``classes`` K; ``width`` multiplies all channels."""
        super().__init__()
        widths = scaled(FC_WIDTHS, width)
        self.encoder = Encoder(bands, widths, blocks)
        self.decoder = Decoder(widths, 1 + classes**2, skips=self.skips, deepest=2)

    def forward(self, before: Tensor, after: Tensor) -> TypeLogits:
        """Logits of a normalized pair, each date (B, bands, H, W) float."""
        *features, deepest = self.encoder(torch.cat((before, after)))
        # The deepest feature carries both dates: a difference alone could not tell from from to.
        bottom = torch.cat(deepest.chunk(2), dim=1)
        skips = [self.join(*feature.chunk(2)) for feature in features]
        return TypeLogits(self.decoder([*skips, bottom]))

    def join(self, before: Tensor, after: Tensor) -> Tensor:
        """The skip of one scale."""
        return torch.cat((before, after), dim=1)


class SiameseDifference(SiameseConcatenation):
    """FC-Siam-diff: the same with absolute differences as skips."""

    skips = 1

    def join(self, before: Tensor, after: Tensor) -> Tensor:
        """The skip of one scale."""
        return (before - after).abs()
