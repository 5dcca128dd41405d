"""Pixels of a size that a model does not know are said, with what to do."""

import re

import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS
from scenes import noise, write_scene

from scdcli.models.requirements import Requirements
from scdcli.prediction.fit import judge_fit, size_range, wrong_bands
from scdcli.rasters.grid import Grid
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.pair.settings import PairSettings

URBAN = Requirements("urban", 3, (0.3, 1.2))


class OnGrid:
    """A pair of which only the place counts."""

    def __init__(self, size, crs="EPSG:32650", top=4_000_000):
        across, down = size if isinstance(size, tuple) else (size, size)
        place = Affine(across, 0, 500_000 if top > 90 else 10, 0, -down, top)
        self.grid = Grid(200, 100, place, CRS.from_string(crs) if crs else None)


def test_coarse_pixels_are_a_warning_with_both_sizes_and_what_to_do():
    assert judge_fit(URBAN, OnGrid(4.0)).warnings == (
        "The pixels are 4 m; the model urban was trained for 0.3 to 1.2 m: expect errors; resample "
        "both images with gdalwarp -r cubic -tr 1.2 1.2, which brings no detail back, or "
        "train a model for this resolution (scd train --init urban).",
    )


def test_fine_pixels_are_to_be_averaged():
    (said,) = judge_fit(URBAN, OnGrid(0.05)).warnings
    assert "The pixels are 0.05 m; the model urban was trained for 0.3 to 1.2 m" in said
    assert "gdalwarp -r average -tr 0.3 0.3 or train" in said


def test_nobody_is_told_to_make_thirty_pixels_of_one():
    (said,) = judge_fit(URBAN, OnGrid(30.0)).warnings
    assert "gdalwarp" not in said
    assert "expect errors; train a model for this resolution (scd train --init urban)." in said


def test_a_model_file_is_named_as_it_was_given():
    own = URBAN._replace(name="best.safetensors", given="my runs/own/best.safetensors")
    (said,) = judge_fit(own, OnGrid(4.0)).warnings
    assert "the model best.safetensors was trained" in said
    assert "(scd train --init 'my runs/own/best.safetensors')" in said


@pytest.mark.parametrize(
    ("size", "fits"), [(0.235, False), (0.245, True), (1.0, True), (1.49, True), (1.51, False)]
)
def test_a_quarter_beyond_the_range_is_nothing(size, fits):
    assert (judge_fit(URBAN, OnGrid(size)) == ((), ())) == fits


def test_degrees_are_measured_where_the_scene_lies():
    second = 1 / 3600
    (said,) = judge_fit(URBAN, OnGrid(second, "EPSG:4326", top=60)).warnings
    assert "The pixels are 15.5 x 30.9 m;" in said
    near = Requirements("coarse", 3, (20.0, 24.0))
    assert judge_fit(near, OnGrid(second, "EPSG:4326", top=60)) == ((), ())
    assert judge_fit(near, OnGrid(second, "EPSG:4326", top=1)).warnings


@given(st.floats(1, 4), st.floats(-80, 80))
def test_the_resampling_advised_gives_pixels_the_model_knows(times, latitude):
    degrees = 0.6 * times / 111_000
    found = judge_fit(Requirements("m", 3, (0.5, 0.6)), OnGrid(degrees, "EPSG:4326", top=latitude))
    advised = re.search(r"-tr (\S+) (\S+?),? ", " ".join(found.warnings))
    if advised:
        wide, high = map(float, advised.groups())
        assert judge_fit(
            Requirements("m", 3, (0.5, 0.6)), OnGrid((wide, high), "EPSG:4326", top=latitude)
        ) == ((), ())


def test_without_a_crs_it_is_a_note():
    found = judge_fit(URBAN, OnGrid(5.0, None))
    assert found.warnings == ()
    assert found.notes == (
        "The model urban was trained for pixels of 0.3 to 1.2 m; whether these are such cannot be "
        "told without a CRS.",
    )


@pytest.mark.parametrize("crs", ["EPSG:32650", None])
def test_a_model_that_does_not_know_is_silent(crs):
    assert judge_fit(Requirements("second", 3), OnGrid(5.0, crs)) == ((), ())


def test_one_size_is_one_number():
    assert size_range((0.5, 0.5)) == "0.5 m"
    assert size_range((0.4, 0.625)) == "0.4 to 0.625 m"


def test_other_bands_are_said(tmp_path):
    path = write_scene(tmp_path / "a.tif", noise((4, 30, 20), "uint16"))
    with open_pair(path, path) as pair:
        assert wrong_bands(Requirements("m", 4), pair.count) is None
        said = wrong_bands(URBAN, pair.count)
    assert said == (
        "the model urban was trained on 3 bands, but the images have 4 in use; choose 3 of them, "
        "for example --bands 1,2,3."
    )


def test_of_too_few_bands_one_can_be_repeated(tmp_path):
    path = write_scene(tmp_path / "a.tif", noise((1, 30, 20), "uint8"))
    with open_pair(path, path) as pair:
        said = wrong_bands(URBAN, pair.count)
    assert "was trained on 3 bands, but the images have 1 in use; choose 3 with --bands;" in said
    (advised,) = re.findall(r"--bands ([\d,]+),", said)
    bands = tuple(map(int, advised.split(",")))
    with open_pair(path, path, PairSettings(bands=bands)) as pair:
        assert wrong_bands(URBAN, pair.count) is None
