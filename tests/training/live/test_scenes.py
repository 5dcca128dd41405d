"""Windows drawn from banks."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from livebanks import bank

from scdcli.training.live.bank import regions
from scdcli.training.live.draws import Draws
from scdcli.training.live.scenes import draw_scenes

CPU = torch.device("cpu")


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_regions_are_connected_and_of_one_class(seed):
    cover = np.random.default_rng(seed).integers(0, 4, (9, 11)).astype(np.uint8)
    found = regions(cover)
    assert ((found > 0) == (cover > 0)).all()
    for number in np.unique(found[found > 0]):
        assert len(np.unique(cover[found == number])) == 1
    beside = (cover[:, 1:] == cover[:, :-1]) & (cover[:, 1:] > 0)
    assert (found[:, 1:] == found[:, :-1])[beside].all()
    apart = (cover[:, 1:] != cover[:, :-1]) & (cover[:, 1:] > 0) & (cover[:, :-1] > 0)
    assert (found[:, 1:] != found[:, :-1])[apart].all()


def test_a_seed_gives_the_same_windows_and_another_gives_others():
    banks = [(bank(), 0.5), (bank(size=48, seed=9), 0.5)]
    one, two, three = (draw_scenes(banks, 6, 32, Draws.seeded(s, CPU)) for s in (1, 1, 2))
    assert torch.equal(one.before, two.before)
    assert torch.equal(one.covers, two.covers)
    assert not torch.equal(one.before, three.before)


def test_windows_show_what_their_classes_say():
    """The mean color of a class in windows is its color in the tiles: labels go with the image."""
    scenes = draw_scenes([(bank(), 1.0)], 24, 32, Draws.seeded(0, CPU))
    building = scenes.covers[:, 0] == 4
    ground = scenes.covers[:, 0] == 2
    red, green = scenes.before[:, 0] * 255, scenes.before[:, 1] * 255
    assert abs(float(red[building].mean()) - 170) < 12
    assert abs(float(green[building].mean()) - 70) < 16
    assert abs(float(red[ground].mean()) - 190) < 12


def test_one_date_twice_is_unchanged_but_for_shift_and_lean():
    scenes = draw_scenes([(bank(), 1.0)], 16, 32, Draws.seeded(3, CPU))
    assert not scenes.real.any()
    assert not (scenes.changed == 1).any()
    assert torch.equal(scenes.covers[:, 0], scenes.covers[:, 1])
    difference = (scenes.before - scenes.after).abs()
    assert 0 < float(difference.mean()) < 0.1


def test_two_dates_come_in_both_orders():
    two = bank(tiles=2, dates=2)
    scenes = draw_scenes([(two, 1.0)], 32, 16, Draws.seeded(0, CPU))
    assert scenes.real.all()
    swapped = [draw_scenes([(two, 1.0)], 1, 16, Draws.seeded(s, CPU)) for s in range(12)]
    firsts = {round(float(x.before.mean()), 3) for x in swapped}
    assert len(firsts) > 2


def test_what_lies_beyond_a_tile_does_not_count():
    scenes = draw_scenes([(bank(size=32), 1.0)], 40, 64, Draws.seeded(0, CPU))
    outside = (scenes.covers[:, 0] == 0) & (scenes.covers[:, 1] == 0)
    assert outside.any()  # no pixel of the tiles is unknown
    assert (scenes.changed[outside] == 255).all()
    assert (scenes.changed[~outside] == 0).all()


def test_small_tiles_stand_four_by_four_with_objects_of_their_own():
    banks = [(bank(size=64), 0.0001), (bank(size=32, seed=5), 1.0)]
    scenes = draw_scenes(banks, 20, 64, Draws.seeded(1, CPU))
    numbers = torch.unique(scenes.objects)
    assert len(numbers[numbers >= 100_000]) > 0
    assert scenes.before.shape == (20, 3, 64, 64)
