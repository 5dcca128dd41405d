import warnings
from contextlib import contextmanager

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import Transformer
from rasterio.control import GroundControlPoint
from rasterio.errors import NotGeoreferencedWarning
from rasterio.rpc import RPC
from rasterio.windows import Window
from scenes import NORTH_UP, ROTATED, SOUTH_UP, UTM, noise, write_scene
from scipy.ndimage import binary_erosion

from scdcli.errors import InputError, PairError
from scdcli.rasters import warp
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.pair.settings import PairSettings

ORIGIN = NORTH_UP.c, NORTH_UP.f
TURNED = NORTH_UP @ Affine.translation(-35, -45) @ Affine.rotation(25)
LINEAR = PairSettings(scale=(0, 2550))  # a tenth, and nothing is clipped


@contextmanager
def edited(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "r+") as dataset:
            yield dataset


def plane(xs, ys):
    """A value for every place, which bilinear sampling reproduces."""
    return 500 + (xs - ORIGIN[0]) + 2 * (ys - ORIGIN[1])


def show(place, height, width):
    """What a camera sees whose pixel (col, row) lies at ``place(col, row)``."""
    rows, cols = np.mgrid[:height, :width] + 0.5
    return plane(*place(cols, rows))[None].astype(np.float32)


def bent(col, row, bend=0.002):
    x, y = TURNED @ (col, row)
    return x + bend * (col - 60) ** 2, y


def straight(col, row):
    return TURNED @ (col, row)


def with_points(path, place, crs=UTM, steps=3, shape=(120, 130), pixels=None):
    """A file without a grid, placed by points; all three of UTM unless told otherwise."""
    height, width = shape
    pixels = show(place, height, width) if pixels is None else pixels
    to_crs = Transformer.from_crs(UTM, crs or UTM, always_xy=True)
    points = [
        GroundControlPoint(row, col, *to_crs.transform(*place(col, row)))
        for row in np.linspace(0, height, steps)
        for col in np.linspace(0, width, steps)
    ]
    path = write_scene(path, pixels, crs=None)
    with edited(path) as dataset:
        dataset.gcps = (points, rasterio.CRS.from_user_input(crs) if crs else rasterio.CRS())
    return path


def grid_scene(path, transform=NORTH_UP, shape=(70, 90)):
    return write_scene(path, show(lambda c, r: transform @ (c, r), *shape), transform=transform)


def difference(pair):
    """AFTER minus BEFORE in values of the plane, in the inner of where both are seen."""
    before, after, valid = pair.read(Window(0, 0, pair.grid.width, pair.grid.height))
    inner = binary_erosion(valid, iterations=3)
    assert inner.sum() > 1000
    return 10 * (after - before)[0][inner]


# Slopes of 1 and 2 per pixel. GDAL follows points to an eighth of a pixel; half a pixel is what a
# polynomial cannot follow of the bend, which is of ten.
NEAR = {straight: 0.6, bent: 1.5}


@pytest.mark.parametrize(
    "transform", [NORTH_UP, ROTATED, SOUTH_UP], ids=["north", "turned", "south"]
)
@pytest.mark.parametrize("place", [straight, bent])
@pytest.mark.parametrize("crs", [UTM, "EPSG:4326"])
def test_after_with_points_shows_its_own_place(tmp_path, transform, place, crs):
    if transform == SOUTH_UP:
        transform = NORTH_UP @ Affine(1, 0, 0, 0, -1, 80)
    paths = grid_scene(tmp_path / "a.tif", transform), with_points(tmp_path / "b.tif", place, crs)
    with open_pair(*paths, LINEAR) as pair:
        assert pair.grid.transform == transform
        assert pair.provenance["alignment"] == "warped"
        assert np.abs(difference(pair)).max() < NEAR[place]
    assert pair.provenance["placed_by"]["after"]["ground_control_points"] == 9
    assert any("b.tif is placed by 9 ground control points, through" in n for n in pair.notes)


@pytest.mark.parametrize("place", [straight, bent])
def test_before_with_points_gets_a_north_up_grid(tmp_path, place):
    paths = with_points(tmp_path / "a.tif", place), grid_scene(tmp_path / "b.tif")
    with open_pair(*paths, LINEAR) as pair:
        a, b, _, d, e, _ = tuple(pair.grid.transform)[:6]
        assert (b, d) == (0, 0)
        assert a == -e == pytest.approx(1, rel=0.01)
        assert pair.grid.crs == rasterio.CRS.from_string(UTM)
        assert np.abs(difference(pair)).max() < NEAR[place]
        before, _, _ = pair.read(Window(0, 0, pair.grid.width, pair.grid.height))
    rows, cols = np.mgrid[: pair.grid.height, : pair.grid.width] + 0.5
    expected = plane(*pair.grid.transform @ (cols, rows))
    seen = binary_erosion(before[0] > 0, iterations=3)
    assert np.abs(10 * before[0] - expected)[seen].max() < NEAR[place]
    assert any("lies on a grid made for" in note and "north-up" in note for note in pair.notes)


