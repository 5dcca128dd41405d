"""Simplified polygons keep their neighbors, their holes and their numbers, whatever the strips."""

import numpy as np
import pytest
import shapely
from affine import Affine
from changemaps import MAPS, UTM, nested, polygons_of, random_map, touching_itself
from rasterio.crs import CRS

from scdcli.polygons.trace.trace import Polygons


def staircase(size, down=2, right=3):
    """Class 101 above a border that goes down in steps, 203 below."""
    row, col = np.indices((size, size))
    return np.where(row // down > col // right, 203, 101).astype(np.uint16)


def overlaps(outlines):
    one, other = shapely.STRtree(outlines).query(outlines, predicate="intersects")
    pairs = one < other
    return shapely.area(shapely.intersection(outlines[one[pairs]], outlines[other[pairs]])).sum()


def shape_of(outlines):
    """Parts and holes of all polygons together."""
    parts = shapely.get_parts(shapely.union_all(outlines))
    return len(parts), int(shapely.get_num_interior_rings(parts).sum())


def farthest(before, after):
    """How far a vertex of an outline lies from the simplified one."""
    vertices = shapely.points(shapely.get_coordinates(before))
    simpler = np.repeat(shapely.boundary(after), shapely.get_num_coordinates(before))
    return shapely.distance(vertices, simpler).max()


def require_faithful(before, after, tolerance):
    assert shapely.is_valid(after.outline).all()
    assert (shapely.area(after.outline) > 0).all()
    assert overlaps(after.outline) == 0
    # valid neighbors share their border vertex by vertex; those of the map itself need not
    assert shapely.coverage_is_valid(after.outline)
    assert shape_of(after.outline) == shape_of(before.outline)
    for name in Polygons._fields[1:]:
        assert getattr(after, name).tolist() == getattr(before, name).tolist()
    holes = shapely.get_num_interior_rings
    assert holes(after.outline).tolist() == holes(before.outline).tolist()
    assert farthest(before.outline, after.outline) <= tolerance + 1e-9
    vertices = shapely.points(shapely.get_coordinates(after.outline))
    outlines = shapely.union_all(shapely.boundary(before.outline))
    assert shapely.distance(vertices, outlines).max() == 0


def test_100_random_maps_stay_whole_without_gaps_or_overlaps(rng):
    before_count = after_count = 0
    for _ in range(100):
        transition = random_map(rng)
        tolerance = float(rng.choice([0.5, 0.8, 1, 1.5, 2, 3, 5, 20]))
        before = polygons_of(transition, 100)
        after = polygons_of(transition, 100, tolerance=tolerance)
        cut = polygons_of(transition, int(rng.integers(1, 9)), tolerance=tolerance)
        assert [o.wkb for o in cut.outline] == [o.wkb for o in after.outline]
        if len(before.outline):
            require_faithful(before, after, tolerance)
        before_count += shapely.get_num_coordinates(before.outline).sum()
        after_count += shapely.get_num_coordinates(after.outline).sum()
    assert after_count < 0.95 * before_count  # noise has little to lose


@pytest.mark.parametrize("name", MAPS)
def test_known_shapes_stay_whole(name):
    for tolerance in (0.6, 2.0, 50.0):
        before = polygons_of(MAPS[name], 3)
        after = polygons_of(MAPS[name], 3, tolerance=tolerance)
        if len(before.outline):
            require_faithful(before, after, tolerance)


def test_a_staircase_becomes_one_line_on_both_sides():
    upper, lower = polygons_of(staircase(60), 7, tolerance=2.0).outline
    before = polygons_of(staircase(60), 7).outline
    assert [shapely.get_num_coordinates(o) for o in before] == [43, 43]
    assert sorted(map(shapely.get_num_coordinates, (upper, lower))) == [6, 6]
    shared = shapely.intersection(upper, lower)
    assert shapely.line_merge(shared).length == pytest.approx(np.hypot(60, 40), rel=0.02)


def test_regions_that_are_smaller_than_the_tolerance_remain():
    codes = np.zeros((9, 9), dtype=np.uint16)
    codes[4, 4] = 101
    codes[2, 2:6] = 203
    outlines = polygons_of(codes, 2, tolerance=100.0).outline
    assert shapely.area(outlines).tolist() == [4, 1]


def test_thin_rings_around_each_other_do_not_cross():
    codes = nested(40, 203, 101, 506)
    require_faithful(polygons_of(codes, 5), polygons_of(codes, 5, tolerance=30.0), 30.0)


def test_an_islet_near_a_ragged_border_is_not_swept_over():
    codes = np.zeros((30, 60), dtype=np.uint16)
    codes[20:] = 101
    codes[10:20, 10:20] = 101  # a cape, and beside it an islet in the bay
    codes[10:20, 40:50] = 101
    codes[17, 30] = 203
    islet, land = polygons_of(codes, 4, tolerance=12.0).outline
    assert shapely.area(shapely.intersection(islet, land)) == 0
    alone = polygons_of(np.where(codes == 203, 0, codes), 4, tolerance=12.0).outline[0]
    assert alone.covers(islet)  # without the islet the bay would be cut off


def test_the_edge_of_the_scene_stays_straight():
    codes = staircase(50)
    for outline in polygons_of(codes, 6, tolerance=10.0).outline:
        edge = shapely.intersection(outline.exterior, shapely.box(0, 0, 50, 50).exterior)
        before = [
            o for o in polygons_of(codes, 6).outline if o.covers(outline.representative_point())
        ]
        frame = shapely.intersection(before[0].exterior, shapely.box(0, 0, 50, 50).exterior)
        assert shapely.equals(edge, frame)


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        (UTM, Affine(10, 0, 5e5, 0, -10, 5e6)),
        (CRS.from_epsg(3857), Affine(20, 0, 1e6, 0, -20, 8399737)),  # at 60° north
        (UTM, Affine(8, 6, 5e5, 6, -8, 5e6)),
    ],
    ids=["utm", "mercator", "rotated"],
)
def test_the_tolerance_is_in_metres_on_the_ground(rng, crs, transform):
    """Pixels of 10 m: 21 m are a little more than two of them, whatever the CRS says."""
    codes = staircase(80, down=1, right=4)
    codes[30:50, 30:50] = np.kron(rng.choice([101, 203, 506], (5, 5)), np.ones((4, 4)))
    place = {"crs": crs, "transform": transform}
    before, after = (
        shapely.transform(
            polygons_of(codes, 9, **place, tolerance=tolerance).outline,
            lambda xy: np.stack((~transform) @ (xy[:, 0], xy[:, 1]), axis=1),
        )
        for tolerance in (0.0, 21.0)
    )
    assert 1.0 < farthest(before, after) < 2.11
    pixels = polygons_of(codes, 9, tolerance=2.1).outline
    count = shapely.get_num_coordinates
    assert count(after).sum() == pytest.approx(count(pixels).sum(), rel=0.03)


