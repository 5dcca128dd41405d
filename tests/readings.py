"""What a model says of a window whose labels are known."""

import numpy as np

from scdcli.prediction.decode import Reading
from scdcli.scoring.sweep import THRESHOLDS


def window(seed, classes=3, size=(30, 40)):
    """Labels, a reading that is often right, and where it counts; some values are thresholds."""
    rng = np.random.default_rng(seed)

    def draw():
        return rng.integers(1, classes + 1, size).astype(np.uint8)

    changed = rng.random(size) < 0.3
    truth = [np.where(changed, draw(), 0).astype(np.uint8) for _ in range(2)]
    found = [np.where(rng.random(size) < 0.7, np.maximum(each, 1), draw()) for each in truth]
    change = np.where(changed, rng.random(size) ** 0.5, rng.random(size) ** 2).astype(np.float32)
    listed = rng.choice(np.array(THRESHOLDS, np.float32), size)
    change = np.where(rng.random(size) < 0.3, listed, change)
    return *truth, Reading(change, *found, *found), rng.random(size) < 0.9
