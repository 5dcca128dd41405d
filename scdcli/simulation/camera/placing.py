"""Where a picture lies: registration errors, and pictures moved by them."""

from dataclasses import dataclass

import numpy as np

from scdcli.simulation.camera.noise import Field, value_noise

FARTHEST = 2.0  # pixels
SLOW, QUICK = 130.0, 45.0  # pixels


@dataclass(frozen=True)
class Place:
    """Registration error.

    Attributes:
        shift: Pixels that everything lies too far down and right, (rows, cols).
        wobble: Standard deviation of the local error around it, in pixels.
        seed: Of the pattern of the local error.
    """

    shift: tuple[float, float] = (0.0, 0.0)
    wobble: float = 0.0
    seed: int = 0


def draw_place(rng: np.random.Generator, amount: float) -> Place:
    """How one date was registered; `amount` 0 is exact, 1 is usual."""
    if amount <= 0:
        return Place()
    length = min(rng.exponential(0.7) * amount, FARTHEST)
    angle = rng.uniform(0, 2 * np.pi)
    return Place(
        shift=(float(length * np.sin(angle)), float(length * np.cos(angle))),
        wobble=float(min(rng.exponential(0.5) * amount, 1.6)),
        seed=int(rng.integers(2**31)),
    )


def with_registration(picture: Field, place: Place) -> Field:
    """The picture (3, H, W) with its registration error, mirrored at the edges."""
    if place.shift == (0.0, 0.0) and place.wobble == 0:
        return picture
    shape = (picture.shape[1], picture.shape[2])
    down = np.full(shape, place.shift[0], dtype=np.float32)
    right = np.full(shape, place.shift[1], dtype=np.float32)
    if place.wobble > 0:
        rng = np.random.default_rng(place.seed)
        for field in (down, right):
            field += np.float32(0.85 * place.wobble) * value_noise(rng, shape, SLOW)
            field += np.float32(0.5 * place.wobble) * value_noise(rng, shape, QUICK)
    return displace(picture, down, right)


def displace(picture: Field, down: Field, right: Field) -> Field:
    """The picture with every pixel taken from `down` rows above and `right` columns to the left.

    Args:
        picture: (C, H, W) float32.
        down: Rows, (H, W) float32.
        right: Columns, (H, W) float32.

    Returns:
        (C, H, W) float32, interpolated between four neighbors and mirrored at the edges.
    """
    count, height, width = picture.shape
    reach = int(max(np.abs(down).max(), np.abs(right).max())) + 2
    padded = np.pad(picture, ((0, 0), (reach, reach), (reach, reach)), mode="reflect")
    rows = np.arange(reach, reach + height, dtype=np.float32)[:, None] - down
    cols = np.arange(reach, reach + width, dtype=np.float32) - right
    top, left = rows.astype(np.int32), cols.astype(np.int32)
    rows -= top
    cols -= left
    stride = width + 2 * reach
    corner = (top * stride + left).ravel()
    out = np.empty((count, height * width), dtype=np.float32)
    part_down, part_right = rows.ravel(), cols.ravel()
    for band, flat in zip(out, padded.reshape(count, -1), strict=True):
        upper, lower = flat.take(corner), flat.take(corner + stride)
        upper += (flat.take(corner + 1) - upper) * part_right
        lower += (flat.take(corner + stride + 1) - lower) * part_right
        band[:] = upper + (lower - upper) * part_down
    return out.reshape(count, height, width)


def shift(field: Field, rows: int, cols: int) -> Field:
    """The field moved by whole pixels along its last two axes; zeros come in from outside."""
    height, width = field.shape[-2:]
    moved = np.zeros_like(field)
    if abs(rows) < height and abs(cols) < width:
        target = (..., _span(rows, height), _span(cols, width))
        moved[target] = field[..., _span(-rows, height), _span(-cols, width)]
    return moved


def _span(shift: int, size: int) -> slice:
    """Where an axis of this size still holds data after a shift."""
    return slice(max(shift, 0), size + min(shift, 0))
