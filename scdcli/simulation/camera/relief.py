"""What height does to a picture: cast shadows and leaning roofs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from scdcli.simulation.camera.noise import Field
from scdcli.simulation.camera.placing import displace, shift
from scdcli.simulation.camera.radiometry import luminance

LOWEST, HIGHEST = 2.0, 45.0  # heights of buildings in pixels
FARTHEST = 4.0  # pixels that a roof is displaced


@dataclass(frozen=True)
class Sun:
    """Shadows of one date.

    Attributes:
        azimuth: Direction that shadows fall, radians from columns to rows.
        elevation: Of the sun above the horizon, radians.
        darkness: Light that cast shadows take, 0..1; 0 for no new shadows.
        trees: Height of trees in pixels.
        fill: Light that dark areas of the scene gain, as a share; 0 for none.
    """

    azimuth: float = 0.0
    elevation: float = 0.9
    darkness: float = 0.0
    trees: float = 0.0
    fill: float = 0.0


@dataclass(frozen=True)
class Lean:
    """How roofs are displaced from their footprints.

    Attributes:
        slope: Pixels per pixel of height, (rows, cols).
        facade: Brightness of walls against that of roofs.
    """

    slope: tuple[float, float] = (0.0, 0.0)
    facade: float = 0.7


def draw_sun(rng: np.random.Generator, amount: float) -> Sun:
    """The sun of one date; `amount` 0 leaves the light of the scene, 1 is usual."""
    if amount <= 0:
        return Sun()
    casts = rng.random() < 0.65
    return Sun(
        azimuth=float(rng.uniform(0, 2 * np.pi)),
        elevation=float(np.deg2rad(rng.uniform(22, 70))),
        darkness=float(min(0.75, rng.uniform(0.25, 0.65) * amount)) if casts else 0.0,
        trees=float(rng.uniform(1, 6)) if rng.random() < 0.6 else 0.0,
        fill=float(rng.uniform(0.2, 1.2) * amount) if rng.random() < 0.35 else 0.0,
    )


def draw_lean(rng: np.random.Generator, amount: float) -> Lean:
    """The angle that one date is viewed from; `amount` 0 is straight above, 1 is usual."""
    if amount <= 0 or rng.random() < 0.3:
        return Lean()
    steep = min(rng.exponential(0.12) * amount, 0.4)
    angle = rng.uniform(0, 2 * np.pi)
    return Lean(
        slope=(float(steep * np.sin(angle)), float(steep * np.cos(angle))),
        facade=float(rng.uniform(0.4, 1.0)),
    )


def heights(buildings: NDArray[np.int32], seed: int) -> Field:
    """Height of every building by its number, in pixels, (N + 1,) float32; 0 for number 0.

    A building of some number and area is as high at any date of one seed.
    """
    area = np.bincount(buildings.ravel()).astype(np.float32)
    spread = np.random.default_rng(seed).standard_normal(len(area), dtype=np.float32)
    high = np.sqrt(area) * np.float32(0.38) * np.exp(np.float32(0.4) * spread)
    high = np.clip(high, LOWEST, HIGHEST)
    high[0] = 0.0
    return np.asarray(high, dtype=np.float32)


def with_shadows(
    scene: Field,
    buildings: NDArray[np.int32],
    high: Field,
    sun: Sun,
    vegetation: NDArray[np.bool_],
) -> Field:
    """The scene with shadows of buildings and trees on the ground; roofs stay as they are.

    Trees are the dark parts of vegetation; ``high`` are `heights`, the other arrays as in `look`.
    """
    if sun.darkness == 0:
        return scene
    light = luminance(scene)
    shadow = cast_shadow(np.maximum(high[buildings], _trees(light, vegetation, sun.trees)), sun)
    shadow = uniform_filter(uniform_filter(shadow, 2), 2, origin=-1)
    shadow *= buildings == 0
    # Pixels in shadow already can hardly lose more light.
    shadow *= np.clip((light - np.float32(0.08)) * 5, 0, 1)
    loss = np.float32(sun.darkness) * shadow
    tint = np.array([1.04, 1.0, 0.9], dtype=np.float32)
    return np.stack([band * (1 - loss * part) for band, part in zip(scene, tint, strict=True)])


def _trees(light: Field, vegetation: NDArray[np.bool_], tall: float) -> Field:
    """Height of trees, which are darker than grass and ground, (H, W) float32 in pixels."""
    around = np.asarray(uniform_filter(light, 3, mode="nearest"), dtype=np.float32)
    usual = uniform_filter(around, 41, mode="nearest")
    dark = np.clip((usual - around) * 12 - np.float32(0.3), 0, 1)
    return np.asarray(np.float32(tall) * dark * vegetation, dtype=np.float32)


def cast_shadow(height: Field, sun: Sun) -> Field:
    """Share of direct light that never reaches a pixel for higher things, (H, W) in 0..1."""
    direction = np.array([np.sin(sun.azimuth), np.cos(sun.azimuth)])
    direction /= np.abs(direction).max()
    drop = np.float32(np.tan(sun.elevation) * np.hypot(*direction))
    edge = shadow_edge(height, direction, drop, float(height.max()))
    return np.asarray(np.clip(edge - height, 0, 1), dtype=np.float32)


def shadow_edge(
    height: Field, direction: NDArray[np.float64], drop: np.float32, highest: float
) -> Field:
    """Height of the upper edge of the shadow over every pixel, (H, W); at least the surface there.

    The edge is carried away from the sun in steps of 1, 2, 4, ... pixels, so that a shadow of any
    length costs a handful of array operations.

    Args:
        height: Of the surface, (H, W).
        direction: Of the shadows in rows and columns, the longer of the two parts 1.
        drop: How far the edge sinks along one direction.
        highest: Height of the highest thing there may be.
    """
    longest = highest / float(drop)
    edge = height.copy()
    step = 1
    while step <= longest:
        rows, cols = (round(step * float(part)) for part in direction)
        np.maximum(edge, shift(edge, rows, cols) - drop * np.float32(step), out=edge)
        step *= 2
    return edge


def with_soft_shadows(scene: Field, sun: Sun, water: NDArray[np.bool_]) -> Field:
    """The scene with more light in its dark areas except water, so that its shadows are softer."""
    if sun.fill == 0:
        return scene
    light = luminance(scene)
    limit = np.float32(0.55 * np.median(light[::4, ::4]))
    around = uniform_filter(light, 3, mode="nearest")
    dark = np.clip((limit - around) / (np.float32(0.5) * limit + np.float32(1e-3)), 0, 1)
    gain = 1 + np.float32(sun.fill) * dark * (~water)
    warm = np.array([1.05, 1.0, 0.93], dtype=np.float32)[:, None, None]
    return np.asarray(scene * (1 + (gain - 1) * warm), dtype=np.float32)


def with_lean(scene: Field, buildings: NDArray[np.int32], high: Field, lean: Lean) -> Field:
    """The scene with its roofs displaced, as in a view from the side.

    A roof hides the ground that it is moved onto; where it was, its wall shows. ``high`` are
    `heights`, the other arrays as in `look`.
    """
    far = high * np.float32(np.hypot(*lean.slope))
    if float(far.max()) < 0.3:
        return scene
    factor = np.minimum(1, FARTHEST / np.maximum(far, 1e-6))
    down = high * factor * np.float32(lean.slope[0])
    right = high * factor * np.float32(lean.slope[1])
    roof = buildings > 0
    rows, cols = np.nonzero(roof)
    number = buildings[rows, cols]
    height, width = buildings.shape
    at_rows = np.clip(rows + np.rint(down[number]).astype(np.intp), 0, height - 1)
    at_cols = np.clip(cols + np.rint(right[number]).astype(np.intp), 0, width - 1)
    on_top = np.zeros_like(buildings)
    on_top[at_rows, at_cols] = number
    walls = np.float32(lean.facade) * uniform_filter(scene, (0, 3, 3), mode="nearest")
    vacated = roof & (on_top == 0)
    displaced = displace(scene, down[on_top], right[on_top])
    return np.where(on_top > 0, displaced, np.where(vacated, walls, scene))
