"""From probabilities to classes, for each kind of output that a network can have.

Every kind gives a probability of change. The model's temperature T calibrates it, and a pixel is
changed where it then reaches the threshold τ. At τ = 0.5 that is each method's own rule, at any T.
"""

from collections.abc import Callable
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
        read: From probabilities (P, H, W) and K to the reading.
    """

    channels: Callable[[int], int]
    read: Callable[[Floats, int], Reading]


def read(probabilities: Floats, output: str, classes: int, *, temperature: float = 1.0) -> Reading:
    """Calibrated change probability and classes of each pixel (Eq. 1, 12).

    Args:
        probabilities: (P, H, W), as `scdcli.models.networks.outputs.probabilities` stacks them.
        output: Kind of output, a key of `READOUTS`.
        classes: K.
        temperature: T, above 0.
    """
    strips = [
        READOUTS[output].read(probabilities[:, top : top + ROWS], classes)
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


def _read_branches(probabilities: Floats, classes: int) -> Reading:
    """Branches: a change probability, and classes that are independent of it."""
    before = _likeliest(probabilities[:classes])
    after = _likeliest(probabilities[classes : 2 * classes])
    return Reading(probabilities[-1], before, after, before, after)


def _read_types(probabilities: Floats, classes: int) -> Reading:
    """From-to types: the likeliest type of change against unchanged, above 0.5 where likelier."""
    unchanged, types = probabilities[0], probabilities[1:]
    code = types.argmax(axis=0)
    change = _against(np.take_along_axis(types, code[None], axis=0)[0], unchanged)
    joint = types.reshape(classes, classes, *types.shape[1:])
    before, after = _likeliest(joint.sum(axis=1)), _likeliest(joint.sum(axis=0))
    first, second = np.divmod(code, classes)
    return Reading(change, _index(first), _index(second), before, after)


def _read_covers(probabilities: Floats, classes: int) -> Reading:
    """Two maps compared (Eq. 2): the likeliest two classes that differ, against the likeliest same.

    Dates are independent here, so the probability of two classes is a product. A class cannot
    replace itself: a new building in the place of an old one is no change.
    """
    before, after = probabilities[:classes], probabilities[classes:]
    (first, p_first), (second, p_second) = _best_two(before), _best_two(after)
    like = (before * after).max(axis=0)
    # Where the dates agree, the likeliest unlike classes change the less certain of the two.
    keep_first = p_first[0] * p_second[1] >= p_first[1] * p_second[0]
    agree = first[0] == second[0]
    from_class = np.where(agree & ~keep_first, first[1], first[0])
    to_class = np.where(agree & keep_first, second[1], second[0])
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


def _best_two(probabilities: Floats) -> tuple[NDArray[np.int64], Floats]:
    """The likeliest and second likeliest class and their probabilities, (2, H, W) each."""
    if len(probabilities) == 1:  # one class: the second has no probability
        zero = np.zeros_like(probabilities)
        return np.zeros((2, *zero.shape[1:]), np.int64), np.concatenate((probabilities, zero))
    order = np.argsort(-probabilities, axis=0, kind="stable")[:2]
    return order, np.take_along_axis(probabilities, order, axis=0)


def _against(change: Floats, unchanged: Floats) -> Floats:
    total = change + unchanged
    share: Floats = np.divide(change, total, out=np.zeros_like(total), where=total > 0)
    return share


def _likeliest(probabilities: Floats) -> Classes:
    return _index(probabilities.argmax(axis=0))


def _index(position: NDArray[np.int64]) -> Classes:
    return (position + 1).astype(np.uint8)


READOUTS = {
    "branches": Readout(lambda classes: 2 * classes + 1, _read_branches),
    "types": Readout(lambda classes: 1 + classes * classes, _read_types),
    "covers": Readout(lambda classes: 2 * classes, _read_covers),
}
