"""Photographs of a scene at two dates, with the differences that are no change of the ground.

In this package a scene or picture is (3, H, W) float32 in 0..1, in display units. Beside it lie,
(H, W) each: ``vegetation``, where something grows, perhaps incomplete; ``buildings``, the number of
the building at every pixel, 0 for none; and ``water``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from scdcli.simulation.camera.air import Air, draw_air, through_air
from scdcli.simulation.camera.clutter import Traffic, draw_traffic, with_traffic
from scdcli.simulation.camera.noise import Field
from scdcli.simulation.camera.optics import Camera, draw_camera, through_file, through_lens
from scdcli.simulation.camera.placing import Place, draw_place, with_registration
from scdcli.simulation.camera.radiometry import Palette, Tone, draw_tone, with_tone
from scdcli.simulation.camera.relief import (
    Lean,
    Sun,
    draw_lean,
    draw_sun,
    heights,
    with_lean,
    with_shadows,
    with_soft_shadows,
)
from scdcli.simulation.camera.season import Season, draw_season, in_season
from scdcli.simulation.camera.surface import Surface, draw_surface, with_roofs, with_surface

Part = TypeVar("Part")


@dataclass(frozen=True)
class Look:
    """The circumstances of one date; `Look()` shows a scene as it is.

    Attributes:
        surface: Materials, texture and roofs.
        season: Plants, ground and water.
        sun: Shadows.
        lean: Displaced roofs.
        traffic: Cars.
        air: Haze, clouds, mosaic.
        tone: Colors.
        camera: Detail.
        place: Registration.
        heights: Seed of the heights of buildings, the same at both dates.
    """

    surface: Surface = field(default_factory=Surface)
    season: Season = field(default_factory=Season)
    sun: Sun = field(default_factory=Sun)
    lean: Lean = field(default_factory=Lean)
    traffic: Traffic = field(default_factory=Traffic)
    air: Air = field(default_factory=Air)
    tone: Tone = field(default_factory=Tone)
    camera: Camera = field(default_factory=Camera)
    place: Place = field(default_factory=Place)
    heights: int = 0


def draw_looks(
    rng: np.random.Generator, *, strength: float = 1.0, palettes: Sequence[Palette] = ()
) -> tuple[Look, Look]:
    """Two dates of one place.

    Some pairs are two flights of one campaign, most differ in part, some in everything: each
    pair draws how likely its dates share a circumstance, and how far each of them goes.

    Args:
        rng: Source of everything.
        strength: 0 for pictures as they are, 1 for differences as between real dates.
        palettes: Colors of other scenes that pictures may take on.

    Returns:
        The look of BEFORE and of AFTER.
    """
    if strength <= 0:
        return Look(), Look()
    alike = rng.choice([0.95, 0.5, 0.04], p=[0.13, 0.17, 0.7])
    length = float(np.exp(rng.uniform(np.log(4.5), np.log(11))))
    colors = tuple(palettes)

    def amount() -> float:
        """How far one circumstance of one date goes, about 1 at full strength."""
        return strength * float(min(1.6, np.exp(rng.normal(-0.05, 0.5))))

    def both(draw: Callable[[np.random.Generator, float], Part], shared: float) -> list[Part]:
        first, second = draw(rng, amount()), draw(rng, amount())
        return [first, first if rng.random() < shared else second]

    surfaces = both(draw_surface, alike)
    seasons = both(draw_season, alike)
    suns = both(draw_sun, alike)
    leans = both(draw_lean, alike)
    airs = both(draw_air, alike)
    tones = both(lambda source, amount: draw_tone(source, 0.85 * amount, colors), alike)
    cameras = both(draw_camera, alike)
    traffics = both(lambda source, amount: draw_traffic(source, amount, length), 0.0)
    # Flights of one campaign are also registered alike.
    loose = 1.0 - 0.75 * float(alike)
    places = both(lambda source, amount: draw_place(source, loose * amount), 0.0)
    steady = int(rng.integers(2))  # One date is usually the reference of the other.
    down, right = places[steady].shift
    places[steady] = replace(places[steady], shift=(0.25 * down, 0.25 * right))
    seed = int(rng.integers(2**31))
    first, second = (
        replace(Look(*date), heights=seed)
        for date in zip(
            surfaces, seasons, suns, leans, traffics, airs, tones, cameras, places, strict=True
        )
    )
    return first, second


def photograph(
    scene: Field,
    look: Look,
    rng: np.random.Generator,
    *,
    vegetation: NDArray[np.bool_],
    buildings: NDArray[np.int32],
    water: NDArray[np.bool_],
) -> NDArray[np.uint8]:
    """The picture of a scene at one date, (3, H, W) uint8; cars and noise are drawn anew."""
    picture = scene
    if look.traffic != Traffic():
        ground = ~(vegetation | water | (buildings > 0))
        picture = with_traffic(picture, look.traffic, ground, look.sun.azimuth, rng)
    picture = with_surface(picture, look.surface, vegetation, buildings, water)
    picture = with_roofs(picture, look.surface, buildings, look.sun.azimuth, look.heights)
    picture = in_season(picture, look.season, vegetation, buildings, water)
    picture = with_soft_shadows(picture, look.sun, water)
    high = heights(buildings, look.heights)
    picture = with_shadows(picture, buildings, high, look.sun, vegetation)
    picture = with_lean(picture, buildings, high, look.lean)
    picture = with_tone(through_air(picture, look.air), look.tone)
    picture = with_registration(through_lens(picture, look.camera), look.place)
    picture = through_file(picture, look.camera, rng)
    return np.asarray((np.clip(picture, 0.0, 1.0) * 255.0).round(), dtype=np.uint8)