def test_rings_begin_at_their_topmost_then_leftmost_vertex():
    for outline in polygons_of(touching_itself(), 2, tolerance=1.5).outline:
        for ring in (outline.exterior, *outline.interiors):
            corners = [(y, x) for x, y in ring.coords]
            assert corners[0] == min(corners)


def test_nothing_is_simplified_by_default():
    before = polygons_of(staircase(30), 4).outline
    assert [o.wkb for o in before] == [
        o.wkb for o in polygons_of(staircase(30), 4, tolerance=0.0).outline
    ]
    assert sum(map(shapely.get_num_coordinates, before)) > 40


@pytest.mark.parametrize(("name", "limit"), [("HOPELESS", 30), ("LONGEST", 6), ("MOST", 5)])
def test_limits_of_effort_only_leave_more_vertices(rng, monkeypatch, name, limit):
    codes = staircase(40, down=1, right=2)
    codes[10:20, 10:30] = random_map(rng)[:5, :5].repeat(2, axis=0).repeat(4, axis=1)
    before, free = polygons_of(codes, 9), polygons_of(codes, 9, tolerance=3.0)
    monkeypatch.setattr(f"scdcli.polygons.simplify.shortcuts.{name}", limit)
    limited = polygons_of(codes, 9, tolerance=3.0)
    require_faithful(before, limited, 3.0)
    counts = [shapely.get_num_coordinates(p.outline).sum() for p in (limited, free)]
    assert counts[0] == counts[1] if name == "MOST" else counts[0] > counts[1]
