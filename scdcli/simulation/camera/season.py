"""What the year does to a place: leaves and grass, wet and dry ground, the color of water."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from scdcli.simulation.camera.noise import Field, fractal_noise, grain, value_noise
from scdcli.simulation.camera.radiometry import luminance

Color = tuple[float, ...]

DARK_GREEN: Color = (0.24, 0.34, 0.22)
TEAL: Color = (0.20, 0.35, 0.33)
BRIGHT_GREEN: Color = (0.42, 0.56, 0.27)
GRAY_GREEN: Color = (0.44, 0.48, 0.38)
YELLOW: Color = (0.72, 0.63, 0.30)
ORANGE: Color = (0.66, 0.45, 0.28)
RED_BROWN: Color = (0.52, 0.34, 0.28)
STRAW: Color = (0.64, 0.57, 0.44)
LEAFLESS: Color = (0.50, 0.45, 0.42)
SOIL: Color = (0.40, 0.32, 0.27)

# Colors of patches, other patches and single crowns; range of brightness against the scene's.
SEASONS: tuple[tuple[Color, Color, Color, tuple[float, float]], ...] = (
    (DARK_GREEN, GRAY_GREEN, BRIGHT_GREEN, (0.75, 1.05)),
    (TEAL, DARK_GREEN, GRAY_GREEN, (0.7, 1.1)),
    (BRIGHT_GREEN, DARK_GREEN, STRAW, (0.95, 1.3)),
    (STRAW, GRAY_GREEN, SOIL, (1.0, 1.5)),
    (GRAY_GREEN, STRAW, RED_BROWN, (0.9, 1.3)),
    (YELLOW, DARK_GREEN, ORANGE, (1.0, 1.4)),
    (ORANGE, GRAY_GREEN, YELLOW, (1.0, 1.4)),
    (LEAFLESS, SOIL, RED_BROWN, (0.9, 1.5)),
    (LEAFLESS, GRAY_GREEN, DARK_GREEN, (0.9, 1.4)),
    (SOIL, BRIGHT_GREEN, STRAW, (0.7, 1.2)),
)
WATERS: tuple[Color, ...] = (
    (0.10, 0.20, 0.26),
    (0.12, 0.25, 0.22),
    (0.20, 0.30, 0.26),
    (0.36, 0.32, 0.24),
    (0.06, 0.08, 0.10),
    (0.16, 0.30, 0.38),
)


@dataclass(frozen=True)
class Season:
    """One date in the year.

    Attributes:
        colors: Of vegetation: of patches, of other patches, of single crowns.
        brightness: Of vegetation, against the scene's.
        contrast: Of its texture, against the scene's.
        amount: How far vegetation goes towards all this, 0..1.
        evergreen: Share of vegetation that stays as it is, 0..1.
        patch: Size of patches in pixels.
        crown: Size of crowns in pixels.
        growth: Strength of new texture on vegetation.
        moisture: How much darker wet ground is, 0..1.
        dust: Strength of brightness patches on open ground.
        water: Color of water.
        water_share: How far water goes towards that color, 0..1.
        ripples: Strength of waves on water.
        glint: Brightness of sun glint on water.
        seed: Which pattern all this has.
    """

    colors: tuple[Color, Color, Color] = (DARK_GREEN, DARK_GREEN, DARK_GREEN)
    brightness: float = 1.0
    contrast: float = 1.0
    amount: float = 0.0
    evergreen: float = 0.0
    patch: float = 60.0
    crown: float = 7.0
    growth: float = 0.0
    moisture: float = 0.0
    dust: float = 0.0
    water: Color = WATERS[0]
    water_share: float = 0.0
    ripples: float = 0.0
    glint: float = 0.0
    seed: int = 0


def draw_season(rng: np.random.Generator, amount: float) -> Season:
    """Some time of some year; `amount` 0 is the scene's own, 1 is usual."""
    if amount <= 0:
        return Season()
    first, second, crowns, (low, high) = SEASONS[int(rng.integers(len(SEASONS)))]
    pale = float(rng.beta(1.2, 2.6))
    calm = rng.random() < 0.35
    return Season(
        colors=(_paler(first, pale), _paler(second, pale), _paler(crowns, pale)),
        brightness=float(np.exp(np.log(rng.uniform(low, high)) * min(amount, 1.3))),
        contrast=float(np.exp(rng.normal(0.0, 0.3) * amount)),
        amount=float(min(0.95, rng.beta(1.8, 1.0) * amount)),
        evergreen=float(rng.beta(0.8, 1.8)),
        patch=float(np.exp(rng.uniform(np.log(25), np.log(160)))),
        crown=float(np.exp(rng.uniform(np.log(3), np.log(14)))),
        growth=float(abs(rng.normal(0.0, 0.18)) * amount),
        moisture=float(rng.uniform(0.05, 0.4) * amount) if rng.random() < 0.35 else 0.0,
        dust=float(abs(rng.normal(0.0, 0.08)) * amount),
        water=WATERS[int(rng.integers(len(WATERS)))],
        water_share=float(min(0.95, rng.beta(1.2, 1.4) * amount)),
        ripples=0.0 if calm else float(rng.exponential(0.02) * amount),
        glint=float(rng.uniform(0.05, 0.35) * amount) if rng.random() < 0.12 else 0.0,
        seed=int(rng.integers(2**31)),
    )


