"""Pieces of one place to be put into another: a building, a region, a block, a strip of road."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.ndimage import binary_dilation, binary_fill_holes, binary_opening, gaussian_filter, label

from scdcli.legend import NODATA
from scdcli.simulation.camera.noise import fractal_noise
from scdcli.simulation.compose.library import Library
from scdcli.simulation.compose.scene import Classes, Field, Mask, Numbers, View, numbered

SMALLEST = 24  # pixels that a piece has at least
PATCH = 128  # side of the ground that is repeated where more is needed


@dataclass(frozen=True)
class Piece:
    """Something to put down.

    Attributes:
        image: (3, h, w) float32, 0 to 1.
        cover: Class index, (h, w) uint8.
        objects: Number of the building, (h, w) int32.
        mask: Which pixels belong to it, (h, w) bool.
    """

    image: Field
    cover: Classes
    objects: Numbers
    mask: Mask


def building(library: Library, rng: np.random.Generator, pixel_size: float) -> Piece | None:
    """One whole building as it stands somewhere."""
    if not library.roles.buildings:
        return None
    index = int(rng.choice(library.roles.buildings))
    side = int(np.clip(90 / pixel_size, 48, 224))
    # Buildings are pasted at about their own size: a little larger or smaller than life.
    scale = pixel_size * float(np.exp(rng.uniform(-0.2, 0.25)))
    for _ in range(6):
        found = library.around(rng, index, (side, side), scale)
        if found is None:
            return None
        parts, count = label(found.cover == index)
        at = parts[side // 2, side // 2]
        if count == 0 or at == 0:
            continue
        mask = binary_fill_holes(parts == at)
        if _cut_off(mask, found.seen) or not SMALLEST <= mask.sum() <= 0.4 * mask.size:
            continue
        # Where a hole was filled there is a court: it is part of the building.
        cover = np.where(mask, np.uint8(index), found.cover)
        return _cut(found, mask, cover, mask.astype(np.int32))
    return None


def region(
    library: Library, rng: np.random.Generator, index: int, side: int, pixel_size: float
) -> Piece | None:
    """An area of one class, with its own or a drawn outline."""
    found = library.around(rng, index, (side, side), pixel_size)
    if found is None:
        return None
    parts, _ = label((found.cover == index) & found.seen)
    at = parts[side // 2, side // 2]
    mask = (parts == at) & (at > 0) & outline(rng, (side, side))
    mask = binary_opening(mask, iterations=2)
    return _cut(found, mask, found.cover, np.zeros(mask.shape, np.int32))


def block(library: Library, rng: np.random.Generator, side: int, pixel_size: float) -> Piece | None:
    """A part of another place with all that stands on it."""
    index = int(rng.choice(library.roles.buildings or library.classes))
    found = library.around(rng, index, (side, side), pixel_size)
    if found is None:
        return None
    known = (found.cover != NODATA) & found.seen
    mask = outline(rng, (side, side)) & known
    # Not half a building at its edge: whole ones, or none.
    objects = numbered(found.cover, library.roles)
    rim = binary_dilation(~found.seen)
    mask &= ~np.isin(objects, np.unique(objects[(~mask | rim) & (objects > 0)]))
    return _cut(found, binary_opening(mask, iterations=2), found.cover, objects)


def ground_like(
    library: Library, rng: np.random.Generator, shape: tuple[int, int], pixel_size: float
) -> tuple[Field, int] | None:
    """Ground or vegetation of a whole rectangle, (3, h, w), and its class."""
    roles = library.roles
    choices = [*roles.ground, *roles.vegetation]
    if not choices:
        return None
    for _ in range(6):
        index = int(rng.choice(choices))
        found = library.around(rng, index, (PATCH, PATCH), pixel_size)
        if found is not None and (found.cover == index).mean() > 0.6 and found.seen.all():
            pad = [(0, 0), *((0, max(side - PATCH, 0)) for side in shape)]
            whole = np.pad(_evened(found, index), pad, mode="symmetric")
            return whole[:, : shape[0], : shape[1]], index
    return None


def outline(rng: np.random.Generator, shape: tuple[int, int]) -> Mask:
    """A blob or a bent polygon around the middle, about half of the rectangle; (h, w) bool."""
    rows, cols = (np.linspace(-1, 1, n, dtype=np.float32) for n in shape)
    x, y = np.meshgrid(cols, rows)
    angle = float(rng.uniform(0, np.pi))
    along = np.cos(angle) * x + np.sin(angle) * y
    across = (np.cos(angle) * y - np.sin(angle) * x) * float(np.exp(rng.uniform(0, 0.8)))
    # From an ellipse to a rectangle: fields and lots have corners, ponds have none.
    power = float(rng.choice([2.0, 4.0, 12.0]))
    distance = (np.abs(along) ** power + np.abs(across) ** power) ** (1 / power)
    rough = float(rng.choice([0.0, 0.06, 0.2])) if power < 10 else 0.0
    if rough:
        noise = fractal_noise(rng, shape, max(shape) / 4)
        # Bounded: the middle stays inside, and something is left around it.
        distance = distance + rough * 0.75 * np.tanh(noise / 0.75)
    inside: Mask = distance < rng.uniform(0.55, 0.85)
    return inside


def turned(piece: Piece, quarters: int) -> Piece:
    """The piece turned by quarters."""
    arrays: Any = (piece.image, piece.cover, piece.objects, piece.mask)
    return Piece(*(np.ascontiguousarray(np.rot90(array, quarters, (-2, -1))) for array in arrays))


def _cut_off(mask: Mask, seen: Mask) -> bool:
    """Whether it reaches where nothing is seen, or the end of the view: it may be a part."""
    edge = np.concatenate((mask[0], mask[-1], mask[:, 0], mask[:, -1]))
    return bool(edge.any() or (binary_dilation(mask) & ~seen).any())


def _evened(found: View, index: int) -> Field:
    """The image, with other classes covered by the mean color of this one."""
    mask = found.cover == index
    soft = gaussian_filter(mask.astype(np.float32), 2.0, truncate=2.0)
    image = found.image()
    mean = image[:, mask].mean(axis=1)[:, None, None]
    return np.asarray(image * soft + mean * (1 - soft), dtype=np.float32)


def _cut(found: View, mask: Mask, cover: Classes, objects: Numbers) -> Piece | None:
    """The rectangle around the mask; None where hardly anything is left."""
    if mask.sum() < SMALLEST:
        return None
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    height, width = mask.shape
    part = (
        slice(max(rows[0] - 3, 0), min(rows[-1] + 4, height)),
        slice(max(cols[0] - 3, 0), min(cols[-1] + 4, width)),
    )
    return Piece(found.image()[:, *part], cover[part], objects[part], mask[part])


def recolored(piece: Piece, gain: Field) -> Piece:
    """The piece in another light; ``gain`` is a factor per band."""
    image = np.clip(piece.image * gain[:, None, None], 0, 1)
    return replace(piece, image=np.asarray(image, dtype=np.float32))
