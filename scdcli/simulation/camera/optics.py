"""What a camera and its file do to detail: blur, coarser pixels, halos, noise, compression."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from scdcli.simulation.camera.jpeg import compressed
from scdcli.simulation.camera.noise import Field, grain
from scdcli.simulation.camera.radiometry import luminance


@dataclass(frozen=True)
class Camera:
    """Detail of one date.

    Attributes:
        blur: Standard deviation of the point spread in pixels.
        coarseness: Pixel size of the sensor in pixels of the scene, at least 1.
        halo: Strength of sharpening.
        noise: Standard deviation of noise in display units.
        shared_noise: Share of it that all bands have in common, 0..1.
        quality: Of the JPEG file, 1..100; 0 for a file without loss.
    """

    blur: float = 0.0
    coarseness: float = 1.0
    halo: float = 0.0
    noise: float = 0.0
    shared_noise: float = 0.5
    quality: int = 0


def draw_camera(rng: np.random.Generator, amount: float) -> Camera:
    """One camera; `amount` 0 is perfect, 1 is usual."""
    if amount <= 0:
        return Camera()
    coarse = rng.random() < 0.3
    fine = rng.random() < 0.3
    return Camera(
        blur=0.0 if fine else float(min(1.6, rng.beta(1.3, 2.6) * 1.6 * amount)),
        coarseness=float(1 + min(1.2, rng.uniform(0, 1.2) * amount)) if coarse else 1.0,
        halo=float(min(1.0, rng.exponential(0.3) * amount)) if rng.random() < 0.4 else 0.0,
        noise=float(np.exp(rng.uniform(np.log(0.001), np.log(0.03))) * amount),
        shared_noise=float(rng.uniform(0.2, 0.95)),
        quality=int(rng.integers(30, 96)) if rng.random() < 0.7 * min(amount, 1.0) else 0,
    )


def taken(picture: Field, camera: Camera) -> Field:
    """The picture (3, H, W) with the detail that lens and sensor leave; float32."""
    spread = float(np.hypot(camera.blur, 0.42 * (camera.coarseness - 1)))
    if spread > 0.15:
        picture = _blurred(picture, spread)
    if camera.coarseness > 1.03:
        picture = _coarser(_coarser(picture, camera.coarseness, 1), camera.coarseness, 2)
    return picture


def filed(picture: Field, camera: Camera, rng: np.random.Generator) -> Field:
    """The picture sharpened, with noise, from its file; (3, H, W) float32."""
    if camera.halo > 0.02:
        picture = picture + np.float32(camera.halo) * (picture - _blurred(picture, 1.1))
    if camera.noise > 0:
        picture = _noisy(picture, camera, rng)
    if camera.quality:
        picture = compressed(np.clip(picture, 0.0, 1.0), camera.quality)
    return picture


def _blurred(picture: Field, spread: float) -> Field:
    rows = gaussian_filter1d(picture, spread, axis=1, truncate=2.7, mode="nearest")
    return np.asarray(gaussian_filter1d(rows, spread, axis=2, truncate=2.7, mode="nearest"))


def _coarser(picture: Field, pixel: float, axis: int) -> Field:
    """One axis sampled every `pixel` pixels and interpolated back."""
    size = picture.shape[axis]
    count = max(2, round(size / pixel))
    return _sampled(_sampled(picture, count, axis), size, axis)


def _sampled(picture: Field, count: int, axis: int) -> Field:
    """One axis with `count` samples over the same extent, interpolated linearly."""
    size = picture.shape[axis]
    place = np.clip((np.arange(count) + 0.5) * (size / count) - 0.5, 0, size - 1)
    low = np.minimum(place.astype(np.intp), size - 2)
    part = (place - low).astype(np.float32)
    part = part[:, None] if axis == 1 else part
    near = picture.take(low, axis)
    return np.asarray(near + (picture.take(low + 1, axis) - near) * part, dtype=np.float32)


def _noisy(picture: Field, camera: Camera, rng: np.random.Generator) -> Field:
    """Noise that grows with light, partly the same in all bands."""
    shape = (picture.shape[1], picture.shape[2])
    strength = np.sqrt(np.clip(luminance(picture), 0.0, 1.0)) + np.float32(0.4)
    strength *= np.float32(camera.noise)
    shared = grain(rng, shape) * strength * np.float32(np.sqrt(camera.shared_noise))
    strength *= np.float32(np.sqrt(1 - camera.shared_noise))
    return np.stack([band + shared + grain(rng, shape) * strength for band in picture])
