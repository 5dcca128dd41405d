"""Banks of drawn tiles for pairs made while training."""

import numpy as np

from scdcli.training.live.bank import make_bank

WATER, GROUND, ROAD, BUILDING, VEGETATION = 1, 2, 3, 4, 5
COLORS = np.array(
    [[90, 90, 90], [30, 60, 90], [190, 170, 130], [110, 110, 115], [170, 70, 60], [60, 110, 50]],
    dtype=np.int16,
)


def tile(size, seed, unknown=False):
    """Colored rectangles of the five classes, (3, S, S) uint8, and their classes."""
    rng = np.random.default_rng(seed)
    cover = np.full((size, size), GROUND, dtype=np.uint8)
    for value in (VEGETATION, ROAD, BUILDING, BUILDING, WATER):
        y, x = rng.integers(0, size - size // 4, 2)
        cover[y : y + size // 4, x : x + size // 4] = value
    noise = rng.normal(0, 6, (size, size, 3))
    image = (COLORS[cover] + noise).clip(0, 255).astype(np.uint8)
    if unknown:
        cover[:] = 0
    return np.moveaxis(image, -1, 0), cover


def bank(size=96, tiles=4, dates=1, unknown=False, judged=True, seed=0):
    """A bank of tiles, alone or in pairs of neighbors."""
    made = [tile(size, seed + k, unknown) for k in range(tiles)]
    pairs = [(k, k) for k in range(tiles)]
    if dates == 2:
        pairs = [(k, k + 1) for k in range(0, tiles, 2)]
    changed = np.zeros((len(pairs), size, size), np.uint8)
    if not judged:
        changed[:] = 255
    return make_bank(
        np.stack([image for image, _ in made]),
        np.stack([cover for _, cover in made]),
        [0.6] * tiles,
        pairs,
        changed,
        [1.0] * len(pairs),
        [0] * len(pairs),
    )
