"""Where photographs lie against the ground."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import ramp

from scdcli.simulation.camera.placing import Place, draw_place, with_registration


@settings(max_examples=25, deadline=None)
@given(st.floats(-2, 2), st.floats(-2, 2))
def test_a_plane_moves_by_parts_of_a_pixel(down, right):
    plane = ramp(20, 24, count=3)
    # A row down is 1 gray level, a column 2.
    inner = (..., slice(4, -4), slice(4, -4))
    aim = plane - np.float32(down) - np.float32(2 * right)
    picture = with_registration(plane, Place(shift=(down, right)))
    np.testing.assert_allclose(picture[inner], aim[inner], atol=1e-3)


def test_edges_are_mirrored():
    plane = ramp(8, 9)
    picture = with_registration(plane, Place(shift=(2.0, 0.0)))
    np.testing.assert_array_equal(picture[0, :2], plane[0, [2, 1]])


def test_wobble_varies_slowly_around_the_shift():
    plane = ramp(200, 200)
    moved = (plane - with_registration(plane, Place(wobble=0.5, seed=3)))[0, 8:-8, 8:-8]
    assert 0.3 < moved.std() < 3.0
    assert np.abs(np.diff(moved, axis=0)).max() < 0.3


@pytest.mark.parametrize("place", [Place(), draw_place(np.random.default_rng(0), 0.0)])
def test_an_exact_place_leaves_the_picture(place):
    plane = ramp(8, 8)
    assert with_registration(plane, place) is plane
