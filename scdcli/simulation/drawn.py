"""Pairs of the drawn world in the classes of a legend, and one georeferenced demo scene."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

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
from scdcli.simulation.pairset import Classes, Seed, change_maps, write_colors, write_record
from scdcli.simulation.world.materials import (
    BUILDING,
    GROUND,
    LOW_VEGETATION,
    PLAYGROUND,
    TREE,
    WATER,
)
from scdcli.simulation.world.pair import WorldPair, draw_pair

DEMO_SEED = 14
DEMO_CRS = "EPSG:32632"
DEMO_ORIGIN = (691_000.0, 5_335_000.0)
PIXEL_SIZE = 0.5


ROAD = 3  # of `legend.URBAN`, in which asphalt is a class of its own
# The classes of the drawn world in URBAN; a sports ground may be lawn or court there.
TO_URBAN = {WATER: 1, GROUND: 2, BUILDING: 4, LOW_VEGETATION: 5, TREE: 5, PLAYGROUND: NODATA}


def in_urban_classes(pair: WorldPair) -> WorldPair:
    """The pair with the classes of `legend.URBAN`: water, ground, road, building, vegetation.

    A tree in place of a lawn is no change here. Where the class is not known at either date, the
    land cover is 255, and so is the change where something changed.
    """
    table = np.zeros(max(TO_URBAN) + 1, dtype=np.uint8)
    table[list(TO_URBAN)] = list(TO_URBAN.values())
    cover1, cover2 = (
        np.where(sealed & (cover == GROUND), np.uint8(ROAD), table[cover])
        for cover, sealed in ((pair.cover1, pair.sealed1), (pair.cover2, pair.sealed2))
    )
    rebuilt = (pair.from_class == BUILDING) & (pair.to_class == BUILDING)
    from_class, to_class = change_maps(cover1, cover2, rebuilt)
    return replace(pair, cover1=cover1, cover2=cover2, from_class=from_class, to_class=to_class)


WORLD_LEGENDS: dict[str, Callable[[WorldPair], WorldPair]] = {
    SECOND.name: lambda pair: pair,
    URBAN.name: in_urban_classes,
}
"""From a pair of the drawn world, whose classes are those of SECOND, to each legend."""


@dataclass(frozen=True)
class World:
    """Makes pairs of the drawn world.

    Attributes:
        size: Height and width in pixels of 0.5 m, at least 128.
        legend: Classes, one of `WORLD_LEGENDS`.
    """

    size: int
    legend: Legend = SECOND

    @property
    def record(self) -> dict[str, Any]:
        """What the pairs are made from, so that they can be made again."""
        return {SIZE: PIXEL_SIZE, "legend": self.legend.to_dict()}

    def make(self, seed: int | Seed) -> WorldPair:
        """The pair of a seed."""
        return WORLD_LEGENDS[self.legend.name](draw_pair(seed, self.size, self.size))

    def write_map(self, path: Path, index: Classes) -> None:
        """Write a class map: in the colors of SECOND, as that set has them, or as indices."""
        if self.legend == SECOND:
            write_colors(path, SECOND.encode(index))
        else:
            write_index_png(path, index, self.legend)


def write_demo(out: Path, world: World, *, seed: int = DEMO_SEED, overwrite: bool = False) -> None:
    """Draw one georeferenced scene: ``before.tif``, ``after.tif``, ``truth/{from,to}.tif``.

    Raises:
        OutputError: The folder exists, or cannot be written.
    """
    pair = world.make(seed)
    only = {RECORD, "before.tif", "after.tif", "truth"}
    with folder_at_once(out, mark=RECORD, overwrite=overwrite, only=only) as folder:
        (folder / "truth").mkdir()
        _write_image(folder / "before.tif", pair.before)
        _write_image(folder / "after.tif", pair.after)
        _write_classes(folder / "truth" / "from.tif", pair.from_class, world.legend)
        _write_classes(folder / "truth" / "to.tif", pair.to_class, world.legend)
        write_record(folder, {"size": world.size, "seed": seed, SIZE: PIXEL_SIZE})


def _demo_profile(bands: int, height: int, width: int) -> dict[str, object]:
    left, top = DEMO_ORIGIN
    return {
        "driver": "GTiff",
        "dtype": "uint8",
        "count": bands,
        "height": height,
        "width": width,
        "crs": DEMO_CRS,
        "transform": Affine(PIXEL_SIZE, 0.0, left, 0.0, -PIXEL_SIZE, top),
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
        "compress": "deflate",
        "predictor": 2,
    }


def _write_image(path: Path, image: NDArray[np.uint8]) -> None:
    with rasterio.open(path, "w", **_demo_profile(*image.shape), photometric="RGB") as target:
        target.write(image)
        target.colorinterp = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)


def _write_classes(path: Path, index: Classes, legend: Legend) -> None:
    colors = {value: legend[value].color for value in legend.indices()}
    with rasterio.open(path, "w", **_demo_profile(1, *index.shape), nodata=NODATA) as target:
        target.write(index, 1)
        target.write_colormap(1, {UNCHANGED: UNCHANGED_COLOR, **colors})
        target.update_tags(ns=TAGS, LEGEND=legend.dumps())
