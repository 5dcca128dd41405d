"""From the canvas of one date to light: colors, texture, water, trees, cars, sun and shadows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scdcli.simulation.camera.noise import Field, fractal_noise, grain, value_noise
from scdcli.simulation.camera.placing import shift
from scdcli.simulation.camera.relief import shadow_edge
from scdcli.simulation.world.canvas import NO_CAR, NO_TREE, Canvas, local_coordinates, tree_rows
from scdcli.simulation.world.conditions import Conditions
from scdcli.simulation.world.draft import Draft, Part
from scdcli.simulation.world.materials import CROPS, INDEX, OPACITY, SPECIES, TABLE, WATER

SCALES = (1.0, 3.0, 10.0, 45.0)
CROP = INDEX["crop"]
PIXEL_SIZE = 0.5  # meters
HIGHEST = 52.0  # meters, of all that stands


@dataclass(frozen=True)
class Texture:
    """Noise of a world that both dates share, and of one date.

    Attributes:
        layers: Unit noise at the four `SCALES`, (4, H, W) float32.
        tone: Smooth noise that moves between a material's dark and light end, (H, W).
        leaves: Crown texture, (H, W).
    """

    layers: Field
    tone: Field
    leaves: Field


def draw_texture(rng: np.random.Generator, shape: tuple[int, int]) -> Texture:
    """Fresh noise for a canvas."""
    layers = np.stack(
        [grain(rng, shape), value_noise(rng, shape, 3.0), value_noise(rng, shape, 10.0),
         fractal_noise(rng, shape, 45.0)]
    )  # fmt: skip
    tone = 0.75 * fractal_noise(rng, shape, 11.0) + 0.6 * fractal_noise(rng, shape, 60.0)
    return Texture(layers, tone, value_noise(rng, shape, 2.2))


def mix(lasting: Texture, passing: Texture, share: float) -> Texture:
    """Texture of one date: part of it lasts from date to date, part is new."""
    keep, new = np.float32(np.sqrt(share)), np.float32(np.sqrt(1 - share))
    return Texture(
        lasting.layers * keep + passing.layers * new,
        lasting.tone * keep + passing.tone * new,
        lasting.leaves * keep + passing.leaves * new,
    )


def render(
    draft: Draft,
    canvas: Canvas,
    conditions: Conditions,
    texture: Texture,
    rng: np.random.Generator,
) -> Field:
    """Light that leaves the scene, (3, H, W) float32, linear, about 0..1."""
    color = _surface_color(draft.parts, canvas, conditions, texture, rng)
    color *= _pattern(draft.parts, canvas)
    _paint_water(color, canvas, rng)
    _paint_crowns(color, draft, canvas, conditions, texture, rng)
    car_height = _paint_cars(color, canvas, rng)
    height = canvas.height + car_height
    sun = sunlight(height, conditions)
    slope = slope_light(height, conditions)
    sky = np.array([0.86, 0.97, 1.2], dtype=np.float32)[:, None, None]
    direct, diffuse = np.float32(conditions.direct), np.float32(1 - conditions.direct)
    light = direct * sun * slope + diffuse * sky * (0.75 + 0.25 * slope)
    lit = color * light
    wall = np.broadcast_to(lit.mean(axis=0) * np.float32(0.75), lit.shape)
    return lean(lit, height, wall, conditions)


def linear(color: NDArray[np.float64]) -> NDArray[np.float64]:
    """Display values 0..255 to linear light 0..1 (a square is close enough)."""
    return np.square(color / 255.0)


def _surface_color(
    parts: list[Part],
    canvas: Canvas,
    conditions: Conditions,
    texture: Texture,
    rng: np.random.Generator,
) -> Field:
    tones = np.array([_tones(item, conditions.season, rng) for item in parts], dtype=np.float64)
    shade = np.array([item.shade for item in parts]) * _aging(rng, len(parts))
    tint = np.array([(item.tint[0], 1.0, item.tint[1]) for item in parts])
    ends = (linear(tones) * (shade[:, None] * tint)[:, None, :]).astype(np.float32)
    amounts = np.array([TABLE[item.material].texture for item in parts], dtype=np.float32)
    amounts *= np.array([1.5, 1.4, 1.1, 0.9], dtype=np.float32)
    mix = np.clip(0.5 + 0.28 * texture.tone, 0.0, 1.0)
    rough = np.ones(canvas.part.shape, dtype=np.float32)
    for scale in range(len(SCALES)):
        rough += amounts[:, scale][canvas.part] * texture.layers[scale]
    np.clip(rough, 0.2, 2.5, out=rough)
    dark = [ends[:, 0, channel][canvas.part] for channel in range(3)]
    span = [(ends[:, 1, channel] - ends[:, 0, channel])[canvas.part] for channel in range(3)]
    return np.stack([(low + step * mix) * rough for low, step in zip(dark, span, strict=True)])


def _tones(part: Part, season: int, rng: np.random.Generator) -> tuple[tuple[int, ...], ...]:
    """Dark and light end of a part's color at a season; fields grow something new each time."""
    if part.material != CROP:
        return TABLE[part.material].season_tones(season)
    odds = np.array([weights[season] for _, weights in CROPS], dtype=np.float64)
    return CROPS[int(rng.choice(len(CROPS), p=odds / odds.sum()))][0]


