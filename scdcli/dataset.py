"""Labelled sets on disk, as samples.

Layout of SECOND: ``ROOT/SPLIT/{im1,im2,label1,label2}/NAME.png``, optionally ``cover1, cover2``
with the land cover of every pixel. A set without split folders is one split.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rasterio.windows import Window

from scdcli.augment import LabelledPair
from scdcli.errors import DatasetError
from scdcli.labels import read_label
from scdcli.labelsets import SUFFIXES, by_stem
from scdcli.legend import NODATA, UNCHANGED, Legend
from scdcli.raster import measured_window, open_scene, spectral_bands

PARTS = ("im1", "im2", "label1", "label2")
COVERS = ("cover1", "cover2")


@dataclass(frozen=True)
class Sample:
    """The files of one labelled pair; covers are None where only changes are labelled."""

    name: str
    before: Path
    after: Path
    from_label: Path
    to_label: Path
    from_cover: Path | None = None
    to_cover: Path | None = None


def second_samples(folder: Path) -> list[Sample]:
    """The samples of one split folder, sorted by name.

    Raises:
        DatasetError: A folder is missing or its names do not pair up.
    """
    missing = [part for part in PARTS if not (folder / part).is_dir()]
    if missing:
        raise DatasetError(
            f"{folder} has no {', '.join(missing)}; a labelled set has the folders "
            f"{', '.join(PARTS)} in it, or in a folder per split (train, val, test)."
        )
    covers = [cover for cover in COVERS if (folder / cover).is_dir()]
    by_part = {part: by_stem(folder / part) for part in (*PARTS, *covers)}
    _refuse_unpaired(folder, by_part)
    names = sorted(by_part["im1"])
    if not names:
        raise DatasetError(f"{folder}/im1 holds no {' or '.join(SUFFIXES)} images.")
    order = (*PARTS, *(covers if len(covers) == len(COVERS) else ()))
    return [Sample(name, *(by_part[part][name] for part in order)) for name in names]


# A layout takes a split's folder and returns its samples.
LAYOUTS: dict[str, Callable[[Path], list[Sample]]] = {"second": second_samples}


def find_split(root: Path, split: str) -> Path | None:
    """The folder of a split, the root itself for ``train`` in a set without splits, else None."""
    if (root / split).is_dir():
        return root / split
    if split == "train" and (root / PARTS[0]).is_dir():
        return root
    return None


def split_validation(
    samples: Sequence[Sample], share: float, seed: int
) -> tuple[list[Sample], list[Sample]]:
    """Training and validation samples: a random share held out, the same for the same seed."""
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


def read_image(path: Path) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """An image, (C, H, W) float32 in 0-255, and where it holds measurements, (H, W) bool.

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
        image = measured_window(dataset, window, spectral_bands(dataset), path)
    seen = np.isfinite(image[0])
    if not seen.all():
        image[:, ~seen] = image[:, seen].mean(axis=1, keepdims=True) if seen.any() else 0
    return image, seen


def other_bands(name: str, bands: int, expected: int) -> DatasetError:
    """The error for an image whose number of bands is not that of the others."""
    return DatasetError(
        f"{name} has {bands} bands, the training reads {expected}; give all images of the set the "
        "same bands."
    )


def _refuse_unpaired(folder: Path, by_part: dict[str, dict[str, Path]]) -> None:
    names = set().union(*by_part.values())
    gaps = [
        f"{part}/{name}"
        for name in sorted(names)
        for part, have in by_part.items()
        if name not in have
    ]
    if gaps:
        shown = ", ".join(gaps[:10]) + (f" and {len(gaps) - 10} more" if len(gaps) > 10 else "")
        raise DatasetError(f"{folder}: images and labels do not pair up; missing: {shown}.")
