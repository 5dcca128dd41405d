"""The training losses: Eq. 9 of the ASN paper, and its counterparts for other outputs."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from scdcli.legend import NODATA, UNCHANGED
from scdcli.networks.outputs import CoverLogits, Output, TypeLogits

IGNORED = -100


@dataclass(frozen=True)
class ClassWeights:
    """What a pixel counts in the loss, by its label; means are then weighted means."""

    classes: Tensor  # (K,) float32, for both dates' terms
    change: Tensor  # (2,) float32, unchanged first

    def to(self, device: torch.device) -> "ClassWeights":
        """The same on a device."""
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

    Returns:
        A scalar; a term without any counting pixel is 0.
    """
    if isinstance(logits, TypeLogits):
        return _type_loss(logits, from_label, to_label, changed, weights)
    classes = weights.classes if weights else None
    loss = alpha * _cross_entropy(logits.from_class, _class_target(from_label), classes)
    loss = loss + beta * _cross_entropy(logits.to_class, _class_target(to_label), classes)
    if isinstance(logits, CoverLogits):
        return loss
    change_target = torch.where(changed == NODATA, IGNORED, changed)
    return loss + _cross_entropy(logits.change, change_target, weights.change if weights else None)


def _type_loss(
    logits: TypeLogits,
    from_label: Tensor,
    to_label: Tensor,
    changed: Tensor,
    weights: ClassWeights | None,
) -> Tensor:
    classes = round((logits.types.shape[1] - 1) ** 0.5)
    code = (from_label - 1) * classes + to_label
    known = (
        (from_label - 1 < classes) & (to_label - 1 < classes) & (from_label > 0) & (to_label > 0)
    )
    target = torch.where((changed == 1) & known, code, IGNORED)
    target = torch.where(changed == 0, 0, target)
    by_type = None
    if weights:
        pairs = (weights.classes[:, None] + weights.classes[None]) / 2
        by_type = torch.cat((weights.change[:1], weights.change[1] * pairs.flatten()))
    return _cross_entropy(logits.types, target, by_type)


def _class_target(label: Tensor) -> Tensor:
    return torch.where((label == UNCHANGED) | (label == NODATA), IGNORED, label - 1)


def _cross_entropy(logits: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
    # A plain mean is 0/0 for a chip in which nothing changed.
    counts = target != IGNORED
    total = counts.sum() if weight is None else weight[target.clamp(min=0)][counts].sum()
    loss = F.cross_entropy(logits, target, weight, ignore_index=IGNORED, reduction="sum")
    return loss / total.clamp(min=1e-6)
