"""Terms that later papers add to the cross-entropies of Eq. 9, for `shortruns.py`."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from scdcli.legend import NODATA, UNCHANGED
from scdcli.models.networks.outputs import Logits

Labels = tuple[Tensor, Tensor, Tensor]
"""Class before, class after, changed; (B, H, W) int64 each."""


def lovasz_loss(likely: Tensor, changed: Tensor) -> Tensor:
    """Lovász-Softmax of unchanged and changed in each pair (Berman et al. 2018).

    With the errors m of all pixels in descending order, Σ mᵢ·(Jᵢ - Jᵢ₋₁), where Jᵢ is the Jaccard
    loss 1 - |intersection| / |union| that the first i pixels give where they alone are wrong (Eq. 8
    and 9); the mean over those of unchanged and changed that occur. Of a hard map it is 1 - IoU.

    Args:
        likely: Probability of change, (B, N) float32.
        changed: 0 unchanged, 1 changed, 255 does not count; (B, N) int64.

    Returns:
        A number per pair, (B,) float32; 0 where no pixel counts.
    """
    counts = changed != NODATA
    errors = torch.where(counts, (changed - likely).abs(), 0.0)
    order = torch.where(counts, errors, -1.0).detach().argsort(dim=1, descending=True)
    of_order = torch.zeros_like(errors)  # by how much each error counts
    occurring = torch.zeros_like(errors[:, :1])
    for value in (0, 1):
        own = (changed == value).gather(1, order).long()
        other = (changed == 1 - value).gather(1, order).long()
        total = own.sum(dim=1, keepdim=True)
        union = (total + other.cumsum(dim=1)).clamp(min=1)
        jaccard = 1 - (total - own.cumsum(dim=1)) / union
        steps = torch.diff(jaccard, dim=1, prepend=torch.zeros_like(jaccard[:, :1]))
        of_order = of_order + steps * (total > 0)
        occurring = occurring + (total > 0)
    of_pixel = torch.zeros_like(errors).scatter(1, order, of_order)
    return (errors * of_pixel / occurring.clamp(min=1)).sum(dim=1)


def dice_loss(likely: Tensor, changed: Tensor) -> Tensor:
    """1 - (2·Σ p·g + 1) / (Σ p² + Σ g² + 1) of change in each pair (Milletari et al. 2016).

    The ones are not of the paper: without them a pair in which nothing changed would teach nothing.

    Args:
        likely: Probability of change p, (B, N) float32.
        changed: g, 0 unchanged, 1 changed, 255 does not count; (B, N) int64.

    Returns:
        A number per pair, (B,) float32; 0 where no pixel counts.
    """
    p = torch.where(changed == NODATA, 0.0, likely)
    g = changed == 1
    return 1 - (2 * (p * g).sum(dim=1) + 1) / (p.square().sum(dim=1) + g.sum(dim=1) + 1)


def inconsistency(before: Tensor, after: Tensor, labels: Labels, margin: float = 0.0) -> Tensor:
    """How the classes of two dates contradict the change between them (Ding et al. 2022).

    1 - cos of the class probabilities where nothing changed, max(0, cos - margin) where a class
    became another; without a margin, as published.

    Args:
        before: Probabilities of the classes, (B, K, H, W) float32.
        after: Likewise.
        labels: Of the same pixels; those that became of their own class do not count.
        margin: The cosine below which changed classes are unlike enough.

    Returns:
        (B, H, W) float32; 0 where a pixel does not count.
    """
    unchanged, other = _comparable(labels)
    alike = F.cosine_similarity(before, after, dim=1)
    return torch.where(unchanged, 1 - alike, torch.where(other, F.relu(alike - margin), 0.0))


def _comparable(labels: Labels) -> tuple[Tensor, Tensor]:
    """Where nothing changed, and where a class became another."""
    from_label, to_label, changed = labels
    known = [(label != UNCHANGED) & (label != NODATA) for label in (from_label, to_label)]
    return changed == 0, (changed == 1) & known[0] & known[1] & (from_label != to_label)


def dice(logits: Logits, labels: Labels) -> Tensor:
    """`dice_loss`, of all pairs alike."""
    return _of_pairs(dice_loss, logits, labels)


def lovasz(logits: Logits, labels: Labels) -> Tensor:
    """`lovasz_loss`, of all pairs alike."""
    return _of_pairs(lovasz_loss, logits, labels)


def consistency(logits: Logits, labels: Labels) -> Tensor:
    """`inconsistency`, of all pixels alike that count."""
    dates = (logits.from_class.softmax(dim=1), logits.to_class.softmax(dim=1))
    unchanged, other = _comparable(labels)
    return inconsistency(*dates, labels).sum() / (unchanged | other).sum().clamp(min=1)


def _of_pairs(loss: Callable[[Tensor, Tensor], Tensor], logits: Logits, labels: Labels) -> Tensor:
    likely = logits.change.softmax(dim=1)[:, 1].flatten(1)
    return loss(likely, labels[2].flatten(1)).mean()


TERMS = {"dice": dice, "lovasz": lovasz, "consistency": consistency}
