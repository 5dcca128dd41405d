import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from rasterio.crs import CRS
from rasterio.windows import Window
from scenes import NORTH_UP, ROTATED, SOUTH_UP, UTM, noise, write_scene

from scdcli.errors import PairError
from scdcli.rasters.alignment import offset_in
from scdcli.rasters.grid import Grid
from scdcli.rasters.pair.extent import crop_to_bounds
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.pair.settings import PairSettings

CODE = CRS.from_string(UTM)
TRANSFORMS = [
    NORTH_UP,
    ROTATED,
    SOUTH_UP,
    NORTH_UP @ Affine.scale(0.3, 2),
    NORTH_UP @ Affine.scale(0.1),
]


@settings(max_examples=60, deadline=None)
@given(
    transform=st.sampled_from(TRANSFORMS),
    box=st.tuples(st.integers(0, 49), st.integers(0, 69), st.integers(1, 30), st.integers(1, 30)),
)
def test_the_bounds_of_a_part_give_the_part_or_more_around_it(transform, box):
    grid = Grid(50, 70, transform, CODE)
    row, col, height, width = box
    height, width = min(height, 50 - row), min(width, 70 - col)
    part = Grid(height, width, transform @ Affine.translation(col, row), CODE)
    found = crop_to_bounds(grid, part.bounds, None, "a.tif")
    top, left = offset_in(grid, found)
    assert top <= row
    assert left <= col
    assert (top + found.height, left + found.width) >= (row + height, col + width)
    assert found.transform == grid.transform @ Affine.translation(left, top)
    if transform != ROTATED:
        assert (top, left, *found.shape) == (row, col, height, width)


@settings(max_examples=60, deadline=None)
@given(
    numbers=st.tuples(*[st.floats(-20, 90, allow_nan=False).map(lambda x: round(x, 3))] * 4),
)
def test_pixels_that_touch_the_bounds_are_taken_and_no_other(numbers):
    grid = Grid(50, 70, NORTH_UP, CODE)
    (left, right), (top, bottom) = sorted(numbers[:2]), sorted(numbers[2:])
    if right - left < 0.01 or bottom - top < 0.01:
        return
    x, y = NORTH_UP.c, NORTH_UP.f
    bounds = (x + left, y - bottom, x + right, y - top)
    cols = [c for c in range(70) if c < right - 1e-5 and c + 1 > left + 1e-5]
    rows = [r for r in range(50) if r < bottom - 1e-5 and r + 1 > top + 1e-5]
    if not cols or not rows:
        with pytest.raises(PairError, match="lie outside"):
            crop_to_bounds(grid, bounds, None, "a.tif")
        return
    found = crop_to_bounds(grid, bounds, None, "a.tif")
    assert (*offset_in(grid, found), *found.shape) == (rows[0], cols[0], len(rows), len(cols))


def test_bounds_may_be_in_another_crs():
    grid = Grid(5000, 7000, NORTH_UP, CODE)
    part = Grid(400, 300, NORTH_UP @ Affine.translation(2000, 1000), CODE)
    to_degrees = Transformer.from_crs(UTM, "EPSG:4326", always_xy=True)
    bounds = to_degrees.transform_bounds(*part.bounds)
    found = crop_to_bounds(grid, bounds, CRS.from_epsg(4326), "a.tif")
    row, col = offset_in(grid, found)
    assert 950 <= row <= 1000
    assert 1950 <= col <= 2000
    assert found.height < 450
    assert found.width < 400


@pytest.mark.parametrize("crs", [None, "EPSG:4326"])
def test_bounds_outside_are_refused_with_both_values(crs):
    message = rf"--bounds 1, 2, 3, 4 \({crs or UTM}\) lie outside a\.tif, .*\(500000, 3999950, 5000"
    with pytest.raises(PairError, match=message):
        crop_to_bounds(
            Grid(50, 70, NORTH_UP, CODE), (1, 2, 3, 4), crs and CRS.from_string(crs), "a.tif"
        )


