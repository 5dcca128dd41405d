"""What edits are drawn from: a library, chance, and the light of the place."""

from dataclasses import replace

import numpy as np

from scdcli.simulation.compose.library import Library
from scdcli.simulation.compose.paint import class_color
from scdcli.simulation.compose.pieces import Piece
from scdcli.simulation.compose.scene import Field, Scene


class Studio:
    """What the edits of one place are drawn from.

    Attributes:
        library: Where pieces come from.
        rng: The only source of chance.
        pixel_size: Ground resolution of the place in meters.
        colors: Mean color of the place by class, (3,) in 0..1; under None that of all its pixels.
        buildings: The highest number of a building so far: no two share a number.
    """

    def __init__(
        self, library: Library, rng: np.random.Generator, pixel_size: float, place: Scene
    ) -> None:
        """Measure the colors of the place."""
        self.library = library
        self.rng = rng
        self.pixel_size = pixel_size
        self.buildings = int(place.objects.max())
        self.colors: dict[int | None, Field] = {}
        image, cover = place.image[:, ::3, ::3], place.cover[::3, ::3]
        valid = place.valid[::3, ::3]
        masks = {index: (cover == index) & valid for index in library.classes}
        for index, mask in (*masks.items(), (None, valid)):
            color = class_color(image, mask)
            if color is not None:
                self.colors[index] = color

    def renumber(self, piece: Piece) -> Piece:
        """The piece with fresh numbers for its buildings."""
        numbers, objects = np.unique(piece.objects, return_inverse=True)
        objects = objects.reshape(piece.objects.shape) + self.buildings + 1
        self.buildings += len(numbers)
        return replace(piece, objects=np.where(piece.objects > 0, objects, 0).astype(np.int32))

    def in_light_of_place(self, piece: Piece) -> Piece:
        """The piece in about the light of the place.

        The factor per band is the ratio of the colors of a class of ground, or of vegetation, that
        both show, and without one of all their pixels.
        """
        own, other = piece.image.mean(axis=(1, 2)), self.colors.get(None)
        for index in (*self.library.roles.ground, *self.library.roles.vegetation):
            here, there = class_color(piece.image, piece.cover == index), self.colors.get(index)
            if here is not None and there is not None:
                own, other = here, there
                break
        if other is None:
            return piece
        gain = np.clip((other + 0.02) / (own + 0.02), 0.4, 2.5) ** self.rng.uniform(0.5, 1.0)
        # One factor for all bands would keep the piece's own color, three would make it gray.
        gain = (gain.mean() ** 0.6 * gain**0.4).astype(np.float32)
        image = np.clip(piece.image * gain[:, None, None], 0, 1)
        return replace(piece, image=np.asarray(image, dtype=np.float32))
