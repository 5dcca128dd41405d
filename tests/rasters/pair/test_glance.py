"""A pair read coarsely shows what it shows pixel by pixel."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.windows import Window
from scenes import NORTH_UP, ramp, write_scene

from scdcli.rasters.pair.arrays import pair_of_arrays
from scdcli.rasters.pair.glance import display_of, small_shape
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.pair.settings import PairSettings

WINDOW = Window(20, 12, 60, 48)


def averaged(pixels, factor=6):
    count, height, width = pixels.shape
    cells = (count, height // factor, factor, width // factor, factor)
    return pixels.reshape(cells).mean(axis=(2, 4))


@pytest.fixture
def before(tmp_path):
    return write_scene(tmp_path / "before.tif", ramp(100, 120))


@pytest.mark.parametrize(
    ("transform", "crs", "shift"),
    [
        (NORTH_UP @ Affine.translation(-9, -5), "EPSG:32650", (0.0, 0.0)),
        (NORTH_UP @ Affine.translation(-9, -5), "EPSG:32650", (2.0, -3.0)),
        (NORTH_UP @ Affine.translation(-9.5, -5.25), "EPSG:32650", (0.0, 0.0)),
        (NORTH_UP @ Affine.translation(-9, -5), "EPSG:32650", (0.5, 0.25)),
        (NORTH_UP @ Affine.translation(-9, -5) @ Affine.rotation(3), "EPSG:32650", (0.0, 0.0)),
    ],
)
def test_a_coarse_window_is_the_average_of_the_fine_one(before, tmp_path, transform, crs, shift):
    after = write_scene(tmp_path / "after.tif", ramp(130, 160), transform, crs)
    with open_pair(before, after, PairSettings(shift=shift)) as pair:
        for source, read in zip(pair.glances, (pair.read_before, pair.read_after), strict=True):
            wanted = averaged(read(WINDOW))
            found = source.read(WINDOW, (8, 10))
            assert np.abs(found - wanted).max() < 0.5


def test_what_lies_outside_or_is_not_measured_is_nan(before, tmp_path):
    pixels = ramp(100, 120)
    pixels[:, :40] = -1
    after = write_scene(
        tmp_path / "after.tif", pixels, NORTH_UP @ Affine.translation(60, 0), nodata=-1
    )
    with open_pair(before, after) as pair:
        found = pair.glances[1].read(Window(0, 0, 120, 100), (10, 12))
    assert np.isnan(found[0, :4]).all()
    assert np.isnan(found[0, :, :6]).all()
    assert np.isfinite(found[0, 4:, 6:]).all()


def test_without_a_crs_pixels_lie_on_pixels(tmp_path):
    paths = [write_scene(tmp_path / f"{n}.tif", ramp(60, 60) + n, crs=None) for n in (0, 1)]
    with open_pair(*paths, PairSettings(shift=(0.5, 0.0))) as pair:
        first, second = (source.read(Window(6, 6, 48, 48), (8, 8)) for source in pair.glances)
    assert (second - first) == pytest.approx(0.5, abs=0.05)


def test_overviews_are_read_where_there_are_some(before, tmp_path):
    with rasterio.open(before, "r+") as dataset:
        dataset.build_overviews([2, 4], rasterio.enums.Resampling.average)
    with rasterio.open(before, "r+", OVERVIEW_LEVEL=1) as coarse:
        coarse.write(np.full((1, *coarse.shape), 77, dtype=np.float32))
    with open_pair(before, before, PairSettings(scale=(0, 255))) as pair:
        assert (pair.glances[0].read(Window(0, 0, 120, 100), (25, 30)) == 77).all()


def test_arrays_are_read_in_steps(rng):
    image = rng.integers(0, 255, (3, 90, 120)).astype(np.uint8)
    pair = pair_of_arrays(image, image)
    found = pair.glances[0].read(Window(10, 20, 60, 30), (10, 20))
    assert (found == image[:, 20:50, 10:70][:, 1::3, 1::3]).all()


def test_bytes_are_shown_as_they_are_and_other_values_by_their_range(before, tmp_path):
    image = np.arange(3 * 40 * 50, dtype=np.uint32).reshape(3, 40, 50)
    bytes_ = write_scene(tmp_path / "bytes.tif", (image % 251).astype(np.uint8))
    whole = Window(0, 0, 50, 40)
    with open_pair(bytes_, bytes_) as pair:
        source = pair.glances[0]
        shown = display_of(source, source.read(whole, (40, 50))).picture(whole, (40, 50))
    assert (np.moveaxis(shown, -1, 0) == image % 251).all()
    with open_pair(before, before, PairSettings(scale=(0, 255))) as pair:
        source = pair.glances[0]
        shown = display_of(source, source.read(WINDOW, (48, 60))).picture(WINDOW, (48, 60))
    assert shown.shape == (48, 60, 3)
    assert (shown[0, 0] == 0).all()
    assert (shown[-1, -1] == 255).all()


@pytest.mark.parametrize(
    ("shape", "small"),
    [((3000, 100), (200, 7)), ((9999, 1), (200, 1)), ((150, 200), (150, 200)), ((1, 1), (1, 1))],
)
def test_small_shapes_keep_their_proportions(shape, small):
    assert small_shape(shape, 200) == small