def test_both_with_points_and_a_part_and_a_shift(tmp_path):
    paths = with_points(tmp_path / "a.tif", bent), with_points(tmp_path / "b.tif", straight)
    with open_pair(*paths, LINEAR) as pair:
        assert np.abs(difference(pair)).max() < NEAR[bent]
    left, top = ORIGIN
    bounds = (left, top - 60, left + 80, top)
    settings = PairSettings(scale=(0, 2550), bounds=bounds, shift=(3, 1))
    with open_pair(*paths, settings) as pair:
        assert pair.grid.bounds == pytest.approx(bounds, abs=1)
        # One pixel right and three down is -1 in x and +3 in y of what is seen.
        assert np.abs(difference(pair) - (3 * 2 - 1)).max() < 2 * NEAR[bent]


def test_scenes_with_points_get_one_stretch_and_may_be_refused(tmp_path):
    pixels = [noise((2, 120, 130), "uint16", high=high, seed=high) for high in (2000, 3000)]
    paths = [
        with_points(tmp_path / f"{name}.tif", place, pixels=image)
        for name, place, image in zip("ab", (straight, bent), pixels, strict=True)
    ]
    with open_pair(*paths) as pair:
        low, high = pair.stretch.low[1], pair.stretch.high[1]
    together = np.concatenate([image[1].ravel() for image in pixels])
    assert (low, high) == pytest.approx(tuple(np.percentile(together, (2, 98))), rel=0.05)
    with pytest.raises(
        PairError, match=r"b\.tif is placed by 9 ground control points\. Leave out --st"
    ):
        open_pair(*paths, PairSettings(strict=True)).__enter__()


def test_misfit_of_the_points_is_measured(tmp_path):
    path = with_points(tmp_path / "b.tif", straight)
    with edited(path) as dataset:
        points, crs = dataset.gcps
        points[4].x += 9
        dataset.gcps = (points, crs)
    with open_pair(grid_scene(tmp_path / "a.tif"), path, LINEAR) as pair:
        assert 3 < pair.provenance["placed_by"]["after"]["residual"] < 9


def test_pixels_placed_by_points_do_not_depend_on_windows(tmp_path, monkeypatch):
    monkeypatch.setattr(warp, "BLOCK", 32)
    pixels = noise((2, 120, 130), "uint8")
    paths = (
        with_points(tmp_path / "a.tif", bent, pixels=pixels),
        with_points(tmp_path / "b.tif", straight, "EPSG:4326", pixels=pixels),
    )
    with open_pair(*paths, PairSettings(shift=(0.4, -0.3))) as pair:
        height, width = pair.grid.shape
        whole = pair.read(Window(0, 0, width, height))
    rng = np.random.default_rng(0)
    with open_pair(*paths, PairSettings(shift=(0.4, -0.3))) as pair:
        for _ in range(12):
            row, col = rng.integers(0, (height - 1, width - 1))
            window = Window(int(col), int(row), min(40, width - col), min(50, height - row))
            rows, cols = window.toslices()
            for got, expected in zip(pair.read(window), whole, strict=True):
                np.testing.assert_array_equal(got, expected[..., rows, cols])


@pytest.mark.parametrize("kind", ["nodata", "mask", "alpha", "nan"])
def test_nodata_of_a_scene_with_points(tmp_path, kind):
    hole = (slice(None), slice(50, 70), slice(50, 70))
    pixels = noise((1, 120, 130), "float32" if kind == "nan" else "uint8", low=2)
    path = tmp_path / "b.tif"
    holed = pixels.copy()
    profile, mask = {}, np.full((120, 130), 255, np.uint8)
    mask[hole[1:]] = 0
    if kind == "alpha":
        holed, profile = np.concatenate([pixels, mask[None]]), {"alpha": "YES"}
    elif kind == "mask":
        profile = {"mask": mask}
    else:
        holed[hole] = np.nan if kind == "nan" else 1
        profile = {"nodata": 1} if kind == "nodata" else {}
    write_scene(path, holed, crs=None, **profile)
    points = [
        GroundControlPoint(row, col, *NORTH_UP @ (col + 0.5, row + 0.5))
        for row in (0, 120)
        for col in (0, 130)
    ]
    with edited(path) as dataset:
        dataset.gcps = (points, rasterio.CRS.from_string(UTM))
    before = write_scene(tmp_path / "a.tif", pixels[:, :100, :100])
    with open_pair(before, path, PairSettings(scale=(0, 255))) as pair:
        _, _, valid = pair.read(Window(1, 1, 98, 98))
    assert not valid[51:67, 51:67].any()
    assert 18 * 18 <= (~valid).sum() <= 22 * 22


