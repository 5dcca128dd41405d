"""A labelled pair from labelled images: a place, the edits done to it, and two photographs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scdcli.legend import NODATA, UNCHANGED
from scdcli.simulation.camera.look import Look, draw_looks, photograph
from scdcli.simulation.camera.radiometry import palette
from scdcli.simulation.compose.edits import draw_edit, replaced_building
from scdcli.simulation.compose.library import Library
from scdcli.simulation.compose.roles import Roles
from scdcli.simulation.compose.scene import Classes, Scene
from scdcli.simulation.compose.studio import Studio
from scdcli.simulation.pairset import MadePair, change_maps

MOST_EDITS = 14
BOTH, BEFORE, AFTER, REPLACED = range(4)  # the dates an edit is done to; a building replaced
FATES = (0.3, 0.26, 0.32, 0.12)  # odds of these


@dataclass(frozen=True)
class Composition:
    """How pairs are composed.

    Attributes:
        size: Height and width in pixels.
        pixel_size: Finest and coarsest ground resolution in meters.
        change: Share of changed pixels of a pair in which something changed, on average.
        unchanged: Share of pairs in which nothing changed.
        strength: Of the differences that are no change; 0 none, 1 as between real dates.
    """

    size: int = 512
    pixel_size: tuple[float, float] = (0.5, 1.2)
    change: float = 0.2
    unchanged: float = 0.2
    strength: float = 1.0


def compose_pair(library: Library, settings: Composition, seed: int | tuple[int, ...]) -> MadePair:
    """Compose a pair; the same arguments always give the same pixels."""
    edit_rng, look_rng, *date_rngs = (
        np.random.default_rng(each) for each in np.random.SeedSequence(seed).spawn(4)
    )
    low, high = np.log(settings.pixel_size)
    pixel_size = float(np.exp(edit_rng.uniform(low, high)))
    place = library.place(edit_rng, (settings.size, settings.size), pixel_size)
    first, second = _dates(Studio(library, edit_rng, pixel_size, place), place, settings)
    palettes = [
        palette(library.colors(int(i)))
        for i in look_rng.choice(len(library.odds), size=2, p=library.odds)
    ]
    looks = draw_looks(look_rng, strength=settings.strength, palettes=palettes)
    pictures = [
        _photograph(date, look, library.roles, rng)
        for date, look, rng in zip((first, second), looks, date_rngs, strict=True)
    ]
    from_class, to_class = changes(first, second)
    for index in (from_class, to_class):
        index[~place.valid] = NODATA
    for picture in pictures:
        picture[:, ~place.valid] = 0
    return MadePair(pictures[0], pictures[1], first.cover, second.cover, from_class, to_class)


def changes(first: Scene, second: Scene) -> tuple[Classes, Classes]:
    """Class before and after where it changed, 0 elsewhere, (H, W) uint8 each.

    A building in the place of another one is a change. Where the ground is another but the class
    is not known at either date, both hold 255.
    """
    rebuilt = (first.objects > 0) & (second.objects > 0) & (first.objects != second.objects)
    return change_maps(first.cover, second.cover, rebuilt)


def _dates(studio: Studio, place: Scene, settings: Composition) -> tuple[Scene, Scene]:
    """The place before and after its edits."""
    rng = studio.rng
    first = second = place
    share = float(rng.gamma(2.0, settings.change / 2.0))
    still = rng.random() < settings.unchanged
    for _ in range(MOST_EDITS):
        fate = BOTH if still else int(rng.choice(4, p=FATES))
        # Drawn on the later date where both differ: it has most to stand in the way.
        if fate == REPLACED:
            both = replaced_building(studio, second)
            if both is not None:
                first, second = both[0](first), both[1](second)
        else:
            edit = draw_edit(studio, second)
            if edit is not None:
                first = first if fate == AFTER else edit(first)
                second = second if fate == BEFORE else edit(second)
        if still and rng.random() < 0.4:
            break
        if not still and (changes(first, second)[0] != UNCHANGED).mean() >= share:
            break
    return first, second


def _photograph(
    date: Scene, look: Look, roles: Roles, rng: np.random.Generator
) -> NDArray[np.uint8]:
    return photograph(
        date.image,
        look,
        rng,
        vegetation=np.isin(date.cover, list(roles.vegetation)),
        buildings=date.objects,
        water=np.isin(date.cover, list(roles.water)),
    )
