"""The shift between two dates, from textures moved by a known part of a pixel."""

from dataclasses import dataclass

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import write_scene
from shifts import MARGIN, ground, off, seen

from scdcli.rasters.grid import Grid
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.pair.shift import Shift, displacement, estimate_shift

PIXELS = st.floats(-12, 12)


@dataclass
class Memory:
    """A pair in memory that keeps which windows were read."""

    before: np.ndarray
    after: np.ndarray
    valid: np.ndarray

    def __post_init__(self):
        self.grid = Grid(*self.before.shape, Affine.identity(), None)
        self.windows = []

    def read(self, window):
        self.windows.append(window)
        rows, cols = window.toslices()
        valid = self.valid[rows, cols]
        pictures = (np.where(valid, date[rows, cols], 0) for date in (self.before, self.after))
        return *(picture[None].astype(np.float32) for picture in pictures), valid


def pair_of(before, after, valid=None):
    return Memory(before, after, np.ones(before.shape, bool) if valid is None else valid)


@settings(max_examples=25, deadline=None)
@given(rows=PIXELS, cols=PIXELS, seed=st.integers(0, 5))
def test_a_displacement_is_found_to_a_tenth_of_a_pixel(rows, cols, seed):
    texture = ground(128, 128, seed)
    valid = np.ones((128, 128), bool)
    before, after = seen(texture), seen(texture, rows, cols)
    assert off(displacement(before, after, valid), rows, cols) < 0.1
    assert off(displacement(after, before, valid), -rows, -cols) < 0.1


def test_down_and_right_are_positive():
    before = ground(128, 128)[MARGIN:-MARGIN, MARGIN:-MARGIN].astype(np.float32)
    after = np.roll(before, (3, -5), axis=(0, 1))
    assert off(displacement(before, after, np.ones((128, 128), bool)), 3, -5) < 0.05


@pytest.mark.parametrize(
    "after",
    [
        np.full((128, 128), 7, np.float32),
        seen(ground(128, 128, 1)),
        np.random.default_rng(3).normal(size=(128, 128)).astype(np.float32),
    ],
    ids=["flat", "elsewhere", "noise"],
)
def test_nothing_in_common_has_no_displacement(after):
    assert displacement(seen(ground(128, 128)), after, np.ones((128, 128), bool)) is None


def test_the_edge_of_what_is_valid_does_not_hold_the_pictures_together():
    texture = ground(256, 256)
    valid = np.add.outer(np.arange(256), np.arange(256)) < 300
    before, after = (np.where(valid, date, 0) for date in (seen(texture), seen(texture, 2.5, -4.5)))
    assert off(displacement(before, after, valid), 2.5, -4.5) < 0.1
    assert displacement(before, after, np.zeros_like(valid)) is None


@pytest.mark.parametrize("shape", [(64, 64), (600, 512), (100, 300), (256, 256)])
def test_no_shift_is_none_to_a_twentieth(shape):
    texture = ground(*shape)
    rng = np.random.default_rng(1)
    before, after = (seen(texture) + rng.normal(0, 3, shape) for _ in range(2))
    found = estimate_shift(pair_of(before, 0.7 * after + 30))
    assert found.size < 0.05


@pytest.mark.parametrize(("rows", "cols"), [(2.4, -1.7), (11.3, 20.6)])
def test_changes_light_and_noise_move_it_by_less_than_a_third(rows, cols):
    texture, other = ground(500, 600), ground(500, 600, 9)
    before, after = seen(texture), seen(texture, rows, cols)
    rng = np.random.default_rng(2)
    for top, left in rng.integers(0, 400, (7, 2)):
        after[top : top + 100, left : left + 100] = seen(other)[: after.shape[0] - top, :100][:100]
    after = 220 * (after.clip(0, 255) / 255) ** 1.6 + 15 + rng.normal(0, 8, after.shape)
    found = estimate_shift(pair_of(before, after))
    assert off((found.rows, found.cols), rows, cols) < 0.3
    assert found.spread < 0.3


def test_the_largest_group_of_places_decides_and_the_spread_tells_of_the_others():
    texture = ground(512, 1024)
    before, after = seen(texture), seen(texture, 2, 0)
    alike = estimate_shift(pair_of(before, after))
    after[:, 600:] = seen(texture, 2, 9)[:, 600:]
    after[:, :100] = seen(texture, 2, -9)[:, :100]
    parted = estimate_shift(pair_of(before, after))
    assert off((parted.rows, parted.cols), 2, 0) < 0.1
    assert alike.spread < 0.1
    after[:, 500:] = seen(texture, 2, 9)[:, 500:]
    assert estimate_shift(pair_of(before, after)).spread > 1


def test_what_cannot_be_told_is_none():
    texture = ground(512, 512)
    assert estimate_shift(pair_of(seen(texture), seen(ground(512, 512, 1)))) is None
    assert estimate_shift(pair_of(seen(texture), np.full((512, 512), 90.0))) is None
    assert estimate_shift(pair_of(*[seen(ground(20, 500))] * 2)) is None
    nowhere = np.zeros((512, 512), bool)
    assert estimate_shift(pair_of(seen(texture), seen(texture), nowhere)) is None


def test_a_smooth_scene_is_told_by_its_few_edges():
    texture, rng = ground(1024, 1024), np.random.default_rng(4)
    before, after = seen(texture), seen(texture, 1.5, -2.5)
    for date in (before, after):
        date[:, 250:] = 40
        date += rng.normal(0, 1, date.shape)
    found = estimate_shift(pair_of(before, after))
    assert off((found.rows, found.cols), 1.5, -2.5) < 0.1
    assert found.places < 16


class Endless(Memory):
    """As large as one likes: every window shows the same ground."""

    def __init__(self, side):
        self.grid = Grid(side, side, Affine.identity(), None)
        self.windows = []

    def read(self, window):
        self.windows.append(window)
        return *(np.zeros((2, 3, window.height, window.width), np.float32)), np.ones(
            (window.height, window.width), bool
        )


def test_reading_is_bounded_and_stays_inside():
    endless = Endless(100_000)
    assert estimate_shift(endless) is None
    assert len(endless.windows) == 36
    for window in endless.windows:
        assert window.width == window.height == 256
        assert 0 <= window.row_off <= 100_000 - 256
        assert window.row_off // 1024 == (window.row_off + 255) // 1024


def test_a_textured_scene_takes_sixteen_places():
    texture = ground(928, 928)
    pair = pair_of(seen(texture), seen(texture, 0.4, 0))
    assert estimate_shift(pair).places == len(pair.windows) == 16


def test_the_way_back_is_what_open_pair_takes(tmp_path):
    texture = ground(400, 400)
    paths = [
        write_scene(tmp_path / f"{name}.tif", seen(texture, *shift)[None].round().astype("uint8"))
        for name, shift in (("before", (0, 0)), ("after", (2.4, -1.7)))
    ]
    with open_pair(*paths) as pair:
        found = estimate_shift(pair)
    assert off((found.rows, found.cols), 2.4, -1.7) < 0.1


def test_it_reads_as_a_sentence():
    assert str(Shift(2.42, -1.7, 0.1, 14)) == "3.0 pixels (2.4 rows down, 1.7 columns left)"
    assert str(Shift(-3, 4, 0.1, 14)) == "5.0 pixels (3.0 rows up, 4.0 columns right)"
    assert Shift(2.4249, -1.7, 0.1, 14).to_dict() == {
        "rows": 2.42, "cols": -1.7, "spread": 0.1, "places": 14,
    }  # fmt: skip
