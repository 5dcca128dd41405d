"""Outlines as paths: drawn as they are, in few characters, whatever they are of."""

import re

import numpy as np
import pytest
import shapely
from rasterio.windows import Window

from scdcli.reporting.outlines import LONGEST, outline_path


def rings(path):
    """The points of every ring of a path."""
    return [
        [tuple(float(each) for each in point.split(",")) for point in ring.split("L")]
        for ring in re.findall(r"M([^MZ]+)Z", path)
    ]


def holed(side, pixels, step):
    """A square with a hole of so many pixels at every step."""
    corners = np.arange(1, side - pixels, step)
    left, top = (each.ravel() for each in np.meshgrid(corners, corners))
    holes = shapely.box(left, top, left + pixels, top + pixels)
    return shapely.Polygon(shapely.box(0, 0, side, side).exterior, [h.exterior for h in holes])


def test_a_small_region_is_drawn_with_all_its_corners():
    outline = shapely.Polygon([(10, 10), (30, 10), (30, 20), (20, 20), (20, 30), (10, 30)])
    drawn = rings(outline_path(outline, Window(0, 0, 40, 40)))
    assert len(drawn) == 1
    assert set(drawn[0]) == {(2.5 * x, 2.5 * y) for x, y in outline.exterior.coords}


def test_holes_are_drawn_as_far_as_they_are_seen():
    window = Window(0, 0, 1000, 1000)
    assert len(rings(outline_path(holed(1000, 20, 200), window))) == 26
    assert len(rings(outline_path(holed(1000, 4, 200), window))) == 1


def test_a_line_of_one_pixel_stays_to_be_seen():
    line = shapely.box(0, 0, 3000, 1)
    drawn = np.array(rings(outline_path(line, Window(0, 0, 3000, 3000)))[0])
    assert np.ptp(drawn[:, 0]) == 100


def test_more_holes_than_can_be_drawn_are_left_out_the_smallest_first():
    outline = holed(1000, 10, 12)
    outline = outline.difference(shapely.box(200, 200, 500, 400))
    drawn = rings(path := outline_path(outline, Window(0, 0, 1000, 1000)))
    assert len(path) <= LONGEST
    assert [np.ptp(ring, axis=0).round(-1).tolist() for ring in map(np.array, drawn)] == [
        [100, 100],
        [30, 20],
    ]


@pytest.mark.parametrize("teeth", [500, 10_000])
def test_any_outline_is_short(teeth):
    across = np.repeat(np.arange(2.0 * teeth + 1), 2)[1:-1]
    up = np.where(np.arange(len(across)) // 2 % 2, teeth, 0.0)
    comb = shapely.Polygon([*zip(across, up, strict=True), (across[-1], -5), (0, -5)])
    path = outline_path(comb, Window(0, 0, 2 * teeth, 2 * teeth))
    assert len(path) <= LONGEST
    assert np.ptp(np.array(rings(path)[0]), axis=0).max() == 100
