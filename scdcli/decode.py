"""From probabilities to classes: the final rule (ASN paper, Eq. 12)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scdcli.legend import NODATA, UNCHANGED


class Decoded(NamedTuple):
    """Class maps of a window, each (H, W) uint8."""

    from_class: NDArray[np.uint8]  # 0 unchanged
    to_class: NDArray[np.uint8]
    probability: NDArray[np.uint8]  # of change, percent 0-100
    before_cover: NDArray[np.uint8]  # class of every pixel, 1..K
    after_cover: NDArray[np.uint8]

    def masked(self, valid: NDArray[np.bool_]) -> "Decoded":
        """The same with 255 where a date has no measurement."""
        return Decoded(*(np.where(valid, layer, np.uint8(NODATA)) for layer in self))


def decode(
    from_class: NDArray[np.float32],
    to_class: NDArray[np.float32],
    change: NDArray[np.float32],
    *,
    threshold: float,
) -> Decoded:
    """Changed where the change probability reaches the threshold; then the most likely classes.

    Args:
        from_class: Probabilities of class 1..K before, (K, H, W).
        to_class: The same after.
        change: Probability of change, (1, H, W).
        threshold: τ in [0, 1].
    """
    changed = change[0] >= threshold
    before = (from_class.argmax(axis=0) + 1).astype(np.uint8)
    after = (to_class.argmax(axis=0) + 1).astype(np.uint8)
    unchanged = np.uint8(UNCHANGED)
    return Decoded(
        np.where(changed, before, unchanged),
        np.where(changed, after, unchanged),
        np.rint(change[0] * 100).astype(np.uint8),
        before,
        after,
    )
