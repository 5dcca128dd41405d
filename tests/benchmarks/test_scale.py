"""Growth with the scene: supertiles that are said to be alike hold the same pixels."""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import scale

from scdcli.prediction.tiling import Tiling, supertiles


def seen(pair, tile, predictor, *, land_cover, store):
    """What the network sees of every chip, and where it lies in the supertile."""
    top, left = tile.core.row_off, tile.core.col_off
    chips = [
        (each.row_off - top, each.col_off - left, each.row_off % scale.PERIOD, each.col_off)
        for each in tile.chips
    ]
    places = np.array(chips)
    places[:, 3] %= scale.PERIOD
    return {"chips": places, "shape": np.array([tile.core.height, tile.core.width])}


def test_supertiles_are_predicted_once_and_as_they_would_be(tmp_path):
    computed = []

    def compute(*given, **named):
        computed.append(given[1])
        return seen(*given, **named)

    alike = scale.Alike(tmp_path, compute)
    tiles = list(supertiles(14_000, 16_000, Tiling(), around=84))
    for tile in tiles:
        layers = alike(None, tile, None, land_cover=False, store=None)
        expected = seen(None, tile, None, land_cover=False, store=None)
        assert layers.keys() == expected.keys()
        assert all(np.array_equal(layers[name], expected[name]) for name in layers)
    assert len(computed) < len(tiles) // 2
