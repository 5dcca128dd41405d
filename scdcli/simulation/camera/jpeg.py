"""What JPEG compression leaves of a picture, without a file."""

import numpy as np
from scipy.fft import dct

from scdcli.simulation.camera.noise import Field

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


def compressed(picture: Field, quality: int) -> Field:
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
