"""Draw what the two pyramids of an ASN compare, pair by pair (Fig. 11 of the paper).

Usage: python examples/feature_maps.py MODEL BEFORE AFTER -o DIR [--square LEFT TOP SIZE]
Writes DIR/asp-16.png, asp-32.png, asp-64.png (Eq. 5) and arp.png (Eq. 8).
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pyramidmaps import PyramidMaps, pyramid_maps
from rasterio.windows import Window

from scdcli.errors import ScdError
from scdcli.models.checkpoint import load_model
from scdcli.models.device import pick_device
from scdcli.models.networks.pyramids import CAPABILITIES, DILATIONS
from scdcli.prediction.chain import default_chip, require_bands
from scdcli.rasters.pair.open import Pair, open_pair
from scdcli.rasters.pair.settings import PairSettings

PANEL = 2.2  # inches
SHOWN = (1, 99)  # percentiles that become black and white
EDGE = "#00e5ff"


def main() -> None:
    """Read the arguments, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="name of a bundled model, or a model file")
    parser.add_argument("before")
    parser.add_argument("after")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--square",
        nargs=3,
        type=int,
        metavar=("LEFT", "TOP", "SIZE"),
        help="part of the scene, in pixels; its middle by default",
    )
    given = parser.parse_args()
    try:
        draw(given.model, given.before, given.after, given.output, given.square)
    except ScdError as error:
        sys.exit(f"Error: {error}")


def draw(
    model: str, before: str, after: str, out: Path, square: tuple[int, int, int] | None = None
) -> PyramidMaps:
    """Write the pictures into ``out`` and return what they show."""
    loaded = load_model(model, pick_device())
    with open_pair(before, after, PairSettings(mean_std=loaded.mean_std)) as pair:
        require_bands(loaded, pair)
        window = square_window(pair, square, default_chip(loaded))
        *images, valid = pair.read(window)
    for image in images:  # what the network takes for nothing special, as in a prediction
        image[:, ~valid] = loaded.model.mean.cpu().numpy()[:, None]
    maps = pyramid_maps(loaded, *images)
    out.mkdir(parents=True, exist_ok=True)
    for name, figure in figures(maps, images, loaded.header.threshold):
        figure.savefig(out / f"{name}.png", dpi=110)
    return maps


def square_window(pair: Pair, square: tuple[int, int, int] | None, side: int) -> Window:
    """The part asked for, or the middle of the scene as large as a chip."""
    height, width = pair.grid.shape
    if square is None:
        rows, cols = min(side, height), min(side, width)
        return Window((width - cols) // 2, (height - rows) // 2, cols, rows)
    left, top, size = square
    if left < 0 or top < 0 or size < 1 or left + size > width or top + size > height:
        raise ScdError(
            f"the square {left} {top} {size} is not inside the scene of {width} x {height} "
            "pixels; give one that is."
        )
    return Window(left, top, size, size)


def figures(
    maps: PyramidMaps, images: Sequence[np.ndarray], threshold: float
) -> Iterator[tuple[str, Figure]]:
    """A picture per capability k of aSP, and one of aRP, each with its name."""
    beside = Beside(images[0], images[1], maps.change, threshold)
    dilations = [f"dilation {dilation}" for dilation in DILATIONS]
    for capability, grid in zip(CAPABILITIES, maps.spatial, strict=True):
        title = f"aSP, r = {capability}: |M| of every pair of dilations (Eq. 5)"
        yield f"asp-{capability}", grid_figure(title, grid, dilations, beside)
    if maps.representation is not None:
        title = "aRP: |M| of every pair of capabilities (Eq. 8)"
        names = [f"r = {capability}" for capability in CAPABILITIES]
        yield "arp", grid_figure(title, maps.representation, names, beside)


@dataclass(frozen=True)
class Beside:
    """What stands beside the maps: the images, and where the model sees change."""

    before: np.ndarray  # (C, H, W)
    after: np.ndarray
    change: np.ndarray  # (H, W), probability
    threshold: float

    @property
    def changed(self) -> np.ndarray:
        """Where the change probability reaches the threshold, (H, W) bool."""
        return self.change >= self.threshold


def grid_figure(title: str, grid: np.ndarray, names: list[str], beside: Beside) -> Figure:
    """Images and change probability on the left; a row of maps per feature of BEFORE."""
    count = len(names)
    figure = Figure(figsize=((count + 1.25) * PANEL, count * PANEL + 1.1), layout="constrained")
    figure.suptitle(title)
    note = "bright: the two features differ; number: mean in the changed area over mean elsewhere"
    figure.supxlabel(note, fontsize="medium")
    left, right = figure.subfigures(1, 2, width_ratios=[1, count + 0.1])
    column = left.subplots(3, 1)
    column[0].imshow(as_picture(beside.before))
    column[1].imshow(as_picture(beside.after))
    column[2].imshow(beside.change, cmap="gray", vmin=0, vmax=1)
    for axis, name in zip(column, ("before", "after", "change probability"), strict=True):
        axis.set_title(name)
    panels = right.subplots(count, count)
    for (row, col), axis in np.ndenumerate(panels):
        show_map(axis, grid[row, col], beside.changed)
        if row == 0:
            axis.set_title(f"after: {names[col]}")
        if col == 0:
            axis.set_ylabel(f"before: {names[row]}")
    for axis in (*column, *panels.flat):
        axis.set_xticks([])
        axis.set_yticks([])
        outline(axis, beside)
    return figure


def show_map(axis: Axes, magnitude: np.ndarray, changed: np.ndarray) -> None:
    """One map, stretched over the images; black to white is its own range."""
    low, high = np.percentile(magnitude, SHOWN)
    rows, cols = (
        np.arange(n) * m // n for n, m in zip(changed.shape, magnitude.shape, strict=True)
    )
    stretched = magnitude[rows][:, cols]
    axis.imshow(stretched, cmap="magma", vmin=low, vmax=max(high, low + 1e-9))
    if 0 < changed.mean() < 1:
        ratio = stretched[changed].mean() / stretched[~changed].mean()
        box = {"facecolor": "black", "alpha": 0.6, "edgecolor": "none", "pad": 2}
        axis.text(
            0.97, 0.04, f"{ratio:.2f}", transform=axis.transAxes, ha="right", bbox=box, color="w"
        )


def outline(axis: Axes, beside: Beside) -> None:
    """The border of what the model calls changed."""
    if 0 < beside.changed.mean() < 1:
        axis.contour(beside.change, [beside.threshold], colors=EDGE, linewidths=0.6)


def as_picture(image: np.ndarray) -> np.ndarray:
    """The first three bands, or the first as gray, (h, w, 3) uint8."""
    bands = image[:3] if len(image) >= 3 else image[:1].repeat(3, axis=0)
    return np.moveaxis(bands.clip(0, 255).astype(np.uint8), 0, -1)


if __name__ == "__main__":
    main()
