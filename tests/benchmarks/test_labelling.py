"""How the benchmark of windows to label chooses, and what it says of differences."""

import numpy as np
import pytest
from labelling import choose, entropy, interval, k_center
from scipy.stats import ttest_1samp


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.8])
def test_entropy_is_one_at_the_threshold_and_falls_on_either_side(threshold):
    share = np.linspace(0.01, 0.99, 99)
    bits = entropy(share, threshold)
    place = round(100 * threshold) - 1
    assert bits[place] == pytest.approx(1)
    assert np.all(np.diff(bits[: place + 1]) > 0)
    assert np.all(np.diff(bits[place:]) < 0)


def test_the_least_sure_are_chosen_and_of_more_of_them_those_that_differ():
    unsure = np.array([0.1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2])
    looks = np.array([[9.0], [1], [1], [1], [5], [1], [1], [7], [1]])
    assert choose("unsure", unsure, looks, 2, 0).tolist() == [1, 2]
    assert choose("diverse", unsure, looks, 2, 0).tolist() == [1, 7]
    assert len(set(choose("random", unsure, looks, 5, 0).tolist())) == 5


def test_k_center_takes_one_of_each_group_before_a_second():
    looks = np.repeat([[0.0, 0], [10, 0], [0, 10]], 5, axis=0)
    assert sorted(place // 5 for place in k_center(looks, 2, 3)) == [0, 1, 2]


def test_the_interval_is_students():
    values = [0.02, 0.05, -0.01, 0.03]
    mean, half = interval(values)
    low, high = ttest_1samp(values, 0).confidence_interval(0.95)
    assert (mean - half, mean + half) == pytest.approx((low, high))
