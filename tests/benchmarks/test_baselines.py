"""Change without a network: invariances, change that was put in, inputs that say nothing."""

import baselines
import numpy as np
import pytest
from baselines import (
    BASELINES,
    alteration,
    difference,
    ir_mad,
    match_histogram,
    otsu_bin,
    otsu_threshold,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.ndimage import gaussian_filter
from scipy.stats import chi2

SHAPE = (48, 60)
PASTED = (slice(10, 26), slice(20, 44))
GAINS = st.floats(0.2, 5) | st.floats(-5, -0.2)
OFFSETS = st.floats(-100, 100)


def ground(seed, bands=3):
    """Smooth correlated bands, (bands, H, W) about 128."""
    rng = np.random.default_rng(seed)
    fields = gaussian_filter(rng.normal(size=(bands + 1, *SHAPE)), (0, 2, 2))
    return 128 + 120 * (fields[:bands] + fields[bands])


def scene_pair(seed=0):
    """A place twice, in another light and with noise; other ground is pasted into AFTER."""
    rng = np.random.default_rng(seed + 100)
    before = ground(seed)
    after = before.copy()
    after[(slice(None), *PASTED)] = ground(seed + 50)[(slice(None), *PASTED)] + 70
    after = after * np.array([0.8, 1.1, 0.9])[:, None, None] + 20
    changed = np.zeros(SHAPE, bool)
    changed[PASTED] = True
    noise = rng.normal(0, 2, (2, *before.shape))
    return before + noise[0], after + noise[1], changed


def everywhere(shape=SHAPE):
    return np.ones(shape, bool)


def iou(found, truth):
    return (found & truth).sum() / (found | truth).sum()


@pytest.mark.parametrize("name", ["difference", "ir-mad"])
@pytest.mark.parametrize("seed", range(3))
def test_pasted_change_is_found(name, seed):
    before, after, truth = scene_pair(seed)
    found = BASELINES[name](before, after, everywhere())
    assert iou(found.changed == 1, truth) > {"difference": 0.6, "ir-mad": 0.75}[name]


@settings(deadline=None, max_examples=15)
@given(
    gains=st.lists(GAINS, min_size=6, max_size=6),
    offsets=st.lists(OFFSETS, min_size=6, max_size=6),
)
def test_gain_and_offset_of_any_band_leave_ir_mad_as_it_is(gains, offsets):
    before, after, _ = scene_pair()
    scale = np.array(gains).reshape(2, 3, 1, 1)
    shift = np.array(offsets).reshape(2, 3, 1, 1)
    plain = ir_mad(before, after, everywhere())
    altered = ir_mad(before * scale[0] + shift[0], after * scale[1] + shift[1], everywhere())
    np.testing.assert_allclose(altered.score, plain.score, atol=1e-4)
    assert (altered.changed != plain.changed).mean() < 1e-3


def test_mixing_the_bands_leaves_the_alteration_as_it_is(rng):
    before, after, _ = scene_pair()
    first, second = before.reshape(3, -1), after.reshape(3, -1)
    mixing = rng.normal(size=(3, 3)) + 2 * np.eye(3)
    plain, mixed = alteration(first, second), alteration(first, mixing @ second)
    np.testing.assert_allclose(mixed.statistic, plain.statistic, rtol=1e-5, atol=1e-6)


def test_dates_may_be_swapped_for_the_alteration():
    before, after, _ = scene_pair()
    first, second = before.reshape(3, -1), after.reshape(3, -1)
    there, back = alteration(first, second), alteration(second, first)
    np.testing.assert_allclose(there.statistic, back.statistic, rtol=1e-6, atol=1e-9)


def test_unchanged_pixels_follow_chi_square_before_reweighting(rng, monkeypatch):
    # Two noisy looks at one place and nothing changed: the statistic has mean C.
    monkeypatch.setattr(baselines, "MOST_ROUNDS", 0)
    first = rng.normal(size=(3, 20_000))
    second = first + rng.normal(0, 0.3, first.shape)
    found = alteration(first, second)
    assert found.statistic.mean() == pytest.approx(3, rel=0.05)
    assert np.quantile(found.statistic, 0.99) == pytest.approx(chi2.ppf(0.99, 3), rel=0.05)
    assert found.correlations == pytest.approx([1 / np.hypot(1, 0.3)] * 3, abs=0.02)


def test_reweighting_makes_the_statistic_larger_than_chi_square(rng):
    # Why the threshold is no quantile of it.
    first = rng.normal(size=(3, 20_000))
    found = alteration(first, first + rng.normal(0, 0.3, first.shape))
    assert found.statistic.mean() > 2 * 3


def test_reweighting_keeps_change_from_hiding_itself():
    # A tenth of the pixels changed: the correlation is then that of the others.
    rng = np.random.default_rng(3)
    first = rng.normal(size=(2, 10_000))
    second = first + rng.normal(0, 0.1, first.shape)
    second[:, :1000] = rng.normal(0, 3, (2, 1000))
    found = alteration(first, second)
    assert found.correlations.min() > 0.99
    assert np.median(found.statistic[:1000]) > 30 * np.median(found.statistic[1000:])


def test_a_band_that_is_a_copy_of_another_adds_nothing():
    before, after, _ = scene_pair()
    copied = np.concatenate([before, 2 * before[:1] + 3])
    plain = ir_mad(before, after, everywhere())
    np.testing.assert_allclose(ir_mad(copied, after, everywhere()).score, plain.score, atol=1e-4)


def test_identical_images_but_for_a_patch():
    before = ground(1).round()
    after = before.copy()
    after[(slice(None), *PASTED)] += 60
    truth = np.zeros(SHAPE, bool)
    truth[PASTED] = True
    assert iou(ir_mad(before, after, everywhere()).changed == 1, truth) == 1


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("values", [(0, 0), (0, 255), (7, 7)])
def test_images_of_one_color_have_no_change(name, values):
    before, after = (np.full((3, *SHAPE), value, np.float32) for value in values)
    found = BASELINES[name](before, after, everywhere())
    assert not found.changed.any()
    assert np.isfinite(found.score).all()


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("blank", [0, 1])
def test_one_image_of_one_color_does_not_crash(name, blank):
    images = [ground(0), ground(1)]
    images[blank][:] = 9
    assert np.isfinite(BASELINES[name](*images, everywhere()).score).all()


@pytest.mark.parametrize("name", BASELINES)
def test_identical_images_have_no_change(name):
    image = ground(2)
    assert not BASELINES[name](image, image.copy(), everywhere()).changed.any()


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_few_pixels_do_not_crash(name, count):
    valid = np.zeros(SHAPE, bool)
    valid.reshape(-1)[:count] = True
    found = BASELINES[name](ground(0), ground(1), valid)
    assert (found.changed[~valid] == 255).all()
    assert set(np.unique(found.changed[valid])) <= {0, 1}


@pytest.mark.parametrize("name", BASELINES)
def test_what_is_not_valid_has_no_say(name):
    before, after, _ = scene_pair()
    valid = everywhere()
    valid[:, 30:] = False
    found = BASELINES[name](before, after, valid)
    other = BASELINES[name](np.where(valid, before, 1e6), np.where(valid, after, -5.0), valid)
    alone = BASELINES[name](before[:, :, :30], after[:, :, :30], valid[:, :30])
    np.testing.assert_array_equal(found.changed, other.changed)
    np.testing.assert_array_equal(found.changed[:, :30], alone.changed)
    assert (found.changed[:, 30:] == 255).all()
    assert (found.score[:, 30:] == 0).all()


@pytest.mark.parametrize("name", BASELINES)
def test_the_score_crosses_one_half_at_the_threshold(name):
    found = BASELINES[name](*scene_pair()[:2], everywhere())
    assert found.score.dtype == np.float32
    assert found.changed.dtype == np.uint8
    assert ((found.score >= 0) & (found.score <= 1)).all()
    changed = found.changed == 1
    assert (found.score[changed] >= 0.5).all()
    assert (found.score[~changed] <= 0.5).all()


@settings(deadline=None, max_examples=25)
@given(gain=st.floats(0.3, 3), power=st.floats(0.5, 2))
def test_increasing_changes_of_after_leave_the_difference_as_it_is(gain, power):
    before, after, _ = scene_pair()
    after = np.clip(after, 1, None)
    found = difference(before, gain * after**power, everywhere())
    np.testing.assert_allclose(
        found.score, difference(before, after, everywhere()).score, atol=1e-5
    )


def test_equal_histograms_are_matched_as_they_are(rng):
    values = rng.integers(0, 20, 500).astype(float)
    np.testing.assert_allclose(match_histogram(values, rng.permutation(values)), values)


def brute_force(counts):
    """The largest variance between two groups that a histogram can be divided into."""
    level = np.arange(len(counts))
    best = {}
    for last in range(len(counts) - 1):
        lower, upper = counts[: last + 1], counts[last + 1 :]
        if lower.sum() and upper.sum():
            means = (
                (lower @ level[: last + 1]) / lower.sum(),
                (upper @ level[last + 1 :]) / upper.sum(),
            )
            best[last] = lower.sum() * upper.sum() * (means[1] - means[0]) ** 2
    return best


@given(arrays.arrays(np.int64, st.integers(2, 30), elements=st.integers(0, 1000)))
def test_otsu_is_the_best_of_all_thresholds(counts):
    best = brute_force(counts)
    if best:
        assert best[otsu_bin(counts)] == pytest.approx(max(best.values()))


def test_otsu_parts_two_heaps(rng):
    values = np.concatenate([rng.uniform(0, 1, 900), rng.uniform(9, 10, 100)])
    assert 1 <= otsu_threshold(values) < 9
    assert (values > otsu_threshold(values)).sum() == 100


@pytest.mark.parametrize("values", [[], [3.0], [3.0, 3.0], [1.0, np.nextafter(1.0, 2)]])
def test_otsu_of_one_heap_leaves_nothing_above(values):
    values = np.array(values)
    assert not (values > otsu_threshold(values)).any()
