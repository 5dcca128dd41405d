"""A supertile as it is kept and written: its layers by name."""

import numpy as np

from scdcli.prediction.chain import Predictor, predict_supertile
from scdcli.prediction.chipstore import ChipStore
from scdcli.prediction.journal import Layers, UnfinishedSupertile
from scdcli.prediction.tiling import Supertile
from scdcli.rasters.pair.open import Pair

COVERS = ("before_cover", "after_cover")


def compute_layers(
    pair: Pair,
    tile: Supertile,
    predictor: Predictor,
    *,
    land_cover: bool,
    store: ChipStore | None = None,
    unfinished: UnfinishedSupertile | None = None,
) -> Layers:
    """Predict a supertile.

    Args:
        pair: The two scenes.
        tile: The supertile.
        predictor: Model and how to run it.
        land_cover: Whether the class of every pixel at each date is wanted, too.
        store: Chips that other supertiles have predicted, and gets those that others want.
        unfinished: What an earlier run left of it.

    Returns:
        Maps of the core, (H, W) uint8 by the names of their rasters, and ``cleaning``, how many
        pixels cleaning has changed.

    Raises:
        InputError: An image cannot be read.
        ModelError: The network gives values that are not numbers.
    """
    maps, cleaning = predict_supertile(pair, tile, predictor, store, unfinished)
    layers = {"from": maps.from_class, "to": maps.to_class, "probability": maps.probability}
    if land_cover:
        layers |= dict(zip(COVERS, (maps.before_cover, maps.after_cover), strict=True))
    return layers | {"cleaning": np.array(cleaning)}
