from contextlib import contextmanager

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window
from scenes import NORTH_UP, ROTATED, SOUTH_UP, noise, write_scene
from scipy.ndimage import binary_erosion

from scdcli.errors import InputError
from scdcli.rasters import warp
from scdcli.rasters.georeference import place_scene
from scdcli.rasters.grid import Grid
from scdcli.rasters.scene import open_scene
from scdcli.rasters.warp import warped_reader

UTM = CRS.from_epsg(32650)
NEXT_ZONE = "EPSG:32651"
ORIGIN = (500_000.0, 4_000_000.0)


@contextmanager
def open_placed(path):
    with open_scene(path) as dataset:
        yield place_scene(dataset, path)


def plane(xs, ys):
    """A value for every place, which bilinear sampling reproduces."""
    return 100 + (xs - ORIGIN[0]) / 10 + (ys - ORIGIN[1]) / 7


def centers(grid):
    rows, cols = np.mgrid[: grid.height, : grid.width] + 0.5
    return grid.transform @ (cols, rows)


def plane_scene(path, grid, crs=UTM):
    xs, ys = centers(grid)
    if crs != UTM:
        xs, ys = Transformer.from_crs(crs, UTM, always_xy=True).transform(xs, ys)
    pixels = plane(xs, ys)[None].astype(np.float32)
    return write_scene(path, pixels, transform=grid.transform, crs=crs)


def in_next_zone(pixel=1):
    """A grid in zone 51 that covers the middle of 130 x 90 such pixels in zone 50."""
    to_next = Transformer.from_crs(UTM, NEXT_ZONE, always_xy=True)
    x, y = to_next.transform(ORIGIN[0] + 60 * pixel, ORIGIN[1] - 40 * pixel)
    transform = Affine(pixel, 0, x - 110 * pixel, 0, -pixel, y + 100 * pixel)
    return Grid(200, 220, transform, CRS.from_string(NEXT_ZONE))


HALF = Affine.translation(0.5, 0.25)
AFTER = {
    "shifted": (Grid(300, 320, NORTH_UP @ HALF @ Affine.translation(-90, -90), UTM), UTM),
    "coarse": (Grid(60, 70, NORTH_UP @ Affine.translation(-80, -80) @ Affine.scale(5), UTM), UTM),
    "south-up": (Grid(1200, 150, SOUTH_UP @ HALF, UTM), UTM),
    "rotated": (Grid(150, 150, ROTATED, UTM), UTM),
    "next zone": (in_next_zone(), NEXT_ZONE),
}
BEFORE = {
    "north-up": NORTH_UP,
    "rotated": ROTATED @ Affine.scale(0.8),
    "south-up": Affine(1, 0, ORIGIN[0], 0, 1, ORIGIN[1] - 90),
}


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("after", AFTER)
def test_every_pixel_shows_its_own_place(tmp_path, before, after):
    after_grid, crs = AFTER[after]
    path = plane_scene(tmp_path / "after.tif", after_grid, crs)
    grid = Grid(90, 130, BEFORE[before], UTM)
    with open_placed(path) as scene, warped_reader(scene, grid, (1,)) as read:
        got = read(Window(0, 0, 130, 90))[0]
    seen = np.isfinite(got)
    assert seen.mean() > 0.4
    # 0.125 pixels is GDAL's tolerance, and an outermost pixel repeats its neighbor.
    step = max(after_grid.pixel_size) * (1 / 10 + 1 / 7)
    inner = binary_erosion(seen, iterations=3)
    error = np.abs(got - plane(*centers(grid)))
    assert error[inner].max() < 0.2 * step
    assert error[seen].max() < 0.8 * step


