"""Writing made pairs as a labelled set, with any number of processes."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import rasterio
from numpy.typing import NDArray

from scdcli import __version__
from scdcli.datasets.pixelsizes import RECORD
from scdcli.errors import OutputError
from scdcli.files.folder import folder_at_once
from scdcli.legend import NODATA, TRANSITION_NODATA, UNCHANGED, transition_code
from scdcli.rasters.limits import georeference_optional

FOLDERS = ("im1", "im2", "label1", "label2", "cover1", "cover2")

Classes = NDArray[np.uint8]
Progress = Callable[[int, int], None]
Seed = tuple[int, ...]


@dataclass(frozen=True)
class MadePair:
    """Two dates of one place and the truth about them.

    Attributes:
        before: Earlier image, (3, H, W) uint8.
        after: Later image, (3, H, W) uint8.
        cover1: Class of every pixel before, (H, W) uint8; 255 where it is not known.
        cover2: Class of every pixel after, (H, W) uint8.
        from_class: Class before where it changed, 0 elsewhere, 255 where it is not known, (H, W)
            uint8.
        to_class: Class after where it changed, (H, W) uint8.
    """

    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    cover1: Classes
    cover2: Classes
    from_class: Classes
    to_class: Classes


def change_maps(
    cover1: Classes, cover2: Classes, rebuilt: NDArray[np.bool_]
) -> tuple[Classes, Classes]:
    """Class before and after where it changed, 0 elsewhere, (H, W) uint8 each.

    Args:
        cover1: Class of every pixel before, (H, W) uint8; 255 where it is not known.
        cover2: The same after.
        rebuilt: Where a building took the place of another one, which is a change, (H, W).

    Returns:
        Two maps, which both hold 255 where something changed whose class is not known at either
        date.
    """
    changed = (cover1 != cover2) | rebuilt
    unknown = changed & ((cover1 == NODATA) | (cover2 == NODATA))
    from_class, to_class = (
        np.where(unknown, np.uint8(NODATA), np.where(changed, cover, np.uint8(UNCHANGED)))
        for cover in (cover1, cover2)
    )
    return from_class, to_class


class Maker(Protocol):
    """Makes pairs, and knows how their class maps are written; can be sent to other processes."""

    @property
    def size(self) -> int:
        """Height and width of the pairs in pixels."""

    @property
    def record(self) -> dict[str, Any]:
        """What the pairs are made from, so that they can be made again."""

    def make(self, seed: Seed) -> MadePair:
        """The pair of a seed."""

    def write_map(self, path: Path, index: Classes) -> None:
        """Write a class map as PNG."""


@dataclass(frozen=True)
class PairsSummary:
    """What `write_set` wrote.

    Attributes:
        folder: Where the pairs lie.
        pairs: Number of pairs.
        changed_share: Changed pixels of all pixels, 0..1.
        transitions: Changed pixels by transition code, ``from * 100 + to``.
    """

    folder: Path
    pairs: int
    changed_share: float
    transitions: dict[int, int]


def write_set(
    out: Path,
    maker: Maker,
    pairs: int,
    *,
    seed: int = 0,
    split: str = "train",
    overwrite: bool = False,
    workers: int = 1,
    progress: Progress | None = None,
) -> PairsSummary:
    """Write a labelled set as ``OUT/<split>/{im1,im2,label1,label2,cover1,cover2}/NNNNN.png``.

    A pair depends on seed, split and its number alone: neither on how many are made nor by how
    many workers. The folder appears when all pairs are written.

    Raises:
        OutputError: The split exists, or cannot be written, or a worker was killed.
    """
    transitions: Counter[int] = Counter()
    only = {RECORD, *FOLDERS}
    with folder_at_once(out / split, mark=RECORD, overwrite=overwrite, only=only) as folder:
        for name in FOLDERS:
            (folder / name).mkdir()
        # The name of the split counts, byte by byte: another split is other pairs.
        tasks = [(folder, number, (seed, number, *split.encode())) for number in range(pairs)]
        for done, counts in enumerate(_each(maker, tasks, workers), start=1):
            transitions.update(counts)
            if progress:
                progress(done, pairs)
        share = sum(transitions.values()) / max(pairs * maker.size**2, 1)
        table = dict(sorted(transitions.items()))
        made = {"pairs": pairs, "size": maker.size, "seed": seed, "split": split}
        write_record(folder, {**made, **maker.record, "changed_share": share, "transitions": table})
    return PairsSummary(out / split, pairs, share, table)


def write_record(folder: Path, made: dict[str, Any]) -> None:
    """Write down what was made, so that it can be made again; also marks the folder as ours."""
    text = json.dumps({"scd": __version__, **made}, indent=2)
    (folder / RECORD).write_text(text + "\n", encoding="utf-8")


def write_colors(path: Path, colors: NDArray[np.uint8]) -> None:
    """Write (3, H, W) uint8 as PNG."""
    profile = {"driver": "PNG", "zlevel": 1, "dtype": "uint8", "count": 3}
    height, width = colors.shape[1:]
    with (
        georeference_optional(),
        rasterio.Env(GDAL_PAM_ENABLED="NO"),
        rasterio.open(path, "w", height=height, width=width, **profile) as target,
    ):
        target.write(colors)


Task = tuple[Path, int, Seed]


def _each(maker: Maker, tasks: list[Task], workers: int) -> Iterator[Counter[int]]:
    """Make every pair, in order, here or in other processes."""
    if workers <= 1:
        yield from (_write_pair(maker, task) for task in tasks)
        return
    # Forking a process that runs threads (torch, GDAL) may hang; a fresh one cannot.
    fresh = get_context("spawn")
    with ProcessPoolExecutor(workers, fresh, initializer=_start, initargs=(maker,)) as pool:
        try:
            yield from pool.map(_write_started, tasks, chunksize=4)
        except BrokenProcessPool as error:
            raise OutputError(
                f"one of the {workers} processes that make pairs was killed, perhaps for want of "
                "memory; use fewer --workers."
            ) from error


_started: list[Maker] = []
"""The maker of a worker's process: it may hold much, and is sent there once."""


def _start(maker: Maker) -> None:
    _started.append(maker)


def _write_started(task: Task) -> Counter[int]:
    return _write_pair(_started[-1], task)


def _write_pair(maker: Maker, task: Task) -> Counter[int]:
    """Make and write one pair; returns changed pixels by transition code."""
    folder, number, seed = task
    pair = maker.make(seed)
    name = f"{number:05d}.png"
    write_colors(folder / "im1" / name, pair.before)
    write_colors(folder / "im2" / name, pair.after)
    maps = (pair.from_class, pair.to_class, pair.cover1, pair.cover2)
    for kind, index in zip(FOLDERS[2:], maps, strict=True):
        maker.write_map(folder / kind / name, index)
    codes, counts = np.unique(transition_code(pair.from_class, pair.to_class), return_counts=True)
    by_code = dict(zip(codes.tolist(), counts.tolist(), strict=True))
    return Counter({c: n for c, n in by_code.items() if c not in (UNCHANGED, TRANSITION_NODATA)})
