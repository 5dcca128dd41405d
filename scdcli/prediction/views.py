"""Views of chips through a network, added up with as few passes and resizings as they need."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from scdcli.models.engines import Forward
from scdcli.models.networks import outputs
from scdcli.prediction.tta import View, by_scale, side_at


def sum_views(
    forward: Forward,
    before: Tensor,
    after: Tensor,
    views: Sequence[View],
    size: int,
    *,
    fill: bool,
) -> Tensor:
    """Class and change probabilities of chips, the sum over views.

    Chips are resized once per scale, and so is what is said of them: its mirrored copies are added
    up before. Passes are shared by the copies of all chips.

    Args:
        forward: Gives the logits of a pass.
        before: (B, C, H, W) float32 in the units of the images.
        after: The same at the later date.
        views: Those to add up, at least one.
        size: Images of either date in a pass.
        fill: Whether the last pass of a scale is filled up, so that all have one shape.

    Returns:
        (B, P, H, W) float32, where `scdcli.models.networks.outputs.probabilities` gives P.
    """
    shape = before.shape[-2:]
    total: Tensor | None = None
    for scale, mirrors in by_scale(views).items():
        seen = [side_at(length, scale) for length in shape]
        dates = [_resize(x, seen) for x in (before, after)]
        copies = [(chip, axes) for axes in mirrors for chip in range(len(before))]
        added: dict[int, Tensor] = {}
        for start in range(0, len(copies), size):
            part = copies[start : start + size]
            shown = part + part[:1] * (size - len(part)) if fill else part
            images = (_copies(x, shown) for x in dates)
            mirrored = outputs.probabilities(outputs.in_float(forward(*images)))
            for (chip, axes), each in zip(part, mirrored, strict=False):  # without the filling
                upright = _mirror(each, axes)
                added[chip] = added[chip] + upright if chip in added else upright
        resized = _resize(torch.stack(list(added.values())), shape)
        total = resized if total is None else total + resized
    assert total is not None
    return total


def _copies(x: Tensor, shown: Sequence[tuple[int, tuple[int, ...]]]) -> Tensor:
    """Mirrored copies of chips, (B, C, H, W), as a pass takes them."""
    if shown == [(chip, ()) for chip in range(len(x))]:
        return x
    return torch.stack([_mirror(x[chip], axes) for chip, axes in shown])


def _mirror(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    return x.flip(axes) if axes else x  # flipped along no axis it would be copied


def _resize(x: Tensor, shape: Sequence[int]) -> Tensor:
    if tuple(x.shape[-2:]) == tuple(shape):
        return x
    return F.interpolate(x, size=list(shape), mode="bilinear", align_corners=False)