def test_bounds_outside_an_image_without_crs_are_in_its_pixels():
    grid = Grid(50, 70, Affine.identity(), None)
    with pytest.raises(PairError, match=r"has no CRS: give them in its pixels, or .*--assume-crs"):
        crop_to_bounds(grid, (500, 500, 600, 600), None, "a.tif")


def test_bounds_in_a_crs_need_one_in_the_image():
    with pytest.raises(PairError, match=r"--bounds-crs is EPSG:4326, but a\.tif has no CRS"):
        crop_to_bounds(
            Grid(50, 70, Affine.identity(), None), (1, 2, 3, 4), CRS.from_epsg(4326), "a.tif"
        )


def test_bounds_that_the_crs_cannot_express_are_refused():
    grid = Grid(50, 70, NORTH_UP, CRS.from_proj4("+proj=gnom +lat_0=0 +lon_0=0"))
    with pytest.raises(PairError, match="--bounds reach beyond what .* can express"):
        crop_to_bounds(grid, (100, 10, 190, 20), CRS.from_epsg(4326), "a.tif")


PLACES = {
    "one grid": {},
    "shifted": {"transform": NORTH_UP @ Affine.translation(-5, 7)},
    "no CRS": {"crs": None},
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_part_is_the_same_cut_out_of_the_whole(tmp_path, place, dtype):
    """Nothing is warped here: with warping a pixel may differ by what GDAL calls its tolerance."""
    profiles = ({"crs": None} if place == "no CRS" else {}), PLACES[place]
    paths = [
        write_scene(
            tmp_path / f"{name}.tif", noise((2, 50, 70), dtype, seed=name), **profiles[name]
        )
        for name in range(2)
    ]
    x, y = (0, 0) if place == "no CRS" else (NORTH_UP.c, NORTH_UP.f)
    bounds = (x + 20, y - 40, x + 35, y - 9.5)
    cut = (slice(None), slice(9, 40), slice(20, 35))
    settings = PairSettings(scale=(0, 300))
    with open_pair(*paths, settings) as pair:
        whole = pair.read(Window(0, 0, 70, 50))
    with open_pair(
        *paths, PairSettings(scale=(0, 300), bounds=bounds, strict=place != "shifted")
    ) as pair:
        part = pair.read(Window(0, 0, pair.grid.width, pair.grid.height))
    assert pair.grid.shape == (31, 15)
    assert pair.provenance["bounds"] == list(bounds)
    assert f"Of {paths[0]}, 15 x 31 of 70 x 50 pixels are read." in pair.notes
    for got, expected in zip(part[:2], whole[:2], strict=True):
        np.testing.assert_array_equal(got, expected[cut])
    np.testing.assert_array_equal(part[2], whole[2][cut[1:]])


def test_the_stretch_of_a_part_is_that_of_the_whole_unless_its_own_is_wanted(tmp_path):
    pixels = noise((1, 50, 70), "uint16", 100, 200)
    pixels[:, 30:] += 5000
    paths = [write_scene(tmp_path / f"{name}.tif", pixels) for name in "ab"]
    bounds = (NORTH_UP.c, NORTH_UP.f - 30, NORTH_UP.c + 70, NORTH_UP.f)
    with open_pair(*paths) as pair:
        whole = pair.stretch
    with open_pair(*paths, PairSettings(bounds=bounds)) as pair:
        assert pair.stretch == whole
    with open_pair(*paths, PairSettings(bounds=bounds, statistics="part")) as pair:
        assert pair.stretch.high[0] < 200


def test_too_many_pixels_are_refused_before_anything_is_read(tmp_path):
    paths = [write_scene(tmp_path / f"{name}.tif", noise((1, 50, 70))) for name in "ab"]
    message = r"a\.tif is to be read on 70 x 50 pixels, 3\.5e\+03 in all, .* 3e\+03 of --max-pixels"
    with pytest.raises(PairError, match=message):
        open_pair(*paths, PairSettings(max_pixels=3000)).__enter__()
    bounds = (NORTH_UP.c, NORTH_UP.f - 30, NORTH_UP.c + 70, NORTH_UP.f)
    with open_pair(*paths, PairSettings(max_pixels=3000, bounds=bounds)) as pair:
        assert pair.grid.shape == (30, 70)
