"""Putting pieces into a scene, and taking buildings out of it."""

from dataclasses import replace

import numpy as np
from scipy.ndimage import binary_dilation, distance_transform_edt, gaussian_filter

from scdcli.simulation.compose.pieces import Piece
from scdcli.simulation.compose.scene import Field, Mask, Scene

Place = tuple[int, int]
"""(row, col) of a piece's first pixel in a scene; may lie outside."""


def paint(scene: Scene, piece: Piece, place: Place, softness: float) -> Scene:
    """The scene with the piece in it; pixels without a measurement stay as they are.

    Args:
        scene: Where to put it; is not changed.
        piece: What to put.
        place: Where its first pixel goes.
        softness: Width of the transition at its edge, in pixels.
    """
    there, here = _overlap(scene.shape, piece.mask.shape, place)
    mask = piece.mask[here] & scene.valid[there]
    if not mask.any():
        return scene
    alpha = piece.mask.astype(np.float32)
    if softness > 0:
        # Half of the transition lies outside: the outline stays where the label has it.
        alpha = gaussian_filter(alpha, softness, truncate=2.5)
    alpha = alpha[here] * scene.valid[there]
    image, cover, objects = scene.image.copy(), scene.cover.copy(), scene.objects.copy()
    image[:, *there] += (piece.image[:, *here] - image[:, *there]) * alpha
    cover[there][mask] = piece.cover[here][mask]
    objects[there][mask] = piece.objects[here][mask]
    return replace(scene, image=image, cover=cover, objects=objects)


def coverage(scene: Scene, piece: Piece, place: Place, wanted: Mask) -> float:
    """Share of the piece that would lie on wanted pixels of the scene, 0 to 1."""
    there, here = _overlap(scene.shape, piece.mask.shape, place)
    total = int(piece.mask.sum())
    return float((piece.mask[here] & wanted[there]).sum()) / max(total, 1)


def clear(scene: Scene, mask: Mask, ground: Field, index: int) -> Scene:
    """The scene with ground where the mask is, in the colors around it and another place's texture.

    Args:
        scene: Where something is taken away; is not changed.
        mask: What is taken away, (H, W) bool.
        ground: A picture of ground that covers the scene, (3, H, W).
        index: Its class.
    """
    # The shadow at its foot goes too, and lends no colors.
    gone = binary_dilation(mask, iterations=3)
    ring = binary_dilation(gone, iterations=9) & ~gone & (scene.objects == 0) & scene.valid
    image = scene.image.copy()
    if ring.sum() < 8:
        filled = ground
    else:
        # The colors of the ring carried into the gap, nearest first, and smoothed.
        nearest = distance_transform_edt(~ring, return_distances=False, return_indices=True)
        carried = scene.image[:, *nearest]
        smooth = np.stack([gaussian_filter(band, 5.0, truncate=2.0) for band in carried])
        smooth = np.where(gone, smooth, scene.image)
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
    strip: Mask = np.abs(across + bend * along**2) < width / 2
    return strip


def class_color(image: Field, mask: Mask) -> Field | None:
    """Mean color of the pixels of a mask, (3,) float32; None where it has fewer than 50."""
    if mask.sum() < 50:
        return None
    return np.asarray(image[:, mask].mean(axis=1), dtype=np.float32)


def _overlap(
    shape: tuple[int, int], size: tuple[int, ...], place: Place
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """The part of a scene under a rectangle, and the part of the rectangle over it."""
    top, left = place
    low = max(top, 0), max(left, 0)
    high = max(min(top + size[0], shape[0]), low[0]), max(min(left + size[1], shape[1]), low[1])
    there = slice(low[0], high[0]), slice(low[1], high[1])
    return there, (slice(low[0] - top, high[0] - top), slice(low[1] - left, high[1] - left))
