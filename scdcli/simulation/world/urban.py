"""The drawn world in the classes of the legend `urban`."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from scdcli.simulation.world.materials import (
    BUILDING,
    GROUND,
    LOW_VEGETATION,
    PLAYGROUND,
    TREE,
    WATER,
)
from scdcli.simulation.world.pair import WorldPair

ROAD = 3  # of `legend.URBAN`
UNKNOWN = 255  # a sports ground is lawn or court: neither one class nor the other
CLASSES = {WATER: 1, GROUND: 2, BUILDING: 4, LOW_VEGETATION: 5, TREE: 5, PLAYGROUND: UNKNOWN}


def in_urban_classes(pair: WorldPair) -> WorldPair:
    """The pair with water, ground, road (asphalt), building and vegetation.

    Where a class is not known at either date the land cover holds 255; the change does too, where
    something changed. A tree in place of a lawn is no change here.
    """
    table = np.zeros(max(CLASSES) + 1, dtype=np.uint8)
    for drawn, index in CLASSES.items():
        table[drawn] = index

    def covered(drawn: NDArray[np.uint8], sealed: NDArray[np.bool_]) -> NDArray[np.uint8]:
        return np.where(sealed & (drawn == GROUND), np.uint8(ROAD), table[drawn])

    cover1, cover2 = covered(pair.cover1, pair.sealed1), covered(pair.cover2, pair.sealed2)
    rebuilt = (pair.from_class == BUILDING) & (pair.to_class == BUILDING)
    changed = (cover1 != cover2) | rebuilt
    unknown = (cover1 == UNKNOWN) | (cover2 == UNKNOWN)

    def where_changed(cover: NDArray[np.uint8]) -> NDArray[np.uint8]:
        index = np.where(changed, cover, np.uint8(0))
        return np.where(changed & unknown, np.uint8(UNKNOWN), index)

    return replace(
        pair,
        cover1=cover1,
        cover2=cover2,
        from_class=where_changed(cover1),
        to_class=where_changed(cover2),
    )