@pytest.mark.parametrize(
    ("kept", "crs", "words"), [(2, UTM, "at least 3 are"), (9, None, "--assume-crs")]
)
def test_points_that_place_nothing_are_refused(tmp_path, kept, crs, words):
    path = with_points(tmp_path / "b.tif", straight, crs)
    with edited(path) as dataset:
        points, known = dataset.gcps
        dataset.gcps = (points[:kept], known or rasterio.CRS())
    message = rf"b\.tif is placed by {kept} ground control points.*{words}"
    with pytest.raises(InputError, match=message):
        open_pair(grid_scene(tmp_path / "a.tif"), path, LINEAR).__enter__()


def test_points_without_crs_take_the_assumed_one(tmp_path):
    paths = grid_scene(tmp_path / "a.tif"), with_points(tmp_path / "b.tif", straight, None)
    with open_pair(*paths, PairSettings(scale=(0, 2550), assume_crs=UTM)) as pair:
        assert np.abs(difference(pair)).max() < NEAR[straight]
    assert f"{paths[1]} has no CRS: {UTM} is assumed." in pair.notes


def test_a_sensor_model_is_refused_with_the_remedy(tmp_path):
    path = write_scene(tmp_path / "b.tif", noise((1, 30, 40)), crs=None)
    numbers = {
        f"{axis}_{kind}": 1.0
        for axis in ("height", "lat", "long", "line", "samp")
        for kind in ("off", "scale")
    }
    terms = {
        f"{axis}_{part}_coeff": [1.0] * 20 for axis in ("line", "samp") for part in ("num", "den")
    }
    with edited(path) as dataset:
        dataset.rpcs = RPC(**numbers, **terms, err_bias=None, err_rand=None)
    with pytest.raises(InputError, match=r"b\.tif is placed by a sensor model.*gdalwarp -rpc"):
        open_pair(grid_scene(tmp_path / "a.tif"), path, LINEAR).__enter__()


@pytest.mark.parametrize("missing", [0, 1, (0, 1)])
def test_a_crs_is_assumed_where_there_is_none(tmp_path, missing):
    paths = [write_scene(tmp_path / f"{n}.tif", noise((1, 30, 40), seed=n)) for n in range(2)]
    missing = missing if isinstance(missing, tuple) else (missing,)
    for number in missing:
        with edited(paths[number]) as dataset:
            dataset.crs = rasterio.CRS()
    with open_pair(*paths, PairSettings(assume_crs="EPSG:32650")) as pair:
        assert pair.grid.crs == rasterio.CRS.from_string(UTM)
        assert pair.provenance["assumed_crs"] == UTM
    for number in range(2):
        said = f"{paths[number]} has no CRS: EPSG:32650 is assumed." in pair.notes
        assert said == (number in missing)


def test_an_assumed_crs_replaces_none(tmp_path):
    paths = [write_scene(tmp_path / f"{n}.tif", noise((1, 30, 40))) for n in range(2)]
    with open_pair(*paths, PairSettings(assume_crs="EPSG:4326")) as pair:
        assert pair.grid.crs == rasterio.CRS.from_string(UTM)
    assert pair.provenance["assumed_crs"] is None
    assert pair.notes == ("--assume-crs is not used: no image has a position without a CRS.",)


def test_an_image_without_position_has_no_place_in_an_assumed_crs(tmp_path):
    plain = write_scene(tmp_path / "plain.tif", noise((1, 30, 40)), crs=None)
    other = write_scene(tmp_path / "other.tif", noise((1, 30, 40)), crs=None)
    settings = PairSettings(assume_crs=UTM)
    with open_pair(plain, other, settings) as pair:
        assert pair.grid.crs is None
    placed = grid_scene(tmp_path / "a.tif")
    with pytest.raises(PairError, match=r"a\.tif has EPSG:32650 and .*plain\.tif has no CRS"):
        open_pair(placed, plain, PairSettings(assume_crs=UTM, scale=(0, 1))).__enter__()


def test_positions_without_crs_are_said_to_be_ignored(tmp_path):
    paths = []
    for number in range(2):
        transform = NORTH_UP @ Affine.translation(100 * number, 0)
        paths.append(write_scene(tmp_path / f"{number}.tif", noise((1, 30, 40)), transform))
        with edited(paths[-1]) as dataset:
            dataset.crs = rasterio.CRS()
    with open_pair(*paths) as pair:
        assert any("positions differ and are not used" in note for note in pair.notes)


@pytest.mark.parametrize("text", ["EPSG:99999999", "nonsense", "/etc/passwd"])
def test_what_is_no_crs_is_refused(tmp_path, text):
    paths = [write_scene(tmp_path / f"{n}.tif", noise((1, 30, 40))) for n in range(2)]
    settings = PairSettings(bounds=(0, 0, 1, 1), bounds_crs=text)
    with pytest.raises(PairError, match=r"--bounds-crs .* is no CRS that is known"):
        open_pair(*paths, settings).__enter__()
