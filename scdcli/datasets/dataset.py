"""Labelled pairs read from disk: images in 0 to 255, labels as the legend says."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rasterio.windows import Window

from scdcli.datasets.augment import LabelledPair
from scdcli.datasets.classmap import read_label
from scdcli.datasets.samples import Sample, half_changed
from scdcli.errors import DatasetError
from scdcli.legend import NODATA, UNCHANGED, Legend
from scdcli.rasters.pair.bands import BandNames, band_numbers
from scdcli.rasters.pair.mappings import MeanStd, standardize
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.pair.settings import PairSettings
from scdcli.rasters.scene import (
    Scene,
    open_scene,
    read_window,
    scene_grid,
    spectral_bands,
    valid_window,
)


def read_pair(
    sample: Sample, legend: Legend, *, cover: bool, mean_std: MeanStd | None = None
) -> LabelledPair:
    """Images and labels of a sample.

    With ``mean_std`` each image is brought to it from its own, where both images are measured.

    Raises:
        DatasetError: Sizes differ, or a label holds what the legend does not know; or the images
            have other bands than ``mean_std``.
    """
    (before, measured_before), (after, measured_after) = read_images(sample)
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
    measured = measured_before & measured_after
    if mean_std is not None:
        if len(before) != len(mean_std.mean):
            raise other_bands(sample.name, len(before), len(mean_std.mean))
        before, after = (standardize(image, measured, mean_std) for image in (before, after))
    changed = change_map(from_change, to_change, sample.name)
    return labelled_pair(before, after, measured, from_label, to_label, changed)


def labelled_pair(
    before: NDArray[Any],
    after: NDArray[Any],
    measured: NDArray[np.bool_],
    from_label: NDArray[np.uint8],
    to_label: NDArray[np.uint8],
    changed: NDArray[np.uint8],
) -> LabelledPair:
    """Images and labels as tensors; labels become nodata where a date has no label or measurement.

    Images are (C, H, W), the others (H, W); labels and the `change_map` are changed in place.
    """
    nowhere = ~measured | (changed == NODATA)
    for label in (from_label, to_label, changed):
        label[nowhere] = NODATA
    arrays = (before, after, from_label, to_label, changed)
    return LabelledPair(*(torch.from_numpy(array) for array in arrays))


def fill_unmeasured(image: NDArray[Any], measured: NDArray[np.bool_]) -> None:
    """Give pixels without a measurement the mean of the others, which says nothing; in place.

    Args:
        image: (C, H, W); whole numbers get the nearest one.
        measured: Where the image has measurements, (H, W).
    """
    if not measured.all():
        mean = image[:, measured].mean(axis=1, keepdims=True) if measured.any() else 0
        image[:, ~measured] = np.rint(mean) if image.dtype == np.uint8 else mean


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
        raise DatasetError(half_changed(name, int(half.sum())))
    changed: NDArray[np.uint8] = (from_label != UNCHANGED).astype(np.uint8)
    changed[nodata] = NODATA
    return changed


def read_images(sample: Sample) -> list[tuple[NDArray[Any], NDArray[np.bool_]]]:
    """Both images of a sample, (C, H, W) in 0-255, and where each is measured, (H, W) bool.

    uint8 stays as it is; other types get one stretch for both dates, as in prediction, and become
    float32. Pixels without a measurement hold the mean of the image.

    Raises:
        InputError: An image cannot be read.
        PairError: The bands or types of the two do not go together.
    """
    images = []
    for path in (sample.before, sample.after):
        image = _read_bytes(path, sample.bands)
        if image is None:
            return _read_stretched(sample)
        images.append(image)
    return images


def _read_bytes(
    path: Path, bands: BandNames | None
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]] | None:
    """An image of uint8; None where it is of another type, or a band is no measurement."""
    with open_scene(path) as dataset:
        scene = Scene(path, dataset, scene_grid(dataset, path))
        chosen = band_numbers(scene, bands) if bands else spectral_bands(dataset)
        kinds = {(dataset.dtypes[b - 1]) for b in chosen if 1 <= b <= dataset.count}
        if kinds != {"uint8"} or not set(chosen) <= set(spectral_bands(dataset)):
            return None
        window = Window(0, 0, dataset.width, dataset.height)
        image = read_window(dataset, window, chosen, path)
        measured = valid_window(dataset, window, path)
    fill_unmeasured(image, measured)
    return image, measured


def _read_stretched(sample: Sample) -> list[tuple[NDArray[Any], NDArray[np.bool_]]]:
    with open_pair(sample.before, sample.after, PairSettings(bands=sample.bands)) as pair:
        before, after, measured = pair.read(Window(0, 0, pair.grid.width, pair.grid.height))
    for image in (before, after):
        fill_unmeasured(image, measured)
    return [(before, measured), (after, measured)]


def other_bands(name: str, bands: int, expected: int) -> DatasetError:
    """The error for an image whose number of bands is not that of the others."""
    return DatasetError(
        f"{name} has {bands} bands, the training reads {expected}; give all images of the set the "
        "same bands, or choose some with --bands."
    )
