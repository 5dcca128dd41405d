"""Laws of chips, supertiles and blending."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.windows import Window

from scdcli.errors import InputError
from scdcli.prediction.tiling import Blend, Tiling, grown, lattice, supertiles, taper

tilings = st.builds(
    lambda chip, share, supertile: Tiling(chip, int(chip * share), supertile),
    st.integers(4, 24),
    st.floats(0, 0.5),
    st.integers(1, 4),
)
sizes = st.integers(1, 90)


@given(sizes, tilings)
def test_chips_cover_a_line_and_end_at_its_edge(length, tiling):
    starts = lattice(length, tiling)
    covered = {p for start in starts for p in range(start, start + tiling.chip)}
    assert set(range(length)) <= covered
    assert starts == sorted(set(starts))
    assert starts[-1] + tiling.chip == max(length, tiling.chip)


def test_the_lattice_is_anchored_at_the_origin():
    assert lattice(1000, Tiling(512, 128)) == [0, 384, 488]
    assert lattice(512, Tiling(512, 128)) == [0]
    assert lattice(100, Tiling(512, 128)) == [0]


@given(sizes, sizes, tilings)
def test_cores_cover_the_scene_once(height, width, tiling):
    seen = np.zeros((height, width), int)
    for tile in supertiles(height, width, tiling):
        core = tile.core
        seen[
            core.row_off : core.row_off + core.height, core.col_off : core.col_off + core.width
        ] += 1
    assert (seen == 1).all()


@settings(deadline=None)
@given(sizes, sizes, tilings, st.integers(1, 6))
def test_blending_chips_of_an_image_gives_the_image_for_any_split(height, width, tiling, other):
    """And the very same bits whatever the supertiles: the same chips in the same order."""
    rng = np.random.default_rng(height * 97 + width)
    padded = rng.random((2, height + tiling.chip, width + tiling.chip)).astype(np.float32)
    image = padded[:, :height, :width]

    def blended(tiling):
        whole = np.zeros_like(image)
        for tile in supertiles(height, width, tiling):
            blend = Blend(tile.core, 2, taper(tile.shape, tiling))
            for chip in tile.chips:
                rows = slice(chip.row_off, chip.row_off + chip.height)
                cols = slice(chip.col_off, chip.col_off + chip.width)
                blend.add(chip, padded[:, rows, cols])
            core = tile.core
            rows = slice(core.row_off, core.row_off + core.height)
            whole[:, rows, core.col_off : core.col_off + core.width] = blend.mean()
        return whole

    first = blended(tiling)
    np.testing.assert_allclose(first, image, rtol=1e-5)
    split = Tiling(tiling.chip, tiling.overlap, other)
    assert (blended(split) == first).all()


def test_a_core_reaches_into_the_middle_of_chips_without_one_more():
    tiling = Tiling(512, 128, 6)
    for around, along in ((0, 7), (128, 7), (129, 9)):
        tile = list(supertiles(10_000, 10_000, tiling, around=around))[6]  # one inside
        assert tile.core == Window(2176, 2176, 2304, 2304)
        assert len(tile.chips) == along**2


@given(tilings)
def test_weights_are_positive_and_symmetric(tiling):
    weights = taper((tiling.chip, tiling.chip), tiling)
    assert (weights > 0).all()
    assert (weights == weights[::-1]).all()
    assert (weights == weights.T).all()


def test_weights_of_two_overlapping_chips_sum_to_one():
    tiling = Tiling(16, 6)
    line = taper((16, 16), tiling)[8]
    np.testing.assert_allclose(line[-6:] + line[:6], line[8], rtol=1e-6)


@pytest.mark.parametrize(
    ("scene", "chip"), [((1, 700), (64, 512)), ((256, 300), (256, 320)), ((500, 512), (512, 512))]
)
def test_chips_are_no_larger_than_a_small_scene_needs(scene, chip):
    tiling = Tiling(512, 128)
    shapes = {tile.shape for tile in supertiles(*scene, tiling)}
    assert shapes == {chip}
    weights = taper(chip, tiling)
    assert weights.shape == chip
    for axis, side in enumerate(chip):  # the only chip along a side needs no taper there
        assert (np.ptp(weights, axis=axis).max() == 0) == (side < 512)


def test_an_overlap_that_never_advances_is_refused():
    with pytest.raises(InputError, match=r"overlap is 300.*chip 512.*0 to 256"):
        Tiling(512, 300)


@settings(deadline=None)
@given(sizes, sizes, tilings, st.integers(0, 5), st.data())
def test_a_part_takes_its_chips_from_the_lattice_of_the_whole(height, width, tiling, around, data):
    rows, cols = (
        sorted(data.draw(st.tuples(st.integers(0, side - 1), st.integers(1, side)), label=label))
        for side, label in ((height, "rows"), (width, "columns"))
    )
    (top, bottom), (left, right) = rows, cols
    bottom, right = max(bottom, top + 1), max(right, left + 1)
    where = {(row, col) for row in lattice(height, tiling) for col in lattice(width, tiling)}
    seen = np.zeros((bottom - top, right - left), int)
    whole = Window(-left, -top, width, height)
    for tile in supertiles(bottom - top, right - left, tiling, whole, around):
        core = tile.core
        seen[core.toslices()] += 1
        most = tiling.supertile * tiling.stride + tiling.chip // 2
        assert max(core.height, core.width) <= most
        assert tile.reach == grown(core, around).intersection(whole)
        touching = {
            (row, col)
            for row, col in where
            if row < top + core.row_off + core.height + around
            and row + tiling.chip > top + core.row_off - around
            and col < left + core.col_off + core.width + around
            and col + tiling.chip > left + core.col_off - around
        }
        chips = [(chip.row_off + top, chip.col_off + left) for chip in tile.chips]
        assert chips == sorted(touching)
    assert (seen == 1).all()
