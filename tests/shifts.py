"""Textures seen at two dates, moved by a known part of a pixel."""

import numpy as np

MARGIN = 48  # cut off after a shift, which moves the far edge in at this one


def ground(height, width, seed=0):
    """Detail of all sizes, the larger the stronger, (H, W) within 0..255, without its margin."""
    shape = (height + 2 * MARGIN, width + 2 * MARGIN)
    waves = np.fft.fft2(np.random.default_rng(seed).normal(size=shape))
    frequency = np.hypot(*np.meshgrid(*map(np.fft.fftfreq, shape), indexing="ij"))
    texture = np.fft.ifft2(waves / (frequency + 0.02)).real
    return (127 + 40 * texture / texture.std()).clip(0, 255)


def seen(texture, rows=0.0, cols=0.0):
    """What a camera shows of it that puts everything (rows, cols) further down and right."""
    turns = np.add.outer(
        rows * np.fft.fftfreq(texture.shape[0]), cols * np.fft.fftfreq(texture.shape[1])
    )
    moved = np.fft.ifft2(np.fft.fft2(texture) * np.exp(-2j * np.pi * turns)).real
    return moved[MARGIN:-MARGIN, MARGIN:-MARGIN].astype(np.float32)


def off(found, rows, cols):
    assert found is not None
    return np.hypot(found[0] - rows, found[1] - cols)
