"""Labelled images to take places and pieces from, found by what they show."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scdcli.errors import DatasetError
from scdcli.simulation.compose.roles import Roles
from scdcli.simulation.compose.scene import Aim, LabelledImage, Scene, View, view

STEP = 8  # every so many pixels is looked at when something is searched


@dataclass(frozen=True)
class Contents:
    """What an image holds, from every eighth pixel.

    Attributes:
        cover: Class index, (h, w) uint8.
        seen: Where there is a measurement, (h, w) bool.
        pixel_size: Ground resolution of the image in meters.
    """

    cover: NDArray[np.uint8]
    seen: NDArray[np.bool_]
    pixel_size: float

    @property
    def area(self) -> float:
        """Measured ground, in square meters."""
        return float(self.seen.sum()) * (STEP * self.pixel_size) ** 2


class Library:
    """Images to draw from; a place is as likely as its share of the ground, pieces by class."""

    def __init__(
        self, images: Sequence[LabelledImage], contents: Sequence[Contents], roles: Roles
    ) -> None:
        """Take the images, which may be read when asked for, and what each holds."""
        self.images = images
        self.contents = list(contents)
        self.roles = roles
        # The root: large images lead, small ones are still met.
        areas = np.array([found.area for found in contents]) ** 0.5
        if not areas.sum() > 0:
            raise DatasetError(
                "none of the labelled images has a measured pixel; check their nodata values."
            )
        self.odds = areas / areas.sum()
        counts = [
            np.bincount(found.cover[found.seen], minlength=256)[1 : roles.classes + 1]
            for found in contents
        ]
        held = np.array(counts, dtype=float) ** 0.5
        total = held.sum(axis=0)
        self.class_odds = np.divide(held, total, out=np.zeros_like(held), where=total > 0)
        self.classes = tuple(int(k) + 1 for k in np.flatnonzero(total > 0))

    def finest(self, pixel_size: float) -> NDArray[np.float64]:
        """Odds of images to be a place: those too coarse for this pixel size count little."""
        blur = np.array([found.pixel_size for found in self.contents]) / pixel_size
        odds = self.odds * np.where(blur <= 1.5, 1.0, 1e-3 / blur)
        return np.asarray(odds / odds.sum())

    def place(self, rng: np.random.Generator, size: tuple[int, int], pixel_size: float) -> Scene:
        """A random view that is mostly measured; the best of some tries."""
        best: View | None = None
        rank = -1.0
        for _ in range(8):
            index = int(rng.choice(len(self.odds), p=self.finest(pixel_size)))
            found = self._view(rng, index, None, size, pixel_size)
            # Labelled pixels teach most; a place of one class only teaches little.
            known = float(((found.cover >= 1) & (found.cover <= self.roles.classes)).mean())
            kinds = len(np.unique(found.cover[::4, ::4]))
            score = float(found.seen.mean()) + 0.5 * known + 0.1 * min(kinds, 3)
            if score > rank:
                best, rank = found, score
            if found.seen.mean() > 0.9 and kinds >= 3:
                break
        assert best is not None
        return best.scene(self.roles)

    def around(
        self, rng: np.random.Generator, index: int, size: tuple[int, int], pixel_size: float
    ) -> View | None:
        """A view whose middle is a random pixel of a class; None where no image has it."""
        if index not in self.classes:
            return None
        image = int(rng.choice(len(self.odds), p=self.class_odds[:, index - 1]))
        return self._view(rng, image, index, size, pixel_size)

    def colors(self, index: int) -> NDArray[np.float32]:
        """Of an image's measured pixels, (3, 1, N) from 0 to 1; of every fourth row and column."""
        image = self.images[index]
        part = image.seen[::4, ::4]
        # A sliver may be measured between these.
        few = image.image[:, ::4, ::4][:, part] if part.any() else image.image[:, image.seen]
        return np.asarray(few[:, None].astype(np.float32) / np.float32(255))

    def _view(
        self,
        rng: np.random.Generator,
        image: int,
        index: int | None,
        size: tuple[int, int],
        pixel_size: float,
    ) -> View:
        held = self.contents[image]
        wanted = held.seen if index is None else (held.cover == index) & held.seen
        spots = np.argwhere(wanted)
        middle = (spots[rng.integers(len(spots))] + rng.random(2)) * STEP
        quarter = float(rng.integers(4)) * np.pi / 2
        turned = quarter + (float(rng.uniform(0, np.pi / 2)) if rng.random() < 0.5 else 0.0)
        center = (float(middle[0]), float(middle[1]))
        aim = Aim(center, size, pixel_size, turned, bool(rng.random() < 0.5))
        return view(self.images[image], aim)


def contents_of(image: LabelledImage) -> Contents:
    """What an image holds."""
    part = (slice(STEP // 2, None, STEP), slice(STEP // 2, None, STEP))
    return Contents(image.cover[part], image.seen[part], image.pixel_size)
