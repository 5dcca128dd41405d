"""Areas by zone: pixels are cut exactly, and nothing is lost or counted twice."""

import csv

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS

from scdcli.legend import SECOND
from scdcli.polygons.area import measure_ground
from scdcli.polygons.strips import Strip, find_runs
from scdcli.polygons.table import TransitionTally
from scdcli.polygons.zones import OUTSIDE, Zones, ZoneTally, _shares, write_zones
from scdcli.rasters.grid import UNPLACED, Grid

HEIGHT, WIDTH = 40, 60
GRID = Grid(HEIGHT, WIDTH, Affine(200, 40, 3e5, 30, -200, 58e5), CRS.from_epsg(32633))
EXTENTS = ("changed", "unchanged", "valid", "nodata")


def drawn(seed=0):
    """A map with changes and nodata, (H, W)."""
    codes = np.array([0, 0, 102, 305, 65535], dtype=np.uint16)
    return np.random.default_rng(seed).choice(codes, (HEIGHT, WIDTH))


def counted(outlines, codes=None, grid=GRID, rows=7):
    """Areas by zone and of the whole, from strips of some rows."""
    codes = drawn() if codes is None else codes
    ground = measure_ground(grid)
    names = [f"zone {n}" for n in range(len(outlines))]
    source = {"file": "zones.gpkg", "layer": "z", "field": None, "sha256": "", "count": len(names)}
    zones = ZoneTally(ground, Zones(names, np.array(outlines, dtype=object), source))
    whole = TransitionTally(ground)
    certain = np.full(codes.shape, 80, dtype=np.uint8)
    tops = range(0, len(codes), rows)
    strips = (Strip(top, codes[top : top + rows], certain[top : top + rows]) for top in tops)
    for _ in zones.counting(whole.counting(find_runs(strips, ground))):
        pass
    return zones.to_dict(SECOND), whole.to_dict(SECOND), zones


def cells(seed=1, count=12):
    """Zones without gaps that reach beyond the map."""
    points = shapely.multipoints(np.random.default_rng(seed).random((count, 2)) * [WIDTH, HEIGHT])
    around = shapely.box(-5, -5, WIDTH + 5, HEIGHT + 5)
    return list(shapely.get_parts(shapely.voronoi_polygons(points, extend_to=around)))


@given(seed=st.integers(0, 10**6), holes=st.booleans(), top=st.integers(0, 4))
@settings(max_examples=30, deadline=None)
def test_a_pixel_has_the_share_that_shapely_cuts_out(seed, holes, top):
    corners = np.random.default_rng(seed).random((7, 2)) * [12, 9] + [-1, -1]
    zone = shapely.make_valid(shapely.Polygon(corners), method="structure")
    zone = (
        zone.difference(shapely.box(3, 2, 5.5, 4)) if holes else zone.union(shapely.box(7, 1, 9, 6))
    )
    share, found = np.zeros((5, 10)), _shares(zone, (0, top, 10, top + 5))
    if found:
        (left, up, right, down), share[up - top : down - top, left:right] = found[0], found[1]
    boxes = [[shapely.box(x, y, x + 1, y + 1) for x in range(10)] for y in range(top, top + 5)]
    assert share == pytest.approx(shapely.area(shapely.intersection(zone, boxes)), abs=1e-8)


def test_zones_without_gaps_add_up_to_the_map():
    found, whole, tally = counted(cells())
    for name in EXTENTS:
        for key in ("pixels", "area_m2", "hectares"):
            total = sum(zone[name][key] for zone in found["zones"])
            assert total == pytest.approx(whole[name][key], rel=1e-9)
    assert found["outside"]["valid"]["pixels"] == found["outside"]["nodata"]["pixels"] == 0
    assert tally.overlap_told() == []


def test_with_what_is_outside_every_transition_adds_up():
    found, whole, _ = counted(cells()[:5])
    everywhere = [*found["zones"], found["outside"]]
    assert found["outside"]["name"] == OUTSIDE
    for row in whole["transitions"]:
        mine = [
            each["area_m2"]
            for zone in everywhere
            for each in zone["transitions"]
            if each["transition"] == row["transition"]
        ]
        assert sum(mine) == pytest.approx(row["area_m2"], rel=1e-9)
    zone = found["zones"][0]
    share = 100 * zone["changed"]["area_m2"] / zone["valid"]["area_m2"]
    assert zone["changed"]["percent"] == pytest.approx(share)


@pytest.mark.parametrize("rows", [1, 13, HEIGHT])
def test_strips_make_no_difference(rows):
    assert counted(cells(), rows=rows)[0]["zones"][3]["changed"]["area_m2"] == pytest.approx(
        counted(cells())[0]["zones"][3]["changed"]["area_m2"], rel=1e-12
    )


def test_half_a_pixel_counts_half():
    codes = np.full((2, 4), 102, dtype=np.uint16)
    grid = Grid(2, 4, UNPLACED, None)
    found, *_ = counted([shapely.box(0.5, 0, 2, 1.25)], codes, grid)
    assert found["zones"][0]["changed"]["pixels"] == pytest.approx(1.5 * 1.25)
    assert found["outside"]["changed"]["pixels"] == pytest.approx(8 - 1.5 * 1.25)
    assert found["zones"][0]["changed"]["hectares"] is None


def test_ground_in_two_zones_is_counted_in_both_and_said():
    found, whole, tally = counted([shapely.box(0, 0, 40, 40), shapely.box(30, 0, 60, 40)])
    total = sum(zone["valid"]["area_m2"] for zone in found["zones"])
    assert total > whole["valid"]["area_m2"]
    assert found["outside"]["valid"]["area_m2"] == 0
    (told,) = tally.overlap_told()
    assert told.startswith("Zones of zones.gpkg overlap: 16,")  # 400 pixels of 206 m by 206 m
    assert "counted in each" in told
    sliver = counted([shapely.box(0, 0, 30.005, 40), shapely.box(30, 0, 60, 40)])[2]
    assert sliver.overlap_told() == []
    # More than a pixel, and less than a ten-thousandth of many.
    codes = np.full((300, 300), 102, dtype=np.uint16)
    many = [shapely.box(0, 0, 150.02, 300), shapely.box(150, 0, 300, 300)]
    assert counted(many, codes, Grid(300, 300, UNPLACED, None))[2].overlap_told() == []


def test_the_table_has_what_is_in_every_zone(tmp_path):
    found, whole, _ = counted(cells()[:5])
    write_zones(tmp_path / "zones.csv", found)
    with (tmp_path / "zones.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["zone"] for row in rows][-1] == OUTSIDE
    for kind in ("changed", "unchanged", "nodata"):
        areas = [float(row["area_m2"]) for row in rows if row["kind"] == kind]
        assert len(areas) == 6
        assert sum(areas) == pytest.approx(whole[kind]["area_m2"], rel=1e-9)
    assert (tmp_path / "zones.csvt").read_text().startswith('"String","String","Integer"')


def test_no_zone_on_the_map_leaves_all_outside():
    found, whole, _ = counted([])
    assert found["zones"] == []
    assert found["outside"]["changed"] == {**whole["changed"], "pixels": whole["changed"]["pixels"]}
