"""Light that is not even: haze, slow brightness changes, mosaic seams, shadows of clouds."""

from dataclasses import dataclass

import numpy as np

from scdcli.simulation.camera.noise import Field, fractal_noise, value_noise

SLOW = 210.0  # pixels


@dataclass(frozen=True)
class Air:
    """What lies between the sun, the ground and the camera.

    Attributes:
        haze: Share of light scattered by the air, 0..1.
        airlight: Color of the haze.
        shading: Strength of slow brightness changes.
        seam: Gain per band beyond a mosaic seam, less 1; zeros for no seam.
        seam_place: Direction of the seam in radians, and where it lies, -0.5..0.5 of the picture.
        seam_width: Over how many pixels the mosaic fades.
        cloud: Light that the shadows of clouds take, 0..1; 0 for a clear sky.
        cover: Share of the ground below clouds.
        seed: Which pattern all this has.
    """

    haze: float = 0.0
    airlight: tuple[float, ...] = (0.7, 0.74, 0.8)
    shading: float = 0.0
    seam: tuple[float, ...] = (0.0, 0.0, 0.0)
    seam_place: tuple[float, float] = (0.0, 0.0)
    seam_width: float = 1.0
    cloud: float = 0.0
    cover: float = 0.0
    seed: int = 0


def draw_air(rng: np.random.Generator, amount: float) -> Air:
    """The air over one flight; `amount` 0 is none, 1 is usual."""
    if amount <= 0:
        return Air()
    haze = rng.beta(1.2, 9.0) * (2.0 if rng.random() < 0.12 else 1.0)
    light = rng.uniform(0.45, 0.85) * np.array([0.93, 0.99, 1.06]) * rng.normal(1.0, 0.05, 3)
    seam = (rng.random() < 0.12) * (rng.normal(0.0, 0.06) + rng.normal(0.0, 0.02, 3)) * amount
    cloudy = rng.random() < 0.05
    return Air(
        haze=float(min(0.6, haze * amount)),
        airlight=tuple(map(float, light)),
        shading=float(abs(rng.normal(0.0, 0.05)) * amount),
        seam=tuple(map(float, seam)),
        seam_place=(float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(-0.35, 0.35))),
        seam_width=float(np.exp(rng.uniform(0.0, 2.5))),
        cloud=float(rng.uniform(0.3, 0.65) * min(amount, 1.0)) if cloudy else 0.0,
        cover=float(rng.uniform(0.1, 0.5)),
        seed=int(rng.integers(2**31)),
    )


def through_air(scene: Field, air: Air) -> Field:
    """The scene (3, H, W) float32 in this light, and through this air."""
    shape = (scene.shape[1], scene.shape[2])
    rng = np.random.default_rng(air.seed)
    if air.shading > 0:
        tilt = rng.normal(0.0, 0.5, 2).astype(np.float32) * np.float32(air.shading)
        field = value_noise(rng, shape, SLOW) * np.float32(air.shading)
        field += np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None] * tilt[0]
        field += np.linspace(-1, 1, shape[1], dtype=np.float32) * tilt[1]
        scene = scene * (1 + field)
    if air.cloud > 0:
        clouds = fractal_noise(rng, shape, 1.2 * SLOW)
        edge = np.quantile(clouds[::8, ::8], 1 - air.cover)
        shadows = np.clip((clouds - np.float32(edge)) * 4, 0, 1).astype(np.float32)
        scene = scene * (1 - np.float32(air.cloud) * shadows)
    if air.haze > 0:
        thick = np.float32(air.haze) * (1 + np.float32(0.3) * value_noise(rng, shape, SLOW))
        np.clip(thick, 0.0, 0.8, out=thick)
        light = np.asarray(air.airlight, dtype=np.float32)[:, None, None]
        scene = scene + (light - scene) * thick
    if any(air.seam):
        step = np.asarray(air.seam, dtype=np.float32)[:, None, None]
        scene = scene * (1 + step * _beyond_seam(shape, air))
    return scene


def _beyond_seam(shape: tuple[int, int], air: Air) -> Field:
    """1 beyond the seam, 0 before it, (H, W) float32."""
    angle, offset = air.seam_place
    rows = (np.arange(shape[0], dtype=np.float32) - shape[0] / 2)[:, None]
    cols = np.arange(shape[1], dtype=np.float32) - shape[1] / 2
    across = rows * np.float32(np.sin(angle)) + cols * np.float32(np.cos(angle))
    across -= np.float32(offset * min(shape))
    return np.clip(across / np.float32(max(air.seam_width, 1.0)) + 0.5, 0, 1).astype(np.float32)
