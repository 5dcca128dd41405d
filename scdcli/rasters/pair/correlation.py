"""How far one picture lies from another: phase correlation of the directions of edges.

Edges lie where they lie in whatever light; their directions, not their heights, are correlated,
so that gain, haze or a season in one picture hardly matter (orientation correlation, Fitch et
al. 2002; phase correlation, Kuglin and Hines 1975; refinement, Guizar-Sicairos et al. 2008).
"""

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import gaussian_filter, minimum_filter

EDGE_WIDTH = 0.7  # pixels, of the smoothing before a gradient is taken
REACH = 2  # pixels: so far does a gradient see
SMOOTHING = 20.0  # pixels squared: fine detail is mostly noise, its phases count less
STEPS = (0.1, 0.01)  # pixels, between which the peak is looked for, ever closer
LEAST_HEIGHT = 6.0  # of a peak above the rest, in robust standard deviations of the rest
LEAST_RATIO = 1.5  # of a peak to the next one
PEAK_RADIUS = 4  # pixels: what is as near belongs to the same peak


def displacement(
    before: NDArray[np.float32], after: NDArray[np.float32], valid: NDArray[np.bool_]
) -> tuple[float, float] | None:
    """(rows, cols) by which what BEFORE shows lies further down and right in AFTER.

    Up to a quarter of either side is looked for.

    Args:
        before: One band of one window, (H, W), any units.
        after: The same window at the later date.
        valid: Where both hold measurements, (H, W).

    Returns:
        Pixels, to a hundredth; None when no single displacement stands out.
    """
    inside = minimum_filter(valid, size=2 * REACH + 1, mode="nearest")
    slopes = (np.hanning(side + 2)[1:-1].astype(np.float32) for side in valid.shape)
    taper = np.multiply.outer(*slopes) * inside
    spectra = [fft.fft2(_edge_directions(picture, inside) * taper) for picture in (before, after)]
    crossed = spectra[1] * np.conj(spectra[0])
    size = np.abs(crossed)
    if not size.any():
        return None
    fades = (np.exp(-SMOOTHING * fft.fftfreq(side) ** 2) for side in valid.shape)
    weight = np.multiply.outer(*fades).astype(np.float32)
    phases = crossed * (weight / np.maximum(size, np.finfo(np.float32).tiny))
    near = _whole_pixels(fft.ifft2(phases).real)
    return None if near is None else _refined(phases, near)


def _edge_directions(
    picture: NDArray[np.float32], inside: NDArray[np.bool_]
) -> NDArray[np.csingle]:
    """Gradients as complex numbers, (H, W): long ones of length near 1, faint ones near 0."""
    down, right = (
        gaussian_filter(picture, EDGE_WIDTH, order=order, radius=REACH)
        for order in ((1, 0), (0, 1))
    )
    gradient = right + np.complex64(1j) * down
    height = np.abs(gradient)
    usual = height[inside].mean() if inside.any() else 0.0
    return np.asarray(gradient / (height + usual) if usual > 0 else np.zeros_like(gradient))


def _whole_pixels(surface: NDArray[np.float32]) -> tuple[int, int] | None:
    """Where a correlation surface peaks, in whole pixels; None when that could be chance."""
    centered = fft.fftshift(surface)
    middle = [side // 2 for side in surface.shape]
    reach = [side // 4 for side in surface.shape]
    window = tuple(slice(m - r, m + r + 1) for m, r in zip(middle, reach, strict=True))
    seen = centered[window]
    row, col = (int(place) for place in np.unravel_index(seen.argmax(), seen.shape))
    peak, usual = float(seen[row, col]), float(np.median(seen))
    noise = 1.4826 * float(np.median(np.abs(seen - usual)))
    others = seen.copy()
    others[
        max(row - PEAK_RADIUS, 0) : row + PEAK_RADIUS + 1,
        max(col - PEAK_RADIUS, 0) : col + PEAK_RADIUS + 1,
    ] = -np.inf
    stands_out = peak - usual > LEAST_HEIGHT * noise and peak > LEAST_RATIO * others.max()
    return (row - reach[0], col - reach[1]) if stands_out else None


def _refined(phases: NDArray[np.csingle], near: tuple[int, int]) -> tuple[float, float]:
    """The peak of the surface between pixels, about one from ``near`` at most."""
    row, col = (float(place) for place in near)
    up, across = (fft.fftfreq(side) for side in phases.shape)
    for step in STEPS:
        around = step * np.arange(-10, 11)
        down = np.exp(2j * np.pi * np.multiply.outer(row + around, up))
        right = np.exp(2j * np.pi * np.multiply.outer(across, col + around))
        surface = (down.astype(np.complex64) @ phases @ right.astype(np.complex64)).real
        best = np.unravel_index(surface.argmax(), surface.shape)
        row, col = (float(place + around[b]) for place, b in zip((row, col), best, strict=True))
    return row, col
