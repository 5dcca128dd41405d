"""Test-time augmentation: the mirrored copies and scales a prediction is averaged over.

The paper tests with scales 0.5 to 1.75 (MS) and with mirrored copies (Flip), Section VI-A.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from scdcli.errors import UnknownName

SCALES = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)
# Axes to mirror, of (..., H, W); every one of these undoes itself.
MIRRORS: tuple[tuple[int, ...], ...] = ((), (-1,), (-2,), (-2, -1))


@dataclass(frozen=True)
class View:
    """One way to look at a chip: resize by ``scale``, then mirror along ``axes``."""

    scale: float = 1.0
    axes: tuple[int, ...] = ()


def _views(scales: tuple[float, ...], mirrors: tuple[tuple[int, ...], ...]) -> tuple[View, ...]:
    return tuple(View(scale, axes) for scale in scales for axes in mirrors)


PLAIN = View()
ADAPTIVE = "adaptive"  # all views only of chips that are doubtful in the plain one
TTA: dict[str, tuple[View, ...]] = {
    "none": _views((1.0,), ((),)),
    "flip": _views((1.0,), MIRRORS),
    "ms": _views(SCALES, ((),)),
    "ms+flip": _views(SCALES, MIRRORS),
    ADAPTIVE: _views(SCALES, MIRRORS),
}


def find_tta(name: str, *, gpu: bool) -> str:
    """A name in `TTA`; ``auto`` is ms+flip on a GPU and none without one.

    Raises:
        UnknownName: No such set.
    """
    if name == "auto":
        return "ms+flip" if gpu else "none"
    if name not in TTA:
        raise UnknownName("test-time augmentation", name, ("auto", *TTA))
    return name


def spoken_looks(chips: Mapping[str, int]) -> str:
    """How many chips were looked at again, as `scdcli.prediction.looks` counts them, in words."""
    return f"{chips['looked_at_again']:,} of {chips['predicted']:,} chips were looked at again"


def by_scale(views: Iterable[View]) -> dict[float, list[tuple[int, ...]]]:
    """The mirrored copies at each scale, both in the order of the views."""
    found: dict[float, list[tuple[int, ...]]] = {}
    for view in views:
        found.setdefault(view.scale, []).append(view.axes)
    return found


def side_at(side: int, scale: float) -> int:
    """What a scale makes of a side of a chip, in pixels."""
    return max(32, round(side * scale))
