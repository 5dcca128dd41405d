"""Small things that come and go without any change of the ground: cars and vans."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from scdcli.simulation.camera.noise import Field
from scdcli.simulation.camera.radiometry import luminance

PAINTS = np.array(
    [
        [0.92, 0.92, 0.92],
        [0.80, 0.81, 0.82],
        [0.55, 0.56, 0.58],
        [0.12, 0.12, 0.14],
        [0.20, 0.22, 0.28],
        [0.62, 0.15, 0.13],
        [0.18, 0.28, 0.55],
        [0.75, 0.68, 0.50],
    ],
    dtype=np.float32,
)
COMMON = np.array([0.3, 0.16, 0.14, 0.16, 0.08, 0.06, 0.06, 0.04])
REACH = 12  # pixels on every side of a car's middle in its window


@dataclass(frozen=True)
class Traffic:
    """Cars of one date.

    Attributes:
        density: New cars, and rows of cars, per 100 x 100 pixels of road.
        length: Of a car in pixels.
        removals: Small things taken away per 100 x 100 pixels of open ground.
    """

    density: float = 0.0
    length: float = 9.0
    removals: float = 0.0


def draw_traffic(rng: np.random.Generator, amount: float, length: float) -> Traffic:
    """Cars of one date, `length` pixels long; `amount` 0 is none but the scene's, 1 is usual."""
    if amount <= 0:
        return Traffic()
    return Traffic(
        density=float(rng.exponential(2.0) * amount) if rng.random() < 0.75 else 0.0,
        length=length,
        removals=float(rng.exponential(1.5) * amount) if rng.random() < 0.75 else 0.0,
    )


def with_traffic(
    scene: Field,
    traffic: Traffic,
    ground: NDArray[np.bool_],
    azimuth: float,
    rng: np.random.Generator,
) -> Field:
    """The scene with some of its cars gone, and with new ones.

    Args:
        scene: (3, H, W) float32.
        traffic: How many.
        ground: Where cars may stand, (H, W).
        azimuth: Direction that shadows fall, radians from columns to rows.
        rng: Source of all places and colors.

    Returns:
        (3, H, W) float32.
    """
    if not ground.any():
        return scene
    scene = scene.copy()
    light = luminance(scene)
    around = np.asarray(uniform_filter(light, 15, mode="nearest"), dtype=np.float32)
    rough = np.abs(light - around)
    even = np.asarray(uniform_filter(rough, 9, mode="nearest"))
    free = uniform_filter(ground.astype(np.float32), 9, mode="constant") > 0.98
    gone = rng.poisson(traffic.removals * float(ground.sum()) / 1e4)
    for row, col in _spots(rough * (free & (rough > 0.08) & (even < 0.16)), gone, rng):
        _erase(scene, row, col, _along(light, row, col), rng)
    road = (free & (even < np.float32(0.05))) * _roadlike(scene, around)
    come = rng.poisson(traffic.density * float(road.sum()) / 1e4)
    for row, col in _spots(road, come, rng):
        way = _along(light, row, col) + rng.normal(0.0, 0.05)
        # One car, or a row side by side.
        for place in range(int(rng.integers(2, 8)) if rng.random() < 0.2 else 1):
            step = place * 0.62 * traffic.length
            beside = (row + step * np.cos(way), col - step * np.sin(way))
            car = (traffic.length, way + rng.normal(0.0, 0.03), azimuth)
            _park(scene, ground, beside, car, rng)
    return scene


def _roadlike(scene: Field, around: Field) -> Field:
    """How likely pixels are road, by being gray and not bright, (H, W) in 0..1."""
    color = scene.max(axis=0) - scene.min(axis=0)
    gray = np.clip(1.3 - color * 9, 0.03, 1)
    return np.asarray(gray * np.clip(2 - 3 * around, 0.04, 1), dtype=np.float32)


