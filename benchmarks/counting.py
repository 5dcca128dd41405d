"""Pixels counted per second on one core, ours and plain np.bincount, in one run.

Usage: OMP_NUM_THREADS=1 python benchmarks/counting.py [--side 4096] [--repeats 5]
"""

import argparse
import time

import numpy as np
from scipy.ndimage import gaussian_filter

from scdcli.scoring.counting import Margins, count_joint, from_to_margins, stacked_matrix

CLASSES = 6


def blobs(side, seed, sigma):
    noise = np.random.default_rng(seed).standard_normal((side, side), dtype=np.float32)
    field = gaussian_filter(noise, sigma)
    return field / field.std()


def realistic(side):
    """A fifth changed in blobs; the prediction finds most of it, shifted and ragged."""
    change = blobs(side, 1, 12)
    changed = change > np.quantile(change, 0.8)
    ragged = change + 0.25 * blobs(side, 2, 3)
    found = ragged > np.quantile(ragged, 0.8)
    edges = np.linspace(-1.2, 1.2, CLASSES - 1)
    before, after = (np.digitize(blobs(side, seed, 20), edges) + 1 for seed in (3, 4))
    truth = (before * changed, after * changed)
    prediction = (np.roll(before, 3, axis=0) * found, np.roll(after, 5, axis=1) * found)
    return tuple(each.astype(np.uint8) for each in (*truth, *prediction))


def random(side):
    """The worst case: every pixel of every map drawn by itself."""
    rng = np.random.default_rng(0)
    return tuple(rng.integers(0, CLASSES + 1, (side, side), dtype=np.uint8) for _ in range(4))


def plain(maps):
    """Both matrices as they are usually computed."""
    valid = np.all([each != 255 for each in maps], axis=0)
    truth_from, truth_to, from_class, to_class = (each[valid].astype(np.int64) for each in maps)
    types, size = CLASSES**2 + 1, CLASSES + 1
    label = np.where((truth_from > 0) & (truth_to > 0), (truth_from - 1) * CLASSES + truth_to, 0)
    predicted = np.where(
        (from_class > 0) & (to_class > 0), (from_class - 1) * CLASSES + to_class, 0
    )
    from_to = np.bincount(predicted * types + label, minlength=types**2).reshape(types, types)
    stacked = np.bincount(from_class * size + truth_from, minlength=size**2)
    stacked += np.bincount(to_class * size + truth_to, minlength=size**2)
    return Margins.of(from_to), stacked.reshape(size, size)


def ours(maps):
    counts = count_joint(maps)
    return from_to_margins(counts, CLASSES), stacked_matrix(counts, CLASSES)


def megapixels_per_second(count, maps, repeats):
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        count(maps)
        seconds.append(time.perf_counter() - start)
    return maps[0].size / np.median(seconds) / 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=4096, help="pixels of a side")
    parser.add_argument("--repeats", type=int, default=5, help="runs; the median counts")
    options = parser.parse_args()
    print(f"{'maps':<24}{'plain':>8}{'ours':>8}  Mpx/s {'ratio':>8}")
    for name, draw in (("20 % changed in blobs", realistic), ("every pixel random", random)):
        maps = draw(options.side)
        (margins, matrix), (expected, expected_matrix) = ours(maps), plain(maps)
        assert (matrix == expected_matrix).all()
        assert (margins.hits == expected.hits).all()
        assert (margins.predicted == expected.predicted).all()
        slow, fast = (megapixels_per_second(each, maps, options.repeats) for each in (plain, ours))
        print(f"{name:<24}{slow:8.1f}{fast:8.1f} {fast / slow:13.1f}x")


if __name__ == "__main__":
    main()
