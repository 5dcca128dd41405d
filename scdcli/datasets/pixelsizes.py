"""How large the pixels of a labelled set are on the ground."""

import json
from collections.abc import Iterable
from functools import cache
from math import isfinite, sqrt
from pathlib import Path

from scdcli.datasets.samples import Sample
from scdcli.errors import DatasetError, InputError
from scdcli.polygons.area import central_pixel
from scdcli.rasters.grid import Grid
from scdcli.rasters.scene import open_scene

RECORD = "simulation.json"  # of a set that was made; lies beside im1
SIZE = "pixel_size"  # in it, meters

Sizes = tuple[float, float]
"""Finest and coarsest ground resolution, in meters."""


def pixel_sizes(samples: Iterable[Sample], given: Sizes | None = None) -> Sizes | None:
    """The finest and the coarsest pixels of the BEFORE images of a set, in meters.

    Args:
        samples: The set.
        given: What the user says of the images that do not say it themselves: neither by a
            georeference nor by the record of a set that was made.

    Raises:
        DatasetError: ``given`` is for no image, as all say it.
        InputError: An image cannot be opened.
    """
    recorded = cache(_recorded)  # of thousands of pairs in a folder
    images = dict.fromkeys(sample.before for sample in samples)
    sizes = [_georeferenced(image) or recorded(image.parent.parent) for image in images]
    known = [size for size in sizes if size is not None]
    if given is not None:
        if len(known) == len(sizes):
            raise DatasetError(
                f"--pixel-size says {given[0]:g} to {given[1]:g} m, but all images say their own: "
                f"{_extent(known)[0]:.3g} to {_extent(known)[1]:.3g} m; leave it out, or mend "
                "their georeference."
            )
        known.append(given)
    return _extent(known) if known else None


def widen(sizes: Sizes | None, scale: Sizes) -> Sizes | None:
    """The range of pixel sizes that a network sees when images are scaled at random, in meters.

    Args:
        sizes: Of the images.
        scale: Lowest and highest factor; 2 halves the size of a pixel.
    """
    return sizes and (sizes[0] / scale[1], sizes[1] / scale[0])


def _extent(sizes: list[Sizes]) -> Sizes:
    return min(fine for fine, _ in sizes), max(coarse for _, coarse in sizes)


def _georeferenced(image: Path) -> Sizes | None:
    with open_scene(image) as dataset:
        grid = Grid(dataset.height, dataset.width, dataset.transform, dataset.crs)
    try:
        sides = central_pixel(grid)
    except InputError:
        return None  # a CRS that is not tied to the Earth is no reason not to train
    size = sides and sqrt(sides[0] * sides[1])
    return (size, size) if size else None


def _recorded(folder: Path) -> Sizes | None:
    """The pixel sizes in the record of a simulated set: one number, or finest and coarsest."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        size = record[SIZE]
        fine, coarse = map(float, size if isinstance(size, list) else (size, size))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # no such record, or an older one
    return (fine, coarse) if 0 < fine <= coarse and isfinite(coarse) else None
