"""Predicted chips kept for the supertiles that follow."""

import numpy as np
from rasterio.windows import Window

from scdcli.prediction.chipstore import PredictedChip, chip_store
from scdcli.prediction.tiling import Tiling, supertiles


def predicted(window, value=0.0):
    values = np.full((2, 4, 4), value, np.float32)
    return PredictedChip(window, np.ones((4, 4), bool), values, again=value % 2 == 1)


def test_chips_are_kept_for_as_long_as_a_supertile_wants_them(tmp_path):
    tiles = list(supertiles(300, 300, Tiling(64, 16, 2)))
    windows = [window for tile in tiles for window in tile.chips]
    assert max(windows.count(window) for window in windows) == 4  # at a corner
    fresh = {}
    with chip_store(tiles, tmp_path / "chips") as store:
        for tile in tiles:
            for window in tile.chips:
                known = store.take(window)
                assert (known is None) == (window not in fresh)
                if known is None:
                    fresh[window] = float(len(fresh))
                    store.keep(predicted(window, fresh[window]))
                else:
                    assert (known.probabilities == fresh[window]).all()
                    assert known.valid.all()
                    assert known.again == (fresh[window] % 2 == 1)
        assert len(fresh) < len(windows)
        assert list((tmp_path / "chips").iterdir()) == []  # none is wanted any more
    assert not (tmp_path / "chips").exists()


def test_a_chip_of_one_supertile_alone_takes_no_room(tmp_path):
    tiles = list(supertiles(100, 100, Tiling(64, 16, 5)))
    assert len(tiles) == 1
    with chip_store(tiles, tmp_path / "chips") as store:
        store.keep(predicted(tiles[0].chips[0]))
        assert not (tmp_path / "chips").exists()


def test_half_a_chip_is_none(tmp_path):
    window = Window(0, 0, 64, 64)
    tiles = list(supertiles(300, 300, Tiling(64, 16, 2))) * 2
    with chip_store(tiles, tmp_path / "chips") as store:
        store.keep(predicted(window))
        (file,) = (tmp_path / "chips").iterdir()
        file.write_bytes(file.read_bytes()[:-20])
        assert store.take(window) is None
