"""The collar of an image: pixels near its nodata value along the edge, where nothing was measured.

Lossy compression changes values, those of nodata as well: of a black collar some pixels become 1 or
20, and count as measured.
"""

from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rasterio.io import DatasetReader, MemoryFile
from rasterio.windows import Window
from scipy.ndimage import label

from scdcli.rasters.grid import spread
from scdcli.rasters.limits import georeference_optional
from scdcli.rasters.scene import Reader, Scene, read_window, valid_window

Box = tuple[int, int, int, int]
"""Left, top, width and height of a window."""

DRIVER_NAMES = {"JP2OpenJPEG": "JPEG 2000"}
STRIP = 512  # rows, those of a tile of the mask
WIDEST = 4096  # columns that are read at a time
LOOK = 128  # pixels, side of a sample
LOOKS = 8  # per axis
NEAR_BIT, VALID = np.array([1, 2], dtype=np.uint8)  # of a draft of the mask
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
    tags = dataset.tags(ns="IMAGE_STRUCTURE")
    name = tags.get("COMPRESSION", DRIVER_NAMES.get(dataset.driver, dataset.driver))
    reversible = tags.get("COMPRESSION_REVERSIBILITY", "")
    lossy = reversible == "LOSSY" or (name.endswith("JPEG") and not reversible)
    return name if lossy or float(tags.get("MAX_Z_ERROR", 0)) > 0 else None


def collar_left(scene: Scene, bands: tuple[int, ...]) -> float:
    """Share of the inner edge of the collar that is near the nodata value and counts as measured.

    Compression mixes collar and picture there. The edge is searched for inwards, from places along
    all four sides.

    Raises:
        InputError: The file cannot be read.
    """
    counted = np.zeros(2, dtype=np.int64)
    for window in sorted({_inner_edge(scene, bands, way) for way in _ways(*scene.dataset.shape)}):
        near, valid = _near(scene, Window(*window), bands, NEAR)
        parts, count = label(near)
        of_collar = np.zeros(count + 1, dtype=bool)
        # What is dark in the picture touches no pixel of the very value.
        of_collar[parts[_near(scene, Window(*window), bands, 0)[0]]] = True
        near &= of_collar[parts]
        counted += (np.count_nonzero(near & valid), np.count_nonzero(near))
    return float(counted[0] / counted[1]) if counted[1] else 0.0


def _ways(height: int, width: int) -> Iterator[list[Box]]:
    """The samples met on the way inwards, from places along each side of a scene."""
    for row in spread(height, LOOK, LOOKS):
        across = [_box(row, col, height, width) for col in range(0, width, LOOK)]
        yield from (across, across[::-1])
    for col in spread(width, LOOK, LOOKS):
        down = [_box(row, col, height, width) for row in range(0, height, LOOK)]
        yield from (down, down[::-1])


def _box(row: int, col: int, height: int, width: int) -> Box:
    return col, row, min(LOOK, width - col), min(LOOK, height - row)


def _inner_edge(scene: Scene, bands: tuple[int, ...], way: list[Box]) -> Box:
    """The first sample that is not all collar; the collar is taken to be in one piece."""

    def holds_more(box: Box) -> bool:
        return not _near(scene, Window(*box), bands, NEAR)[0].all()

    return way[min(bisect_left(way, True, key=holds_more), len(way) - 1)]


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
        with georeference_optional():
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
    first_far, last_far = np.full(width, height), np.full(width, -1)
    masked = 0
    with MemoryFile() as draft:
        with draft.open(**profile) as kinds:
            for window in _strips(height, width):
                near, valid = _near_strip(scene, window, bands, tolerance)
                first, last = _outermost(~near.T, window.row_off, height)
                np.minimum(first_far, first, out=first_far)
                np.maximum(last_far, last, out=last_far)
                kinds.write(NEAR_BIT * near + VALID * (near & valid), 1, window=window)
        # What lies beyond the outermost pixels that are not near is known only now.
        with draft.open() as kinds, file.open(**profile, **placed) as mask:
            for window in _strips(height, width):
                kind = kinds.read(1, window=window)
                near, rows, cols = kind > 0, _numbers(window.row_off, kind), np.arange(width)
                left, right = (each[:, None] for each in _outermost(~near, 0, width))
                hidden = (rows < first_far) | (rows > last_far) | (cols < left) | (cols > right)
                masked += int(np.count_nonzero(hidden & (kind & VALID > 0)))
                mask.write(hidden.astype(np.uint8), 1, window=window)
    return masked


def _outermost(
    far: NDArray[np.bool_], start: int, end: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Numbers of the first and last true of each line, (n,), counted from ``start``.

    Where a line has none, they are ``end`` and -1.
    """
    some = far.any(axis=1)
    first = np.where(some, start + far.argmax(axis=1), end)
    last = np.where(some, start + far.shape[1] - 1 - far[:, ::-1].argmax(axis=1), -1)
    return first, last


def _strips(height: int, width: int) -> Iterator[Window]:
    for top in range(0, height, STRIP):
        yield Window(0, top, width, min(STRIP, height - top))


def _numbers(start: int, rows: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Numbers of rows from the first on, (h, 1)."""
    return np.arange(start, start + len(rows))[:, None]


def without(read: Reader, hidden: Reader) -> Reader:
    """A reader that also gives NaN wherever another one gives anything above 0."""

    def read_rest(window: Window) -> NDArray[np.float32]:
        pixels = read(window)
        pixels[:, hidden(window)[0] > 0] = np.nan
        return pixels

    return read_rest


def _near(
    scene: Scene, window: Window, bands: tuple[int, ...], tolerance: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where a window is near the nodata value or holds no measurement, and where it holds one."""
    pixels = read_window(scene.dataset, window, bands, scene.path)
    valid = valid_window(scene.dataset, window, scene.path)
    if pixels.dtype.kind == "f":
        valid &= np.isfinite(pixels).all(axis=0)
    near = np.ones(valid.shape, dtype=bool)
    for band, values in zip(bands, pixels, strict=True):
        nodata = scene.dataset.nodatavals[band - 1]
        low, high = (
            np.nan if nodata is None else nodata + each for each in (-tolerance, tolerance)
        )
        near &= (values >= low) & (values <= high)
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
