"""Labelled images that places and pieces are taken from, and which of them shows which class."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scdcli.errors import DatasetError
from scdcli.simulation.compose.roles import Roles
from scdcli.simulation.compose.scene import Aim, LabelledImage, Scene, View, building_numbers, view

STEP = 8  # classes are searched in every eighth row and column


@dataclass(frozen=True)
class Contents:
    """What a labelled image shows, from every eighth row and column.

    Attributes:
        cover: Class index, (h, w) uint8.
        valid: Where there is a measurement, (h, w) bool.
        pixel_size: Ground resolution of the image in meters.
    """

    cover: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    pixel_size: float

    @property
    def area(self) -> float:
        """Measured ground, in square meters."""
        return float(self.valid.sum()) * (STEP * self.pixel_size) ** 2


class Library:
    """Labelled images to take places and pieces from.

    Attributes:
        images: The images; a sequence that reads them on demand will do.
        roles: What the classes are in a picture.
        contents: What each image shows.
        odds: Of each image to be the place of a pair, (N,); sums to 1.
        class_odds: Of each image to lend a piece of each class, (N, K).
        classes: Indices of the classes that some image shows.
    """

    def __init__(self, images: Sequence[LabelledImage], roles: Roles) -> None:
        """Go through all images once.

        Raises:
            DatasetError: No image has a measured pixel.
        """
        self.images = images
        self.roles = roles
        self.contents = [contents_of(image) for image in images]
        # With the square root of areas, large images lead but small ones are still drawn.
        areas = np.array([each.area for each in self.contents]) ** 0.5
        if not areas.sum() > 0:
            raise DatasetError(
                "none of the labelled images has a measured pixel; check their nodata values."
            )
        self.odds = areas / areas.sum()
        counts = [
            np.bincount(each.cover[each.valid], minlength=256)[1 : roles.classes + 1]
            for each in self.contents
        ]
        weights = np.array(counts, dtype=float) ** 0.5
        total = weights.sum(axis=0)
        self.class_odds = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
        self.classes = tuple(int(k) + 1 for k in np.flatnonzero(total > 0))

    def place(self, rng: np.random.Generator, size: tuple[int, int], pixel_size: float) -> Scene:
        """A random view of an image as a scene: the best of up to eight tries.

        Args:
            rng: Source of chance.
            size: Height and width of the scene.
            pixel_size: Ground resolution of the scene in meters; images that are too coarse for it
                are hardly ever drawn.
        """
        blur = np.array([each.pixel_size for each in self.contents]) / pixel_size
        odds = self.odds * np.where(blur <= 1.5, 1.0, 1e-3 / blur)
        odds = odds / odds.sum()
        tries: list[tuple[float, View]] = []
        for _ in range(8):
            place = self._view(rng, int(rng.choice(len(odds), p=odds)), None, size, pixel_size)
            # Labelled pixels teach most; a place of one class only teaches little.
            known = float(((place.cover >= 1) & (place.cover <= self.roles.classes)).mean())
            kinds = len(np.unique(place.cover[::4, ::4]))
            tries.append((float(place.valid.mean()) + 0.5 * known + 0.1 * min(kinds, 3), place))
            if place.valid.mean() > 0.9 and kinds >= 3:
                break
        _, best = max(tries, key=lambda scored: scored[0])
        objects = building_numbers(best.cover, self.roles)
        return Scene(best.image(), best.cover, objects, best.valid)

    def around(
        self, rng: np.random.Generator, index: int, size: tuple[int, int], pixel_size: float
    ) -> View | None:
        """A view centered on a random pixel of a class; None where no image shows the class."""
        if index not in self.classes:
            return None
        image = int(rng.choice(len(self.odds), p=self.class_odds[:, index - 1]))
        return self._view(rng, image, index, size, pixel_size)

    def colors(self, index: int) -> NDArray[np.float32]:
        """Colors of measured pixels in every fourth row and column, (3, 1, N) in 0..1."""
        image = self.images[index]
        part = image.valid[::4, ::4]
        # Where all measured pixels lie between these rows and columns, they all count.
        few = image.image[:, ::4, ::4][:, part] if part.any() else image.image[:, image.valid]
        return np.asarray(few[:, None].astype(np.float32) / np.float32(255))

    def _view(
        self,
        rng: np.random.Generator,
        image: int,
        index: int | None,
        size: tuple[int, int],
        pixel_size: float,
    ) -> View:
        contents = self.contents[image]
        wanted = contents.valid if index is None else (contents.cover == index) & contents.valid
        spots = np.argwhere(wanted)
        row, col = ((spots[rng.integers(len(spots))] + rng.random(2)) * STEP).tolist()
        angle = float(rng.integers(4)) * np.pi / 2
        angle += float(rng.uniform(0, np.pi / 2)) if rng.random() < 0.5 else 0.0
        aim = Aim((row, col), size, pixel_size, angle, mirrored=bool(rng.random() < 0.5))
        return view(self.images[image], aim)


def contents_of(image: LabelledImage) -> Contents:
    """What an image shows."""
    part = (slice(STEP // 2, None, STEP), slice(STEP // 2, None, STEP))
    return Contents(image.cover[part], image.valid[part], image.pixel_size)
