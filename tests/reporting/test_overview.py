"""Maps made small: the classes of their overviews, within limits."""

import numpy as np
from changemaps import UTM
from rasterio.windows import Window
from scenes import NORTH_UP

from scdcli.legend import SECOND
from scdcli.rasters.cog import PROBABILITY_MAP, TRANSITION_MAP, cog_writer
from scdcli.rasters.grid import Grid
from scdcli.reporting.finished import Finished
from scdcli.reporting.overview import read_overview


def write_maps(folder, transition):
    grid = Grid(*transition.shape, NORTH_UP, UTM)
    chances = np.where(transition == 65535, 255, np.where(transition > 0, 80, 3)).astype(np.uint8)
    for name, array, kind in (
        ("transition.tif", transition, TRANSITION_MAP),
        ("probability.tif", chances, PROBABILITY_MAP),
    ):
        with cog_writer(folder / name, grid, kind) as write:
            write(array, Window(0, 0, *transition.shape[::-1]))
    return Finished(folder, {}, SECOND, grid)


def test_a_small_map_is_shown_pixel_by_pixel(tmp_path, rng):
    codes = rng.choice([0, 102, 305, 65535], (40, 70)).astype(np.uint16)
    overview = read_overview(write_maps(tmp_path, codes))
    assert overview.step == 1
    assert (overview.from_class == np.where(codes == 65535, 255, codes // 100)).all()
    assert (overview.to_class == np.where(codes == 65535, 255, codes % 100)).all()
    assert (overview.confidence == np.where((codes > 0) & (codes < 65535), 80, 0)).all()


def test_a_large_map_is_shown_by_its_most_frequent_classes(tmp_path, rng):
    squares = rng.choice([0, 102, 305, 65535], (80, 150))
    codes = np.kron(squares, np.ones((8, 8))).astype(np.uint16)
    overview = read_overview(write_maps(tmp_path, codes), longest=200)
    assert overview.step == 8
    assert overview.shape == (80, 150)
    assert (overview.from_class == np.where(squares == 65535, 255, squares // 100)).all()
    assert overview.coarser().step == 16
    assert (overview.coarser().to_class == overview.to_class[::2, ::2]).all()