def _spots(weight: Field, count: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """`count` pixels drawn by weight, away from the edges."""
    inner = np.zeros_like(weight)
    rim = slice(REACH, -REACH)
    inner[rim, rim] = weight[rim, rim]
    total = np.cumsum(inner.ravel(), dtype=np.float64)
    if count == 0 or len(total) == 0 or total[-1] <= 0:
        return []
    pixels = np.searchsorted(total, rng.random(count) * total[-1], side="right")
    pixels = np.minimum(pixels, len(total) - 1)
    return [divmod(int(pixel), weight.shape[1]) for pixel in pixels]


def _along(light: Field, row: int, col: int) -> float:
    """Direction of edges around a pixel, radians from columns to rows."""
    near = light[row - REACH : row + REACH + 1, col - REACH : col + REACH + 1]
    down, right = np.gradient(near)
    twice = np.arctan2(2 * float((down * right).sum()), float((right**2 - down**2).sum()))
    return float(twice / 2 + np.pi / 2)


def _window(scene: Field, row: float, col: float) -> tuple[slice, slice] | None:
    """Rows and columns around a place; None where they leave the scene."""
    top, left, size = round(row) - REACH, round(col) - REACH, 2 * REACH + 1
    if min(top, left) < 0 or top + size > scene.shape[1] or left + size > scene.shape[2]:
        return None
    return slice(top, top + size), slice(left, left + size)


def _turned(window: tuple[slice, slice], row: float, col: float, way: float) -> tuple[Field, Field]:
    """How far the pixels of a window lie from a place along a direction, and across it."""
    down, right = (np.arange(side.start, side.stop, dtype=np.float32) for side in window)
    rows: Field = (down - np.float32(row))[:, None]
    cols: Field = right - np.float32(col)
    sine, cosine = np.float32(np.sin(way)), np.float32(np.cos(way))
    return cols * cosine + rows * sine, rows * cosine - cols * sine


def _box(along: Field, across: Field, length: float, width: float) -> Field:
    """How much of every pixel a rectangle covers, about, (H, W) in 0..1."""
    inside = np.minimum(length / 2 - np.abs(along), width / 2 - np.abs(across))
    return np.clip(inside + np.float32(0.5), 0, 1).astype(np.float32)


def _park(
    scene: Field,
    ground: NDArray[np.bool_],
    center: tuple[float, float],
    car: tuple[float, float, float],
    rng: np.random.Generator,
) -> None:
    """Draw a car of some length, direction and direction of shadow into the scene, on ground."""
    length, way, azimuth = car
    length *= float(rng.choice([1.0, 1.35, 2.2], p=[0.8, 0.16, 0.04])) * rng.uniform(0.9, 1.1)
    length = min(length, 2 * REACH - 4)
    width = min(0.43 * length, 0.48 * car[0])
    paint = PAINTS[rng.choice(len(PAINTS), p=COMMON)] * np.float32(rng.uniform(0.85, 1.05))
    window = _window(scene, *center)
    if window is None or not ground[window][REACH, REACH]:
        return
    view, here = scene[:, *window], ground[window]
    along, across = _turned(window, *center, way)
    fall = 0.22 * width + 0.4
    aside = (fall * np.cos(azimuth - way), fall * np.sin(azimuth - way))
    shadow = _box(along - np.float32(aside[0]), across - np.float32(aside[1]), length, width)
    view *= 1 - np.float32(0.55) * shadow * here
    body = _box(along, across, length, width) * here
    glass = _box(along - np.float32(0.18 * length), across, 0.14 * length, 0.8 * width)
    color = paint[:, None, None] * (1 - np.float32(0.65) * glass)
    view += body * (color - view)


def _erase(scene: Field, row: int, col: int, way: float, rng: np.random.Generator) -> None:
    """Cover a spot with ground from beside it, along the direction of edges."""
    window = _window(scene, row, col)
    if window is None:
        return
    far = rng.choice([-1, 1]) * rng.uniform(11, 18)
    beside = _window(scene, row + round(far * np.sin(way)), col + round(far * np.cos(way)))
    if beside is None:
        return
    soft = np.clip(_box(*_turned(window, row, col, way), 15.0, 9.0) * 1.2, 0, 1)
    view = scene[:, *window]
    view += soft * (scene[:, *beside] - view)
