import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS
from scenes import NORTH_UP, ROTATED, SOUTH_UP

from scdcli.errors import PairError
from scdcli.rasters.alignment import align
from scdcli.rasters.grid import Grid

UTM = CRS.from_epsg(32650)
NAMES = ("a.tif", "b.tif")
BEFORE = Grid(300, 400, NORTH_UP, UTM)


def shifted(rows, cols, grid=BEFORE):
    return grid.transform @ Affine.translation(cols, rows)


@given(
    rows=st.integers(-290, 290),
    cols=st.integers(-390, 390),
    transform=st.sampled_from([NORTH_UP, ROTATED, SOUTH_UP]),
)
def test_whole_pixel_offsets_are_found_and_the_share_is_exact(rows, cols, transform):
    before = Grid(300, 400, transform, UTM)
    after = Grid(300, 400, shifted(rows, cols, before), UTM)
    alignment = align(before, after, NAMES)
    assert alignment.offset == (rows, cols)
    assert alignment.share == pytest.approx((300 - abs(rows)) * (400 - abs(cols)) / 120_000)
    assert alignment.window.height == pytest.approx(300 - abs(rows), abs=1)
    assert alignment.window.width == pytest.approx(400 - abs(cols), abs=1)


def test_an_equal_grid_has_no_differences():
    alignment = align(BEFORE, BEFORE, NAMES)
    assert (alignment.offset, alignment.share, alignment.differences) == ((0, 0), 1.0, ())


@pytest.mark.parametrize(
    ("after", "difference"),
    [
        (Grid(300, 400, shifted(0.25, 0), UTM), "0 columns and 0.25 rows apart"),
        (
            Grid(300, 400, NORTH_UP @ Affine.scale(1.5), UTM),
            "pixel size is 1 x 1 and 1.5 x 1.5",
        ),
        (Grid(300, 400, ROTATED, UTM), "direction of the axes differs"),
        (Grid(310, 400, shifted(0, 0.5), UTM), "extent is 400 x 300 and 400 x 310 pixels"),
    ],
)
def test_other_grids_are_to_be_warped_and_say_how_they_differ(after, difference):
    alignment = align(BEFORE, after, NAMES)
    assert alignment.offset is None
    assert any(difference in phrase for phrase in alignment.differences)


def test_a_drift_of_the_pixel_size_counts_where_it_has_added_up():
    drifting = Grid(300, 4000, NORTH_UP @ Affine.scale(1 + 1e-6, 1), UTM)
    short = Grid(300, 400, drifting.transform, UTM)
    assert align(Grid(300, 4000, NORTH_UP, UTM), drifting, NAMES).offset is None
    assert align(BEFORE, short, NAMES).offset == (0, 0)


def in_degrees(grid, pixels=400):
    """A grid in degrees over the middle of a UTM grid at the central meridian of zone 50."""
    size = 1e-5
    return Grid(pixels, pixels, Affine(size, 0, 117.0005, 0, -size, 36.1436), CRS.from_epsg(4326))


def test_another_crs_overlaps_where_the_ground_does():
    after = in_degrees(BEFORE)
    alignment = align(BEFORE, after, NAMES)
    assert "CRS is EPSG:32650 and EPSG:4326" in alignment.differences
    assert 0.5 < alignment.share < 1
    assert 0 < alignment.window.width < after.width


def test_before_may_reach_beyond_what_the_crs_of_after_expresses():
    world = Grid(180, 360, Affine(1, 0, -180, 0, -1, 90), CRS.from_epsg(4326))
    alignment = align(world, Grid(300, 400, NORTH_UP @ Affine.scale(1000), UTM), NAMES)
    assert 0 < alignment.share < 0.01


@pytest.mark.parametrize(
    "after",
    [Grid(300, 400, shifted(0, 401), UTM), Grid(300, 400, NORTH_UP, CRS.from_epsg(32651))],
    ids=["beside", "another zone"],
)
def test_no_overlap_gives_both_bounds(after):
    message = r"a\.tif and b\.tif do not overlap: .*\(500000, 3999700, 500400, 4000000\) and \(\d.*"
    with pytest.raises(PairError, match=message):
        align(BEFORE, after, NAMES)


@pytest.mark.parametrize("missing", [0, 1])
def test_a_crs_on_one_side_only_is_refused(missing):
    grids = [BEFORE, BEFORE]
    grids[missing] = Grid(300, 400, NORTH_UP, None)
    found = ["EPSG:32650", "EPSG:32650"]
    found[missing] = "no CRS"
    bare = "ab"[missing]
    message = (
        rf"a\.tif has {found[0]} and b\.tif has {found[1]}; say with --assume-crs in which one "
        rf"{bare}\.tif is"
    )
    with pytest.raises(PairError, match=message):
        align(*grids, NAMES)


def test_two_scenes_without_crs_are_compared_pixel_by_pixel():
    before = Grid(300, 400, Affine.identity(), None)
    alignment = align(before, Grid(300, 400, NORTH_UP, None), NAMES)
    assert (alignment.offset, alignment.share) == ((0, 0), 1.0)


def test_two_scenes_without_crs_must_be_of_one_size():
    before, after = (Grid(300, width, Affine.identity(), None) for width in (400, 401))
    with pytest.raises(PairError, match="sizes differ: 400 x 300 and 401 x 300"):
        align(before, after, NAMES)


@given(
    rows=st.integers(-40, 40),
    cols=st.integers(-40, 40),
    shift=st.tuples(st.integers(-50, 50), st.integers(-50, 50)),
    transform=st.sampled_from([NORTH_UP, ROTATED, SOUTH_UP]),
)
def test_a_shift_adds_to_the_offset(rows, cols, shift, transform):
    before = Grid(300, 400, transform, UTM)
    after = Grid(300, 400, shifted(rows, cols, before), UTM)
    alignment = align(before, after, NAMES, shift)
    assert alignment.offset == (rows + shift[0], cols + shift[1])
    assert alignment.differences == align(before, after, NAMES).differences


def test_a_shift_by_parts_of_a_pixel_is_to_be_warped():
    alignment = align(BEFORE, BEFORE, NAMES, (0.5, -2))
    assert (alignment.offset, alignment.differences) == (None, ())
    assert alignment.share == pytest.approx(299.5 * 398 / 120_000)
    assert ~alignment.grid.transform @ (BEFORE.transform @ (7, 8)) == pytest.approx((5, 8.5))


def test_a_shift_beyond_the_image_leaves_no_overlap():
    pixels = Grid(300, 400, Affine.identity(), None)
    with pytest.raises(PairError, match=r"do not overlap: .* top in pixels\)"):
        align(pixels, pixels, NAMES, (301, 0))
