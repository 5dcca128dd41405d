import json
from dataclasses import replace

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.windows import Window
from scenes import NORTH_UP, ROTATED, SOUTH_UP, noise, ramp, write_scene
from scipy.ndimage import binary_erosion

from scdcli.errors import InputError, PairError
from scdcli.rasters.pair.open import match_pair, open_pair
from scdcli.rasters.pair.settings import PairSettings

WHOLE = Window(0, 0, 40, 30)
NO_ALPHA = {"photometric": "MINISBLACK", "alpha": "NO"}
NEXT_ZONE = Affine(1, 0, -40_070, 0, -1, 4_016_720)  # zone 51, over the scenes in zone 50


@pytest.fixture
def scenes(tmp_path):
    """Writes BEFORE and AFTER, 3 x 30 x 40 uint8 unless told; returns both paths."""

    def write(before=None, after=None, before_profile=None, after_profile=None):
        before = noise((3, 30, 40), seed=1) if before is None else before
        after = noise((3, 30, 40), seed=2) if after is None else after
        return (
            write_scene(tmp_path / "a.tif", before, **(before_profile or {})),
            write_scene(tmp_path / "b.tif", after, **(after_profile or {})),
        )

    return write


@pytest.mark.parametrize("transform", [NORTH_UP, ROTATED, SOUTH_UP])
def test_uint8_on_one_grid_is_read_as_it_is(scenes, transform):
    paths = scenes(before_profile={"transform": transform}, after_profile={"transform": transform})
    with open_pair(*paths, PairSettings(strict=True)) as pair:
        before, after, valid = pair.read(Window(5, 3, 30, 20))
    assert pair.grid.transform == transform
    assert (pair.bands, pair.count, pair.notes, pair.share) == ((1, 2, 3), 3, (), 1.0)
    np.testing.assert_array_equal(before, noise((3, 30, 40), seed=1)[:, 3:23, 5:35])
    np.testing.assert_array_equal(after, noise((3, 30, 40), seed=2)[:, 3:23, 5:35])
    assert before.dtype == after.dtype == np.float32
    assert valid.all()


def test_a_whole_pixel_offset_is_read_without_resampling(scenes):
    transform = NORTH_UP @ Affine.translation(-7, 4)
    paths = scenes(after_profile={"transform": transform})
    with open_pair(*paths) as pair:
        before, after, valid = pair.read(WHOLE)
    np.testing.assert_array_equal(after[:, 4:, :33], noise((3, 30, 40), seed=2)[:, :26, 7:])
    assert valid[4:, :33].all()
    assert valid.sum() == 26 * 33
    assert not before[:, ~valid].any()
    assert pair.provenance["alignment"] == "pixel on pixel"
    assert pair.notes == (f"{paths[1]} covers 71.5 % of {paths[0]}; the rest becomes nodata.",)


def test_another_grid_is_warped_and_said(scenes):
    profile = {"transform": NORTH_UP @ Affine.translation(0.5, 0)}
    after = np.repeat(np.arange(40)[None, None] * 5, 30, axis=1).astype(np.uint8)
    paths = scenes(before=noise((1, 30, 40)), after=after, after_profile=profile)
    with open_pair(*paths) as pair:
        _, warped, valid = pair.read(WHOLE)
    np.testing.assert_allclose(warped[0, :, 1:], np.tile(np.arange(39) * 5 + 2.5, (30, 1)))
    assert valid[:, 1:].all()
    assert pair.provenance["alignment"] == "warped"
    assert "b.tif is warped onto the grid of" in pair.notes[0]
    assert "0.5 columns and 0 rows apart" in pair.notes[0]


PLACES = {
    "one grid": {},
    "half a pixel aside": {"transform": NORTH_UP @ Affine.translation(0.5, -0.25)},
    "rotated": {"transform": NORTH_UP @ Affine.translation(-21, -48) @ Affine.rotation(20)},
    "next zone": {"crs": "EPSG:32651", "transform": NEXT_ZONE},
    "no CRS": {"crs": None},
}


