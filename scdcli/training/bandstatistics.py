"""Mean and spread of the bands of a set, which the network is fed relative to."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from scdcli.datasets.dataset import other_bands, read_images
from scdcli.datasets.division import part_of
from scdcli.datasets.samples import Sample
from scdcli.errors import DatasetError
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.pair.settings import PairSettings

MOST_PAIRS = 200
WINDOW = 256  # pixels, of a scene


def band_statistics(samples: Sequence[Sample]) -> tuple[list[float], list[float]]:
    """Mean and standard deviation per band over both dates of up to 200 samples spread evenly.

    Of scenes as many windows are looked at, together.

    Raises:
        DatasetError: The images differ in their number of bands.
    """
    distinct = list(dict.fromkeys(samples))
    windows = max(1, MOST_PAIRS // len(distinct))
    sums: list[NDArray[np.float64]] = []
    for sample in distinct[:: max(1, len(distinct) // MOST_PAIRS)]:
        images = _scene_images(sample, windows) if sample.windowed else _pair_images(sample)
        for image in images:
            if sums and sums[0].shape[1] != len(image):
                raise other_bands(sample.before.name, len(image), sums[0].shape[1])
            x = image.astype(np.float64)
            if x.size:
                sums.append(np.stack([x.mean(axis=1), (x**2).mean(axis=1)]))
    if not sums:
        raise DatasetError(
            f"no image of the set holds a measured pixel, {samples[0].before} first."
        )
    mean, square = np.mean(sums, axis=0)
    std = np.sqrt(np.maximum(square - mean**2, 1.0))
    return mean.tolist(), std.tolist()


def _pair_images(sample: Sample) -> Iterator[NDArray[np.generic]]:
    """The measured pixels of both dates, (C, N)."""
    for image, measured in read_images(sample):
        yield image[:, measured]


def _scene_images(sample: Sample, windows: int) -> Iterator[NDArray[np.generic]]:
    """The measured pixels of windows at random places of a scene, always the same ones."""
    part = part_of(sample)
    height, width = min(WINDOW, part.height), min(WINDOW, part.width)
    rng = np.random.default_rng(0)
    with open_pair(sample.before, sample.after, PairSettings(bands=sample.bands)) as pair:
        for _ in range(windows):
            top = part.top + int(rng.integers(part.height - height + 1))
            left = part.left + int(rng.integers(part.width - width + 1))
            before, after, valid = pair.read(Window(left, top, width, height))
            yield before[:, valid]
            yield after[:, valid]
