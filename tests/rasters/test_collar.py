"""A collar that lossy compression has changed: said, and masked where that is asked for."""

import warnings

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.errors import NotGeoreferencedWarning
from rasterio.shutil import copy
from rasterio.windows import Window
from scenes import NORTH_UP, UTM, noise, write_scene

from scdcli.prediction.check import check_pair
from scdcli.rasters import collar
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.pair.settings import DEFAULTS, PairSettings

SIDE = 160
WHOLE = Window(0, 0, SIDE, SIDE)
JPEG = {"compress": "JPEG", "photometric": "YCBCR"}
NEAR = PairSettings(nodata_tolerance=16)


def aerial(value=0):
    """A picture with contrast in a collar of 37 and 45 pixels of one value, and the collar."""
    rng = np.random.default_rng(0)
    blocks = rng.integers(70, 200, (3, 16, 16)).repeat(10, 1).repeat(10, 2)
    pixels = blocks + rng.integers(-10, 10, blocks.shape)
    inside = np.zeros((SIDE, SIDE), dtype=bool)
    inside[37:, :-45] = True
    return np.where(inside, pixels, value).astype(np.uint8), ~inside


def valid_of(path, settings=DEFAULTS):
    with open_pair(path, path, settings) as pair:
        return pair.read(WHOLE)[2], pair


def lossy(folder, kind, value=0):
    path = folder / f"scene.{kind}"
    if kind == "tif":
        return write_scene(path, aerial(value)[0], nodata=value, **JPEG)
    options = {"jp2": {"QUALITY": "10"}, "webp": {}, "jpg": {}}[kind]
    driver = {"jp2": "JP2OpenJPEG", "webp": "WEBP", "jpg": "JPEG"}[kind]
    plain = write_scene(folder / "plain.tif", aerial(value)[0], nodata=value)
    copy(plain, path, driver=driver, **options)
    return path


@pytest.mark.parametrize("kind", ["tif", "jp2", "webp", "jpg"])
def test_a_collar_changed_by_compression_is_counted_and_masked(tmp_path, kind):
    path, outside = lossy(tmp_path, kind), aerial()[1]
    valid, pair = valid_of(path)
    share = valid[outside].mean()
    assert share > 0.02
    assert valid[~outside].all()
    (warning,) = set(pair.warnings)
    assert "nodata value 0 and the compression" in warning
    told = float(warning.split("about ")[1].split("%")[0]) / 100
    assert told == pytest.approx(share, abs=0.02)
    assert "--nodata-tolerance 16" in warning
    masked, pair = valid_of(path, NEAR)
    assert masked[outside].mean() < share / 10
    assert masked[~outside].all()
    assert pair.warnings == ()
    count = valid.sum() - masked.sum()
    assert f"{count} pixels of {path} within 16 of its nodata value 0" in pair.notes[0]
    assert pair.provenance["nodata_tolerance"] == {"tolerance": 16, "masked": [count, count]}


def test_a_white_collar_is_one_too(tmp_path):
    path, outside = lossy(tmp_path, "tif", value=255), aerial()[1]
    before, after = valid_of(path)[0], valid_of(path, NEAR)[0]
    assert before[outside].mean() > 0.02
    assert after[outside].mean() < before[outside].mean() / 10
    assert after[~outside].all()


def test_check_warns_of_it(tmp_path):
    path = lossy(tmp_path, "tif")
    said = check_pair(path, path, PairSettings()).warnings
    assert any("the compression YCbCr JPEG, which changes values" in warning for warning in said)
    said = check_pair(path, path, NEAR).warnings
    assert not any("compression" in warning for warning in said)


def test_lossless_compression_is_not_worth_a_word(tmp_path):
    for profile in ({"compress": "deflate"}, {"compress": "WEBP", "WEBP_LOSSLESS": True}):
        path = write_scene(tmp_path / "a.tif", aerial()[0], nodata=0, **profile)
        valid, pair = valid_of(path)
        np.testing.assert_array_equal(valid, ~aerial()[1])
        assert pair.notes == ()


def test_the_inner_edge_of_a_wide_collar_is_found(tmp_path):
    pixels = noise((3, 100, 1600), low=80)
    pixels[:, :, :1210] = 0
    path = write_scene(tmp_path / "a.tif", pixels, nodata=0, **JPEG)
    with open_pair(path, path) as pair:
        assert any("the compression YCbCr JPEG, which changes" in said for said in pair.warnings)


