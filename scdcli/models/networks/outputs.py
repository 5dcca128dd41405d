"""The three kinds of output of networks: logits, and the probabilities they stand for.

`scdcli.prediction.decode.READOUTS` has a reader of the probabilities for each kind, by the same
name.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Logits(NamedTuple):
    """Logits of networks with a change branch (``branches``), before softmax."""

    from_class: Tensor  # (B, K, H, W), class 1 first
    to_class: Tensor  # (B, K, H, W)
    change: Tensor  # (B, 2, H, W), unchanged first


class TypeLogits(NamedTuple):
    """Logits of networks that tell from-to types apart, unchanged among them (``types``)."""

    types: Tensor  # (B, 1 + K·K, H, W): unchanged, then (from - 1)·K + to in order


class CoverLogits(NamedTuple):
    """Logits of networks that only map the land cover of each date (``covers``)."""

    from_class: Tensor  # (B, K, H, W), class 1 first
    to_class: Tensor  # (B, K, H, W)


Output = Logits | TypeLogits | CoverLogits
# By the attribute ``output`` of a network.
OUTPUTS: dict[str, type[Output]] = {
    "branches": Logits,
    "types": TypeLogits,
    "covers": CoverLogits,
}


def in_float(logits: Output) -> Output:
    """The logits in 32 bits, whatever the precision of the forward pass."""
    return type(logits)(*(x.float() for x in logits))


def probabilities(logits: Output) -> Tensor:
    """Softmax of each part, stacked: (B, P, H, W).

    P is 2K + 1 for ``branches`` (classes before, after, probability of change), 1 + K·K for
    ``types``, 2K for ``covers``.
    """
    parts = [x.softmax(dim=1) for x in logits]
    if isinstance(logits, Logits):
        parts[-1] = parts[-1][:, 1:]
    return torch.cat(parts, dim=1)
