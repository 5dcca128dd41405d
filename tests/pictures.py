"""A labelled pair in blocks of color, and pictures as PNG."""

import warnings
from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning


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
