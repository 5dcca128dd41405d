"""From probabilities to classes, for each kind of output that a network can have.

Every kind gives a probability of change. The model's temperature T calibrates it, and a pixel is
changed where it then reaches the threshold τ. At τ = 0.5 that is each method's own rule, at any T.
The two classes of a change are chosen together: the likeliest pair that the legend allows.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from scdcli.legend import NODATA, UNCHANGED

Floats = NDArray[np.float32]
Classes = NDArray[np.uint8]

ROWS = 256  # read at a time: intermediate arrays take as much memory as the probabilities
BELOW_HALF = np.nextafter(np.float32(0.5), np.float32(0))


class ClassMaps(NamedTuple):
    """Class maps of a window, each (H, W) uint8."""

    from_class: Classes  # 0 unchanged
    to_class: Classes
    probability: Classes  # of change, percent 0-100
    before_cover: Classes  # class of every pixel, 1..K
    after_cover: Classes

    def with_nodata(self, valid: NDArray[np.bool_]) -> "ClassMaps":
        """The same with 255 where a date has no measurement."""
        return ClassMaps(*(np.where(valid, layer, np.uint8(NODATA)) for layer in self))

    def as_change(self) -> "ClassMaps":
        """The same with one class, changed, in the place of all classes."""
        one = (np.where(np.isin(layer, (UNCHANGED, NODATA)), layer, np.uint8(1)) for layer in self)
        from_class, to_class, _, before_cover, after_cover = one
        return ClassMaps(from_class, to_class, self.probability, before_cover, after_cover)


class Reading(NamedTuple):
    """Change probability and classes of each pixel, before any threshold; (H, W) each.

    Attributes:
        change: Probability of change, float32.
        from_class: Class before if the pixel changed, 1..K, uint8.
        to_class: Class after if it changed.
        before_cover: Class before, whether it changed or not.
        after_cover: Class after, whether it changed or not.
    """

    change: Floats
    from_class: Classes
    to_class: Classes
    before_cover: Classes
    after_cover: Classes

    def as_change(self) -> "Reading":
        """The same with one class, changed, in the place of all classes."""
        one = np.ones_like(self.from_class)
        return Reading(self.change, one, one, one, one)

    def at(self, threshold: float) -> ClassMaps:
        """The class maps at a threshold τ in [0, 1]."""
        changed = self.change >= threshold
        unchanged = np.uint8(UNCHANGED)
        return ClassMaps(
            np.where(changed, self.from_class, unchanged),
            np.where(changed, self.to_class, unchanged),
            np.rint(self.change * 100).astype(np.uint8),
            self.before_cover,
            self.after_cover,
        )


class Readout(NamedTuple):
    """How the probabilities of one kind of output are read.

    Attributes:
        channels: Number of probabilities, P, for K classes.
        read: From probabilities (P, H, W) and which of the K classes are replaceable, (K,) bool, to
            the reading.
    """

    channels: Callable[[int], int]
    read: Callable[[Floats, NDArray[np.bool_]], Reading]


def read(
    probabilities: Floats,
    output: str,
    classes: int,
    *,
    temperature: float = 1.0,
    replaceable: Sequence[int] | None = None,
) -> Reading:
    """Calibrated change probability and classes of each pixel (Eq. 1, 12).

    Args:
        probabilities: (P, H, W), as `scdcli.models.networks.outputs.probabilities` stacks them.
        output: Kind of output, a key of `READOUTS`.
        classes: K.
        temperature: T, above 0.
        replaceable: Indices of the classes that may change into themselves; all if not given. Maps
            that are compared (``covers``) cannot see such a change and never have it.
    """
    may_repeat = np.ones(classes, dtype=bool)
    if replaceable is not None:
        may_repeat[:] = np.isin(np.arange(1, classes + 1), replaceable)
    strips = [
        READOUTS[output].read(probabilities[:, top : top + ROWS], may_repeat)
        for top in range(0, probabilities.shape[1], ROWS)
    ]
    change, *maps = (np.concatenate(rows) for rows in zip(*strips, strict=True))
    return Reading(apply_temperature(change, temperature), *maps)


def apply_temperature(change: Floats, temperature: float) -> Floats:
    """sigmoid(logit(p) / T) of a probability p: 0, 0.5 and 1 stay, and so do the sides of 0.5.

    At T = 1 it is p, to the bit.
    """
    if temperature == 1:
        return change
    calibrated: Floats = expit(logit(change.astype(np.float64)) / temperature).astype(np.float32)
    # Rounding must not carry values just below one half over it.
    return np.where(change < 0.5, np.minimum(calibrated, BELOW_HALF), calibrated)


def _read_branches(probabilities: Floats, may_repeat: NDArray[np.bool_]) -> Reading:
    """Branches: a change probability, and classes that are independent of it."""
    classes = len(may_repeat)
    before = _best_two(probabilities[:classes])
    after = _best_two(probabilities[classes : 2 * classes])
    first, second = before[0][0], after[0][0]
    repeats = (first == second) & may_repeat[first]
    from_class, to_class = (
        np.where(repeats, first, unlike) for unlike in _best_unlike(before, after)
    )
    covers = _index(first), _index(second)
    return Reading(probabilities[-1], _index(from_class), _index(to_class), *covers)


def _read_types(probabilities: Floats, may_repeat: NDArray[np.bool_]) -> Reading:
    """From-to types: the likeliest type of change against unchanged, above 0.5 where likelier."""
    classes = len(may_repeat)
    unchanged, types = probabilities[0], probabilities[1:]
    change = _against(types.max(axis=0), unchanged)
    joint = types.reshape(classes, classes, *types.shape[1:])
    before, after = _likeliest(joint.sum(axis=1)), _likeliest(joint.sum(axis=0))
    allowed = np.flatnonzero(~np.eye(classes, dtype=bool) | may_repeat)
    code = allowed[types[allowed].argmax(axis=0)]
    first, second = np.divmod(code, classes)
    return Reading(change, _index(first), _index(second), before, after)


def _read_covers(probabilities: Floats, may_repeat: NDArray[np.bool_]) -> Reading:
    """Two maps compared (Eq. 2): the likeliest two classes that differ, against the likeliest same.

    Dates are independent here, so the probability of two classes is a product. A class cannot
    replace itself: a new building in the place of an old one is no change.
    """
    classes = len(may_repeat)
    before, after = probabilities[:classes], probabilities[classes:]
    (first, p_first), (second, p_second) = _best_two(before), _best_two(after)
    like = (before * after).max(axis=0)
    from_class, to_class = _best_unlike((first, p_first), (second, p_second))
    agree = first[0] == second[0]
    unlike = np.where(
        agree,
        np.maximum(p_first[0] * p_second[1], p_first[1] * p_second[0]),
        p_first[0] * p_second[0],
    )
    change = _against(unlike, like)
    # Equal classes are no change, also where unlike ones are exactly as likely.
    change[agree] = np.minimum(change[agree], BELOW_HALF)
    return Reading(
        change, _index(from_class), _index(to_class), _index(first[0]), _index(second[0])
    )


BestTwo = tuple[tuple[Classes, Classes], tuple[Floats, Floats]]
"""The likeliest and the second likeliest class, from 0, and their probabilities."""


def _best_unlike(before: BestTwo, after: BestTwo) -> tuple[Classes, Classes]:
    """The likeliest pair of classes that differ, where the dates are independent."""
    (first, p_first), (second, p_second) = before, after
    # Where the dates agree, the likeliest unlike classes change the less certain of the two.
    keep_first = p_first[0] * p_second[1] >= p_first[1] * p_second[0]
    agree = first[0] == second[0]
    from_class = np.where(agree & ~keep_first, first[1], first[0])
    to_class = np.where(agree & keep_first, second[1], second[0])
    return from_class, to_class


def _best_two(probabilities: Floats) -> BestTwo:
    """The two likeliest classes of (K, H, W) probabilities, the first of equals before the next."""
    first, p_first = _best(probabilities)
    second, p_second = _best(probabilities, besides=first)
    return (first, second), (p_first, p_second)


def _best(probabilities: Floats, besides: Classes | None = None) -> tuple[Classes, Floats]:
    """The likeliest class but one at each pixel, and its probability; 0 where there is no other."""
    index = np.zeros(probabilities.shape[1:], dtype=np.uint8)
    best = np.full(index.shape, -1, dtype=np.float32)
    for number, each in enumerate(probabilities):  # several times faster than argmax
        values = each if besides is None else np.where(besides == number, np.float32(-1), each)
        index[values > best] = number
        np.maximum(best, values, out=best)
    return index, np.maximum(best, 0)


def _against(change: Floats, unchanged: Floats) -> Floats:
    total = change + unchanged
    share: Floats = np.divide(change, total, out=np.zeros_like(total), where=total > 0)
    return share


def _likeliest(probabilities: Floats) -> Classes:
    return _index(_best(probabilities)[0])


def _index(position: NDArray[np.integer]) -> Classes:
    return (position + 1).astype(np.uint8)


READOUTS = {
    "branches": Readout(lambda classes: 2 * classes + 1, _read_branches),
    "types": Readout(lambda classes: 1 + classes * classes, _read_types),
    "covers": Readout(lambda classes: 2 * classes, _read_covers),
}
