"""What a camera and its file format do to detail: blur, coarse pixels, halos, noise, JPEG."""

from dataclasses import dataclass

import numpy as np
from scipy.fft import dct
from scipy.ndimage import gaussian_filter1d

from scdcli.simulation.camera.noise import Field, grain
from scdcli.simulation.camera.radiometry import luminance

BLOCK = 8
WAVES = dct(np.eye(BLOCK), axis=0, norm="ortho").astype(np.float32)
TO_YCC = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]],
    dtype=np.float32,
)
FROM_YCC = np.linalg.inv(TO_YCC).astype(np.float32)
# Annex K of the JPEG standard.
BRIGHTNESS = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    dtype=np.float32,
)
COLOR = np.full((BLOCK, BLOCK), 99, dtype=np.float32)
COLOR[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]


@dataclass(frozen=True)
class Camera:
    """Detail of one date.

    Attributes:
        blur: Standard deviation of the point spread in pixels.
        coarseness: Pixel size of the sensor in pixels of the scene, at least 1.
        halo: Strength of sharpening.
        noise: Standard deviation of noise in display units.
        shared_noise: Share of it that all bands have in common, 0..1.
        quality: Quality of the JPEG file, 1..100; 0 for a lossless file.
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


def through_lens(picture: Field, camera: Camera) -> Field:
    """The picture (3, H, W) float32 with the detail that lens and sensor leave."""
    spread = float(np.hypot(camera.blur, 0.42 * (camera.coarseness - 1)))
    if spread > 0.15:
        picture = _blurred(picture, spread)
    if camera.coarseness > 1.03:
        for axis in (1, 2):
            size = picture.shape[axis]
            count = max(2, round(size / camera.coarseness))
            picture = _sampled(_sampled(picture, count, axis), size, axis)
    return picture


def through_file(picture: Field, camera: Camera, rng: np.random.Generator) -> Field:
    """The picture sharpened, with noise, and after a round trip through its file."""
    if camera.halo > 0.02:
        picture = picture + np.float32(camera.halo) * (picture - _blurred(picture, 1.1))
    if camera.noise > 0:
        picture = _noisy(picture, camera, rng)
    if camera.quality:
        picture = jpeg(np.clip(picture, 0.0, 1.0), camera.quality)
    return picture


def _blurred(picture: Field, spread: float) -> Field:
    rows = gaussian_filter1d(picture, spread, axis=1, truncate=2.7, mode="nearest")
    return np.asarray(gaussian_filter1d(rows, spread, axis=2, truncate=2.7, mode="nearest"))


def _sampled(picture: Field, count: int, axis: int) -> Field:
    """The picture with `count` samples along an axis, over the same extent; linear."""
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


def jpeg(picture: Field, quality: int) -> Field:
    """The picture after a round trip through JPEG with its color at half the resolution.

    Args:
        picture: (3, H, W) float32 in 0..1.
        quality: 1..100 as libjpeg counts.

    Returns:
        (3, H, W) float32, about 0..1.
    """
    height, width = picture.shape[1:]
    rows, cols = -height % (2 * BLOCK), -width % (2 * BLOCK)
    padded = np.pad(picture, ((0, 0), (0, rows), (0, cols)), mode="edge")
    bands = (TO_YCC @ padded.reshape(3, -1)).reshape(padded.shape)
    scale = 5000 / quality if quality < 50 else 200 - 2 * quality
    out = np.empty_like(bands)
    out[0] = _quantized(bands[0] - np.float32(0.5), BRIGHTNESS, scale) + np.float32(0.5)
    for band in (1, 2):
        full = bands[band]
        half = (full[::2] + full[1::2]) * np.float32(0.5)
        half = (half[:, ::2] + half[:, 1::2]) * np.float32(0.5)
        out[band] = _doubled(_doubled(_quantized(half, COLOR, scale)).T).T
    return (FROM_YCC @ out.reshape(3, -1)).reshape(out.shape)[:, :height, :width]


def _quantized(band: Field, table: Field, scale: float) -> Field:
    """A band (H, W), sides multiples of 8, with its waves rounded as the table says."""
    steps = np.clip(np.floor((table * scale + 50) / 100), 1, 255).astype(np.float32) / 255
    high, wide = band.shape[0] // BLOCK, band.shape[1] // BLOCK
    blocks = band.reshape(high, BLOCK, wide, BLOCK).transpose(0, 2, 1, 3)
    waves = WAVES @ blocks @ WAVES.T
    waves /= steps
    np.rint(waves, out=waves)
    waves *= steps
    blocks = WAVES.T @ waves @ WAVES
    return np.asarray(blocks.transpose(0, 2, 1, 3).reshape(band.shape), dtype=np.float32)


def _doubled(band: Field) -> Field:
    """Twice the rows, each three parts of the nearest row and one of the next."""
    above = np.concatenate([band[:1], band[:-1]])
    below = np.concatenate([band[1:], band[-1:]])
    out = np.empty((2 * len(band), band.shape[1]), dtype=np.float32)
    out[::2] = np.float32(0.75) * band + np.float32(0.25) * above
    out[1::2] = np.float32(0.75) * band + np.float32(0.25) * below
    return out
