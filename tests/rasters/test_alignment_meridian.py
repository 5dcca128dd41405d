import numpy as np
import pytest
from affine import Affine
from pyproj import Transformer
from rasterio.crs import CRS
from rasterio.windows import Window
from scenes import NORTH_UP, UTM, write_scene
from scipy.ndimage import binary_erosion

from scdcli.rasters.alignment import on_one_turn
from scdcli.rasters.grid import Grid
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.pair.settings import PairSettings

DEGREES = "EPSG:4326"
FIJI = "EPSG:32701"  # UTM of 180 to 174 degrees west
MIDDLE = Transformer.from_crs(DEGREES, FIJI, always_xy=True).transform(180, -17)


def value(longitudes, latitudes):
    """What lies at a place, the same on both sides of the antimeridian."""
    return 1000 + 3000 * ((longitudes % 360) - 180) + 2000 * (latitudes + 17)


def in_utm(path, side=120):
    transform = Affine(30, 0, MIDDLE[0] - 15 * side, 0, -30, MIDDLE[1] + 15 * side)
    xs, ys = transform @ tuple(np.mgrid[:side, :side][::-1] + 0.5)
    places = Transformer.from_crs(FIJI, DEGREES, always_xy=True).transform(xs, ys)
    return write_scene(path, value(*places)[None].astype(np.float32), transform, FIJI)


def in_degrees(path, left, width=400, crs=DEGREES):
    transform = Affine(0.00028, 0, left, 0, -0.00028, -16.95)
    places = transform @ tuple(np.mgrid[:360, :width][::-1] + 0.5)
    return write_scene(path, value(*places)[None].astype(np.float32), transform, crs)


ACROSS = {"to the east": (179.944, 400), "to the west": (-180.056, 400)}
SIDES = {"east of it": (-180.0, 200), "west of it": (179.944, 200)}


@pytest.mark.parametrize("place", ACROSS | SIDES)
def test_places_across_the_antimeridian_meet(tmp_path, place):
    left, width = (ACROSS | SIDES)[place]
    paths = in_utm(tmp_path / "a.tif"), in_degrees(tmp_path / "b.tif", left, width)
    with open_pair(*paths, PairSettings(scale=(0, 2550))) as pair:
        before, after, valid = pair.read(Window(0, 0, 120, 120))
    half = place in SIDES
    assert pair.share == pytest.approx(0.5 if half else 1, abs=0.02)
    assert valid.mean() == pytest.approx(0.5 if half else 1, abs=0.02)
    inner = binary_erosion(valid, iterations=2)
    # An eighth of a pixel of AFTER is 0.1 of the 0.84 between its columns.
    assert np.abs(10 * (after - before)[0][inner]).max() < 0.5


@pytest.mark.parametrize("left", [179.944, -180.056])
def test_degrees_that_differ_by_a_turn_are_one_grid(tmp_path, left):
    paths = in_degrees(tmp_path / "a.tif", 179.944), in_degrees(tmp_path / "b.tif", left)
    with open_pair(*paths, PairSettings(scale=(0, 2550))) as pair:
        before, after, valid = pair.read(Window(0, 0, 400, 360))
    assert valid.all()
    np.testing.assert_allclose(after, before, atol=0.01)


def test_longitudes_from_0_to_360_are_places_too():
    grid = Grid(100, 100, NORTH_UP, CRS.from_string(UTM))  # at 117 degrees east
    world = Grid(180, 360, Affine(1, 0, 0, 0, -1, 90), CRS.from_string(DEGREES))
    americas = Grid(100, 100, NORTH_UP, CRS.from_epsg(32618))  # at 75 degrees west
    for before, lon in ((grid, 117), (americas, -75)):
        turned = on_one_turn(before, world)
        to_turned = Transformer.from_crs(DEGREES, turned.crs.to_wkt(), always_xy=True)
        x, _ = to_turned.transform(lon, 36)
        assert (~turned.transform @ (x, 36))[0] == pytest.approx(lon % 360)


@pytest.mark.parametrize("crs", [DEGREES, "EPSG:4269", UTM])
def test_other_grids_are_left_as_they_are(crs):
    before = Grid(100, 100, NORTH_UP, CRS.from_string(UTM))
    after = Grid(100, 100, Affine(1e-5, 0, 117, 0, -1e-5, 36), CRS.from_string(crs))
    assert on_one_turn(before, after) is after
