"""How a set is divided: into training and validation, and scenes into windows."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from scdcli.datasets.samples import Part, Sample
from scdcli.errors import DatasetError
from scdcli.rasters.scene import open_scene

LEAST_ROWS = 64  # of a scene, to train or validate on
LATTICE = 512  # pixels; what prediction uses at least


def split_validation(
    samples: Sequence[Sample], share: float, seed: int
) -> tuple[list[Sample], list[Sample]]:
    """Training and validation samples: a random share held out, the same for the same seed.

    Of scenes too few for that, the last rows of each are held out instead: windows at random
    places of one area would show training and validation the same ground.

    Raises:
        DatasetError: Nothing would be left to train on.
    """
    if share > 0 and samples[0].windowed and share * len(samples) < 1:
        return _split_rows(samples, share)
    count = max(1, round(share * len(samples))) if share > 0 else 0
    if count >= len(samples):
        raise DatasetError(
            f"the set has {len(samples)} pairs, {count} of them would be held out for validation; "
            "give more pairs, a val folder, or --val-share 0."
        )
    order = np.random.default_rng(seed).permutation(len(samples))
    held_out = set(order[:count].tolist())
    train = [sample for i, sample in enumerate(samples) if i not in held_out]
    return train, [samples[i] for i in sorted(held_out)]


def share_out(samples: Sequence[Sample], chip: int, count: int | None = None) -> list[Sample]:
    """Each scene as often as chips are drawn from it in an epoch, by its area; others as they are.

    Args:
        samples: The set; one that is there several times counts as often.
        chip: Side of a chip in pixels.
        count: Chips of scenes in an epoch; as many as cover the area once by default.
    """
    others = [sample for sample in samples if not sample.windowed]
    scenes = [sample for sample in samples if sample.windowed]
    if not scenes:
        return others
    areas = np.array([float(part.height * part.width) for part in map(part_of, scenes)])
    wanted = areas / chip**2 if count is None else count * areas / areas.sum()
    # The rest of one scene goes to the next, so that the sum is as wanted.
    ends = np.rint(np.cumsum(wanted)).astype(int)
    often = np.diff(ends, prepend=0)
    shared = [sample for sample, n in zip(scenes, often, strict=True) for _ in range(n)]
    return others + (shared or [scenes[int(areas.argmax())]])


def lattice(samples: Sequence[Sample], side: int = LATTICE) -> list[Sample]:
    """Scenes as windows of about equal size, at most ``side``, that cover each pixel once."""
    found = []
    for sample in samples:
        if not sample.windowed:
            found.append(sample)
            continue
        whole = part_of(sample)
        for top, height in _pieces(whole.top, whole.height, side):
            for left, width in _pieces(whole.left, whole.width, side):
                name = f"{sample.name} (row {top}, column {left})"
                found.append(replace(sample, name=name, part=Part(top, left, height, width)))
    return found


def part_of(sample: Sample) -> Part:
    """What is used of a scene: its part, or all of it.

    Raises:
        InputError: The BEFORE image cannot be opened.
    """
    if sample.part is not None:
        return sample.part
    with open_scene(sample.before) as dataset:
        return Part(0, 0, dataset.height, dataset.width)


def _split_rows(samples: Sequence[Sample], share: float) -> tuple[list[Sample], list[Sample]]:
    train, validation = [], []
    for sample in samples:
        whole = part_of(sample)
        rows = max(LEAST_ROWS, round(share * whole.height))
        last = whole.height - rows
        if last < LEAST_ROWS:
            raise DatasetError(
                f"{sample.before} has {whole.height} rows, of which {rows} would be held out "
                f"for validation; {LEAST_ROWS} at least must be left: give a val folder, or "
                "--val-share 0."
            )
        train.append(replace(sample, part=Part(0, 0, last, whole.width)))
        validation.append(replace(sample, part=Part(last, 0, rows, whole.width)))
    return train, validation


def _pieces(start: int, length: int, side: int) -> list[tuple[int, int]]:
    """Start and length of about equal pieces of an axis: no narrow rest that tells little."""
    ends = [start + length * k // -(-length // side) for k in range(-(-length // side) + 1)]
    return [(a, b - a) for a, b in pairwise(ends)]
