"""Labelled pairs read from disk: images in 0 to 255, labels as the legend says."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rasterio.windows import Window

from scdcli.augment import LabelledPair
from scdcli.errors import DatasetError
from scdcli.labels import read_label
from scdcli.legend import NODATA, UNCHANGED, Legend
from scdcli.raster import open_scene, read_window, spectral_bands, valid_window
from scdcli.samples import Sample as Sample
from scdcli.samples import second_samples as second_samples


def read_pair(sample: Sample, legend: Legend, *, cover: bool) -> LabelledPair:
    """Images and labels of a sample; with ``cover`` the labels hold the class of every pixel.

    Raises:
        DatasetError: Sizes differ, or a label holds what the legend does not know.
    """
    (before, seen_before), (after, seen_after) = map(read_image, (sample.before, sample.after))
    from_change = read_label(sample.from_label, legend)
    to_change = read_label(sample.to_label, legend)
    from_label, to_label = from_change, to_change
    if cover and sample.from_cover is not None and sample.to_cover is not None:
        from_label = read_label(sample.from_cover, legend)
        to_label = read_label(sample.to_cover, legend)
    shapes = {x.shape[-2:] for x in (before, after, from_change, to_change, from_label, to_label)}
    if len(shapes) > 1 or before.shape != after.shape:
        raise DatasetError(
            f"{sample.name}: images and labels differ in size or bands: {before.shape} before, "
            f"{after.shape} after, {from_change.shape} and {to_change.shape} labels; make them "
            "equal."
        )
    changed = change_map(from_change, to_change, sample.name)
    # A pixel without a measurement at either date counts nowhere.
    unseen = ~(seen_before & seen_after)
    unseen |= (from_change == NODATA) | (to_change == NODATA)
    for label in (from_label, to_label, changed):
        label[unseen] = NODATA
    images = (torch.from_numpy(x) for x in (before, after))
    return LabelledPair(*images, *(torch.from_numpy(x) for x in (from_label, to_label, changed)))


def change_map(
    from_label: NDArray[np.uint8], to_label: NDArray[np.uint8], name: str
) -> NDArray[np.uint8]:
    """0 unchanged, 1 changed, 255 nodata at either date; (H, W) uint8.

    Raises:
        DatasetError: A pixel is changed at one date only.
    """
    nodata = (from_label == NODATA) | (to_label == NODATA)
    half = ((from_label == UNCHANGED) != (to_label == UNCHANGED)) & ~nodata
    if half.any():
        raise DatasetError(
            f"{name}: {int(half.sum())} pixels have a class at one date and are unchanged at the "
            "other; label changed pixels at both dates."
        )
    changed: NDArray[np.uint8] = (from_label != UNCHANGED).astype(np.uint8)
    changed[nodata] = NODATA
    return changed


def band_statistics(samples: Sequence[Sample]) -> tuple[list[float], list[float]]:
    """Mean and standard deviation per band over both dates of up to 200 samples spread evenly.

    Raises:
        DatasetError: The images differ in their number of bands.
    """
    step = max(1, len(samples) // 200)
    sums: list[NDArray[np.float64]] = []
    for sample in samples[::step]:
        for path in (sample.before, sample.after):
            image, seen = read_image(path)
            if sums and sums[0].shape[1] != len(image):
                raise other_bands(path.name, len(image), sums[0].shape[1])
            x = image[:, seen].astype(np.float64)
            if x.size:
                sums.append(np.stack([x.mean(axis=1), (x**2).mean(axis=1)]))
    if not sums:
        raise DatasetError(
            f"no image of the set holds a measured pixel, {samples[0].before} first."
        )
    mean, square = np.mean(sums, axis=0)
    std = np.sqrt(np.maximum(square - mean**2, 1.0))
    return mean.tolist(), std.tolist()


def read_image(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """An image, (C, H, W) uint8, and where it holds measurements, (H, W) bool.

    Pixels without a measurement hold the image's mean, which says nothing.
    """
    with open_scene(path) as dataset:
        if set(dataset.dtypes) != {"uint8"}:
            raise DatasetError(
                f"{path} is {dataset.dtypes[0]}; training reads uint8. Bring both dates to 0-255 "
                "with one stretch first, for example with gdal_translate -ot Byte -scale LO HI 0 "
                "255."
            )
        window = Window(0, 0, dataset.width, dataset.height)
        image = read_window(dataset, window, spectral_bands(dataset), path)
        seen = valid_window(dataset, window, path)
    if not seen.all():
        mean = image[:, seen].mean(axis=1, keepdims=True) if seen.any() else 0
        image[:, ~seen] = np.rint(mean)
    return image, seen


def other_bands(name: str, bands: int, expected: int) -> DatasetError:
    """The error for an image whose number of bands is not that of the others."""
    return DatasetError(
        f"{name} has {bands} bands, the training reads {expected}; give all images of the set the "
        "same bands."
    )
