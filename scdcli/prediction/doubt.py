"""Whether one view of a chip leaves doubt, so that looking at the others is worth its time."""

import numpy as np

from scdcli.prediction.decode import Floats

SHARE = 0.01  # of the measured pixels of a chip; see docs/explanation/performance.md


def is_doubtful(change: Floats, threshold: float) -> bool:
    """Whether so many pixels reach the threshold that they should be looked at again.

    What other views have to decide is what was found; a chip without a find has little of it.

    Args:
        change: Calibrated change probability of the measured pixels, (N,).
        threshold: τ, from which a pixel counts as changed.
    """
    return bool(np.count_nonzero(change >= threshold) > SHARE * change.size)
