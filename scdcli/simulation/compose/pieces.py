"""Pieces of one place to be put into another: a building, a region, a block, a strip of road."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import binary_dilation, binary_fill_holes, binary_opening, gaussian_filter, label

from scdcli.legend import NODATA
from scdcli.simulation.camera.noise import fractal_noise
from scdcli.simulation.compose.library import Library
from scdcli.simulation.compose.scene import Classes, Field, Mask, Numbers, View, building_numbers

SMALLEST = 24  # pixels that a piece has at least
PATCH = 128  # side of the ground that is repeated where more is needed


@dataclass(frozen=True)
class Piece:
    """A part of one place that can be put into another.

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
        view = library.around(rng, index, (side, side), scale)
        if view is None:
            return None
        regions, _ = label(view.cover == index)
        at = regions[side // 2, side // 2]
        if at == 0:
            continue
        mask = binary_fill_holes(regions == at)
        if _may_go_on(mask, view.valid) or not SMALLEST <= mask.sum() <= 0.4 * mask.size:
            continue
        # Where a hole was filled there is a court: it is part of the building.
        cover = np.where(mask, np.uint8(index), view.cover)
        return _cut(view, mask, cover, mask.astype(np.int32))
    return None


def region(
    library: Library, rng: np.random.Generator, index: int, side: int, pixel_size: float
) -> Piece | None:
    """An area of one class inside a drawn outline."""
    view = library.around(rng, index, (side, side), pixel_size)
    if view is None:
        return None
    regions, _ = label((view.cover == index) & view.valid)
    at = regions[side // 2, side // 2]
    mask = (regions == at) & (at > 0) & outline(rng, (side, side))
    mask = binary_opening(mask, iterations=2)
    return _cut(view, mask, view.cover, np.zeros(mask.shape, np.int32))


def block(library: Library, rng: np.random.Generator, side: int, pixel_size: float) -> Piece | None:
    """A part of another place with all that stands on it."""
    index = int(rng.choice(library.roles.buildings or library.classes))
    view = library.around(rng, index, (side, side), pixel_size)
    if view is None:
        return None
    mask = outline(rng, (side, side)) & (view.cover != NODATA) & view.valid
    # Buildings that the edge would cut are left out.
    objects = building_numbers(view.cover, library.roles)
    rim = binary_dilation(~view.valid)
    mask &= ~np.isin(objects, np.unique(objects[(~mask | rim) & (objects > 0)]))
    return _cut(view, binary_opening(mask, iterations=2), view.cover, objects)


def ground_like(
    library: Library, rng: np.random.Generator, shape: tuple[int, int], pixel_size: float
) -> tuple[Field, int] | None:
    """Ground or vegetation over a whole rectangle, (3, h, w) float32, and its class index.

    A patch that is mostly of one class, the rest of it covered by the mean color of that class, is
    repeated by mirroring.
    """
    choices = [*library.roles.ground, *library.roles.vegetation]
    if not choices:
        return None
    for _ in range(6):
        index = int(rng.choice(choices))
        view = library.around(rng, index, (PATCH, PATCH), pixel_size)
        if view is None or not view.valid.all():
            continue
        mask = view.cover == index
        if mask.mean() > 0.6:
            soft = gaussian_filter(mask.astype(np.float32), 2.0, truncate=2.0)
            image = view.image()
            mean = image[:, mask].mean(axis=1)[:, None, None]
            even = np.asarray(image * soft + mean * (1 - soft), dtype=np.float32)
            pad = [(0, 0), *((0, max(side - PATCH, 0)) for side in shape)]
            return np.pad(even, pad, mode="symmetric")[:, : shape[0], : shape[1]], index
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
        # Bounded, so that the middle stays inside and something is left around it.
        distance = distance + rough * 0.75 * np.tanh(noise / 0.75)
    inside: Mask = distance < rng.uniform(0.55, 0.85)
    return inside


def rotate(piece: Piece, quarters: int) -> Piece:
    """The piece turned by so many quarter turns."""
    arrays: Any = (piece.image, piece.cover, piece.objects, piece.mask)
    return Piece(*(np.ascontiguousarray(np.rot90(array, quarters, (-2, -1))) for array in arrays))


def _may_go_on(mask: Mask, valid: Mask) -> bool:
    """Whether a region touches nodata or the edge of the view, so that it may be cut off there."""
    edge = np.concatenate((mask[0], mask[-1], mask[:, 0], mask[:, -1]))
    return bool(edge.any() or (binary_dilation(mask) & ~valid).any())


def _cut(view: View, mask: Mask, cover: Classes, objects: Numbers) -> Piece | None:
    """The piece in the rectangle around the mask; None where hardly anything is left."""
    if mask.sum() < SMALLEST:
        return None
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    height, width = mask.shape
    part = (
        slice(max(rows[0] - 3, 0), min(rows[-1] + 4, height)),
        slice(max(cols[0] - 3, 0), min(cols[-1] + 4, width)),
    )
    return Piece(view.image()[:, *part], cover[part], objects[part], mask[part])
