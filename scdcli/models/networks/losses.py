"""The training losses: Eq. 9 of the ASN paper, and its counterparts for other outputs."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from scdcli.legend import NODATA, UNCHANGED
from scdcli.models.networks.outputs import CoverLogits, Logits, Output, TypeLogits

IGNORED = -100


@dataclass(frozen=True)
class ClassWeights:
    """Weights of pixels in the loss, by their labels; means become weighted means."""

    classes: Tensor  # (K,) float32, for both dates' terms
    change: Tensor  # (2,) float32, unchanged first

    def to(self, device: torch.device) -> "ClassWeights":
        """The weights on a device."""
        return ClassWeights(self.classes.to(device), self.change.to(device))


def inverse_frequency(pixels: Sequence[int], power: float = 1.0) -> Tensor:
    """Weights ∝ (1 / share)^power of labels with so many pixels, of mean 1 over the pixels.

    With ``power`` 1 all labels count alike in total; with 1/2 the imbalance is half mended. A label
    without pixels counts nowhere and gets 1.
    """
    count = torch.tensor(pixels, dtype=torch.float64)
    weight = torch.where(count > 0, count.clamp(min=1) ** -power, 0.0)
    scale = count.sum() / (weight * count).sum().clamp(min=1e-300)
    return torch.where(count > 0, weight * scale, 1.0).float()


def change_loss(
    logits: Output,
    from_label: Tensor,
    to_label: Tensor,
    changed: Tensor,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    weights: ClassWeights | None = None,
    totals: Tensor | None = None,
) -> Tensor:
    """Cross-entropies of what the network gives, each a mean over the pixels that count.

    With a change branch: α·CE(from) + β·CE(to) + CE(change) (Eq. 9). For two land-cover maps: the
    first two terms. For from-to types: one term over 1 + K·K types.

    Args:
        logits: A network's output, float32.
        from_label: Class before, (B, H, W) int64; 0 and 255 do not count, so unchanged pixels
            stay out of the semantic terms when the labels hold 0 there (the paper's masking).
        to_label: Class after, likewise.
        changed: 0 unchanged, 1 changed, 255 does not count; (B, H, W) int64.
        alpha: Weight of the first date's semantic term.
        beta: Weight of the second date's semantic term.
        weights: Class weights; of a from-to type, that of its change times the mean of its classes.
        totals: Where the labels are part of a larger batch, the sum of the `loss_totals` of all its
            parts; the losses of the parts then add up to the loss of the batch.

    Returns:
        A scalar; a term without any counting pixel is 0.
    """
    terms = _terms(
        KINDS[type(logits)], class_count(logits), (from_label, to_label, changed), weights
    )
    if totals is None:
        totals = torch.stack([term.total() for term in terms])
    # Summed by hand: the sum inside the operator has no deterministic form on a GPU.
    sums = [
        F.cross_entropy(x, t.target, t.weight, ignore_index=IGNORED, reduction="none").sum()
        for x, t in zip(logits, terms, strict=True)
    ]
    # A plain mean is 0/0 for a chip in which nothing changed.
    means = torch.stack(sums) / totals.clamp(min=1e-6)
    if isinstance(logits, TypeLogits):
        return means[0]
    return alpha * means[0] + beta * means[1] + means[2:].sum()


def loss_totals(
    output: str,
    classes: int,
    labels: tuple[Tensor, Tensor, Tensor],
    weights: ClassWeights | None = None,
) -> Tensor:
    """The divisors of the terms of `change_loss`: the pixels that count, or their weights.

    Args:
        output: Kind of output of the network.
        classes: K.
        labels: Class before, class after, changed; (B, H, W) int64.
        weights: Class weights.

    Returns:
        One number per term, (T,) float32.
    """
    return torch.stack([term.total() for term in _terms(output, classes, labels, weights)])


class _Term(NamedTuple):
    """The target of one cross-entropy."""

    target: Tensor  # (B, H, W) int64, the channel that should win, or IGNORED
    weight: Tensor | None  # by channel

    def total(self) -> Tensor:
        """The divisor of the mean over the pixels, a float32 scalar."""
        counts = self.target != IGNORED
        if self.weight is None:
            return counts.sum().float()
        # Not by picking those that count: how many there are a GPU would have to be asked.
        return (self.weight[self.target.clamp(min=0)] * counts).sum()


KINDS: dict[type[Output], str] = {
    Logits: "branches",
    TypeLogits: "types",
    CoverLogits: "covers",
}


def _terms(
    output: str,
    classes: int,
    labels: tuple[Tensor, Tensor, Tensor],
    weights: ClassWeights | None,
) -> list[_Term]:
    from_label, to_label, changed = labels
    if output == "types":
        return [_Term(_type_target(labels, classes), _type_weights(weights))]
    by_class = weights.classes if weights else None
    terms = [_Term(_class_target(label), by_class) for label in (from_label, to_label)]
    if output == "branches":
        change_target = torch.where(changed == NODATA, IGNORED, changed)
        terms.append(_Term(change_target, weights.change if weights else None))
    return terms


def class_count(logits: Output) -> int:
    """K of what a network gives."""
    if isinstance(logits, TypeLogits):
        return isqrt(logits.types.shape[1] - 1)
    return logits.from_class.shape[1]


def _type_target(labels: tuple[Tensor, Tensor, Tensor], classes: int) -> Tensor:
    from_label, to_label, changed = labels
    code = (from_label - 1) * classes + to_label
    known = (
        (from_label - 1 < classes) & (to_label - 1 < classes) & (from_label > 0) & (to_label > 0)
    )
    target = torch.where((changed == 1) & known, code, IGNORED)
    return torch.where(changed == 0, 0, target)


def _type_weights(weights: ClassWeights | None) -> Tensor | None:
    if weights is None:
        return None
    pairs = (weights.classes[:, None] + weights.classes[None]) / 2
    return torch.cat((weights.change[:1], weights.change[1] * pairs.flatten()))


def _class_target(label: Tensor) -> Tensor:
    return torch.where((label == UNCHANGED) | (label == NODATA), IGNORED, label - 1)
