"""Scale and offset that differ between the dates: the same values are the same pixels."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.windows import Window
from scenes import NORTH_UP, noise, write_scene

from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.pair.settings import PairSettings

WHOLE = Window(0, 0, 40, 30)
REFLECTANCE = noise((2, 30, 40), "uint16", 300, 4000)  # ten thousandths


@pytest.fixture
def scene(tmp_path):
    """Writes a scene with a scale and an offset in its tags."""

    def write(name, pixels=REFLECTANCE, scale=None, offset=None, **profile):
        path = write_scene(tmp_path / name, pixels, **profile)
        with rasterio.open(path, "r+") as dataset:
            if scale is not None:
                dataset.scales = np.broadcast_to(scale, len(pixels)).tolist()
                dataset.offsets = np.broadcast_to(offset, len(pixels)).tolist()
        return path

    return write


def read(*paths, **settings):
    with open_pair(*paths, PairSettings(**settings)) as pair:
        return pair.read(WHOLE), pair


def test_sentinel_before_and_after_processing_04_shows_no_change(scene):
    """The offset of -1000 came in January 2022; the reflectance is the same."""
    old = scene("old.tif", scale=1e-4, offset=0.0)
    new = scene("new.tif", REFLECTANCE + 1000, scale=1e-4, offset=-0.1)
    for paths in ((old, new), (new, old)):
        (before, after, valid), pair = read(*paths)
        np.testing.assert_allclose(before, after, atol=1e-3)
        assert valid.all()
        assert pair.provenance["scale_and_offset"]["applied"]
        assert pair.warnings == ()


def test_before_keeps_its_numbers_so_that_a_given_scale_means_what_it_did(scene):
    old = scene("old.tif", scale=1e-4, offset=0.0)
    new = scene("new.tif", REFLECTANCE + 1000, scale=1e-4, offset=-0.1)
    (before, after, _), pair = read(old, new, scale=(0, 2550))
    np.testing.assert_allclose(before, (REFLECTANCE / 10).clip(0, 255), rtol=1e-5)
    np.testing.assert_allclose(after, before, rtol=1e-5)
    (said,) = (note for note in pair.notes if "offset" in note)
    assert said == (
        f"{old} says scale 0.0001, offset 0 and {new} scale 0.0001, offset -0.1; the values of the "
        "second are brought to the scale of the first."
    )
    assert pair.provenance["scale_and_offset"] == {
        "before": {"scale": [1e-4] * 2, "offset": [0.0] * 2},
        "after": {"scale": [1e-4] * 2, "offset": [-0.1] * 2},
        "applied": True,
    }


def test_each_band_has_its_own_tags_and_bands_are_matched_first(scene):
    one = scene("a.tif", scale=(1.0, 2.0), offset=(0.0, 10.0))
    other = scene("b.tif", REFLECTANCE[::-1], scale=(4.0, 1.0), offset=(10.0, 50.0))
    (before, after, _), _ = read(one, other, bands=(1, 2), after_bands=(2, 1), scale=(0, 2.55e4))
    np.testing.assert_allclose(before, REFLECTANCE / 100, rtol=1e-5)
    expected = np.stack([REFLECTANCE[0] + 50.0, (REFLECTANCE[1] * 4.0) / 2])
    np.testing.assert_allclose(after, (expected / 100).clip(0, 255), rtol=1e-5)


def test_a_warped_image_is_brought_to_the_scale_as_well(scene):
    flat = np.full((1, 30, 40), 500, "uint16")
    place = NORTH_UP @ Affine.translation(0.5, 0.5) @ Affine.scale(0.9)
    old = scene("old.tif", flat, scale=1e-4, offset=0.0)
    new = scene("new.tif", flat + 1000, scale=1e-4, offset=-0.1, transform=place)
    (before, after, valid), _ = read(old, new, scale=(0, 2550))
    assert valid.sum() > 500
    np.testing.assert_allclose(after[0][valid], before[0][valid], rtol=1e-5)


def test_bytes_stay_bytes_and_what_leaves_their_range_is_clipped(scene):
    bright = np.array([[[10, 100, 200]]], "uint8")
    one = scene("a.tif", bright, scale=0.01, offset=0.0)
    other = scene("b.tif", bright, scale=0.02, offset=-0.1)
    with open_pair(one, other) as pair:
        before, after, _ = pair.read(Window(0, 0, 3, 1))
    np.testing.assert_array_equal(before, bright)
    np.testing.assert_allclose(after[0, 0], [10, 190, 255], rtol=1e-5)


def test_equal_tags_change_nothing_and_are_not_worth_a_word(scene):
    tags = {"scale": 1e-4, "offset": -0.1}
    (before, after, _), pair = read(scene("a.tif", **tags), scene("b.tif", **tags))
    np.testing.assert_array_equal(before, after)
    assert "scale" not in " ".join(pair.notes)
    assert pair.provenance["scale_and_offset"] is None


def test_only_the_bands_in_use_count(scene):
    one = scene("a.tif", scale=(1.0, 2.0), offset=(0.0, 0.0))
    other = scene("b.tif", scale=(1.0, 3.0), offset=(0.0, 0.0))
    assert read(one, other, bands=(1,))[1].provenance["scale_and_offset"] is None


@pytest.mark.parametrize("first", [False, True])
def test_tags_of_one_date_alone_are_a_warning_with_both_and_not_applied(scene, first):
    said, silent = scene("said.tif", scale=1e-4, offset=-0.1), scene("silent.tif")
    paths = (said, silent) if first else (silent, said)
    (before, after, _), pair = read(*paths)
    np.testing.assert_array_equal(before, after)
    (warning,) = pair.warnings
    assert "scale 0.0001, offset -0.1" in warning
    assert "scale 1, offset 0" in warning
    assert f"gdal_edit.py -scale 0.0001 -offset -0.1 {silent}" in warning
    assert not pair.provenance["scale_and_offset"]["applied"]


@pytest.mark.parametrize("scale", [0.0, np.nan, np.inf])
def test_a_scale_that_is_no_scale_says_nothing(scene, scale):
    one, other = scene("a.tif", scale=scale, offset=0.0), scene("b.tif", scale=1e-4, offset=0.0)
    _, pair = read(one, other)
    assert not pair.provenance["scale_and_offset"]["applied"]
