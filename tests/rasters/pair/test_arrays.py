"""Arrays as a pair."""

import numpy as np
import pytest
from rasterio.windows import Window
from scenes import NORTH_UP, UTM, noise, write_scene

from scdcli.errors import PairError
from scdcli.rasters.grid import Grid
from scdcli.rasters.pair.arrays import pair_of_arrays
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.pair.settings import PairSettings

WINDOW = Window(3, 5, 20, 10)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
@pytest.mark.parametrize("normalize", ["none", "match"])
def test_windows_are_those_of_files(tmp_path, dtype, normalize):
    images = [noise((3, 40, 60), dtype, high=200, seed=seed) for seed in (1, 2)]
    paths = [write_scene(tmp_path / f"{n}.tif", image) for n, image in enumerate(images)]
    settings = PairSettings(normalize=normalize)
    of_arrays = pair_of_arrays(*images, settings)
    with open_pair(*paths, settings) as pair:
        for one, other in zip(of_arrays.read(WINDOW), pair.read(WINDOW), strict=True):
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype


def test_nan_and_masks_are_no_measurement():
    before = noise((2, 40, 60)).astype(np.float32)
    before[1, 5, 3] = np.nan
    after = np.ma.masked_array(noise((2, 40, 60), seed=2), mask=np.zeros((2, 40, 60), bool))
    after[0, 6, 4] = np.ma.masked
    pair = pair_of_arrays(before, after, PairSettings(scale=(0, 255)))
    first, second, valid = pair.read(WINDOW)
    assert np.argwhere(~valid).tolist() == [[0, 0], [1, 1]]
    assert not first[:, ~valid].any()
    assert not second[:, ~valid].any()


def test_arrays_stay_as_they_are():
    images = [noise((3, 40, 60), "float32", seed=seed) for seed in (1, 2)]
    copies = [image.copy() for image in images]
    before, _, _ = pair_of_arrays(*images).read(WINDOW)
    before[:] = 7
    for image, copy in zip(images, copies, strict=True):
        np.testing.assert_array_equal(image, copy)


def test_without_a_grid_pixels_are_pixels():
    images = [noise((3, 40, 60), seed=seed) for seed in (1, 2)]
    assert pair_of_arrays(*images).grid.crs is None
    grid = Grid(40, 60, NORTH_UP, UTM)
    assert pair_of_arrays(*images, grid=grid).grid is grid


@pytest.mark.parametrize(
    ("before", "after", "settings", "words"),
    [
        ((3, 40, 60), (3, 40, 61), {}, r"\(3, 40, 60\), after \(3, 40, 61\)"),
        ((40, 60), (40, 60), {}, r"before has the shape \(40, 60\); give bands"),
        ((3, 0, 60), (3, 0, 60), {}, r"before has the shape \(3, 0, 60\)"),
        ((3, 40, 60), (3, 40, 60), {"bands": (1,)}, "bands is for images in files"),
        ((3, 40, 60), (3, 40, 60), {"bounds": (0, 0, 1, 1)}, "bounds is for images in files"),
    ],
)
def test_what_is_no_pair_is_refused(before, after, settings, words):
    images = [np.zeros(shape, np.uint8) for shape in (before, after)]
    with pytest.raises(PairError, match=words):
        pair_of_arrays(*images, PairSettings(**settings))


def test_another_grid_and_other_types_are_refused():
    image = np.zeros((3, 40, 60), np.uint8)
    with pytest.raises(PairError, match="the arrays have 40 x 60 pixels and the grid 60 x 40"):
        pair_of_arrays(image, image, grid=Grid(60, 40, NORTH_UP, UTM))
    with pytest.raises(PairError, match="before is uint8 and after is float32: no stretch fits"):
        pair_of_arrays(image, image.astype(np.float32))
