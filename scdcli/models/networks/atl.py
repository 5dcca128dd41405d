"""Adaptive threshold learning, the second stage of ASN-ATL (ASN paper, Eq. 10–12)."""

import torch
from torch import Tensor, nn

from scdcli.models.networks.asn import ASN
from scdcli.models.networks.blocks import EncoderBlocks, activation
from scdcli.models.networks.outputs import Logits

HIDDEN = 32  # channels between the two convolutions of ψ1 and of ψ2
SMALL = 1e-3  # deviation of the last weights at the start: the first stage's maps, hardly moved


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
