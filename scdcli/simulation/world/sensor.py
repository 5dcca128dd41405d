"""From light to the picture on file: air, tone, blur, noise, registration, compression."""

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn, idctn
from scipy.ndimage import gaussian_filter

from scdcli.simulation.camera.noise import Field, fractal_noise, grain, value_noise
from scdcli.simulation.world.conditions import Conditions

BLOCK = 8
WOBBLE = 0.25  # pixels


def develop(
    light: Field, conditions: Conditions, rng: np.random.Generator, margin: int
) -> NDArray[np.uint8]:
    """The picture of a scene.

    Args:
        light: Linear light, (3, H + 2 * margin, W + 2 * margin) float32.
        conditions: Air and camera of the date.
        rng: Source of noise.
        margin: Pixels to cut off every side.

    Returns:
        (3, H, W) uint8.
    """
    picture = _tone(_through_air(light, conditions, rng), conditions)
    picture = np.stack([gaussian_filter(band, conditions.blur, truncate=3.0) for band in picture])
    picture = _displaced(picture, conditions, rng)
    picture = picture[:, margin:-margin, margin:-margin]
    shape = (picture.shape[1], picture.shape[2])
    common = grain(rng, shape)
    for band in picture:
        own = grain(rng, shape)
        strength = np.float32(conditions.noise) * (np.float32(0.5) + np.sqrt(np.clip(band, 0, 1)))
        band += strength * (0.7 * own + 0.5 * common)
    if conditions.compression:
        picture = np.stack([_compressed(band, conditions.compression) for band in picture])
    return np.asarray((np.clip(picture, 0.0, 1.0) * 255.0).round(), dtype=np.uint8)


def _through_air(light: Field, conditions: Conditions, rng: np.random.Generator) -> Field:
    """Add haze and slow brightness changes."""
    shape = (light.shape[1], light.shape[2])
    haze = np.float32(conditions.haze) * (1 + 0.25 * fractal_noise(rng, shape, 220.0))
    haze = np.clip(haze, 0.0, 0.8)
    shade = 1 + np.float32(conditions.shading) * value_noise(rng, shape, 260.0)
    air = np.array(conditions.airlight, dtype=np.float32)[:, None, None]
    return np.asarray(light * shade * (1 - haze) + air * haze, dtype=np.float32)


def _tone(light: Field, conditions: Conditions) -> Field:
    """Exposure, white balance, saturation and tone curve; to display units 0..1."""
    gain = np.array(conditions.gain, dtype=np.float32)[:, None, None]
    picture = np.sqrt(np.maximum(light * gain, 0.0))
    picture = np.power(picture, np.float32(conditions.gamma)) + np.float32(conditions.black)
    gray = picture.mean(axis=0)
    picture = gray + (picture - gray) * np.float32(conditions.saturation)
    middle = gray.mean()
    return np.asarray(
        middle + (picture - middle) * np.float32(conditions.contrast), dtype=np.float32
    )


def _displaced(picture: Field, conditions: Conditions, rng: np.random.Generator) -> Field:
    """Shift by a fraction of a pixel that varies slowly, as registration leaves it.

    The common shift is interpolated between neighbors; the slow wobble around it is so small that
    the slope of the picture gives it.
    """
    for axis, shift in zip((1, 2), conditions.shift, strict=True):
        whole = int(np.floor(shift))
        part = np.float32(shift - whole)
        near, far = np.roll(picture, -whole, axis), np.roll(picture, -whole - 1, axis)
        picture = near + (far - near) * part
    shape = (picture.shape[1], picture.shape[2])
    moved = picture.copy()
    for axis in (1, 2):
        wobble = np.float32(WOBBLE / 2) * value_noise(rng, shape, 150.0)
        moved += wobble * (np.roll(picture, -1, axis) - np.roll(picture, 1, axis))
    return moved


def _compressed(band: Field, step: float) -> Field:
    """Quantize 8 x 8 cosine blocks, coarser at high frequencies."""
    height, width = band.shape
    rows, cols = -height % BLOCK, -width % BLOCK
    padded = np.pad(band, ((0, rows), (0, cols)), mode="edge")
    blocks = padded.reshape(padded.shape[0] // BLOCK, BLOCK, padded.shape[1] // BLOCK, BLOCK)
    waves = dctn(blocks, axes=(1, 3), norm="ortho")
    frequency = np.add.outer(np.arange(BLOCK), np.arange(BLOCK)).astype(np.float32)
    steps = (np.float32(step) * (0.6 + 0.35 * frequency))[None, :, None, :]
    restored = idctn(np.round(waves / steps) * steps, axes=(1, 3), norm="ortho")
    return np.asarray(restored.reshape(padded.shape)[:height, :width], dtype=np.float32)