def test_a_lossy_file_without_a_collar_is_no_warning(tmp_path):
    pixels = noise((3, 64, 64), low=80)
    pixels[:, 16:32, :32] = 8  # a lake
    path = write_scene(tmp_path / "a.tif", pixels, nodata=0, **JPEG)
    with open_pair(path, path) as pair:
        assert pair.warnings == ()
        assert "no sample shows that it has" in pair.notes[0]


def test_without_a_nodata_value_the_option_is_said_to_be_unused(tmp_path):
    path = write_scene(tmp_path / "a.tif", noise((1, 30, 40)))
    with open_pair(path, path, NEAR) as pair:
        assert f"--nodata-tolerance is not used for {path}: it has no nodata value." in pair.notes


def from_the_edge(near):
    """Where a row or a column of near pixels leads to the edge, one by one."""
    found = np.zeros_like(near)
    for row, col in np.argwhere(near):
        ways = (near[row, : col + 1], near[row, col:], near[: row + 1, col], near[row:, col])
        found[row, col] = any(way.all() for way in ways)
    return found


@pytest.mark.parametrize("seed", range(8))
def test_a_row_or_column_of_near_pixels_leads_to_the_edge(tmp_path, monkeypatch, seed):
    monkeypatch.setattr(collar, "STRIP", 16)
    monkeypatch.setattr(collar, "WIDEST", 7)
    rng = np.random.default_rng(seed)
    kinds = rng.choice([0, 3, 4, 5, 200], (2, 50, 40), p=[0.4, 0.3, 0.2, 0.05, 0.05])
    path = write_scene(tmp_path / "a.tif", kinds.astype(np.uint8), nodata=0)
    with open_pair(path, path, PairSettings(nodata_tolerance=4)) as pair:
        valid = pair.read(Window(0, 0, 40, 50))[2]
    near, exact = (kinds <= 4).all(axis=0), (kinds == 0).all(axis=0)
    np.testing.assert_array_equal(valid, ~(from_the_edge(near) | exact))


def test_what_is_dark_inside_stays(tmp_path):
    pixels = np.full((1, 60, 60), 100, np.uint8)
    pixels[:, :10] = 3
    pixels[:, 30:40, 30:40] = 3  # a roof
    path = write_scene(tmp_path / "a.tif", pixels, nodata=0)
    with open_pair(path, path, PairSettings(nodata_tolerance=4)) as pair:
        valid = pair.read(Window(0, 0, 60, 60))[2]
    assert not valid[:10].any()
    assert valid[10:].all()


def test_a_warped_image_has_nothing_of_its_collar(tmp_path):
    flat = np.full((1, 60, 60), 100, np.uint8)
    bordered = flat.copy()
    bordered[:, :10] = 3
    place = NORTH_UP @ Affine.translation(0.4, 0.4)
    before = write_scene(tmp_path / "a.tif", flat)
    after = write_scene(tmp_path / "b.tif", bordered, place, nodata=0)
    with open_pair(before, after, PairSettings(nodata_tolerance=4)) as pair:
        _, values, valid = pair.read(Window(0, 0, 60, 60))
    assert valid.sum() > 40 * 50
    assert (values[0][valid] == 100).all()


def test_an_image_placed_by_points_has_nothing_of_its_collar(tmp_path):
    bordered = np.full((1, 60, 60), 100, np.uint8)
    bordered[:, :10] = 3
    path = write_scene(tmp_path / "b.tif", bordered, crs=None, nodata=0)
    corners = [(0, 0), (0, 60), (60, 0), (60, 60)]
    points = [GroundControlPoint(r, c, *(NORTH_UP @ (c, r))) for r, c in corners]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        dataset = rasterio.open(path, "r+")
    with dataset:
        dataset.gcps = (points, rasterio.CRS.from_user_input(UTM))
    before = write_scene(tmp_path / "a.tif", np.full((1, 60, 60), 100, np.uint8))
    for pair_of_paths in ((before, path), (path, before)):
        with open_pair(*pair_of_paths, PairSettings(nodata_tolerance=4)) as pair:
            first, second, valid = pair.read(Window(0, 0, 60, 60))
        assert 40 * 50 < valid.sum() <= 50 * 60
        assert (first[0][valid] == 100).all()
        assert (second[0][valid] == 100).all()


def test_the_stretch_does_not_see_the_collar(tmp_path):
    pixels = np.full((1, 60, 60), 1000, np.uint16) + np.arange(60, dtype=np.uint16)
    pixels[:, :20] = 3
    path = write_scene(tmp_path / "a.tif", pixels, nodata=0)
    with open_pair(path, path, PairSettings(nodata_tolerance=4)) as pair:
        assert pair.stretch.low[0] > 900
