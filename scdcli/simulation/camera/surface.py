"""How surfaces differ between two dates: aged materials, new texture, roofs in another light."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from scdcli.simulation.camera.noise import Field
from scdcli.simulation.camera.radiometry import luminance

FEATURES = np.array([[0.3, 0.6, 0.1], [1.0, -1.0, 0.0], [0.0, -1.0, 1.0]], dtype=np.float32)
FLAT = 0.45  # share of roofs without a ridge


@dataclass(frozen=True)
class Surface:
    """State of surfaces at one date.

    Attributes:
        aging: How far the brightness of materials moves, each its own way; a share.
        fading: How far their color moves, in display units.
        new_growth: Share of the fine texture of vegetation that is new, 0..1.
        new_ground: Share of the fine texture of open ground that is new, 0..1.
        grain: Size of the largest texture that is replaced, in pixels.
        roofs: Standard deviation of the brightness of single roofs; a share.
        slopes: Strength of light and shade on the two sides of a ridge.
        seed: Which pattern all this has.
    """

    aging: float = 0.0
    fading: float = 0.0
    new_growth: float = 0.0
    new_ground: float = 0.0
    grain: int = 11
    roofs: float = 0.0
    slopes: float = 0.0
    seed: int = 0


def draw_surface(rng: np.random.Generator, amount: float) -> Surface:
    """State of surfaces; `amount` 0 is the scene's own, 1 is usual."""
    if amount <= 0:
        return Surface()
    return Surface(
        aging=float(min(0.5, abs(rng.normal(0.0, 0.25)) * amount)),
        fading=float(min(0.12, abs(rng.normal(0.0, 0.04)) * amount)),
        new_growth=float(min(1.0, rng.beta(1.6, 1.0) * amount)),
        new_ground=float(min(0.95, rng.beta(1.4, 1.1) * amount)),
        grain=int(rng.integers(4, 15)) * 2 + 1,
        roofs=float(min(0.4, abs(rng.normal(0.0, 0.17)) * amount)),
        slopes=float(min(0.5, abs(rng.normal(0.0, 0.2)) * amount)),
        seed=int(rng.integers(2**31)),
    )


def with_surface(
    scene: Field,
    surface: Surface,
    vegetation: NDArray[np.bool_],
    buildings: NDArray[np.int32],
    water: NDArray[np.bool_],
) -> Field:
    """The scene with its surfaces at that date; arrays as in `look`."""
    if surface == Surface():
        return scene
    rng = np.random.default_rng(surface.seed)
    ground = ~(vegetation | water | (buildings > 0))
    scene = _retextured(scene, surface, (vegetation, ground), rng)
    return _by_material(scene, surface, rng)


def _retextured(
    scene: Field,
    surface: Surface,
    masks: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    rng: np.random.Generator,
) -> Field:
    """The scene with fine texture from elsewhere in the same mask, as strong as it was."""
    size = surface.grain
    smooth = np.asarray(uniform_filter(scene, (0, size, size), mode="nearest"))
    detail = scene - smooth
    strength = np.abs(luminance(detail))
    usual = uniform_filter(strength, 2 * size + 1, mode="nearest") + np.float32(0.004)
    # What stands out is an object, which stays and is not copied elsewhere.
    plain = np.clip(2 - strength / (2 * usual), 0, 1)
    fine = detail * plain
    out = scene
    for share, mask in zip((surface.new_growth, surface.new_ground), masks, strict=True):
        rows, cols = (
            int(rng.integers(2 * size, 4 * size)) * int(rng.choice([-1, 1])) for _ in "rc"
        )
        if share < 0.03 or not mask.any():
            continue
        both = (mask & np.roll(mask, (rows, cols), (0, 1))).astype(np.float32)
        weight = uniform_filter(both, 5) * plain
        weight *= np.float32(share)
        there = np.roll(fine, (rows, cols), (1, 2))
        there *= np.minimum(usual / np.roll(usual, (rows, cols), (0, 1)), 1.6)
        bound = 2 * usual
        np.clip(there, -bound, bound, out=there)
        kept = 1 - weight
        out = out + (kept - 1) * detail + np.sqrt(1 - kept * kept) * there
    return np.asarray(out, dtype=np.float32)


def _by_material(scene: Field, surface: Surface, rng: np.random.Generator) -> Field:
    """Every color moved by a smooth random function of it, so that materials differ anew."""
    if surface.aging == 0 and surface.fading == 0:
        return scene
    around = uniform_filter(scene, (0, 3, 3), mode="nearest").reshape(3, -1)
    places = FEATURES @ around
    frequency = rng.normal(0.0, 1.0, (6, 3)) * (8.0, 9.0, 9.0)
    waves = frequency.astype(np.float32) @ places
    waves += rng.uniform(0, 2 * np.pi, (6, 1)).astype(np.float32)
    np.sin(waves, out=waves)
    # What all materials share would be exposure and white balance, which `radiometry` draws.
    waves -= waves[:, ::7].mean(axis=1, keepdims=True)
    fields = (waves[::2] + waves[1::2]).reshape(scene.shape)
    gain = np.float32(surface.aging) * fields[0]
    warm = np.float32(surface.fading) * fields[1]
    green = np.float32(0.4 * surface.fading) * fields[2]
    out = scene * np.exp(gain)
    bright = np.minimum(2 * luminance(out) + np.float32(0.1), 1)
    warm *= bright
    out[0] += warm
    out[1] += green * bright
    out[2] -= warm
    return np.asarray(out, dtype=np.float32)


def with_roofs(
    scene: Field, surface: Surface, buildings: NDArray[np.int32], azimuth: float, seed: int
) -> Field:
    """The scene with every roof in its own brightness, lit on one side of its ridge.

    Shadows fall toward the azimuth, radians from columns to rows. The seed, the same at all dates,
    is that of which roofs have a ridge. Arrays as in `look`.
    """
    count = int(buildings.max(initial=0)) + 1
    if count == 1 or (surface.roofs == 0 and surface.slopes == 0):
        return scene
    own = np.random.default_rng(surface.seed).standard_normal(count, dtype=np.float32)
    ridged = np.random.default_rng(seed + 1).random(count) > FLAT
    rows, cols = np.nonzero(buildings)
    number = buildings[rows, cols]
    across, angle = _ridges(rows, cols, number, count)
    toward = np.cos(angle + np.pi / 2 - azimuth) * ridged
    side = np.clip(across, -1.5, 1.5) / 1.5
    light = np.float32(surface.roofs) * own[number]
    light -= np.float32(surface.slopes) * (toward[number] * side).astype(np.float32)
    factor = np.ones(buildings.shape, dtype=np.float32)
    factor[rows, cols] = np.exp(light)
    return np.asarray(scene * factor, dtype=np.float32)


def _ridges(
    rows: NDArray[np.intp], cols: NDArray[np.intp], number: NDArray[np.int32], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distance of pixels from the long axis of their building, and direction of each axis."""
    area = np.maximum(np.bincount(number, minlength=count), 1)

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(number, values, count) / area)

    down = rows - mean(rows.astype(np.float64))[number]
    right = cols - mean(cols.astype(np.float64))[number]
    angle = 0.5 * np.arctan2(2 * mean(down * right), mean(right**2) - mean(down**2))
    across = down * np.cos(angle)[number] - right * np.sin(angle)[number]
    return across, angle
