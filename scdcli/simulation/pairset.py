"""Writing made pairs as a labelled set, with any number of processes."""

import json
import warnings
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
from rasterio.errors import NotGeoreferencedWarning

from scdcli import __version__
from scdcli.datasets.pixelsizes import RECORD
from scdcli.errors import OutputError
from scdcli.files.folder import folder_at_once
from scdcli.legend import TRANSITION_NODATA, UNCHANGED, transition_code

FOLDERS = ("im1", "im2", "label1", "label2", "cover1", "cover2")

Classes = NDArray[np.uint8]
Progress = Callable[[int, int], None]
Seed = tuple[int, ...]


class MadePair(Protocol):
    """Two images, (3, H, W) uint8, and their class maps, (H, W) uint8."""

    @property
    def before(self) -> NDArray[np.uint8]: ...  # noqa: D102
    @property
    def after(self) -> NDArray[np.uint8]: ...  # noqa: D102
    @property
    def from_class(self) -> Classes: ...  # noqa: D102
    @property
    def to_class(self) -> Classes: ...  # noqa: D102
    @property
    def cover1(self) -> Classes: ...  # noqa: D102
    @property
    def cover2(self) -> Classes: ...  # noqa: D102


class Maker(Protocol):
    """Makes pairs and knows how their class maps are written; goes to other processes."""

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
        size: Height and width of each in pixels.
        seed: Seed they were made with.
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


def write_set(
    out: Path,
    maker: Maker,
    pairs: int,
    *,
    size: int,
    seed: int,
    split: str,
    made_from: dict[str, Any],
    overwrite: bool = False,
    workers: int = 1,
    progress: Progress | None = None,
) -> PairsSummary:
    """Make a labelled set into ``OUT/<split>/{im1,im2,label1,label2,cover1,cover2}/NNNNN.png``.

    A pair depends on seed, split and its number alone: neither on how many are made nor by how
    many workers. The folder appears when all pairs are written.

    Args:
        out: Folder of the set; other splits in it stay.
        maker: Makes the pairs.
        pairs: How many.
        size: Height and width in pixels.
        seed: Which set.
        split: Name of the split; another split is other pairs.
        made_from: Further entries of the record, so that the set can be made again.
        overwrite: Replace the split if it exists.
        workers: Processes to work with.
        progress: Called with (pairs done, pairs) after each.

    Raises:
        OutputError: The split exists, or cannot be written, or a worker was killed.
    """
    transitions: Counter[int] = Counter()
    only = {RECORD, *FOLDERS}
    with folder_at_once(out / split, mark=RECORD, overwrite=overwrite, only=only) as folder:
        for name in FOLDERS:
            (folder / name).mkdir()
        tasks = [(folder, number, pair_seed(seed, split, number)) for number in range(pairs)]
        for done, counts in enumerate(_each(maker, tasks, workers), start=1):
            transitions.update(counts)
            if progress:
                progress(done, pairs)
        share = sum(transitions.values()) / max(pairs * size * size, 1)
        table = dict(sorted(transitions.items()))
        summary = PairsSummary(out / split, pairs, size, seed, split, share, table)
        found = {"pairs": pairs, "size": size, "seed": seed, "split": split}
        found |= {**made_from, "changed_share": share, "transitions": table}
        write_record(folder, found)
    return summary


def write_record(folder: Path, made: dict[str, Any]) -> None:
    """What was made, so that it can be made again; it also marks the folder as ours."""
    text = json.dumps({"scd": __version__, **made}, indent=2)
    (folder / RECORD).write_text(text + "\n", encoding="utf-8")


def write_colors(path: Path, colors: NDArray[np.uint8]) -> None:
    """Write (3, H, W) uint8 as PNG."""
    profile = {"driver": "PNG", "zlevel": 1, "dtype": "uint8", "count": 3}
    height, width = colors.shape[1:]
    with warnings.catch_warnings(), rasterio.Env(GDAL_PAM_ENABLED="NO"):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", height=height, width=width, **profile) as target:
            target.write(colors)


def pair_seed(seed: int, split: str, number: int) -> Seed:
    """Entropy of one pair: the split's name counts, byte by byte."""
    return (seed, number, *split.encode())


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
    found = zip(codes.tolist(), counts.tolist(), strict=True)
    return Counter({c: n for c, n in found if c not in (UNCHANGED, TRANSITION_NODATA)})
