"""The threshold is the middle of what is best, and few labels say nothing."""

import numpy as np
import pytest
from readings import window

from scdcli.legend import NODATA
from scdcli.prediction.decode import Reading, apply_temperature
from scdcli.scoring.calibration import expected_calibration_error
from scdcli.scoring.fitting import (
    FEWEST_CHANGED,
    Confidence,
    Plateau,
    _recalibrated,
    count_both,
    fit,
    plateau,
)
from scdcli.scoring.sweep import sweep

SIZE = (120, 120)


def confidence(seed=0, classes=3, size=SIZE, temperature=1.0):
    """What a model says whose probabilities are right, or that much too sure or unsure."""
    truth_from, truth_to, reading, _ = window(seed, classes, size)
    change = apply_temperature(reading.change, temperature)
    return count_both(truth_from, truth_to, reading._replace(change=change), classes)


def step(changed_at, unchanged_at):
    """Two transitions, both right; all changed pixels say one probability, all others another."""
    changed = np.zeros(SIZE, bool)
    changed[:60] = True
    truth_from = np.where(changed, 1, 0).astype(np.uint8)
    truth_to = truth_from + np.where(changed, np.arange(120) % 2, 0).astype(np.uint8)
    found = (np.maximum(truth_from, 1), np.maximum(truth_to, 1))
    change = np.where(changed, changed_at, unchanged_at).astype(np.float32)
    return count_both(truth_from, truth_to, Reading(change, *found, *found), 2)


def test_the_threshold_is_the_middle_of_the_best_stretch():
    found = plateau(sweep(step(0.605, 0.205).sweep))
    assert found.score == "sek_from_to"
    assert found.best == 1
    assert (found.low, found.high) == (0.21, 0.6)
    assert found.middle == pytest.approx(0.405)


def test_the_threshold_is_of_the_probability_that_the_fit_calibrates():
    hot = confidence(temperature=0.5)
    found = fit(hot)
    assert found.bound is None
    best = plateau(sweep(hot.sweep))
    ends = apply_temperature(np.array([best.low, best.high], np.float32), found.temperature)
    assert found.threshold == pytest.approx(ends.mean(), abs=1e-3)
    assert (found.by, found.best) == ("sek_from_to", best.best)


def test_a_temperature_at_the_end_of_its_range_is_left_alone():
    found = fit(step(0.605, 0.205), 1.5)  # all is right: the surer the better, without end
    assert (found.temperature, found.bound) == (1.5, "temperature")
    assert found.threshold == pytest.approx(0.405)
    assert (found.by, found.best) == ("sek_from_to", 1)
    assert found.nll_before == found.nll_after


def blind(change):
    """What a model says whose probability of change has nothing to do with the labels."""
    truth_from, truth_to, reading, _ = window(2, 3, SIZE)
    random = np.random.default_rng(5).uniform(size=SIZE)
    said = reading._replace(change=change(random, truth_from > 0).astype(np.float32))
    return count_both(truth_from, truth_to, said, 3)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda random, changed: random, id="no matter what is labelled"),
        pytest.param(lambda random, changed: np.where(changed, 0.2, 0.8), id="the wrong way round"),
        pytest.param(lambda random, changed: np.full(SIZE, 0.6), id="the same everywhere"),
        pytest.param(lambda random, changed: 0.999 + random / 1e4, id="sure everywhere"),
    ],
)
def test_where_all_changed_is_as_good_nothing_is_fitted(change):
    found = fit(blind(change), 1.5, 0.6)
    assert (found.temperature, found.threshold) == (1.5, 0.6)
    assert (found.by, found.bound) == (None, "threshold")
    assert found.ece_before == found.ece_after


def test_where_all_unchanged_is_as_good_nothing_is_fitted():
    truth_from, truth_to, reading, _ = window(2, 3, SIZE)
    wrong = [(each % 3 + 1).astype(np.uint8) for each in (truth_from, truth_to)]
    said = reading._replace(from_class=wrong[0], to_class=wrong[1])
    low = said._replace(change=np.where(truth_from > 0, 0.3, 0.4).astype(np.float32))
    best = plateau(sweep(count_both(truth_from, truth_to, low, 3).sweep))
    assert (best.high, best.tells_apart) == (1, False)


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_a_fitted_model_separates_as_well_as_its_best_threshold(temperature):
    truth_from, truth_to, reading, _ = window(5, 3, SIZE)
    said = reading._replace(change=apply_temperature(reading.change, temperature))
    found = fit(count_both(truth_from, truth_to, said, 3))
    again = said._replace(change=apply_temperature(said.change, found.temperature))
    rows = sweep(count_both(truth_from, truth_to, again, 3).sweep)
    nearest = min(rows, key=lambda row: abs(row.threshold - found.threshold))
    assert nearest.from_to.sek == pytest.approx(found.best, abs=0.005)


def test_a_second_fit_multiplies_the_temperature():
    hot = confidence(temperature=0.5)
    assert fit(hot, 3.0).temperature == pytest.approx(3 * fit(hot).temperature, rel=1e-4)
    assert fit(hot, 3.0).threshold == fit(hot).threshold


def test_the_fit_tells_what_it_gained():
    hot = confidence(temperature=0.4)
    found = fit(hot)
    assert found.nll_after < found.nll_before
    assert found.ece_after < found.ece_before
    assert found.ece_before == expected_calibration_error(hot.histogram)
    assert found.pixels == SIZE[0] * SIZE[1]
    assert found.record()["changed_pixels"] == hot.sweep.changed_pixels
    assert not {"temperature", "threshold"} & found.record().keys()


def test_few_changed_pixels_fit_nothing():
    few = confidence(size=(20, 20))
    assert 0 < few.sweep.changed_pixels < FEWEST_CHANGED
    found = fit(few, 1.5)
    assert (found.temperature, found.threshold, found.by) == (1.5, 0.5, None)
    assert found.ece_before == found.ece_after


def test_few_changed_pixels_leave_a_threshold_as_it_is():
    assert fit(confidence(size=(20, 20)), 1.5, 0.75).threshold == 0.75


@pytest.mark.parametrize(("at", "expected"), [(0.0001, 0.0001), (0.9999, 0.9999)])
def test_a_fitted_threshold_is_never_all_or_nothing(at, expected):
    flat = Plateau("f1", 1.0, at, at)
    assert _recalibrated(flat, 0.1) == expected


def test_a_chosen_threshold_keeps_the_fitted_temperature():
    hot = fit(confidence(temperature=0.5))
    found = hot.at(0.8)
    assert (found.temperature, found.threshold) == (hot.temperature, 0.8)
    assert (found.by, found.best) == ("given", None)
    few = fit(confidence(size=(20, 20)), 1.5).at(0.8)
    assert (few.temperature, few.threshold, few.by) == (1.5, 0.8, None)


def test_one_class_has_no_sek_so_that_f1_decides():
    found = fit(confidence(classes=1))
    assert found.by == "f1"
    assert 0 < found.threshold < 1


def test_nodata_of_labels_and_images_does_not_count():
    truth_from, truth_to, reading, valid = window(3)
    part = count_both(truth_from, truth_to, reading, 3, valid)
    holes = [np.where(valid, each, NODATA).astype(np.uint8) for each in (truth_from, truth_to)]
    same = count_both(*holes, reading, 3)
    assert (part.histogram.pixels == same.histogram.pixels).all()
    assert sweep(part.sweep) == sweep(same.sweep)
    both = part + Confidence.empty(3)
    assert both.sweep.pixels == valid.sum() == part.histogram.pixels.sum()
