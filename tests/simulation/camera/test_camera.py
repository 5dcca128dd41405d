"""Tone, air and optics of one date, and the cars it saw."""

from dataclasses import replace

import numpy as np
import pytest
from grounds import ground
from hypothesis import given, settings
from hypothesis import strategies as st

from scdcli.simulation.camera.air import Air, draw_air, through_air
from scdcli.simulation.camera.clutter import Traffic, draw_traffic, with_traffic
from scdcli.simulation.camera.optics import Camera, draw_camera, through_file, through_lens
from scdcli.simulation.camera.radiometry import Tone, draw_tone, palette, with_tone

GRAYS = np.repeat(np.linspace(0, 1, 256, dtype=np.float32).reshape(1, 16, 16), 3, axis=0)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_tone_curves_never_fall(seed):
    tone = draw_tone(np.random.default_rng(seed), 1.5, (palette(ground().scene),))
    alone = replace(tone, mixing=Tone().mixing, saturation=1.0)
    picture = with_tone(GRAYS, alone).reshape(3, -1)
    assert (np.diff(picture, axis=1) >= -1e-5).all()
    assert picture.min() >= 0
    assert picture.max() <= 1


@pytest.mark.parametrize("seed", range(8))
def test_hardly_any_difference_is_hardly_seen(seed):
    """Also of a scene with bright highlights."""
    scene = np.clip(ground().scene * 1.6, 0, 1)
    tone = replace(draw_tone(np.random.default_rng(seed), 1e-3), saturation=1.0)
    np.testing.assert_allclose(with_tone(scene, tone), scene, atol=0.015)


def test_without_saturation_a_picture_is_gray():
    picture = with_tone(ground().scene, Tone(saturation=0.0))
    np.testing.assert_allclose(np.ptp(picture, axis=0), 0, atol=1e-5)


def test_borrowed_colors_bring_the_palette_nearer():
    scene = ground().scene
    other = palette(np.clip(scene * np.array([0.6, 0.8, 1.1])[:, None, None] + 0.05, 0, 1))

    def away(picture):
        distance = np.array(palette(picture).quantiles) - np.array(other.quantiles)
        return np.abs(distance).mean()

    half, most = (with_tone(scene, Tone(palette=other, toward_palette=s)) for s in (0.4, 0.9))
    assert away(most) < 0.4 * away(scene)
    assert away(most) < away(half) < away(scene)


def test_a_camera_exposes_for_the_highlights():
    scene = ground().scene
    burnt = with_tone(scene, Tone(gain=(2.0, 2.0, 2.0)))
    exposed = with_tone(scene, Tone(gain=(2.0, 2.0, 2.0), brightest=0.9))
    assert exposed.max() < burnt.max()
    assert exposed.mean() < 0.8 * burnt.mean()


def test_haze_brings_colors_nearer_to_the_light_of_the_air():
    air = Air(haze=0.4, airlight=(0.7, 0.7, 0.7), seed=1)
    scene = ground().scene
    hazy = through_air(scene, air)
    assert (np.abs(hazy - 0.7) <= np.abs(scene - 0.7) + 1e-6).all()
    assert hazy.std() < 0.8 * scene.std()


def test_a_seam_is_a_straight_step():
    flat = np.full((3, 40, 50), 0.5, dtype=np.float32)
    picture = through_air(flat, Air(seam=(0.1, 0.1, 0.0), seam_place=(0.0, 0.0)))
    np.testing.assert_allclose(picture[0, :, :23], 0.5, atol=1e-6)
    np.testing.assert_allclose(picture[0, :, 28:], 0.55, atol=1e-6)
    np.testing.assert_allclose(picture[2], 0.5, atol=1e-6)


def test_clouds_shade_their_share_of_the_ground():
    flat = np.full((3, 200, 200), 0.5, dtype=np.float32)
    picture = through_air(flat, Air(cloud=0.5, cover=0.4, seed=2))[0]
    assert picture.min() == pytest.approx(0.25)
    assert (picture < 0.49).mean() == pytest.approx(0.4, abs=0.05)


@pytest.mark.parametrize("camera", [Camera(blur=1.2), Camera(coarseness=2.0)])
def test_coarse_optics_take_detail_but_no_light(camera):
    noise = np.random.default_rng(0).random((3, 60, 70), dtype=np.float32)
    picture = through_lens(noise, camera)
    assert picture.shape == noise.shape
    assert picture.std() < 0.7 * noise.std()
    assert picture.mean() == pytest.approx(noise.mean(), abs=0.01)


def test_noise_is_as_strong_and_as_shared_as_the_camera_says():
    flat = np.full((3, 120, 120), 0.36, dtype=np.float32)
    camera = Camera(noise=0.02, shared_noise=0.75)
    noise = through_file(flat, camera, np.random.default_rng(0)) - flat
    # Strength at brightness 0.36: sqrt(0.36) + 0.4 = 1.
    assert noise.std() == pytest.approx(0.02, rel=0.03)
    assert np.corrcoef(noise.reshape(3, -1))[0, 1] == pytest.approx(0.75, abs=0.02)


def test_halos_overshoot_at_edges():
    edge = np.full((3, 20, 20), 0.3, dtype=np.float32)
    edge[:, :, 10:] = 0.6
    picture = through_file(edge, Camera(halo=0.8), np.random.default_rng(0))
    assert picture[:, :, 9].max() < 0.28
    assert picture[:, :, 10].min() > 0.62


def test_cars_stand_on_open_ground_only():
    place = ground(96, 120)
    rng = np.random.default_rng(1)
    picture = with_traffic(place.scene, Traffic(density=300.0, length=7.0), place.bare, 0.5, rng)
    changed = (picture != place.scene).any(axis=0)
    assert changed.sum() > 40
    assert not changed[place.water].any()
    assert not changed[place.buildings > 0].any()


def test_small_things_vanish_without_a_trace():
    plain = np.full((3, 60, 60), 0.4, dtype=np.float32)
    scene = plain.copy()
    scene[:, 28:32, 26:34] = 0.75
    everywhere = np.ones((60, 60), dtype=bool)
    rng = np.random.default_rng(2)
    picture = with_traffic(scene, Traffic(removals=100.0), everywhere, 0.0, rng)
    assert np.abs(picture - plain).sum() < 0.5 * np.abs(scene - plain).sum()


@pytest.mark.parametrize(
    ("drawn", "none"),
    [
        (draw_tone(np.random.default_rng(0), 0.0), Tone()),
        (draw_air(np.random.default_rng(0), 0.0), Air()),
        (draw_camera(np.random.default_rng(0), 0.0), Camera()),
        (draw_traffic(np.random.default_rng(0), 0.0, 8.0), Traffic()),
    ],
)
def test_no_amount_draws_nothing(drawn, none):
    assert drawn == none
