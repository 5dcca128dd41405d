"""A place at one date as arrays, and views of labelled images that become such places."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, gaussian_filter, label

from scdcli.legend import NODATA
from scdcli.simulation.compose.roles import Roles

Field = NDArray[np.float32]
Classes = NDArray[np.uint8]
Numbers = NDArray[np.int32]
Mask = NDArray[np.bool_]
MARGIN = 4  # pixels read around a view, for blur and interpolation
IMAGE_NODATA = 254  # among classes: a pixel that the image shows nothing of


@dataclass(frozen=True)
class LabelledImage:
    """A photograph of one date with the land cover of its pixels.

    Attributes:
        image: (3, H, W) uint8.
        cover: Class index, (H, W) uint8; 255 where not known.
        valid: Where the image holds a measurement, (H, W) bool.
        pixel_size: Ground resolution in meters.
    """

    image: NDArray[np.uint8]
    cover: Classes
    valid: Mask
    pixel_size: float


@dataclass(frozen=True)
class Scene:
    """A place at one date.

    Attributes:
        image: Colors from 0 to 1, (3, H, W) float32.
        cover: Class index, (H, W) uint8; 255 where not known.
        objects: Number of the building a pixel belongs to, 0 for none, (H, W) int32.
        valid: Where there is a measurement, (H, W) bool.
    """

    image: Field
    cover: Classes
    objects: Numbers
    valid: Mask

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.cover.shape[0], self.cover.shape[1]


@dataclass(frozen=True)
class Aim:
    """Which part of an image a view shows, at which resolution and in which direction.

    Attributes:
        center: (row, col) in the image.
        size: Height and width of the view in its own pixels.
        pixel_size: Ground resolution of the view in meters.
        angle: By how much the view is turned, in radians.
        mirrored: Whether left and right are swapped.
    """

    center: tuple[float, float]
    size: tuple[int, int]
    pixel_size: float
    angle: float = 0.0
    mirrored: bool = False


@dataclass(frozen=True)
class View:
    """A part of an image at another resolution and in another direction.

    Attributes:
        source: The image.
        aim: Which part, and how.
        cover: Class index, (h, w) uint8; 255 where not known.
        valid: Where there is a measurement, (h, w) bool; False beyond the image.
    """

    source: LabelledImage
    aim: Aim
    cover: Classes
    valid: Mask

    def image(self) -> Field:
        """Colors from 0 to 1, (3, h, w) float32."""
        part, matrix, start = _reach(self.source, self.aim)
        # A coarser pixel holds a mean: without the blur thin things would flicker.
        factor = self.aim.pixel_size / self.source.pixel_size
        blur = 0.45 * max(factor**2 - 1, 0.0) ** 0.5
        bands = []
        for band in self.source.image[:, part[0], part[1]]:
            light = band.astype(np.float32) / np.float32(255)
            if blur > 0.2:
                light = gaussian_filter(light, blur, truncate=2.5)
            bands.append(affine_transform(light, matrix, start, self.aim.size, order=1, cval=0.0))
        return np.stack(bands)


def view(source: LabelledImage, aim: Aim) -> View:
    """The view of an image; its colors are only computed by `View.image`."""
    part, matrix, start = _reach(source, aim)
    cover = np.where(source.valid[part], source.cover[part], np.uint8(IMAGE_NODATA))
    cover = affine_transform(cover, matrix, start, aim.size, order=0, cval=IMAGE_NODATA)
    valid = cover != IMAGE_NODATA
    cover[~valid] = NODATA
    return View(source, aim, cover, valid)


def _reach(
    source: LabelledImage, aim: Aim
) -> tuple[tuple[slice, slice], NDArray[np.float64], NDArray[np.float64]]:
    """The part of an image that a view needs, and the map from the view's pixels to the part's.

    Returns:
        Rows and columns of the image; the matrix (2, 2) and the offset (2,) that turn (row, col) of
        the view into (row, col) of that part.
    """
    sin, cos = np.sin(aim.angle), np.cos(aim.angle)
    matrix = np.array([[cos, -sin], [sin, cos]]) * (aim.pixel_size / source.pixel_size)
    if aim.mirrored:
        matrix[:, 1] *= -1
    height, width = aim.size
    offset = np.array(aim.center) - matrix @ np.array([(height - 1) / 2, (width - 1) / 2])
    corners = np.array([(r, c) for r in (0, height - 1) for c in (0, width - 1)], dtype=float)
    reached = corners @ matrix.T + offset
    low = np.floor(reached.min(axis=0)).astype(int) - MARGIN
    high = np.ceil(reached.max(axis=0)).astype(int) + MARGIN + 1
    limit = np.array(source.cover.shape)
    low = np.clip(low, 0, limit - 1)
    high = np.clip(high, low + 1, limit)
    return (slice(low[0], high[0]), slice(low[1], high[1])), matrix, offset - low


def building_numbers(cover: Classes, roles: Roles) -> Numbers:
    """Number of the connected building of every pixel, 0 for none; (H, W) int32."""
    numbers = np.zeros(cover.shape, dtype=np.int32)
    for index in roles.buildings:
        regions, _ = label(cover == index)
        numbers = np.where(regions, regions + numbers.max(), numbers)
    return numbers
