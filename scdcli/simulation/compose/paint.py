"""Putting pieces into a scene, and taking buildings out of it."""

from dataclasses import replace

import numpy as np
from scipy.ndimage import binary_dilation, distance_transform_edt, gaussian_filter

from scdcli.simulation.compose.pieces import Piece
from scdcli.simulation.compose.scene import Field, Mask, Scene

Place = tuple[int, int]
"""(row, col) of a piece's first pixel in a scene; may lie outside."""


def paint(scene: Scene, piece: Piece, place: Place, softness: float) -> tuple[Scene, Mask]:
    """The scene with the piece in it, and where it now shows the piece.

    Args:
        scene: Where to put it; is not changed.
        piece: What to put.
        place: Where its first pixel goes.
        softness: Width of the transition at its edge, in pixels.
    """
    there, here = _overlap(scene.shape, piece.mask.shape, place)
    mask = piece.mask[here] & scene.seen[there]
    painted = np.zeros(scene.shape, dtype=bool)
    if not mask.any():
        return scene, painted
    painted[there] = mask
    alpha = piece.mask.astype(np.float32)
    if softness > 0:
        # Half of the transition lies outside: the outline stays where the label has it.
        alpha = gaussian_filter(alpha, softness, truncate=2.5)
    alpha = alpha[here] * scene.seen[there]
    image = scene.image.copy()
    image[:, *there] += (piece.image[:, *here] - image[:, *there]) * alpha
    cover = scene.cover.copy()
    cover[there][mask] = piece.cover[here][mask]
    objects = scene.objects.copy()
    objects[there][mask] = piece.objects[here][mask]
    return replace(scene, image=image, cover=cover, objects=objects), painted


def coverage(scene: Scene, piece: Piece, place: Place, wanted: Mask) -> float:
    """Share of the piece that would lie on wanted pixels of the scene, 0 to 1."""
    there, here = _overlap(scene.shape, piece.mask.shape, place)
    total = int(piece.mask.sum())
    return float((piece.mask[here] & wanted[there]).sum()) / max(total, 1)


def cleared(scene: Scene, mask: Mask, ground: Field, index: int) -> Scene:
    """The scene with ground where the mask is: the colors around it, the texture of another place.

    Args:
        scene: Where something is taken away; is not changed.
        mask: What is taken away, (H, W) bool.
        ground: A picture of ground that covers the scene, (3, H, W).
        index: Its class.
    """
    # The shadow at its foot goes too: a ring whose colors are not asked.
    gone = binary_dilation(mask, iterations=3)
    ring = binary_dilation(gone, iterations=9) & ~gone & (scene.objects == 0) & scene.seen
    image = scene.image.copy()
    if ring.sum() < 8:
        filled = ground
    else:
        smooth = _spread(scene.image, ring, gone)
        fine = ground - np.stack([gaussian_filter(band, 6.0, truncate=2.0) for band in ground])
        filled = np.clip(smooth + fine, 0, 1)
    alpha = gaussian_filter(gone.astype(np.float32), 1.2, truncate=2.0)
    alpha *= mask | (scene.objects == 0)  # what stands beside it stays as it is
    image += (filled - image) * alpha
    cover, objects = scene.cover.copy(), scene.objects.copy()
    cover[mask], objects[mask] = index, 0
    return replace(scene, image=image.astype(np.float32), cover=cover, objects=objects)


def ribbon(shape: tuple[int, int], rng: np.random.Generator, width: float) -> Mask:
    """A bent strip across a rectangle, (h, w) bool."""
    height, length = shape
    angle = float(rng.uniform(0, np.pi))
    rows, cols = np.mgrid[:height, :length].astype(np.float32)
    middle = np.array([rng.uniform(0.2, 0.8) * height, rng.uniform(0.2, 0.8) * length])
    along = (rows - middle[0]) * np.sin(angle) + (cols - middle[1]) * np.cos(angle)
    across = (rows - middle[0]) * np.cos(angle) - (cols - middle[1]) * np.sin(angle)
    bend = float(rng.normal(0, 0.6)) / max(shape)
    found: Mask = np.abs(across + bend * along**2) < width / 2
    return found


def class_color(image: Field, mask: Mask) -> Field | None:
    """Mean color where the mask is, (3,); None where it hardly is."""
    if mask.sum() < 50:
        return None
    return np.asarray(image[:, mask].mean(axis=1), dtype=np.float32)


def _spread(image: Field, ring: Mask, gone: Mask) -> Field:
    """The colors of the ring carried into the gap, nearest first and smoothed."""
    rows, cols = distance_transform_edt(~ring, return_distances=False, return_indices=True)
    carried = image[:, rows, cols]
    inner = gone.astype(np.float32)
    soft = np.stack([gaussian_filter(band, 5.0, truncate=2.0) for band in carried])
    return np.asarray(np.where(inner > 0, soft, image), dtype=np.float32)


def _overlap(
    shape: tuple[int, int], size: tuple[int, ...], place: Place
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where a rectangle lies in a scene, and which part of it does."""
    there, here = [], []
    for length, side, start in zip(shape, size, place, strict=True):
        low, high = max(start, 0), min(start + side, length)
        high = max(high, low)
        there.append(slice(low, high))
        here.append(slice(low - start, high - start))
    return (there[0], there[1]), (here[0], here[1])
