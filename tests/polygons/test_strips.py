"""Finished rasters are read strip by strip, whole and in order."""

import numpy as np
import pytest
import rasterio
from affine import Affine

from scdcli.errors import InputError
from scdcli.polygons.strips import read_strips


def write(path, array, **options):
    profile = {"driver": "GTiff", "count": 1, "transform": Affine(2, 0, 50, 0, -2, 90), **options}
    shape = {"height": array.shape[0], "width": array.shape[1], "dtype": array.dtype}
    with rasterio.open(path, "w", **profile, **shape) as dataset:
        dataset.write(array, 1)
    return path


@pytest.fixture
def rasters(tmp_path, rng):
    codes = rng.choice(np.array([0, 101, 65535], dtype=np.uint16), (70, 50))
    chances = rng.integers(0, 101, (70, 50), dtype=np.uint8)
    tiles = {"tiled": True, "blockxsize": 16, "blockysize": 32}
    return (
        codes,
        chances,
        write(tmp_path / "t.tif", codes, **tiles),
        write(tmp_path / "p.tif", chances, **tiles),
    )


@pytest.mark.parametrize("strip_pixels", [1, 50 * 7, 10**6])
def test_strips_cover_the_map_in_order(rasters, strip_pixels):
    codes, chances, transition, probability = rasters
    strips = list(read_strips(transition, probability, strip_pixels))
    ends = np.cumsum([len(strip.transition) for strip in strips])
    assert [strip.row for strip in strips] == [0, *ends[:-1]]
    assert max(strip.transition.size for strip in strips) <= max(50, strip_pixels)
    np.testing.assert_array_equal(np.concatenate([s.transition for s in strips]), codes)
    np.testing.assert_array_equal(np.concatenate([s.probability for s in strips]), chances)


def test_rasters_of_different_size_are_refused(rasters, tmp_path):
    other = write(tmp_path / "q.tif", np.zeros((70, 51), dtype=np.uint8))
    with pytest.raises(InputError, match=r"70 x 50 pixels, .*q\.tif has 70 x 51"):
        list(read_strips(rasters[2], other))


def test_a_damaged_raster_is_an_error_and_not_an_empty_map(rasters, tmp_path):
    whole = rasters[2].read_bytes()
    damaged = tmp_path / "damaged.tif"
    damaged.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"damaged\.tif"):
        list(read_strips(damaged, rasters[3]))