@pytest.mark.parametrize("shift", [(2, -3), (0.5, 0.25), (-1.75, 2.5)])
@pytest.mark.parametrize("place", PLACES)
def test_a_shift_moves_after_down_and_right(scenes, place, shift):
    """AFTER is a plane, so that what it shows at a place is known between pixels too."""
    plane = ramp(90, 120)
    before_profile = {"crs": None} if place == "no CRS" else {}
    after = plane[:, :30, :40] if before_profile else plane
    paths = scenes(ramp(30, 40), after, before_profile, PLACES[place])
    settings = PairSettings(scale=(0, 2550))  # a tenth, and nothing is clipped
    with open_pair(*paths, settings) as pair:
        _, still, seen = pair.read(WHOLE)
    with open_pair(*paths, replace(settings, shift=shift)) as pair:
        _, moved, valid = pair.read(WHOLE)
    assert pair.provenance["shift"] == list(shift)
    assert any(f"is moved by {shift[0]} rows and {shift[1]} columns" in note for note in pair.notes)
    assert valid.sum() > 600
    # The plane has one slope, also in another CRS: where AFTER moved, it changed by as much.
    inner = binary_erosion(valid & seen, iterations=2)
    slope = [np.diff(still[0], axis=axis) for axis in (0, 1)]
    step = [np.median(each[inner[1:, 1:]]) for each in (slope[0][:, 1:], slope[1][1:])]
    expected = -(shift[0] * step[0] + shift[1] * step[1])
    found = (moved - still)[0][inner]
    assert np.median(found) == pytest.approx(expected, abs=0.01)
    np.testing.assert_allclose(found, expected, atol=0.08)  # 1/8 pixel, the tolerance of GDAL


@pytest.mark.parametrize(
    ("profile", "phrase"),
    [
        ({"transform": NORTH_UP @ Affine.scale(2)}, "pixel size is 1 x 1 and 2 x 2"),
        ({"transform": NORTH_UP @ Affine.translation(3, 0)}, "3 columns and 0 rows apart"),
        ({"crs": "EPSG:32651", "transform": NEXT_ZONE}, "EPSG:32650 and EPSG:32651"),
    ],
)
def test_strict_refuses_another_grid(scenes, profile, phrase):
    paths = scenes(after_profile=profile)
    with pytest.raises(PairError, match=phrase), open_pair(*paths, PairSettings(strict=True)):
        pass


def test_strict_refuses_another_size(scenes):
    paths = scenes(after=noise((3, 31, 40)))
    message = "extent is 40 x 30 and 40 x 31 pixels"
    with pytest.raises(PairError, match=message), open_pair(*paths, PairSettings(strict=True)):
        pass


def test_valid_is_where_both_dates_are_measured(scenes):
    before, after = noise((1, 30, 40)), noise((1, 30, 40), "float32")
    before = before.astype("float32")
    before[0, 2, 3] = -1
    after[0, 4, 5] = np.nan
    paths = scenes(before, after, before_profile={"nodata": -1})
    with open_pair(*paths) as pair:
        first, second, valid = pair.read(WHOLE)
    assert np.argwhere(~valid).tolist() == [[2, 3], [4, 5]]
    assert first[0, 4, 5] == second[0, 2, 3] == 0
    assert np.isfinite(first).all()
    assert np.isfinite(second).all()


def test_one_stretch_serves_both_dates(scenes):
    before = noise((2, 30, 40), "uint16", 100, 2000)
    paths = scenes(before, before + 1000)
    with open_pair(*paths) as pair:
        first, second, _ = pair.read(WHOLE)
        low, high = pair.stretch.low[0], pair.stretch.high[0]
    together = np.concatenate([before[0].ravel(), before[0].ravel() + 1000])
    assert (low, high) == pytest.approx(tuple(np.percentile(together, (2, 98))))
    both_inside = (first > 0) & (first < 255) & (second > 0) & (second < 255)
    difference = (second - first)[0][both_inside[0]]
    np.testing.assert_allclose(difference, 1000 * 255 / (high - low), rtol=1e-4)
    assert pair.provenance["stretch"]["low"][0] == low
    assert pair.notes[0].startswith(f"One stretch to 0-255 for both dates: band 1: {low:.6g} to")


def test_the_user_may_give_the_stretch(scenes):
    before = np.full((1, 30, 40), 500, "uint16")
    paths = scenes(before, before)
    with open_pair(*paths, PairSettings(scale=(0, 1000))) as pair:
        assert pair.read(WHOLE)[0].max() == 127.5


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_types_that_no_stretch_fits_are_refused(scenes, dtype):
    paths = scenes(after=noise((3, 30, 40), dtype))
    message = rf"a\.tif is uint8 and .*b\.tif is {dtype}: .*--scale"
    with pytest.raises(PairError, match=message), open_pair(*paths):
        pass


