"""Files of the drawn world: labelled pairs in SECOND's layout, and one georeferenced demo scene."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import ColorInterp

from scdcli.datasets.indexpng import write_index_png
from scdcli.datasets.pixelsizes import RECORD, SIZE
from scdcli.files.folder import folder_at_once
from scdcli.legend import NODATA, SECOND, UNCHANGED, UNCHANGED_COLOR, URBAN, Legend
from scdcli.rasters.cog import TAGS
from scdcli.simulation.pairset import (
    PairsSummary,
    Progress,
    Seed,
    write_colors,
    write_record,
    write_set,
)
from scdcli.simulation.world import WorldPair, draw_pair
from scdcli.simulation.world.urban import in_urban_classes

DEMO_SEED = 14
DEMO_SIZE = 1600
PAIR_SIZE = 512
DEMO_CRS = "EPSG:32632"
DEMO_ORIGIN = (691_000.0, 5_335_000.0)
PIXEL_SIZE = 0.5


@dataclass(frozen=True)
class World:
    """Makes pairs of the drawn world, in one of `WORLD_LEGENDS`."""

    size: int
    legend: Legend = SECOND

    def make(self, seed: Seed) -> WorldPair:
        """The pair of a seed."""
        return WORLD_LEGENDS[self.legend.name](draw_pair(seed, self.size, self.size))

    def write_map(self, path: Path, index: NDArray[np.uint8]) -> None:
        """Write a class map: in the colors of SECOND, as that set has them, or as indices."""
        if self.legend == SECOND:
            write_colors(path, SECOND.encode(index))
        else:
            write_index_png(path, index, self.legend)


WORLD_LEGENDS: dict[str, Callable[[WorldPair], WorldPair]] = {
    SECOND.name: lambda pair: pair,
    URBAN.name: in_urban_classes,
}


def write_pairs(
    out: Path,
    pairs: int,
    *,
    size: int = PAIR_SIZE,
    seed: int = 0,
    split: str = "train",
    legend: Legend = SECOND,
    overwrite: bool = False,
    workers: int = 1,
    progress: Progress | None = None,
) -> PairsSummary:
    """Draw a labelled set into ``OUT/<split>/{im1,im2,label1,label2,cover1,cover2}/NNNNN.png``.

    A pair depends on seed, split and its number alone: neither on how many are drawn nor by how
    many workers. The folder appears when all pairs are written.

    Args:
        out: Folder of the set; other splits in it stay.
        pairs: How many to draw.
        size: Height and width in pixels, at least 128; a pixel is 0.5 m.
        seed: Which set.
        split: Name of the split; another split is other pairs.
        legend: Classes, one of `WORLD_LEGENDS`.
        overwrite: Replace the split if it exists.
        workers: Processes to draw with.
        progress: Called with (pairs done, pairs) after each.

    Raises:
        OutputError: The split exists, or cannot be written.
    """
    return write_set(
        out,
        World(size, legend),
        pairs,
        size=size,
        seed=seed,
        split=split,
        made_from={SIZE: PIXEL_SIZE, "legend": legend.to_dict()},
        overwrite=overwrite,
        workers=workers,
        progress=progress,
    )


def write_demo(
    out: Path,
    *,
    seed: int = DEMO_SEED,
    size: int = DEMO_SIZE,
    legend: Legend = URBAN,
    overwrite: bool = False,
) -> Path:
    """Draw one georeferenced scene: ``before.tif``, ``after.tif``, ``truth/{from,to}.tif``.

    Args:
        out: Folder to make.
        seed: Which scene.
        size: Height and width in pixels of 0.5 m.
        legend: Classes of the truth, one of `WORLD_LEGENDS`; those of the default model.
        overwrite: Replace the folder if it exists.

    Returns:
        The folder.

    Raises:
        OutputError: The folder exists, or cannot be written.
    """
    pair = WORLD_LEGENDS[legend.name](draw_pair(seed, size, size))
    only = {RECORD, "before.tif", "after.tif", "truth"}
    with folder_at_once(out, mark=RECORD, overwrite=overwrite, only=only) as folder:
        (folder / "truth").mkdir()
        _write_image(folder / "before.tif", pair.before)
        _write_image(folder / "after.tif", pair.after)
        _write_classes(folder / "truth" / "from.tif", pair.from_class, legend)
        _write_classes(folder / "truth" / "to.tif", pair.to_class, legend)
        write_record(folder, {"size": size, "seed": seed, SIZE: PIXEL_SIZE})
    return out


def _demo_profile(shape: tuple[int, int], count: int) -> dict[str, object]:
    left, top = DEMO_ORIGIN
    return {
        "driver": "GTiff",
        "dtype": "uint8",
        "count": count,
        "height": shape[0],
        "width": shape[1],
        "crs": DEMO_CRS,
        "transform": Affine(PIXEL_SIZE, 0.0, left, 0.0, -PIXEL_SIZE, top),
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
        "compress": "deflate",
        "predictor": 2,
    }


def _write_image(path: Path, image: NDArray[np.uint8]) -> None:
    profile = _demo_profile((image.shape[1], image.shape[2]), 3) | {"photometric": "RGB"}
    with rasterio.open(path, "w", **profile) as target:
        target.write(image)
        target.colorinterp = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)


def _write_classes(path: Path, index: NDArray[np.uint8], legend: Legend) -> None:
    profile = _demo_profile((index.shape[0], index.shape[1]), 1) | {"nodata": NODATA}
    colors = {value: legend[value].color for value in legend.indices()}
    with rasterio.open(path, "w", **profile) as target:
        target.write(index, 1)
        target.write_colormap(1, {UNCHANGED: UNCHANGED_COLOR, **colors})
        target.update_tags(ns=TAGS, LEGEND=legend.dumps())
