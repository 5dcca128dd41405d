"""Draw before, after, and the classes of the changed ground as one PNG.

Usage: python examples/show_prediction.py BEFORE AFTER PREDICTION OUT.png [left top size]
The last three numbers choose a square of the scene, in pixels.
"""

import json
import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import rasterio
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from rasterio.enums import Resampling
from rasterio.io import DatasetReader
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from scdcli.legend import NODATA, UNCHANGED, Legend

PANEL = 3.6  # inches
FADED = 0.35


def main(before: str, after: str, prediction: str, out: str, *square: str) -> None:
    """Write the picture."""
    window = Window(int(square[0]), int(square[1]), *[int(square[2])] * 2) if square else None
    with rasterio.open(Path(prediction) / "from.tif") as grid:
        images = [read_colors(path, grid, window) for path in (before, after)]
    figure = Figure(figsize=(4 * PANEL, PANEL + 0.7), layout="constrained")
    axes = figure.subplots(1, 4)
    titles = ("before", "after", "what was there", "what is there now")
    for axis, title, image in zip(axes[:2], titles[:2], images, strict=True):
        axis.imshow(image)
        axis.set_title(title)
    for axis, title, name, image in zip(axes[2:], titles[2:], ("from", "to"), images, strict=True):
        index, legend = read_classes(Path(prediction) / f"{name}.tif", window)
        axis.imshow(overlay(index, legend, image))
        axis.set_title(title)
    for axis in axes:
        axis.set_axis_off()
    handles = [
        Patch(facecolor=np.array(cover.color) / 255, label=cover.name) for cover in legend.classes
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    figure.savefig(out, dpi=100)


def read_colors(path: str, grid: DatasetReader, window: Window | None) -> np.ndarray:
    """The first three bands of a uint8 image as it lies on the grid of the map, (h, w, 3)."""
    with ExitStack() as stack:
        image = stack.enter_context(rasterio.open(path))
        if image.crs is not None:
            place = {name: getattr(grid, name) for name in ("crs", "transform", "height", "width")}
            view = WarpedVRT(image, **place, resampling=Resampling.bilinear)
            image = stack.enter_context(view)
        return np.moveaxis(image.read([1, 2, 3], window=window), 0, -1)


def read_classes(path: Path, window: Window | None) -> tuple[np.ndarray, Legend]:
    """A class map, (h, w), and the legend it carries."""
    with rasterio.open(path) as dataset:
        legend = Legend.from_dict(json.loads(dataset.tags(ns="SCD")["LEGEND"]))
        return dataset.read(1, window=window), legend


def overlay(index: np.ndarray, legend: Legend, image: np.ndarray) -> np.ndarray:
    """Class colors where something changed, over the faded image, (h, w, 3)."""
    gray = image.mean(axis=-1, keepdims=True).repeat(3, axis=-1)
    shown = 255 - FADED * (255 - gray)
    changed = (index != UNCHANGED) & (index != NODATA)
    shown[changed] = np.moveaxis(legend.encode(index), 0, -1)[changed]
    return shown.astype(np.uint8)


if __name__ == "__main__":
    main(*sys.argv[1:])
