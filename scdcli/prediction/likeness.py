"""Whether a pair looks like the images that a model learnt from."""

import shlex
from collections.abc import Iterator
from itertools import product
from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray
from rasterio.windows import Window

from scdcli.models.checkpoint import LoadedModel
from scdcli.models.familiarity import SIDE, features
from scdcli.prediction.fit import Remarks, judge_fit
from scdcli.rasters.pair.open import Pair

LEAST = 64  # pixels, below which there is too little to judge by
STEP = 1024  # pixels of the scene to each side for which one window stands
PER_AXIS = 3  # windows at most, so that time does not grow with the scene
MEASURED = 0.5  # share of a window from which on it counts


def judge_model(loaded: LoadedModel, pair: Pair) -> Remarks:
    """All that makes the result of a model on a pair doubtful: pixel size and looks.

    Raises:
        InputError: A file cannot be read, or its CRS cannot be related to the ellipsoid.
    """
    return judge_fit(loaded.requirements, pair).and_also(judge_likeness(loaded, pair))


def judge_likeness(loaded: LoadedModel, pair: Pair) -> Remarks:
    """Whether the dates look like images that the model knows, from up to nine windows of each.

    Raises:
        InputError: A file cannot be read.
    """
    known = loaded.familiarity
    if known is None:
        return Remarks()
    known = known.to(loaded.model.mean.device)
    distances: list[list[float]] = [[], []]
    for images in _samples(pair, loaded.model.mean.cpu().numpy()):
        described = features(loaded.model, torch.from_numpy(images).to(known.center.device))
        if described is None:
            return Remarks()
        for date, distance in zip(distances, known.distance(described).tolist(), strict=True):
            date.append(distance)
    limit = float(known.limit)
    apart = [float(np.median(date)) if date else 0.0 for date in distances]
    unlike = [name for name, each in zip(("BEFORE", "AFTER"), apart, strict=True) if each > limit]
    if not unlike:
        return Remarks()
    return Remarks(
        warnings=(
            f"{' and '.join(unlike)} {'looks' if len(unlike) == 1 else 'look'} unlike the images "
            f"that the model {loaded.name} learnt from (distance {max(apart):.2f}, ordinary is up "
            f"to {limit:.2f}): expect errors, look at the map before you use it, or train a model "
            f"on such images (scd train --init {shlex.quote(loaded.given or loaded.name)}).",
        )
    )


def _samples(pair: Pair, mean: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Both dates of windows spread over the scene, (2, C, S, S), where most of it is measured."""
    height, width = pair.grid.shape
    if min(height, width) < LEAST:
        return
    for row, col in product(_starts(height), _starts(width)):
        window = Window(col, row, min(SIDE, width), min(SIDE, height))
        before, after, valid = pair.read(window)
        if valid.mean() < MEASURED:
            continue
        images = np.stack((before, after))
        images[:, :, ~valid] = mean[:, None]
        yield images


def _starts(length: int) -> list[int]:
    """First pixels of windows along one side."""
    count = min(PER_AXIS, ceil(length / STEP))
    free = max(0, length - SIDE)
    return [round(free * (number + 0.5) / count) for number in range(count)]
