"""Whether two images can be compared: every problem, every warning, nothing invented."""

import re

import numpy as np
import pytest
import rasterio
from affine import Affine
from scenes import NORTH_UP, noise, write_scene
from shifts import ground, seen

from scdcli.errors import ScdError
from scdcli.models.requirements import Requirements
from scdcli.prediction.check import check_pair
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.pair.radiometry import sample_values
from scdcli.rasters.pair.settings import PairSettings

PLAIN = PairSettings()
FAR = Affine(1, 0, 700_000, 0, -1, 4_000_000)


def rgb(values):
    """Three bands, (3, H, W) uint8."""
    return np.stack([values.clip(1, 254).round().astype("uint8")] * 3)


@pytest.fixture
def look(tmp_path):
    """Writes two images and checks them."""

    def write(before, after, settings=PLAIN, before_profile=(), after_profile=(), **options):
        paths = [
            write_scene(tmp_path / f"{name}.tif", pixels, **dict(profile))
            for name, pixels, profile in (
                ("before", before, before_profile),
                ("after", after, after_profile),
            )
        ]
        return check_pair(*paths, settings, **options)

    return write


def tagged(path, date):
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(ns="IMAGERY", ACQUISITIONDATETIME=date)


def test_two_dates_that_fit_are_comparable(look):
    texture = ground(300, 400)
    report = look(rgb(seen(texture)), rgb(seen(texture) + 2))
    assert report.verdict == "comparable"
    assert report.problems == report.warnings == report.notes == ()
    assert report.registration.shift.size < 0.05
    assert report.match["hectares"] == pytest.approx(12, rel=0.01)
    assert report.match["pixels"] == 120_000
    assert report.match["overlap"] == 1
    assert [band["kind"] for band in report.scenes[0]["bands"]] == ["red", "green", "blue"]
    assert report.scenes[1]["pixel_size"] == [1, 1]


def test_all_that_is_wrong_is_said_at_once_and_first_what_predict_says(look, tmp_path):
    settings = PairSettings(strict=True)
    profile = {"transform": NORTH_UP @ Affine.translation(0.5, 0)}
    report = look(noise((3, 60, 80)), noise((5, 60, 80), "uint16"), settings, (), profile)
    assert report.verdict == "not comparable"
    bands, grid, types = report.problems
    assert "has 3 bands" in bands
    assert "not on the same grid" in grid
    assert "is uint8 and" in types
    paths = (tmp_path / "before.tif", tmp_path / "after.tif")
    with pytest.raises(ScdError) as error, open_pair(*paths, settings):
        pass
    assert str(error.value) == bands
    assert report.values is None
    assert report.match is None


def test_both_files_are_looked_at(tmp_path):
    (tmp_path / "text.tif").write_text("no image")
    report = check_pair(tmp_path / "missing.tif", tmp_path / "text.tif", PLAIN)
    assert report.scenes == (None, None)
    first, second = report.problems
    assert "missing.tif does not exist" in first
    assert "text.tif is not an image" in second


def test_images_of_two_places_are_not_comparable(look):
    report = look(noise((3, 60, 80)), noise((3, 60, 80)), after_profile={"transform": FAR})
    assert len(report.problems) == 1
    assert "do not overlap" in report.problems[0]
    assert report.scenes[1]["width"] == 80


def test_what_is_done_to_match_them_is_no_warning(look):
    texture = ground(300, 300)
    moved = {"transform": NORTH_UP @ Affine.translation(4, 2)}
    report = look(rgb(seen(texture)), rgb(seen(texture, -2, -4)), after_profile=moved)
    assert report.warnings == ()
    assert report.match["offset"] == [2, 4]
    (note,) = report.notes
    assert "covers 98" in note
    assert report.values.after.nodata == pytest.approx(1 - 296 * 298 / 300**2, abs=1e-6)
    assert report.values.valid == pytest.approx(296 * 298 / 300**2, abs=1e-6)


def test_an_offset_in_content_is_a_warning_that_coregister_mends(look):
    texture = ground(300, 300)
    pictures = rgb(seen(texture)), rgb(seen(texture, 3.5, -1.5))
    report = look(*pictures)
    assert report.verdict == "comparable with warnings"
    (warning,) = report.warnings
    assert "3.8 pixels (3.5 rows down, 1.5 columns left)" in warning
    mended = look(*pictures, coregister=True)
    assert mended.warnings == ()
    assert mended.registration.remaining.size < 0.1
    assert mended.match["shift"] == pytest.approx([-3.5, 1.5], abs=0.05)
    assert any("moved back" in note for note in mended.notes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda date: date + 60, "after.tif is brighter than"),
        (lambda date: date - 60, "after.tif is darker than .*bundled models bring each date to"),
        (lambda date: 127 + (date - 127) / 3, "before.tif has 3.0 times the contrast"),
        (lambda date: np.minimum(date, 150), "of band 1 in use of .*after.tif hold its highest"),
        (lambda date: np.full_like(date, 127), "Band 2 in use of .*after.tif holds one value only"),
    ],
    ids=["brighter", "darker", "flatter", "clipped", "constant"],
)
def test_odd_values_are_a_warning(look, change, words):
    picture = seen(ground(200, 200)) * 0.6 + 50
    report = look(rgb(picture), rgb(change(picture)))
    assert report.verdict == "comparable with warnings"
    assert any(re.search(words, warning) for warning in report.warnings)