def test_different_numbers_of_bands_need_a_choice(scenes):
    paths = scenes(after=noise((4, 30, 40)), after_profile=NO_ALPHA)
    message = (
        r"a\.tif has 3 bands and .*b\.tif has 4: 1 \(red\), .* 1, 2, 3, 4 \(no names\).*--bands"
    )
    with pytest.raises(PairError, match=message), open_pair(*paths):
        pass
    with open_pair(*paths, PairSettings(bands=(3, 1))) as pair:
        before, after, _ = pair.read(WHOLE)
    np.testing.assert_array_equal(before, noise((3, 30, 40), seed=1)[[2, 0]])
    np.testing.assert_array_equal(after, noise((4, 30, 40))[[2, 0]])
    assert "Bands 3, 1 are used of the 3 and 4 bands." in pair.notes


def test_bands_out_of_range_are_refused(scenes):
    message = r"asks for band 4, but .*a\.tif has bands 1 to 3"
    with pytest.raises(PairError, match=message), open_pair(*scenes(), PairSettings(bands=(1, 4))):
        pass


def test_alpha_is_left_out_of_the_bands(scenes):
    pixels = np.concatenate([noise((3, 30, 40)), np.full((1, 30, 40), 255, np.uint8)])
    pixels[3, 0, 0] = 0
    paths = scenes(pixels, before_profile={"photometric": "RGB", "alpha": "YES"})
    with open_pair(*paths) as pair:
        _, _, valid = pair.read(WHOLE)
    assert pair.bands == (1, 2, 3)
    assert np.argwhere(~valid).tolist() == [[0, 0]]


def test_a_band_marked_as_alpha_cannot_be_asked_for(scenes):
    """GDAL marks the fourth of four uint8 bands as alpha by default."""
    paths = scenes(noise((4, 30, 40)), noise((4, 30, 40)))
    with open_pair(*paths) as pair:
        assert pair.bands == (1, 2, 3)
        assert (
            pair.notes[0] == f"Band 4 of {paths[0]} is marked as alpha: it masks, and is no data."
        )
    message = r"band 4 of .*a\.tif is marked as alpha.*-colorinterp_4 undefined"
    with pytest.raises(InputError, match=message), open_pair(*paths, PairSettings(bands=(1, 4))):
        pass


def test_a_palette_is_refused(scenes, tmp_path):
    paths = scenes(noise((1, 30, 40)), noise((1, 30, 40)))
    with rasterio.open(paths[1], "r+") as dataset:
        dataset.write_colormap(1, {1: (255, 0, 0)})
    with pytest.raises(InputError, match=r"band 1 of .*b\.tif holds numbers of palette colors"):
        open_pair(*paths).__enter__()


def test_complex_numbers_are_refused(scenes):
    paths = scenes(noise((1, 30, 40), "complex64"), noise((1, 30, 40), "complex64"))
    with pytest.raises(InputError, match=r"a\.tif holds complex numbers \(complex64\)"):
        open_pair(*paths).__enter__()


def test_without_crs_areas_are_in_pixels(scenes):
    paths = scenes(before_profile={"crs": None}, after_profile={"crs": None})
    with open_pair(*paths) as pair:
        assert pair.grid.crs is None
        assert any("areas are in pixels" in note for note in pair.notes)


def test_no_overlap_is_refused(scenes):
    paths = scenes(after_profile={"transform": NORTH_UP @ Affine.translation(500, 0)})
    message = r"do not overlap: .*500000, 3999970, 500040, 4000000\) and \(500500"
    with pytest.raises(PairError, match=message), open_pair(*paths):
        pass


def test_the_record_is_json_and_names_both_files(scenes):
    with open_pair(*scenes()) as pair:
        record = json.loads(json.dumps(pair.provenance))
    assert (record["before"]["name"], record["after"]["name"]) == ("a.tif", "b.tif")
    assert record["overlap"] == 1.0
    assert record["before"]["metadata_sha256"] == record["after"]["metadata_sha256"]


def test_metadata_alone_settle_bands_and_place(scenes):
    """So what they show to be wrong is said before any pixel is read."""
    first, second = scenes(before=noise((3, 400, 400)), after=noise((3, 400, 400)))
    first.write_bytes(first.read_bytes()[:20_000])  # the pixels are cut off
    assert match_pair(first, second).before == (1, 2, 3)
    with pytest.raises(PairError, match="band 7"):
        match_pair(first, second, PairSettings(bands=(7,)))


def test_blocks_stay_in_memory_for_the_next_window(tmp_path):
    """GDAL's cache is bounded while a pair is open, but holds hundreds of blocks."""
    from rasterio.env import getenv

    paths = [write_scene(tmp_path / f"{k}.tif", noise((3, 8, 9), seed=k)) for k in range(2)]
    with open_pair(*paths):
        assert 64 << 20 <= getenv()["GDAL_CACHEMAX"] <= 1 << 30  # bytes
