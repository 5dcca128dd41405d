"""Random fields, smooth and grainy: the texture of pictures that are made."""

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]


def value_noise(rng: np.random.Generator, shape: tuple[int, int], cell: float) -> Field:
    """Random values on a lattice of `cell` pixels, smoothly interpolated; about unit variance.

    Args:
        rng: Source of the lattice.
        shape: (H, W) of the field.
        cell: Lattice spacing in pixels, at least 1.

    Returns:
        Field (H, W) float32 of mean 0.
    """
    rows, cols = (int(np.ceil(size / cell)) + 4 for size in shape)
    lattice = rng.standard_normal((rows, cols), dtype=np.float32)
    start = rng.random(2)
    lattice = _stretch(lattice, shape[0], cell, float(start[0]))
    field = _stretch(lattice.T, shape[1], cell, float(start[1])).T
    return np.asarray(field * np.float32(1.82), dtype=np.float32)


def fractal_noise(rng: np.random.Generator, shape: tuple[int, int], cell: float) -> Field:
    """Three octaves of `value_noise`, the coarsest `cell` pixels wide; (H, W) float32."""
    field = value_noise(rng, shape, cell)
    field += 0.55 * value_noise(rng, shape, max(cell / 2.3, 1.0))
    field += 0.3 * value_noise(rng, shape, max(cell / 5.1, 1.0))
    return field * np.float32(0.85)


def grain(rng: np.random.Generator, shape: tuple[int, int]) -> Field:
    """Independent unit noise at every pixel, (H, W) float32."""
    return rng.standard_normal(shape, dtype=np.float32)


def _stretch(lattice: Field, size: int, cell: float, start: float) -> Field:
    """Interpolate the first axis to `size` rows, `cell` rows per lattice step.

    A quadratic spline: unlike a blend of two neighbors it does not show the lattice.
    """
    position = np.arange(size, dtype=np.float64) / cell + start
    low = np.minimum(position.astype(np.intp), len(lattice) - 3)
    part = (position - low).astype(np.float32)[:, None]
    # In place: this is the hottest line of a world, and new arrays cost more than the arithmetic.
    field = lattice.take(low, axis=0)
    field *= np.float32(0.5) * np.square(1 - part)
    row = lattice.take(low + 1, axis=0)
    row *= np.float32(0.5) + part * (1 - part)
    field += row
    lattice.take(low + 2, axis=0, out=row, mode="clip")
    row *= np.float32(0.5) * np.square(part)
    field += row
    return field
