"""Parts of images: read where they are small, cut out of the whole picture where they are large."""

import numpy as np
import pytest
from rasterio.windows import Window
from scenes import NORTH_UP

from scdcli.rasters.grid import Grid
from scdcli.rasters.pair.glance import Display
from scdcli.reporting.photos import Photo


class Ramp:
    """A source whose values are columns of the scene divided by 8; remembers what was asked."""

    bytes_as_they_are = True

    def __init__(self):
        self.asked = []

    def read(self, window, shape):
        self.asked.append(window)
        cols = window.col_off + (np.arange(shape[1]) + 0.5) * window.width / shape[1]
        return np.broadcast_to(cols / 8, (3, *shape)).astype(np.float32)


@pytest.fixture
def photo():
    source = Ramp()
    grid = Grid(1000, 2000, NORTH_UP, None)
    display = Display(source)
    whole = display.picture(Window(0, 0, 2000, 1000), (250, 500))
    source.asked.clear()
    return Photo(whole, display, grid)


def test_a_small_part_is_read(photo):
    window = Window(1000, 100, 200, 200)
    photo.look(window, 100)
    assert photo.display.source.asked == [window]


@pytest.mark.parametrize("col", [0, 803, 1200])
def test_a_large_part_is_not_read_again(photo, col):
    seen = photo.look(Window(col, 13, 800, 400), 180)
    assert photo.display.source.asked == []
    assert seen.shape == (90, 180, 3)
    cols = col + (np.arange(180) + 0.5) * 800 / 180
    assert np.abs(seen[:, :, 0] - cols / 8).max() <= 2
