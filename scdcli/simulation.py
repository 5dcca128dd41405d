"""Files of the drawn world: labelled pairs in SECOND's layout, and one georeferenced demo scene."""

import json
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning

from scdcli import __version__
from scdcli.folder import folder_at_once
from scdcli.legend import NODATA, SECOND, UNCHANGED, UNCHANGED_COLOR, transition_code
from scdcli.rasters.cog import TAGS
from scdcli.world import WorldPair, draw_pair

RECORD = "simulation.json"
FOLDERS = ("im1", "im2", "label1", "label2", "cover1", "cover2")
DEMO_SEED = 14
DEMO_SIZE = 1600
PAIR_SIZE = 512
DEMO_CRS = "EPSG:32632"
DEMO_ORIGIN = (691_000.0, 5_335_000.0)
PIXEL_SIZE = 0.5

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class PairsSummary:
    """What `write_pairs` wrote.

    Attributes:
        folder: Where the pairs lie.
        pairs: Number of pairs.
        size: Height and width of each in pixels.
        seed: Seed they were drawn with.
        split: Name of the split.
        changed_share: Changed pixels of all pixels, 0..1.
        transitions: Changed pixels by transition code, ``from * 100 + to``.
    """

    folder: Path
    pairs: int
    size: int
    seed: int
    split: str
    changed_share: float
    transitions: dict[int, int]


def write_pairs(
    out: Path,
    pairs: int,
    *,
    size: int = PAIR_SIZE,
    seed: int = 0,
    split: str = "train",
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
        overwrite: Replace the split if it exists.
        workers: Processes to draw with.
        progress: Called with (pairs done, pairs) after each.

    Raises:
        OutputError: The split exists, or cannot be written.
    """
    transitions: Counter[int] = Counter()
    only = {RECORD, *FOLDERS}
    with folder_at_once(out / split, mark=RECORD, overwrite=overwrite, only=only) as folder:
        for name in FOLDERS:
            (folder / name).mkdir()
        tasks = [(folder, number, size, _pair_seed(seed, split, number)) for number in range(pairs)]
        for done, counts in enumerate(_each(tasks, workers), start=1):
            transitions.update(counts)
            if progress:
                progress(done, pairs)
        share = sum(transitions.values()) / max(pairs * size * size, 1)
        table = dict(sorted(transitions.items()))
        summary = PairsSummary(out / split, pairs, size, seed, split, share, table)
        _write_record(folder, asdict(summary))
    return summary


def write_demo(
    out: Path, *, seed: int = DEMO_SEED, size: int = DEMO_SIZE, overwrite: bool = False
) -> Path:
    """Draw one georeferenced scene: ``before.tif``, ``after.tif``, ``truth/{from,to}.tif``.

    Args:
        out: Folder to make.
        seed: Which scene.
        size: Height and width in pixels of 0.5 m.
        overwrite: Replace the folder if it exists.

    Returns:
        The folder.

    Raises:
        OutputError: The folder exists, or cannot be written.
    """
    pair = draw_pair(seed, size, size)
    only = {RECORD, "before.tif", "after.tif", "truth"}
    with folder_at_once(out, mark=RECORD, overwrite=overwrite, only=only) as folder:
        (folder / "truth").mkdir()
        _write_image(folder / "before.tif", pair.before)
        _write_image(folder / "after.tif", pair.after)
        _write_classes(folder / "truth" / "from.tif", pair.from_class)
        _write_classes(folder / "truth" / "to.tif", pair.to_class)
        _write_record(folder, {"size": size, "seed": seed})
    return out


def _write_record(folder: Path, made: dict[str, Any]) -> None:
    """What was drawn, so that it can be drawn again; it also marks the folder as ours."""
    made = {"scd": __version__, **made} | ({"folder": None} if "folder" in made else {})
    known = {name: value for name, value in made.items() if value is not None}
    (folder / RECORD).write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")


def _pair_seed(seed: int, split: str, number: int) -> tuple[int, ...]:
    """Entropy of one pair: the split's name counts, byte by byte."""
    return (seed, number, *split.encode())


def _each(
    tasks: list[tuple[Path, int, int, tuple[int, ...]]], workers: int
) -> Iterator[Counter[int]]:
    """Draw every task, in order, here or in other processes."""
    if workers <= 1:
        yield from map(_write_pair, tasks)
        return
    # Forking a process that runs threads (torch, GDAL) may hang; a fresh one cannot.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_write_pair, tasks, chunksize=4)


def _write_pair(task: tuple[Path, int, int, tuple[int, ...]]) -> Counter[int]:
    """Draw and write one pair; returns changed pixels by transition code."""
    folder, number, size, seed = task
    pair = draw_pair(seed, size, size)
    for name, colors in zip(FOLDERS, _pictures(pair), strict=True):
        _write_png(folder / name / f"{number:05d}.png", colors)
    codes, counts = np.unique(transition_code(pair.from_class, pair.to_class), return_counts=True)
    found = zip(codes.tolist(), counts.tolist(), strict=True)
    return Counter({code: count for code, count in found if code != UNCHANGED})


def _pictures(pair: WorldPair) -> tuple[NDArray[np.uint8], ...]:
    """The six pictures of a pair in the order of `FOLDERS`, each (3, H, W) uint8."""
    classes = (pair.from_class, pair.to_class, pair.cover1, pair.cover2)
    return (pair.before, pair.after, *(SECOND.encode(index) for index in classes))


def _write_png(path: Path, colors: NDArray[np.uint8]) -> None:
    profile = {"driver": "PNG", "zlevel": 1, "dtype": "uint8", "count": 3}
    height, width = colors.shape[1:]
    with warnings.catch_warnings(), rasterio.Env(GDAL_PAM_ENABLED="NO"):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", height=height, width=width, **profile) as target:
            target.write(colors)


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


def _write_classes(path: Path, index: NDArray[np.uint8]) -> None:
    profile = _demo_profile((index.shape[0], index.shape[1]), 1) | {"nodata": NODATA}
    colors = {value: SECOND[value].color for value in SECOND.indices()}
    with rasterio.open(path, "w", **profile) as target:
        target.write(index, 1)
        target.write_colormap(1, {UNCHANGED: UNCHANGED_COLOR, **colors})
        target.update_tags(ns=TAGS, LEGEND=SECOND.dumps())