def _aging(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Brightness factors of one date: most objects hardly differ, a few are dirty, wet or fresh."""
    spread = np.where(rng.random(count) < 0.12, 0.22, 0.06)
    return np.exp(rng.normal(0.0, 1.0, count) * spread)


def _pattern(parts: list[Part], canvas: Canvas) -> Field:
    """Furrows, ribs and mowing stripes as a brightness factor, (H, W)."""
    factor = np.ones(canvas.part.shape, dtype=np.float32)
    period = np.array([item.relief.period for item in parts], dtype=np.float32)
    rows, cols = np.nonzero(period[canvas.part] > 0)
    number = canvas.part[rows, cols]
    strength = np.array([item.relief.strength for item in parts], dtype=np.float32)[number]
    across, _ = local_coordinates(parts, number, rows, cols)
    wave = np.sin(across * (np.float32(2 * np.pi) / period[number]))
    factor[rows, cols] = 1 + strength * wave
    return factor


def _paint_water(color: Field, canvas: Canvas, rng: np.random.Generator) -> None:
    """Waves, silt and glint, different at every date."""
    wet = canvas.cover == WATER
    if not wet.any():
        return
    shape = wet.shape
    silt = np.exp(rng.normal(0, 0.15, 3)).astype(np.float32)
    waves = 1 + np.float32(rng.uniform(0.02, 0.09)) * value_noise(rng, shape, 2.0)
    waves += np.float32(rng.uniform(0.02, 0.2)) * fractal_noise(rng, shape, 60.0)
    sky = np.float32(rng.uniform(0, 0.05))
    sparkle = np.float32(rng.uniform(0.1, 0.5)) * (grain(rng, shape) > rng.uniform(2.2, 4.5))
    for channel in range(3):
        toned = color[channel] * silt[channel] * waves + sky + sparkle
        np.copyto(color[channel], np.maximum(toned, 0.004), where=wet)


def _paint_crowns(
    color: Field,
    draft: Draft,
    canvas: Canvas,
    conditions: Conditions,
    texture: Texture,
    rng: np.random.Generator,
) -> None:
    crowns = tree_rows(draft)
    rows, cols = np.nonzero(canvas.tree != NO_TREE)
    if len(rows) == 0:
        return
    species = crowns[:, 4].astype(np.intp)
    tones = linear(np.array(SPECIES, dtype=np.float64)[species, conditions.season])
    leaning = np.clip(0.5 + 0.35 * rng.standard_normal(len(crowns)), 0, 1)[:, None]
    base = tones[:, 0] + (tones[:, 1] - tones[:, 0]) * leaning
    base = (base * crowns[:, 6, None] * rng.normal(1, 0.06, (len(crowns), 3))).astype(np.float32)
    number = canvas.tree[rows, cols]
    leaves = texture.leaves[rows, cols]
    rough = np.clip(1 + 0.2 * leaves + 0.1 * texture.layers[0][rows, cols], 0.3, 2)
    solid = OPACITY[species, conditions.season][number]
    solid = np.where(solid < 1, np.clip(solid + 0.3 * leaves, 0.1, 1), solid)
    for channel in range(3):
        ground = color[channel][rows, cols]
        crown = base[number, channel] * rough
        color[channel][rows, cols] = ground + (crown - ground) * solid


def _paint_cars(color: Field, canvas: Canvas, rng: np.random.Generator) -> Field:
    """Draw cars into the color; returns their height in meters, (H, W)."""
    rows, cols = np.nonzero(canvas.car != NO_CAR)
    height = np.zeros(canvas.car.shape, dtype=np.float32)
    if len(rows) == 0:
        return height
    count = int(canvas.car.max()) + 1
    gray = rng.choice([0.03, 0.06, 0.2, 0.4, 0.7, 0.8], count)[:, None] * np.ones(3)
    vivid = rng.uniform(0.02, 0.5, (count, 3))
    paint = np.where(rng.random((count, 1)) < 0.75, gray, vivid).astype(np.float32)
    number = canvas.car[rows, cols]
    glass = 1 - 0.25 * np.abs(grain(rng, (len(rows), 1))[:, 0]).clip(0, 2)
    for channel in range(3):
        color[channel][rows, cols] = paint[number, channel] * glass
    height[rows, cols] = 1.5
    return height


def sunlight(height: Field, conditions: Conditions) -> Field:
    """Share of direct sun that reaches every pixel, (H, W) float32 in 0..1."""
    drop = np.float32(np.tan(conditions.elevation) * PIXEL_SIZE)
    direction = np.array([np.sin(conditions.azimuth), np.cos(conditions.azimuth)])
    direction /= np.abs(direction).max()
    drop *= np.float32(np.hypot(*direction))
    edge = shadow_edge(height, direction, drop, HIGHEST)
    covered = (edge - height - np.float32(0.15)) / np.float32(0.5)
    return np.asarray(1.0 - np.clip(covered, 0.0, 1.0), dtype=np.float32)


def slope_light(height: Field, conditions: Conditions) -> Field:
    """Brightness factor of slopes turned to or from the sun, (H, W) float32 around 1."""
    down = np.diff(height, axis=0, prepend=height[:1])
    across = np.diff(height, axis=1, prepend=height[:, :1])
    toward = down * np.float32(np.sin(conditions.azimuth))
    toward += across * np.float32(np.cos(conditions.azimuth))
    tilt = np.clip(toward / np.float32(PIXEL_SIZE), -1.3, 1.3)
    strength = np.float32(0.42 * conditions.direct / np.tan(max(conditions.elevation, 0.45)) ** 0.5)
    return np.asarray(np.clip(1.0 + strength * tilt, 0.3, 1.7), dtype=np.float32)


def lean(image: Field, height: Field, wall: Field, conditions: Conditions) -> Field:
    """The scene viewed slightly from the side: high things are displaced, and their walls show.

    Args:
        image: The scene viewed from straight above, (3, H, W) float32.
        height: Height above ground in meters, (H, W).
        wall: Color of walls, (3, H, W).
        conditions: Of the date; its lean is how far things are displaced per meter of height.

    Returns:
        (3, H, W) float32.
    """
    per_meter = float(np.hypot(*conditions.lean))
    steps = round(per_meter * float(height.max()))
    if steps < 1:
        return image
    view = image.copy()
    unit = np.array(conditions.lean[::-1]) / per_meter
    for step in range(1, steps + 1):
        rows, cols = (round(step * float(part)) for part in unit)
        level = step / per_meter
        moved = shift(height, rows, cols)
        roof = np.abs(moved - level) <= 0.5 / per_meter
        facade = moved > level + 0.5 / per_meter
        np.copyto(view, shift(wall, rows, cols), where=facade)
        np.copyto(view, shift(image, rows, cols), where=roof)
    return view
