"""What differs between two flights without being change: sun, season, air, camera, position."""

from dataclasses import dataclass

import numpy as np

from scdcli.simulation.world.materials import SEASON_COUNT


@dataclass(frozen=True)
class Conditions:
    """One date's circumstances.

    Attributes:
        season: Index of the season.
        azimuth: Direction the light comes from, radians in (x, y) pixel axes.
        elevation: Sun above the horizon in radians.
        direct: Share of the light that comes straight from the sun; low under clouds.
        lean: Apparent lean of high objects in pixels per meter of height, (x, y).
        haze: Share of light scattered by the air.
        airlight: Color of the haze, linear.
        gain: Factor per channel.
        gamma: Exponent of the tone curve.
        black: Added to every channel, in display units 0..1.
        contrast: Stretch about the mean of the picture.
        saturation: Factor on color against gray.
        blur: Standard deviation of the point spread in pixels.
        noise: Standard deviation of sensor noise in display units.
        shift: Registration error in pixels, (rows, cols).
        compression: JPEG-like quantization step in display units; 0 for none.
        shading: Strength of slow brightness changes across the scene.
    """

    season: int
    azimuth: float
    elevation: float
    direct: float
    lean: tuple[float, float]
    haze: float
    airlight: tuple[float, float, float]
    gain: tuple[float, float, float]
    gamma: float
    black: float
    contrast: float
    saturation: float
    blur: float
    noise: float
    shift: tuple[float, float]
    compression: float
    shading: float


def draw_conditions(rng: np.random.Generator) -> Conditions:
    """Circumstances of one flight, independent of any other flight's."""
    lean = rng.exponential(0.07) * (rng.random() < 0.8)
    heading = rng.uniform(0, 2 * np.pi)
    exposure = 0.78 * np.exp(rng.normal(0.0, 0.2))
    gain = exposure * np.exp(rng.normal(0.0, 0.075, 3))
    air = rng.uniform(0.35, 0.75) * np.array([0.88, 0.97, 1.08]) * rng.normal(1, 0.06, 3)
    overcast = rng.random() < 0.12
    return Conditions(
        season=int(rng.choice(SEASON_COUNT, p=[0.22, 0.32, 0.13, 0.17, 0.16])),
        azimuth=float(rng.uniform(0, 2 * np.pi)),
        elevation=float(np.deg2rad(rng.uniform(26, 68))),
        direct=float(rng.uniform(0.15, 0.35) if overcast else rng.uniform(0.58, 0.84)),
        lean=(float(min(lean, 0.22) * np.cos(heading)), float(min(lean, 0.22) * np.sin(heading))),
        haze=float(rng.beta(1.2, 10.0)),
        airlight=(float(air[0]), float(air[1]), float(air[2])),
        gain=(float(gain[0]), float(gain[1]), float(gain[2])),
        gamma=float(np.exp(rng.normal(0.0, 0.16))),
        black=float(rng.normal(0.0, 0.04)),
        contrast=float(np.exp(rng.normal(0.22, 0.2))),
        saturation=float(np.clip(rng.normal(0.82, 0.25), 0.25, 1.5)),
        blur=float(rng.uniform(0.25, 0.95)),
        noise=float(rng.uniform(0.004, 0.028)),
        shift=(float(rng.normal(0, 0.45)), float(rng.normal(0, 0.45))),
        compression=float(rng.uniform(0.02, 0.07) if rng.random() < 0.4 else 0.0),
        shading=float(abs(rng.normal(0, 0.06))),
    )
