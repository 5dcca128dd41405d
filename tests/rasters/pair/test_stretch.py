import numpy as np
import pytest
from rasterio.windows import Window
from scenes import noise, ramp, write_scene

from scdcli.errors import PairError
from scdcli.rasters.pair.stretch import Stretch, fixed_stretch, joint_stretch, sample
from scdcli.rasters.scene import open_scene, scene_reader


def test_the_range_is_that_of_both_dates_together():
    before = np.linspace(0, 1000, 500, dtype=np.float32)[None]
    after = np.linspace(1000, 3000, 500, dtype=np.float32)[None]
    both = np.concatenate([before, after], axis=1)
    stretch = joint_stretch([before, after])
    assert stretch.low == pytest.approx((np.percentile(both, 2),))
    assert stretch.high == pytest.approx((np.percentile(both, 98),))


def test_bands_have_ranges_of_their_own_and_nodata_has_no_say():
    values = np.array([[10, 20, np.nan, 30], [1, 2, 9000, 3]], np.float32)
    stretch = joint_stretch([values])
    assert stretch.low == pytest.approx((10.4, 1.04))
    assert stretch.high == pytest.approx((29.6, 2.96))


def test_a_constant_band_does_not_divide_by_zero():
    stretch = joint_stretch([np.full((1, 9), 7, np.float32)])
    assert stretch.apply(np.full((1, 2, 2), 7, np.float32)).tolist() == [[[0, 0], [0, 0]]]


def test_nothing_measured_is_refused():
    with pytest.raises(PairError, match="neither a.tif nor b.tif has a measured pixel"):
        joint_stretch([np.full((1, 9), np.nan, np.float32)], ("a.tif", "b.tif"))


def test_values_are_mapped_and_clipped_and_nan_stays():
    pixels = np.array([[[0, 100, 200, 300, np.nan]]], np.float32)
    stretched = Stretch((100,), (200,)).apply(pixels)
    np.testing.assert_array_equal(stretched, np.array([[[0, 0, 255, 255, np.nan]]], np.float32))
    assert stretched.dtype == np.float32


def test_an_empty_scale_is_refused():
    with pytest.raises(PairError, match="--scale 5,5 is empty"):
        fixed_stretch((5, 5), 3)


def test_a_short_scene_is_sampled_whole(tmp_path):
    pixels = noise((2, 130, 70), "uint16")
    path = write_scene(tmp_path / "a.tif", pixels)
    with open_scene(path) as dataset:
        values = sample(scene_reader(dataset, (1, 2), path), Window(0, 0, 70, 130))
        part = sample(scene_reader(dataset, (2,), path), Window(3, 20, 10, 100))
    np.testing.assert_array_equal(np.sort(values), np.sort(pixels.reshape(2, -1)))
    np.testing.assert_array_equal(np.sort(part), np.sort(pixels[1:, 20:120, 3:13].reshape(1, -1)))


def test_a_large_scene_is_sampled_from_edge_to_edge(tmp_path):
    pixels = ramp(5000, 100)
    path = write_scene(tmp_path / "a.tif", pixels, tiled=True)
    with open_scene(path) as dataset:
        values = sample(scene_reader(dataset, (1,), path), Window(0, 0, 100, 5000))
    assert values.shape == (1, 16 * 64 * 100)
    assert (values.min(), values.max()) == (pixels.min(), pixels.max())
