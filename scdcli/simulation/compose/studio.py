"""What edits are drawn from: a library, chance, and the light of the place."""

from dataclasses import dataclass, replace

import numpy as np

from scdcli.simulation.compose.library import Library
from scdcli.simulation.compose.paint import class_color
from scdcli.simulation.compose.pieces import Piece, recolored
from scdcli.simulation.compose.scene import Field, Scene


@dataclass
class Studio:
    """What edits are drawn from.

    Attributes:
        library: Where pieces come from.
        rng: The only source of chance.
        pixel_size: Ground resolution of the place in meters.
        colors: Mean color of the place by class, and by None of all.
        numbers: The highest number of a building so far: no two have the same.
    """

    library: Library
    rng: np.random.Generator
    pixel_size: float
    colors: dict[int | None, Field]
    numbers: int

    def numbered(self, piece: Piece) -> Piece:
        """The piece with fresh numbers for its buildings."""
        found, objects = np.unique(piece.objects, return_inverse=True)
        objects = objects.reshape(piece.objects.shape) + self.numbers + 1
        self.numbers += len(found)
        return replace(piece, objects=np.where(piece.objects > 0, objects, 0).astype(np.int32))

    def suited(self, piece: Piece) -> Piece:
        """The piece in about the light of the place: the ratio of a ground color in both."""
        own, other = piece.image.mean(axis=(1, 2)), self.colors.get(None)
        for index in (*self.library.roles.ground, *self.library.roles.vegetation):
            here, there = class_color(piece.image, piece.cover == index), self.colors.get(index)
            if here is not None and there is not None:
                own, other = here, there
                break
        if other is None:
            return piece
        gain = np.clip((other + 0.02) / (own + 0.02), 0.4, 2.5) ** self.rng.uniform(0.5, 1.0)
        # Not gray for gray: one factor for all bands keeps most of the piece's own color.
        gain = gain.mean() ** 0.6 * gain**0.4
        return recolored(piece, gain.astype(np.float32))


def studio_for(
    library: Library, rng: np.random.Generator, pixel_size: float, place: Scene
) -> Studio:
    """A studio for a place."""
    colors: dict[int | None, Field] = {}
    thin = place.image[:, ::3, ::3], place.cover[::3, ::3], place.seen[::3, ::3]
    masks = {index: (thin[1] == index) & thin[2] for index in library.classes}
    for index, mask in (*masks.items(), (None, thin[2])):
        color = class_color(thin[0], mask)
        if color is not None:
            colors[index] = color
    return Studio(library, rng, pixel_size, colors, int(place.objects.max()))
