"""What charts draw says the same as the table of areas."""

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scdcli.reporting import charts

AMOUNTS = st.dictionaries(
    st.tuples(st.integers(1, 30), st.integers(1, 30)), st.floats(1e-3, 1e4), min_size=1, max_size=60
)


@given(AMOUNTS)
def test_a_flow_loses_nothing(amounts):
    flow = charts.flow(amounts)
    total = pytest.approx(sum(amounts.values()))
    for side in (flow.before, flow.after):
        assert sum(node.amount for node in side) == total
        assert len(side) <= charts.MOST_CLASSES
    assert sum(band.amount for band in flow.bands) == total


@given(AMOUNTS)
def test_classes_of_a_flow_do_not_overlap_and_stay_inside(amounts):
    flow = charts.flow(amounts)
    for side in (flow.before, flow.after):
        ends = [(node.top, node.top + node.height) for node in side]
        assert all(end <= start for (_, end), (start, _) in pairwise(ends))
        assert ends[0][0] >= -1
        assert ends[-1][1] <= flow.height + len(side) + 1
        rows = np.diff(charts.label_rows(side))
        assert (rows >= 14.99).all()


def test_bands_are_as_thick_as_their_areas():
    flow = charts.flow({(1, 2): 3.0, (1, 3): 1.0, (2, 3): 4.0})
    thick = {}
    for band in flow.bands:
        _, y0, y1 = re.match(r"M([\d.]+),([\d.]+).*? [\d.]+,([\d.]+)Z$", band.path).groups()
        start, low = float(y0), float(y1)
        bottom = float(re.search(r" [\d.]+,([\d.]+)Z", band.path)[1])
        thick[band.from_class, band.to_class] = bottom - start
        assert low == bottom
    assert thick[1, 2] == pytest.approx(3 * thick[1, 3], rel=0.02)
    assert thick[2, 3] == pytest.approx(4 * thick[1, 3], rel=0.02)


def test_small_classes_are_counted_together():
    flow = charts.flow({(k, 1): float(k) for k in range(1, 41)})
    assert [node.cover for node in flow.before][-1] is None
    assert flow.before[0].cover == 40
    assert flow.before[-1].amount == sum(range(1, 30))


def test_a_matrix_has_the_areas_in_the_order_of_the_legend():
    matrix = charts.matrix({(5, 2): 4.0, (2, 5): 1.0, (2, 2): 0.25})
    assert (matrix.before, matrix.after) == ([2, 5], [2, 5])
    assert matrix.amounts == [[0.25, 1.0], [4.0, 0.0]]
    assert matrix.shades == [[0.25, 0.5], [1.0, 0.0]]
    assert matrix.omitted == 0


def test_a_matrix_leaves_out_what_changed_least_and_what_did_not_occur():
    matrix = charts.matrix({(7, k): float(k) for k in range(1, 16)})
    assert (matrix.before, matrix.after) == ([7], list(range(4, 16)))
    assert matrix.omitted == 3


def test_half_of_the_area_is_above_the_median():
    assert charts.median_bin(np.array([0, 1, 1, 2.0])) == 0.75
    assert charts.median_bin(np.array([4, 0, 0, 1.0])) == 0.0
    assert charts.median_bin(np.zeros(4)) is None
