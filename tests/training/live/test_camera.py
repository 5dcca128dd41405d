"""What light, season and sensors do to a date."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scdcli.training.live import camera
from scdcli.training.live.draws import Draws

CPU = torch.device("cpu")


def image(count=4, size=40, seed=0):
    return (
        torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 0.6 + 0.2
    )


@given(st.integers(0, 1000))
@settings(max_examples=12, deadline=None)
def test_exposed_images_are_numbers_from_0_to_1(seed):
    cover = torch.randint(0, 6, (4, 40, 40))
    real = torch.tensor([True, False, True, False])
    out = camera.expose(image(seed=seed), cover, real, Draws.seeded(seed, CPU))
    assert out.shape == (4, 3, 40, 40)
    assert torch.isfinite(out).all()
    assert float(out.min()) >= 0
    assert float(out.max()) <= 1


def test_two_dates_are_exposed_in_two_ways_and_a_seed_in_one():
    cover, real = torch.full((4, 40, 40), 2), torch.zeros(4, dtype=torch.bool)
    draws = Draws.seeded(1, CPU)
    one, two = (camera.expose(image(), cover, real, draws) for _ in range(2))
    again = camera.expose(image(), cover, real, Draws.seeded(1, CPU))
    assert torch.equal(one, again)
    assert float((one - two).abs().mean()) > 0.02


@given(st.integers(0, 1000), st.floats(0.4, 5), st.floats(-2, 2))
@settings(max_examples=20, deadline=None)
def test_standardized_images_do_not_know_gain_and_offset(seed, gain, offset):
    plain = camera.standardize(image(seed=seed))
    changed = camera.standardize(image(seed=seed) * gain + offset)
    torch.testing.assert_close(plain, changed, atol=2e-3, rtol=1e-3)
    torch.testing.assert_close(plain.mean(dim=(2, 3)), torch.zeros(4, 3), atol=1e-3, rtol=0)
    torch.testing.assert_close(plain.std(dim=(2, 3)), torch.ones(4, 3), atol=1e-3, rtol=0)


def test_a_flat_image_is_not_blown_up():
    flat = torch.full((1, 3, 16, 16), 0.5) + torch.rand(1, 3, 16, 16) * 1e-3
    assert float(camera.standardize(flat).abs().max()) < 0.1


def test_plants_change_their_color_more_than_roofs():
    gray = torch.full((200, 3, 8, 8), 0.5)
    strength = torch.ones(200)
    moved = {}
    for value in (4, 5):
        cover = torch.full((200, 8, 8), value)
        out = camera._season(gray, cover, strength, Draws.seeded(0, CPU))
        moved[value] = float((out - gray).abs().mean())
    assert moved[5] > 2 * moved[4] > 0


def test_shadows_fall_beside_buildings_and_not_on_them():
    cover = torch.full((60, 64, 64), 2)
    cover[:, 24:40, 24:40] = 4
    bright = torch.full((60, 3, 64, 64), 0.8)
    out = camera._shadows(bright, cover, torch.zeros(60, dtype=torch.bool), Draws.seeded(0, CPU))
    dark = (out < bright - 0.05).any(dim=1)
    assert not dark[:, 26:38, 26:38].any()
    assert 0.3 < dark.flatten(1).any(dim=1).float().mean() < 0.95
    assert not dark[:, :4].any()  # longer than any shadow


@pytest.mark.parametrize("kind", ["cars", "blur"])
def test_small_things_leave_most_of_an_image(kind):
    cover = torch.full((30, 64, 64), 3)
    plain = image(30, 64)
    draws = Draws.seeded(0, CPU)
    out = camera._cars(plain, cover, draws) if kind == "cars" else camera._blur(plain, draws)
    if kind == "cars":
        touched = (out != plain).any(dim=1).float().mean()
        assert 0.005 < touched < 0.1
        cover[:] = 4
        assert torch.equal(camera._cars(plain, cover, draws), plain)  # none on roofs
    else:
        rough = [(x[..., 1:] - x[..., :-1]).abs().mean(dim=(1, 2, 3)) for x in (plain, out)]
        assert (rough[1] < rough[0]).any()
        assert (rough[1] > rough[0]).any()  # some are sharpened
    assert float((out - plain).abs().mean()) > 0


def test_compression_keeps_the_mean_of_each_block():
    draws = Draws.seeded(0, CPU)
    plain = image(40, 16)
    out = camera._compress(plain, draws)
    changed = (out != plain).flatten(1).any(dim=1)
    assert 0.2 < changed.float().mean() < 0.8
    blocks = [x.reshape(40, 3, 2, 8, 2, 8).mean(dim=(3, 5)) for x in (plain, out)]
    # A step of the mean's coefficient is at most 16 · 1.1, an eighth of that in the mean.
    assert float((blocks[0] - blocks[1]).abs().max()) < 16 * 1.1 / 8 / 2 / 255 + 0.03
    assert torch.equal(camera._compress(image(2, 18), draws), image(2, 18))  # no whole blocks
