"""The training loss (ASN paper, Eq. 9)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from scdcli.legend import NODATA, UNCHANGED
from scdcli.networks.asn import Logits

IGNORED = -100


def asn_loss(
    logits: Logits,
    from_label: Tensor,
    to_label: Tensor,
    changed: Tensor,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
) -> Tensor:
    """α·CE(from) + β·CE(to) + CE(change), each a mean over the pixels that count.

    Args:
        logits: A network's output.
        from_label: Class before, (B, H, W) int64; 0 and 255 do not count, so unchanged pixels
            stay out of the semantic terms when the labels hold 0 there (the paper's masking).
        to_label: Class after, likewise.
        changed: 0 unchanged, 1 changed, 255 does not count; (B, H, W) int64.
        alpha: Weight of the first date's semantic term.
        beta: Weight of the second date's semantic term.

    Returns:
        A scalar; a term without any counting pixel is 0.
    """
    change_target = torch.where(changed == NODATA, IGNORED, changed)
    return (
        alpha * _cross_entropy(logits.from_class, _class_target(from_label))
        + beta * _cross_entropy(logits.to_class, _class_target(to_label))
        + _cross_entropy(logits.change, change_target)
    )


def _class_target(label: Tensor) -> Tensor:
    return torch.where((label == UNCHANGED) | (label == NODATA), IGNORED, label - 1)


def _cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    # A plain mean is 0/0 for a chip in which nothing changed.
    count = (target != IGNORED).sum().clamp(min=1)
    return F.cross_entropy(logits, target, ignore_index=IGNORED, reduction="sum") / count
