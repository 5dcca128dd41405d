"""Laws of calibration: the temperature is found again, and histograms add."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from scdcli.prediction.decode import apply_temperature
from scdcli.scoring.calibration import (
    BINS,
    CENTERS,
    Histogram,
    count_confidence,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    reliability,
)


def honest(pixels):
    """As many changed pixels in every bin as its probability says; (BINS,) pixels in all."""
    changed = pixels * expit(CENTERS)
    return Histogram(np.stack((pixels - changed, changed)))


def drawn(seed, size=(40, 50)):
    """Probability, label and validity of a window."""
    rng = np.random.default_rng(seed)
    change = rng.random(size, np.float32) ** 2
    return change, rng.random(size) < change, rng.random(size) < 0.9


def test_the_bins_are_of_logits_around_one_half():
    change = np.array([0, 1e-20, 0.5, 0.5, 0.9, 1], np.float32)
    changed = np.array([0, 1, 0, 1, 1, 1], bool)
    found = count_confidence(change, changed, np.ones(6, bool)).pixels
    assert CENTERS[BINS // 2] == 0
    assert found[:, 0].tolist() == [1, 1]
    assert found[:, BINS // 2].tolist() == [1, 1]
    assert found[1, -1] == 1
    place = int(found[1, BINS // 2 + 1 : -1].argmax()) + BINS // 2 + 1
    assert CENTERS[place] == pytest.approx(np.log(9), abs=0.02)
    assert found.sum() == 6


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 100), st.integers(1, 39))
def test_histograms_of_parts_add_to_that_of_all(seed, row):
    window = drawn(seed)
    whole = count_confidence(*window)
    parts = [count_confidence(*(x[rows] for x in window)) for rows in (np.s_[:row], np.s_[row:])]
    assert (sum(parts, Histogram.empty()).pixels == whole.pixels).all()
    assert whole.pixels.sum() == window[2].sum()


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 50))
def test_what_is_perfectly_calibrated_has_no_error_and_keeps_its_temperature(seed):
    found = honest(np.random.default_rng(seed).random(BINS) * 1000)
    assert expected_calibration_error(found) == pytest.approx(0, abs=1e-12)
    assert fit_temperature(found) == pytest.approx(1, abs=1e-3)


@settings(deadline=None, max_examples=30)
@given(st.floats(0.3, 4), st.integers(0, 20))
def test_the_temperature_of_overconfident_logits_is_found(temperature, seed):
    """Bins hold as much change as their logit divided by T says."""
    pixels = np.random.default_rng(seed).random(BINS) * (abs(CENTERS) < 6)
    changed = pixels * expit(CENTERS / temperature)
    found = Histogram(np.stack((pixels - changed, changed)))
    assert fit_temperature(found) == pytest.approx(temperature, rel=1e-3)
    after = expected_calibration_error(found, temperature)
    assert after == pytest.approx(0, abs=1e-9)
    assert after <= expected_calibration_error(found)


@pytest.mark.parametrize("temperature", [0.5, 1.7])
def test_the_temperature_of_drawn_pixels_is_found(temperature):
    rng = np.random.default_rng(1)
    logit = rng.normal(0, 2, (300, 500))
    changed = rng.random(logit.shape) < expit(logit)
    said = expit(logit * temperature).astype(np.float32)
    found = count_confidence(said, changed, np.ones_like(changed))
    assert fit_temperature(found) == pytest.approx(temperature, rel=0.03)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 50), st.floats(0.3, 3))
def test_a_histogram_at_a_temperature_is_that_of_calibrated_probabilities(seed, temperature):
    change, changed, valid = drawn(seed)
    cold = count_confidence(change, changed, valid)
    warm = count_confidence(apply_temperature(change, temperature), changed, valid)
    assert negative_log_likelihood(cold, temperature) == pytest.approx(
        negative_log_likelihood(warm, 1.0), rel=0.02
    )


def test_a_fit_is_never_worse_and_stays_finite_where_all_is_right():
    change, changed, valid = drawn(0)
    sure = count_confidence(changed.astype(np.float32), changed, valid)
    for found in (sure, count_confidence(change, changed, valid), Histogram.empty()):
        temperature = fit_temperature(found)
        assert np.isfinite(temperature)
        assert negative_log_likelihood(found, temperature) <= negative_log_likelihood(found, 1)
    assert fit_temperature(Histogram.empty()) == 1


def test_reliability_by_hand():
    """Four pixels at 0.5, of which three changed: 0.25 off; as many right at the ends."""
    pixels = np.zeros((2, BINS), np.int64)
    pixels[:, BINS // 2] = 1, 3
    pixels[0, 0] = pixels[1, -1] = 2
    rows = reliability(Histogram(pixels))
    assert [row.pixels for row in rows] == [2, *[0] * 6, 4, *[0] * 6, 2]
    assert (rows[7].low, rows[7].high) == (7 / 15, 8 / 15)
    assert (rows[7].probability, rows[7].frequency) == (0.5, 0.75)
    assert rows[1].probability is None
    error = expected_calibration_error(Histogram(pixels))
    assert error == pytest.approx(0.25 * 4 / 8, abs=1e-6)
