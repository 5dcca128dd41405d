"""Fixtures: everything a test reads is made here or in the test."""

import os
import signal
import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from rasterio.errors import NotGeoreferencedWarning

from scdcli.cli import main
from scdcli.legend import SECOND

# Tiny networks on one thread: more would only wait for each other. Before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell without job control ignores interruptions in the background, and children inherit that:
# what the tests start must hear them.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def scd():
    """Run a command of the real group; returns click's result."""
    return lambda *args: CliRunner().invoke(main, [str(arg) for arg in args])


def write_png(path: Path, array: np.ndarray) -> None:
    """(C, H, W) or (H, W) uint8 as PNG."""
    array = array[None] if array.ndim == 2 else array
    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = array.shape
    profile = {"driver": "PNG", "dtype": "uint8", "count": count}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", height=height, width=width, **profile) as dataset:
            dataset.write(array)


def draw_labelled_pair(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    """A toy pair: land cover in color blocks, a rectangle of which changes class."""
    cover1 = np.kron(rng.integers(1, 7, (size // 16, size // 16)), np.ones((16, 16), int))
    cover2 = cover1.copy()
    top, left = rng.integers(0, size // 2, 2)
    box = (slice(top, top + size // 2), slice(left, left + size // 2))
    cover2[box] = cover1[box] % 6 + 1
    changed = cover1 != cover2
    palette = np.linspace(20, 235, 18).reshape(6, 3)[[3, 0, 4, 1, 5, 2]]

    def image(cover):
        colors = np.moveaxis(palette[cover - 1], -1, 0)
        return np.clip(colors + rng.normal(0, 6, colors.shape), 0, 255).astype(np.uint8)

    def label(cover):
        return np.where(changed, cover, 0).astype(np.uint8)

    return {
        "im1": image(cover1),
        "im2": image(cover2),
        "label1": label(cover1),
        "label2": label(cover2),
        "cover1": cover1.astype(np.uint8),
        "cover2": cover2.astype(np.uint8),
    }


@pytest.fixture
def second_tree(tmp_path, rng):
    """A function that writes a SECOND-layout set: ``second_tree(pairs, size, splits, covers)``."""

    def write(pairs=4, size=64, splits=("train",), covers=False):
        root = tmp_path / "set"
        for split in splits:
            for number in range(pairs):
                parts = draw_labelled_pair(rng, size)
                for part, array in parts.items():
                    if part.startswith("cover") and not covers:
                        continue
                    shown = array if part.startswith("im") else SECOND.encode(array)
                    write_png(root / split / part / f"{number:05d}.png", shown)
        return root

    return write