def test_black_borders_are_told_unless_they_are_nodata(look):
    picture = rgb(seen(ground(200, 200)))
    framed = picture.copy()
    framed[:, :, :30] = 0
    report = look(picture, framed)
    assert any("15.0 % of" in text and "-a_nodata 0" in text for text in report.warnings)
    declared = look(picture, framed, after_profile={"nodata": 0})
    assert declared.warnings == ()
    assert declared.values.after.nodata == pytest.approx(0.15)
    assert declared.values.before.nodata == 0
    assert declared.values.valid == pytest.approx(0.85)


def test_dates_the_wrong_way_round_are_a_warning(tmp_path):
    picture = rgb(seen(ground(100, 100)))
    paths = [write_scene(tmp_path / name, picture) for name in ("a.tif", "b.tif")]
    for path, date in zip(paths, ("2018-07-16 10:00:00", "2009-08-18 10:00:00"), strict=True):
        tagged(path, date)
    report = check_pair(*paths, PLAIN)
    assert report.scenes[0]["taken"] == "2018-07-16 10:00:00"
    assert len(report.warnings) == 1
    assert "earlier" in report.warnings[0]
    assert check_pair(*reversed(paths), PLAIN).warnings == ()


def test_nothing_measured_at_both_dates_is_a_warning(look):
    half = rgb(seen(ground(100, 100)))
    left, right = half.copy(), half.copy()
    left[:, :, 50:], right[:, :, :50] = 0, 0
    nodata = {"nodata": 0}
    report = look(left, right, before_profile=nodata, after_profile=nodata)
    assert report.values.valid == 0
    assert report.registration.shift is None
    assert len(report.warnings) == 1
    assert "No sampled pixel is measured in both" in report.warnings[0]


def test_bands_the_bundled_models_do_not_read_are_a_warning(look):
    pictures = [noise((4, 60, 80), "uint16", seed=seed) for seed in (1, 2)]
    warned = "4 bands are in use, and the bundled models read 3"
    assert any(warned in text for text in look(*pictures).warnings)
    chosen = look(*pictures, PairSettings(bands=(3, 2, 1)))
    assert not any(warned in text for text in chosen.warnings)
    assert chosen.match["bands"] == [3, 2, 1]


def test_samples_are_few_whatever_the_size_and_the_bands(tmp_path):
    for name, count, side in (("many", 100, 300), ("large", 1, 3000)):
        write_scene(tmp_path / f"{name}.tif", np.ones((count, side, side), np.uint8))
    with open_pair(*[tmp_path / "large.tif"] * 2) as pair:
        assert sample_values(pair).sampled == 36 * 128 * 128
    with open_pair(*[tmp_path / "many.tif"] * 2) as pair:
        assert sample_values(pair).sampled < 300 * 300


def test_a_model_named_says_what_it_was_trained_for(look):
    texture = rgb(seen(ground(300, 400)))
    report = look(texture, texture, needs=Requirements("fine", 3, (0.2, 0.5)))
    assert report.verdict == "comparable with warnings"
    (warning,) = report.warnings
    assert warning.startswith("The pixels are 1 m; the model fine was trained for 0.2 to 0.5 m:")
    assert report.match["pixel_meters"] == pytest.approx((1, 1), rel=1e-3)
    assert look(texture, texture, needs=Requirements("own", 3, (0.5, 1.0))).warnings == ()


def test_what_cannot_be_told_of_the_model_is_a_note(look):
    texture = rgb(seen(ground(300, 400)))
    plain = {"crs": None}
    found = look(
        texture,
        texture,
        before_profile=plain,
        after_profile=plain,
        needs=Requirements("fine", 3, (0.2, 0.5)),
    )
    assert found.warnings == ()
    assert any("cannot be told without a CRS" in note for note in found.notes)
    assert found.match["pixel_meters"] is None


def test_bands_that_the_model_named_does_not_read_are_a_problem(look):
    four = np.concatenate([rgb(seen(ground(300, 400)))] * 2)[:4].astype("uint16")
    assert look(four, four, needs=Requirements("own", 4)).problems == ()
    report = look(four, four, needs=Requirements("urban", 3))
    assert report.problems == (
        "the model urban was trained on 3 bands, but the images have 4 in use; choose 3 of them, "
        "for example --bands 1,2,3.",
    )
