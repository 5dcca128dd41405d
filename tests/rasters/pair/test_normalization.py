"""Bringing AFTER to the values of BEFORE: laws of the mappings, and what they leave of changes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.windows import Window
from scenes import NORTH_UP, noise, write_scene
from scipy.ndimage import gaussian_filter

from scdcli.errors import PairError, UnknownName
from scdcli.rasters.pair.coregister import open_registered
from scdcli.rasters.pair.mappings import Curves, Linear, MeanStd, match_curves
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.pair.pif import no_change, pif_line
from scdcli.rasters.pair.settings import PairSettings

SIDE = 160
WHOLE = Window(0, 0, SIDE, SIDE)
HAZE = np.array([0.6, 0.7, 0.8])[:, None, None], np.array([60, 40, 20])[:, None, None]
MATCH, PIF = (PairSettings(normalize=method) for method in ("match", "pif"))


def land(seed, side=SIDE):
    """Textures of several sizes in three related bands, (3, H, W) float64 around 110."""
    rng = np.random.default_rng(seed)
    layers = [gaussian_filter(rng.normal(size=(side, side)), size) for size in (1.5, 4, 10)]
    together = np.stack([layer / layer.std() for layer in layers])
    mixing = rng.uniform(0.3, 1, (3, 3))
    return 110 + 14 * np.tensordot(mixing, together, 1)


def in_bytes(pixels):
    return pixels.round().clip(1, 254).astype(np.uint8)


@pytest.fixture
def write(tmp_path):
    """Write a pair; returns both paths."""

    def write(before, after, **profile):
        return [
            write_scene(tmp_path / f"{name}.tif", pixels, **profile)
            for name, pixels in (("before", before), ("after", after))
        ]

    return write


def read(paths, settings=MATCH):
    with open_pair(*paths, settings) as pair:
        return pair.read(Window(0, 0, pair.grid.width, pair.grid.height))


def test_curves_give_one_date_the_histogram_of_the_other():
    before, after = noise((2, 5000), "float32", 40, 200, 1), noise((2, 4000), "float32", 0, 90, 2)
    after = after**2 / 50  # bent, too
    found = match_curves(before, after).apply(after[:, None])[:, 0]
    shares = np.linspace(0.02, 0.98, 25)
    for one, other in zip(before, found, strict=True):
        np.testing.assert_allclose(np.quantile(other, shares), np.quantile(one, shares), atol=2.5)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 50), st.integers(10, 60))
def test_curves_never_turn_brighter_into_darker(seed, levels):
    """Also where many pixels share few values."""
    before, after = noise((1, 400), high=levels, seed=seed), noise((1, 300), high=levels, seed=99)
    before[0, :2], after[0, :2] = (1, 9), (1, 9)
    values = np.linspace(-20, 280, 601, dtype=np.float32)[None, None]
    curves = match_curves(before.astype(np.float32), after.astype(np.float32))
    assert (np.diff(curves.apply(values)[0, 0]) >= 0).all()
    assert all(len(each) == len(set(each)) for each in curves.values)


@given(st.floats(1, 250, width=32), st.sampled_from([-1, 1]))
def test_curves_of_a_band_that_hardly_varies_never_fall(value, direction):
    after = np.full((1, 10_000), value, np.float32)
    after[0, 0] = np.nextafter(np.float32(value), np.float32(value + direction))
    before = noise((1, 400)).astype(np.float32)
    curves = match_curves(before, after)
    values, become = curves.values[0], curves.become[0]
    assert values[0] <= after.min() <= after.max() <= values[-1]
    assert (np.diff(values) > 0).all()
    assert (np.diff(become) >= 0).all()


def test_equal_dates_stay_as_they_are():
    pixels = noise((3, 3000)).astype(np.float32)
    found = match_curves(pixels, pixels).apply(pixels[:, None])[:, 0]
    assert np.abs(found - pixels).max() < 1.5


def test_a_value_shared_by_many_becomes_what_so_many_have():
    before = np.linspace(0, 100, 1001, dtype=np.float32)[None]
    after = np.where(before < 30, 7, before).astype(np.float32)
    assert match_curves(before, after).apply(np.full((1, 1, 1), 7.0)) == pytest.approx(15, abs=0.3)


def test_beyond_its_ends_a_curve_goes_on_and_nan_stays():
    curve = Curves(((10.0, 20.0, 40.0),), ((0.0, 30.0, 50.0),))
    values = np.array([[[5, 10, 15, 20, 30, 40, 47, np.nan]]], np.float32)
    expected = np.array([[[-5, 0, 15, 30, 40, 50, 57, np.nan]]], np.float32)
    np.testing.assert_array_equal(curve.apply(values), expected)
    np.testing.assert_array_equal(
        Linear((2.0,), (1.0,)).apply(values), values * np.float32(2) + np.float32(1)
    )


@pytest.mark.parametrize("share", [0.0, 0.3])
@settings(max_examples=3, deadline=None)
@given(st.floats(0.4, 2), st.floats(-60, 60), st.integers(0, 20))
def test_the_line_is_found_whatever_the_light_and_with_a_third_changed(share, gain, offset, seed):
    rng = np.random.default_rng(seed)
    before = land(seed, 64).reshape(3, -1)
    after = before + rng.normal(0, 2, before.shape)
    other = int(share * after.shape[1])
    if other:
        after[:, :other] = land(seed + 1, 64).reshape(3, -1)[:, :other] + 30
    found = pif_line(before, after * gain + offset)
    line = found.line.apply((after * gain + offset)[:, None])[:, 0]
    assert np.abs(line - after).mean() < 1
    assert found.correlation > 0.9
    likely = no_change(before, after * gain + offset)
    assert likely[other:].mean() > 0.3
    if other:
        assert likely[:other].mean() < 0.1


@pytest.mark.parametrize("asked", [MATCH, PIF])
def test_haze_over_a_whole_date_goes_away(write, asked):
    clear = land(3)
    paths = write(in_bytes(clear), in_bytes(clear * HAZE[0] + HAZE[1]))
    before, after, _ = read(paths, PairSettings())
    assert np.abs(before - after).mean() > 8
    before, after, _ = read(paths, asked)
    assert np.abs(before - after).mean() < 1.5


def test_invariant_places_leave_a_change_of_a_third_as_large_as_it_is(write):
    """What matching histograms does not."""
    before, after = land(3), land(3)
    changed = np.zeros((SIDE, SIDE), bool)
    changed[:50] = True
    after[:, changed] += 60
    paths = write(in_bytes(before), in_bytes(after * HAZE[0] + HAZE[1]))
    unchanged, apart = [], []
    for asked in (MATCH, PIF):
        first, second, _ = read(paths, asked)
        unchanged.append(np.abs(first - second)[:, ~changed].mean())
        apart.append((second - first)[:, changed].mean())
    assert unchanged[1] < 2 < unchanged[0]
    assert apart[1] == pytest.approx(60, abs=4)


@pytest.mark.parametrize(
    "asked", [MATCH, PIF, replace(MATCH, mean_std=MeanStd((9,) * 3, (4,) * 3))]
)
def test_windows_do_not_matter_and_statistics_are_read_once(write, monkeypatch, asked):
    paths = write(in_bytes(land(1)), in_bytes(land(2)[:, ::-1] * 0.5 + land(1) * 0.5))
    with open_pair(*paths, asked) as pair:
        whole = pair.read(WHOLE)
        part = pair.read(Window(11, 7, 33, 1))
        known = replace(asked, normalization=pair.normalization)
        again = pair.provenance
    for one, other in zip(whole, part, strict=True):
        np.testing.assert_array_equal(one[..., 7:8, 11:44], other)
    with open_pair(*paths, asked) as pair:
        assert pair.provenance == again
        np.testing.assert_array_equal(pair.read(WHOLE)[1], whole[1])
    monkeypatch.setattr("scdcli.rasters.pair.open.find_normalization", None)  # not to be called
    with open_pair(*paths, known) as pair:
        np.testing.assert_array_equal(pair.read(WHOLE)[1], whole[1])


def test_other_types_are_normalized_after_the_stretch(write):
    clear = land(3) * 40
    paths = write(clear.astype(np.uint16), (clear * HAZE[0] + 40 * HAZE[1]).astype(np.uint16))
    before, after, _ = read(paths, PIF)
    inside = (before > 1) & (before < 254) & (after > 1) & (after < 254)
    assert np.abs(before - after)[inside].mean() < 1.5
    assert after.min() >= 0
    assert after.max() <= 255


def test_nodata_has_no_say(write):
    clear = in_bytes(land(3))
    hazy = in_bytes(land(3) * HAZE[0] + HAZE[1])
    holes = clear.copy()
    holes[:, :60] = 0
    hazy[:, :60] = 255  # measured, but not in BEFORE
    before, after, valid = read(write(holes, hazy, nodata=0), PIF)
    assert not valid[:60].any()
    assert np.abs(before - after)[:, valid].mean() < 1.5


def test_what_was_done_is_said_and_recorded(write):
    paths = write(in_bytes(land(3)), in_bytes(land(3) * HAZE[0] + HAZE[1]))
    with open_pair(*paths, PIF) as pair:
        (note,) = pair.notes
        record = pair.provenance["normalization"]
    assert "after.tif is brought to the values of " in note
    assert "band 1: 1.6" in note
    assert record["method"] == "pif"
    np.testing.assert_allclose(record["gain"], 1 / HAZE[0].ravel(), rtol=0.05)
    with open_pair(*paths, MATCH) as pair:
        (note,) = pair.notes
        record = pair.provenance["normalization"]
    assert "are matched to those of" in note
    assert [*record] == ["method", "curves"]
    assert len(record["curves"]) == 3
    with open_pair(*paths) as pair:
        assert pair.provenance["normalization"] is None
        assert pair.notes == ()


def test_a_pair_that_is_moved_is_normalized_where_it_lies_in_the_end(write):
    ground = in_bytes(land(3, 200))
    before, after = ground[:, 20:180, 20:180], ground[:, 17:177, 22:182]
    hazy = in_bytes(after * HAZE[0] + HAZE[1])
    paths = write(before, hazy)
    with open_registered(*paths, PIF, coregister=True) as pair:
        first, second, valid = pair.read(WHOLE)
        assert "moved" in " ".join(pair.notes)
    assert np.abs(first - second)[:, valid].mean() < 1.5


@pytest.mark.parametrize("method", ["match", "pif"])
def test_what_cannot_be_normalized_is_one_sentence(write, method):
    asked = PairSettings(normalize=method)
    plain = in_bytes(land(3))
    flat = plain.copy()
    flat[1] = 90
    with pytest.raises(PairError, match=r"band 2 in use of \S+after.tif holds one value only \(90"):
        read(write(plain, flat), asked)
    empty = plain.copy()
    empty[:, :, 80:] = 0
    other = plain.copy()
    other[:, :, :80] = 0
    with pytest.raises(PairError, match="no sampled pixel is measured in both"):
        read(write(empty, other, nodata=0), asked)


def test_dates_with_nothing_in_common_have_no_line(write):
    with pytest.raises(PairError, match="too little seems unchanged between"):
        read(write(noise((3, 64, 64), seed=1), noise((3, 64, 64), seed=2)), PIF)


def test_an_unknown_method_is_named(write):
    pixels = in_bytes(land(3))
    with pytest.raises(UnknownName, match="'mach'; choose one of: match, none, pif"):
        read(write(pixels, pixels), PairSettings(normalize="mach"))


def test_of_a_large_scene_windows_from_edge_to_edge_are_read(write):
    pixels = noise((1, 3000, 130), high=100)
    pixels[:, 2900:] = 200
    paths = write(pixels, pixels, transform=NORTH_UP, tiled=True)
    with open_pair(*paths, replace(MATCH, mean_std=MeanStd((0.0,), (1.0,)))) as pair:
        record = pair.provenance["normalization"]
    expected = np.concatenate([pixels[0, :128], pixels[0, -128:]])
    assert expected.max() == 200
    assert record["per_date"]["before"]["mean"][0] == pytest.approx(
        (7 * 50 + (28 * 50 + 100 * 200) / 128) / 8, abs=1
    )
