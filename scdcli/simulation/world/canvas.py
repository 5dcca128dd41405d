"""The drawing as arrays: which part, which tree and how high at every pixel of one date."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rasterio.features import rasterize

from scdcli.simulation.camera.noise import Field
from scdcli.simulation.world.draft import ROAD, WATERWAY, Draft, Part
from scdcli.simulation.world.frame import Points
from scdcli.simulation.world.materials import (
    ASPHALT,
    BUILDING,
    GROUND,
    PLAYGROUND,
    TABLE,
    TREE,
    WATER,
)

NO_TREE = -1
NO_CAR = 0


@dataclass(frozen=True)
class Canvas:
    """One date as arrays over the canvas.

    Attributes:
        part: Index of the topmost part, (H, W) int32.
        tree: Row of the tree whose crown is on top, -1 for none, (H, W) int32.
        car: Number of the car, 0 for none, (H, W) int32.
        height: Height of the surface without cars in meters, (H, W) float32.
        cover: Class index, (H, W) uint8.
        building: Number of the building, 0 for none, (H, W) int32.
        sealed: Where asphalt is on top, (H, W) bool.
    """

    part: NDArray[np.int32]
    tree: NDArray[np.int32]
    car: NDArray[np.int32]
    height: Field
    cover: NDArray[np.uint8]
    building: NDArray[np.int32]
    sealed: NDArray[np.bool_]


def draw_canvas(draft: Draft, date: int, ragged: Field) -> Canvas:
    """Draw everything that exists at a date.

    Args:
        draft: The finished drawing.
        date: `BEFORE` or `AFTER`.
        ragged: Noise that makes crown outlines irregular, (H, W), the same for both dates.
    """
    shape = (draft.frame.height, draft.frame.width)
    present = [each for each in _buildable(draft.parts, shape) if each[1].dates & date]
    present.sort(key=lambda entry: entry[1].layer)
    part = burn([(item.ring, index) for index, item in present], shape)
    covers = np.array([TABLE[item.material].cover for item in draft.parts], dtype=np.uint8)
    owners = np.array([item.owner for item in draft.parts], dtype=np.int32)
    height = roof_heights(draft.parts, part)
    cover = covers[part]
    crowns = tree_rows(draft)
    layers = np.array([item.layer for item in draft.parts], dtype=np.uint8)
    open_ground = ~np.isin(cover, (WATER, PLAYGROUND, BUILDING)) & (layers[part] != ROAD)
    tree, top = _draw_crowns(crowns, date, open_ground, ragged)
    over = top > height
    tree = np.where(over, tree, np.int32(NO_TREE))
    cover = np.where(over, np.uint8(TREE), cover)
    building = np.where(over, np.int32(0), owners[part])
    car = np.where(cover != GROUND, np.int32(NO_CAR), _draw_cars(draft, date, shape))
    asphalt = np.array([item.material in ASPHALT for item in draft.parts])
    sealed = asphalt[part] & ~over
    return Canvas(part, tree, car, np.where(over, top, height), cover, building, sealed)


def tree_rows(draft: Draft) -> NDArray[np.float64]:
    """All trees of both dates, (N, 7): x, y, radius, height, species, dates, shade."""
    return np.concatenate(draft.crowns) if draft.crowns else np.zeros((0, 7))


def burn(rings: list[tuple[Points, int]], shape: tuple[int, int]) -> NDArray[np.int32]:
    """Number of the last polygon that covers each pixel, 0 where there is none, (H, W) int32.

    Args:
        rings: Outlines, (N, 2) of (x, y) pixels, and their numbers.
        shape: (H, W).
    """
    shapes = [
        ({"type": "Polygon", "coordinates": [np.vstack([ring, ring[:1]]).tolist()]}, number)
        for ring, number in rings
    ]
    if not shapes:
        return np.zeros(shape, dtype=np.int32)
    numbers = rasterize(shapes, out_shape=shape, fill=0, dtype="int32", skip_invalid=False)
    return np.asarray(numbers, dtype=np.int32)


def roof_heights(parts: list[Part], part: NDArray[np.int32]) -> Field:
    """Height of roofs above ground in meters at every pixel, (H, W) float32."""
    eaves = np.array([item.relief.height for item in parts], dtype=np.float32)
    height = eaves[part]
    ridges = np.array([item.relief.ridge for item in parts], dtype=np.float32)
    rows, cols = np.nonzero(ridges[part] > 0)
    number = part[rows, cols]
    across, along = local_coordinates(parts, number, rows, cols)
    half = np.array([item.relief.half for item in parts], dtype=np.float32)[number]
    hip = np.array([item.relief.hip for item in parts], dtype=np.float32)[number]
    off = np.abs(across)
    off = np.where(hip > 0, np.maximum(off, np.abs(along) - hip), off)
    height[rows, cols] += ridges[number] * np.clip(1 - off / half, 0, 1)
    return height


def local_coordinates(
    parts: list[Part],
    number: NDArray[np.int32],
    rows: NDArray[np.intp],
    cols: NDArray[np.intp],
) -> tuple[Field, Field]:
    """Pixel coordinates across and along a part's own direction, from its center."""
    poses = np.array([item.pose for item in parts])
    x, y = (poses[:, axis].astype(np.float32)[number] for axis in (0, 1))
    cos, sin = (wave(poses[:, 2]).astype(np.float32)[number] for wave in (np.cos, np.sin))
    dx = cols.astype(np.float32) + np.float32(0.5) - x
    dy = rows.astype(np.float32) + np.float32(0.5) - y
    return dx * cos + dy * sin, dy * cos - dx * sin