# Pixels of 1 km, so that the reprojection bends within the scene.
COARSE = Grid(90, 130, NORTH_UP @ Affine.scale(1000), UTM)


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    pixels = noise((2, 200, 220))
    pixels[:, 90:100, 90:100] = 0
    folder = tmp_path_factory.mktemp("warp")
    grid = in_next_zone(1000)
    return write_scene(
        folder / "next.tif", pixels, transform=grid.transform, crs=NEXT_ZONE, nodata=0
    )


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    windows=st.lists(
        st.tuples(st.integers(0, 129), st.integers(0, 89), st.integers(1, 99), st.integers(1, 99)),
        min_size=1,
        max_size=4,
    )
)
def test_pixels_do_not_depend_on_the_windows_asked_for(noisy, monkeypatch, windows):
    monkeypatch.setattr(warp, "BLOCK", 32)
    with open_placed(noisy) as scene:
        with warped_reader(scene, COARSE, (1, 2)) as read:
            whole = read(Window(0, 0, 130, 90))
        with warped_reader(scene, COARSE, (1, 2)) as read:
            for left, top, width, height in windows:
                window = Window(left, top, min(width, 130 - left), min(height, 90 - top))
                rows, cols = window.toslices()
                np.testing.assert_array_equal(read(window), whole[:, rows, cols])


@pytest.mark.skipif(
    rasterio.__gdal_version__.startswith("3.9."), reason="GDAL 3.9 gives the same pixels here"
)
def test_blocks_are_needed(noisy):
    """GDAL alone gives other pixels for other windows; when it no longer does, drop the blocks."""
    options = {"crs": UTM, "transform": COARSE.transform, "height": 90, "width": 130}
    options["resampling"] = Resampling.bilinear
    with open_scene(noisy) as dataset, WarpedVRT(dataset, **options) as view:
        whole = view.read()
        piece = view.read(window=Window(5, 7, 50, 60))
    assert (piece != whole[:, 7:67, 5:55]).any()


def test_bands_are_read_in_the_order_asked_for(noisy):
    with open_placed(noisy) as scene:
        with warped_reader(scene, COARSE, (2, 1)) as read:
            swapped = read(Window(3, 4, 20, 30))
        with warped_reader(scene, COARSE, (1, 2)) as read:
            np.testing.assert_array_equal(swapped[::-1], read(Window(3, 4, 20, 30)))


def scene_with_hole(path, kind):
    """Noise on a grid half a pixel aside, 40 x 40 pixels, without measurements in 10 x 10."""
    pixels, hole = noise((1, 40, 40), "uint8"), (slice(None), slice(20, 30), slice(10, 20))
    profile = {"transform": NORTH_UP @ Affine.translation(0.5, 0.5)}
    if kind.startswith(("int16", "float32")):
        pixels = pixels.astype(kind.split()[0])
        pixels[hole] = profile["nodata"] = -9999
    elif kind == "nan":
        pixels = pixels.astype("float32")
        pixels[hole] = np.nan
    elif kind == "mask":
        profile["mask"] = np.full((40, 40), 255, np.uint8)
        profile["mask"][hole[1:]] = 0
    elif kind == "alpha":
        alpha = np.full((1, 40, 40), 255, np.uint8)
        alpha[hole] = 0
        pixels = np.concatenate([pixels, alpha])
        profile["alpha"] = "YES"
    return write_scene(path, pixels, **profile)


@pytest.mark.parametrize("kind", ["int16 nodata", "float32 nodata", "nan", "mask", "alpha"])
def test_every_kind_of_nodata_survives_warping(tmp_path, kind):
    path = scene_with_hole(tmp_path / "hole.tif", kind)
    grid = Grid(60, 60, NORTH_UP, UTM)
    with open_placed(path) as scene, warped_reader(scene, grid, (1,)) as read:
        pixels = read(Window(0, 0, 60, 60))[0]
    missing = np.isnan(pixels)
    assert missing[41:].all()
    assert missing[:, 41:].all()
    assert missing[21:30, 11:20].all()
    assert 81 <= missing[5:36, 5:36].sum() <= 121
    assert np.nanmin(pixels) >= 1


def test_a_damaged_file_is_an_error_that_names_the_place(tmp_path):
    path = write_scene(tmp_path / "cut.tif", noise((1, 300, 300)), compress="deflate")
    path.write_bytes(path.read_bytes()[:40_000])
    grid = Grid(200, 200, NORTH_UP @ HALF, UTM)
    message = r"cut\.tif \(rows 0-199, columns 0-199 of the BEFORE grid\) cannot be read"
    with (
        open_placed(path) as scene,
        warped_reader(scene, grid, (1,)) as read,
        pytest.raises(InputError, match=message),
    ):
        read(Window(150, 150, 20, 20))
