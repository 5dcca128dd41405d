"""The collar of an image: pixels near its nodata value along the edge, where nothing was measured.

Lossy compression changes values, those of nodata as well: of a black collar some pixels become 1 or
20, and count as measured.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import DatasetReader, MemoryFile
from rasterio.windows import Window
from scipy.ndimage import label

from scdcli.rasters.scene import Reader, Scene, read_window, valid_window

DRIVER_NAMES = {"JP2OpenJPEG": "JPEG 2000"}
STRIP = 512  # rows, those of a tile of the mask
WIDEST = 4096  # columns that are read at a time
LOOK = 128  # pixels, side of a sample
LOOKS = 8  # per axis
NEAR_BIT, RUN, VALID = np.array([1, 2, 4], dtype=np.uint8)  # of a draft of the mask
NEAR = 16  # that a sample counts as near the nodata value: most of what JPEG does to one


class CollarFacts(NamedTuple):
    """What is known of the collar of a scene.

    Attributes:
        compression: Its lossy compression, if any; None also without a nodata value.
        left: Share of its sampled collar that counts as measured, where that is to be known.
        masked: How many pixels near the nodata value are masked, where that is asked for.
    """

    compression: str | None = None
    left: float | None = None
    masked: int | None = None


@dataclass(frozen=True)
class Collar:
    """What is masked of a scene.

    Attributes:
        dataset: 1 where a pixel of the file is masked, 0 elsewhere; one band.
        pixels: How many are masked that hold no nodata value.
    """

    dataset: DatasetReader
    pixels: int


def compression(dataset: DatasetReader) -> str | None:
    """The lossy compression of a file; None where it is lossless or there is none."""
    said = dataset.tags(ns="IMAGE_STRUCTURE")
    name = said.get("COMPRESSION", DRIVER_NAMES.get(dataset.driver, dataset.driver))
    reversible = said.get("COMPRESSION_REVERSIBILITY", "")
    lossy = reversible == "LOSSY" or (name.endswith("JPEG") and not reversible)
    return name if lossy or float(said.get("MAX_Z_ERROR", 0)) > 0 else None


def collar_left(scene: Scene, bands: tuple[int, ...]) -> float:
    """Share of the sampled collar that is near the nodata value and counts as measured, 0 to 1.

    Raises:
        InputError: The file cannot be read.
    """
    counted = np.zeros(2, dtype=np.int64)
    height, width = scene.dataset.shape
    for row in _starts(height):
        for col in _starts(width):
            window = Window(col, row, min(LOOK, width - col), min(LOOK, height - row))
            near, valid = _near(scene, window, bands, NEAR)
            parts, count = label(near)
            touching = np.zeros(count + 1, dtype=bool)
            touching[parts[near & ~valid]] = True
            rows, cols = np.arange(row, row + len(near)), np.arange(col, col + near.shape[1])
            edge = np.isin(rows, (0, height - 1))[:, None] | np.isin(cols, (0, width - 1))
            touching[parts[near & edge]] = True
            collar = touching[parts] & near
            counted += (np.count_nonzero(collar & valid), np.count_nonzero(collar))
    return float(counted[0] / counted[1]) if counted[1] else 0.0


@contextmanager
def find_collar(scene: Scene, bands: tuple[int, ...], tolerance: float) -> Iterator[Collar]:
    """The pixels near the nodata value from which a row or a column of such leads to the edge.

    The whole file is read once; what is found lies compressed in memory.

    Args:
        scene: The open file, with a nodata value.
        bands: Those in use, all of which have to be near.
        tolerance: How near, in the units of the file.

    Raises:
        InputError: The file cannot be read.
    """
    with MemoryFile() as file:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            pixels = _write_mask(file, scene, bands, tolerance)
            dataset = file.open()
        with dataset:
            yield Collar(dataset, pixels)


def _write_mask(file: MemoryFile, scene: Scene, bands: tuple[int, ...], tolerance: float) -> int:
    """Write what `Collar` holds; returns the pixels masked that hold no nodata value."""
    height, width = scene.dataset.shape
    profile = {
        "driver": "GTiff",
        "height": height,
        "width": width,
        "count": 1,
        "dtype": "uint8",
        "tiled": True,
        "blockxsize": STRIP,
        "blockysize": STRIP,
        "compress": "deflate",
        "zlevel": 1,
        "sparse_ok": True,
        "BIGTIFF": "IF_SAFER",
    }
    points, crs = scene.dataset.gcps
    placed = {"transform": scene.dataset.transform, "crs": scene.dataset.crs}
    if points:
        placed = {"gcps": points, "crs": crs}
    all_near = np.ones(width, dtype=bool)
    last_far = np.full(width, -1)
    masked = 0
    with MemoryFile() as draft:
        with draft.open(**profile) as found:
            for window in _strips(height, width):
                near, valid = _near_strip(scene, window, bands, tolerance)
                reached = _runs(near, all_near)
                all_near &= near.all(axis=0)
                last_far = np.maximum(last_far, np.where(near, -1, _rows(window)).max(axis=0))
                found.write((NEAR_BIT * near + RUN * reached + VALID * valid), 1, window=window)
        # Whether the rest of a column is near is known only now that its end has been read.
        with draft.open() as found, file.open(**profile, **placed) as mask:
            for window in _strips(height, width):
                kind = found.read(1, window=window)
                hidden = (kind & RUN > 0) | ((kind & NEAR_BIT > 0) & (_rows(window) > last_far))
                masked += int(np.count_nonzero(hidden & (kind & VALID > 0)))
                mask.write(hidden.astype(np.uint8), 1, window=window)
    return masked


def _strips(height: int, width: int) -> Iterator[Window]:
    for top in range(0, height, STRIP):
        yield Window(0, top, width, min(STRIP, height - top))


def _rows(window: Window) -> NDArray[np.int64]:
    """Numbers of the rows of a window, (h, 1)."""
    return np.arange(window.row_off, window.row_off + window.height)[:, None]


def without(read: Reader, hidden: Reader) -> Reader:
    """A reader that gives NaN also where another one gives anything above 0."""

    def read_rest(window: Window) -> NDArray[np.float32]:
        pixels = read(window)
        pixels[:, hidden(window)[0] > 0] = np.nan
        return pixels

    return read_rest


def _near(
    scene: Scene, window: Window, bands: tuple[int, ...], tolerance: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where a window is near the nodata value or holds no measurement, and where it holds one."""
    pixels = read_window(scene.dataset, window, bands, scene.path).astype(np.float64)
    valid = valid_window(scene.dataset, window, scene.path) & np.isfinite(pixels).all(axis=0)
    values = np.array([scene.dataset.nodatavals[band - 1] for band in bands], dtype=np.float64)
    near = (np.abs(pixels - values[:, None, None]) <= tolerance).all(axis=0)
    return near | ~valid, valid


def _near_strip(
    scene: Scene, strip: Window, bands: tuple[int, ...], tolerance: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """As `_near`, of whole rows, which of many bands would be a lot to hold at once."""
    lefts = range(0, strip.width, WIDEST)
    parts = [
        _near(
            scene,
            Window(left, strip.row_off, min(WIDEST, strip.width - left), strip.height),
            bands,
            tolerance,
        )
        for left in lefts
    ]
    near, valid = (np.concatenate(each, axis=1) for each in zip(*parts, strict=True))
    return near, valid


def _runs(near: NDArray[np.bool_], all_near: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where a run of near pixels comes from the left, the right or the top, (h, w).

    Args:
        near: Of whole rows, (h, w).
        all_near: Which columns are near all the way down to these rows, (w,).
    """
    run = np.logical_and.accumulate
    left, right = run(near, axis=1), run(near[:, ::-1], axis=1)[:, ::-1]
    found: NDArray[np.bool_] = left | right | (run(near, axis=0) & all_near)
    return found


def _starts(length: int) -> list[int]:
    if length <= LOOK * LOOKS:
        return list(range(0, length, LOOK))
    return [round(start) for start in np.linspace(0, length - LOOK, LOOKS)]