def _buildable(parts: list[Part], shape: tuple[int, int]) -> list[tuple[int, Part]]:
    """Parts with their index, without buildings that would stand in a river or on a road."""
    taken = burn([(item.ring, 1) for item in parts if item.layer in (WATERWAY, ROAD)], shape) > 0
    blocked: set[int] = set()
    for item in parts:
        if item.owner:
            cols = item.ring[:, 0].clip(0, shape[1] - 1).astype(np.intp)
            rows = item.ring[:, 1].clip(0, shape[0] - 1).astype(np.intp)
            x, y = item.ring.mean(axis=0).clip(0, (shape[1] - 1, shape[0] - 1)).astype(np.intp)
            if taken[rows, cols].any() or taken[y, x]:
                blocked.add(item.owner)
    return [(index, item) for index, item in enumerate(parts) if item.owner not in blocked]


def _draw_crowns(
    crowns: NDArray[np.float64], date: int, open_ground: NDArray[np.bool_], ragged: Field
) -> tuple[NDArray[np.int32], Field]:
    """Topmost tree and crown height at every pixel; a tree needs open ground to stand on."""
    height, width = open_ground.shape
    top = np.zeros(height * width, dtype=np.float32)
    tree = np.full(height * width, NO_TREE, dtype=np.int32)
    rows, cols = crowns[:, 1].astype(np.intp), crowns[:, 0].astype(np.intp)
    inside = (rows >= 0) & (rows < height) & (cols >= 0) & (cols < width)
    rooted = open_ground[rows.clip(0, height - 1), cols.clip(0, width - 1)] | ~inside
    standing = np.nonzero((crowns[:, 5].astype(np.intp) & date > 0) & rooted)[0]
    sizes = np.ceil(crowns[standing, 2]).astype(np.intp)
    stamps = [
        _stamp(crowns, standing[sizes == size], int(size), ragged) for size in np.unique(sizes)
    ]
    for pixel, value, _ in stamps:
        np.maximum.at(top, pixel, value)
    for pixel, value, number in stamps:
        best = value >= top[pixel]
        tree[pixel[best]] = number[best]
    return tree.reshape(open_ground.shape), top.reshape(open_ground.shape)


def _stamp(
    crowns: NDArray[np.float64], numbers: NDArray[np.intp], size: int, ragged: Field
) -> tuple[NDArray[np.intp], Field, NDArray[np.int32]]:
    """Pixels, heights and tree numbers of all crowns of one size in pixels."""
    height, width = ragged.shape
    span = np.arange(-size - 1, size + 2)
    dy, dx = (axis.ravel() for axis in np.meshgrid(span, span, indexing="ij"))
    near = dy * dy + dx * dx <= (size + 1) ** 2
    dy, dx = dy[near], dx[near]
    x, y = crowns[numbers, 0, None], crowns[numbers, 1, None]
    rows, cols = y.astype(np.intp) + dy, x.astype(np.intp) + dx
    inside = (rows >= 0) & (rows < height) & (cols >= 0) & (cols < width)
    far = np.hypot(rows + 0.5 - y, cols + 0.5 - x) / crowns[numbers, 2, None]
    flat = np.where(inside, rows * width + cols, 0)
    far = far + 0.13 * ragged.ravel()[flat]
    keep = inside & (far < 1.0)
    dome = np.sqrt(np.clip(1.0 - far * far, 0.0, 1.0)) * 0.6 + 0.4
    tops = crowns[numbers, 3, None] * dome + 0.25 * ragged.ravel()[flat]
    owner = np.broadcast_to(numbers[:, None], keep.shape)
    return flat[keep], tops[keep].astype(np.float32), owner[keep].astype(np.int32)


def _draw_cars(draft: Draft, date: int, shape: tuple[int, int]) -> NDArray[np.int32]:
    """Numbers of the cars of a date, from 1."""
    rings = []
    for number, (x, y, angle, when) in enumerate(draft.cars, start=1):
        if when & date and 0 <= x < shape[1] and 0 <= y < shape[0]:
            cos, sin = np.cos(angle), np.sin(angle)
            long, wide = (7.5, 3.4) if number % 17 else (16.0, 5.0)
            corners = np.array([[-long, -wide], [long, -wide], [long, wide], [-long, wide]]) / 2
            rings.append((corners * 1.1 @ np.array([[cos, sin], [-sin, cos]]) + (x, y), number))
    return burn(rings, shape)