def in_season(
    scene: Field,
    season: Season,
    vegetation: NDArray[np.bool_],
    buildings: NDArray[np.int32],
    water: NDArray[np.bool_],
) -> Field:
    """The scene at that time of the year, which leaves buildings alone; arrays as in `look`."""
    if season == Season():
        return scene
    rng = np.random.default_rng(season.seed)
    light = luminance(scene)
    around = np.asarray(uniform_filter(light, 9, mode="nearest"), dtype=np.float32)
    open_air = uniform_filter((buildings == 0).astype(np.float32), 3) * (~water)
    green = _greenery(scene, light, vegetation) * open_air
    scene = _ground(scene, season, (open_air - green).clip(0), around, rng)
    scene = _vegetation(scene, season, green, light, around, rng)
    return _waters(scene, season, water, light, rng) if water.any() else scene


def _greenery(scene: Field, light: Field, vegetation: NDArray[np.bool_]) -> Field:
    """Share of every pixel that is vegetation, (H, W) in 0..1, with soft edges.

    Inside the mask all but bright bare spots counts, outside it only what is clearly green.
    """
    masked = vegetation.astype(np.float32)
    masked = uniform_filter(uniform_filter(masked, 3), 3)
    excess = (2 * scene[1] - scene[0] - scene[2]) / (3 * light + np.float32(0.05))
    green = np.clip((excess - np.float32(0.02)) / np.float32(0.1), 0, 1)
    typical = float(light[vegetation].mean()) if vegetation.any() else 0.3
    bare = np.clip((light - np.float32(typical + 0.12)) / np.float32(0.2), 0, 1)
    inside = 1 - np.float32(0.8) * bare * (1 - green)
    return np.asarray(masked * inside + (1 - masked) * np.float32(0.8) * green)


def _ground(
    scene: Field, season: Season, bare: Field, around: Field, rng: np.random.Generator
) -> Field:
    """The scene with wet patches, and with brighter and darker ones, on open ground."""
    if season.moisture == 0 and season.dust == 0:
        return scene
    shape = around.shape
    field = fractal_noise(rng, (shape[0], shape[1]), season.patch)
    # Ground of one color tends to change together: parcels keep their borders.
    field += np.sin(around * np.float32(rng.uniform(6, 20)) + np.float32(rng.uniform(0, 6.3)))
    wet = np.clip(field - np.float32(rng.uniform(-1.0, 0.8)), 0, 1) * np.float32(season.moisture)
    field += np.float32(0.8) * value_noise(rng, (shape[0], shape[1]), season.crown)
    field *= np.float32(0.7 * season.dust)
    return np.asarray(scene * (1 + (field - wet) * bare), dtype=np.float32)


def _vegetation(
    scene: Field,
    season: Season,
    green: Field,
    light: Field,
    around: Field,
    rng: np.random.Generator,
) -> Field:
    """The scene with vegetation in the colors of the season, patch by patch and crown by crown."""
    if season.amount == 0 or not (green > 0.05).any():
        return scene
    shape = (light.shape[0], light.shape[1])
    alike = np.sin(around * np.float32(rng.uniform(5, 25)) + np.float32(rng.uniform(0, 6.3)))
    patches = fractal_noise(rng, shape, season.patch) + np.float32(0.8) * alike
    crowns = value_noise(rng, shape, season.crown)
    share = np.clip(np.float32(0.5) + patches, 0, 1)
    single = np.clip(crowns * 1.2 - np.float32(0.4), 0, 1) * np.float32(0.7)
    first, second, third = (np.asarray(_unit(color)) for color in season.colors)
    stays = np.float32((season.evergreen - 0.5) * 6)
    reach = np.clip(1.2 - stays - patches[::-1, ::-1], 0, 1)
    reach *= green * np.float32(season.amount)
    texture = np.float32(season.contrast) * (light - around)
    aim = np.float32(season.brightness) * around * (1 + np.float32(0.12) * patches) + texture
    # Bright plants are paler: straw and blossom, not paint.
    vivid = np.clip(1.3 - aim, 0.3, 1.0)
    growth = np.float32(season.growth) * crowns * around
    out = np.empty_like(scene)
    for band in range(3):
        tint = np.float32(first[band]) + share * np.float32(second[band] - first[band])
        tint += single * (np.float32(third[band]) - tint)
        tint = 1 + vivid * (tint - 1)
        out[band] = scene[band] + reach * (aim * tint - scene[band]) + green * growth
    return out


def _waters(
    scene: Field, season: Season, water: NDArray[np.bool_], light: Field, rng: np.random.Generator
) -> Field:
    """The scene with water of another color, with waves and glint."""
    shape = (light.shape[0], light.shape[1])
    wet = uniform_filter(water.astype(np.float32), 3)
    waves = value_noise(rng, (shape[1], shape[0]), rng.uniform(1.6, 3.5)).T
    waves = np.ascontiguousarray(uniform_filter(waves, (1, 5)))
    slow = value_noise(rng, shape, 90.0)
    color = np.asarray(season.water, dtype=np.float32)[:, None, None]
    detail = (light - light[water].mean()) * np.float32(0.5)
    aim = color * (1 + np.float32(0.1) * slow) + detail
    moved = scene + np.float32(season.water_share) * (aim - scene)
    surface = np.float32(season.ripples) * waves
    if season.glint > 0:
        sparkle = np.clip(grain(rng, shape) + 0.6 * waves + slow - np.float32(2.2), 0, 1.5)
        surface = surface + np.float32(season.glint) * sparkle
    return np.asarray(scene + wet * (moved + surface - scene), dtype=np.float32)


def _paler(color: Color, share: float) -> Color:
    """The color, partly gray."""
    gray = sum(color) / 3
    return tuple(part + share * (gray - part) for part in color)


def _unit(color: Color) -> NDArray[np.float32]:
    """The color at brightness 1."""
    values = np.asarray(color, dtype=np.float32)
    return np.asarray(values / luminance(values[:, None, None])[0, 0], dtype=np.float32)
