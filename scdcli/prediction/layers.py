"""Supertiles as they are kept and written: their layers by name."""

from collections.abc import Generator, Iterable, Sequence
from contextlib import closing

import numpy as np

from scdcli.prediction.chain import Predictor, read_supertiles
from scdcli.prediction.chipstore import ChipStore
from scdcli.prediction.journal import Layers, UnfinishedSupertile
from scdcli.prediction.looks import looks_of
from scdcli.prediction.tiling import Supertile
from scdcli.rasters.pair.open import Pair

COVERS = ("before_cover", "after_cover")


def compute_layers(
    pair: Pair,
    tiles: Sequence[Supertile],
    predictor: Predictor,
    *,
    land_cover: bool,
    store: ChipStore | None = None,
    unfinished: Iterable[UnfinishedSupertile] | None = None,
) -> Generator[Layers, None, None]:
    """Predict supertiles, one after the other; see `read_supertiles`.

    Args:
        pair: The two scenes.
        tiles: The supertiles.
        predictor: Model and how to run it.
        land_cover: Whether the class of every pixel at each date is wanted, too.
        store: Chips that other supertiles have predicted, and gets those that others want.
        unfinished: What an earlier run left of each.

    Yields:
        Maps of a core, (H, W) uint8 by the names of their rasters; ``cleaning``, how many
        pixels cleaning has changed; and ``looks``, the chips as `looks_of` gives them.

    Raises:
        InputError: An image cannot be read.
        ModelError: The network gives values that are not numbers.
    """
    with closing(read_supertiles(pair, tiles, predictor, store, unfinished)) as read:
        for predicted in read:
            maps = predicted.maps
            layers = {"from": maps.from_class, "to": maps.to_class, "probability": maps.probability}
            if land_cover:
                layers |= dict(zip(COVERS, (maps.before_cover, maps.after_cover), strict=True))
            counted = {"cleaning": np.array(predicted.cleaning), "looks": looks_of(predicted.looks)}
            yield layers | counted
