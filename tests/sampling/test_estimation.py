"""The published worked example to the digit, and laws that hold for every sample."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scdcli.sampling.estimation import (
    StratifiedSample,
    error_matrix,
    estimate_area,
    estimate_ratio,
)

HECTARES = 30 * 30 / 10_000


def published():
    """Olofsson et al. (2014), table 8: deforestation, gain, stable forest, stable non-forest."""
    counts = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
    pixels = np.array([200_000, 150_000, 3_200_000, 6_450_000])
    rows, columns = np.indices(counts.shape)
    mapped, judged = np.repeat(rows, counts.ravel()), np.repeat(columns, counts.ravel())
    size = np.full(len(mapped), HECTARES)
    return StratifiedSample(mapped, size, pixels, pixels * HECTARES), mapped, judged


@pytest.mark.parametrize(
    ("number", "area", "margin", "users", "producers"),
    [
        (0, 21_158, 6_158, (0.88, 0.07), (0.75, 0.21)),
        # The paper prints 0.23 here and 0.01 below, which its own equation 7 does not give.
        (1, 11_686, 3_756, (0.73, 0.10), (0.85, 0.25)),
        (2, 285_770, 15_510, (0.93, 0.04), (0.93, 0.03)),
        (3, 581_386, 16_282, (0.96, 0.02), (0.96, 0.02)),
    ],
)
def test_the_published_example_comes_out_to_the_digit(number, area, margin, users, producers):
    sample, mapped, judged = published()
    found = estimate_area(sample, judged == number)
    assert (round(found.value), round(found.margin)) == (area, margin)
    both = (mapped == number) & (judged == number)
    for whole, expected in ((mapped, users), (judged, producers)):
        share = estimate_ratio(sample, both, whole == number)
        assert (round(share.value, 2), round(share.margin, 2)) == expected


def test_the_published_overall_accuracy_comes_out():
    sample, mapped, judged = published()
    found = estimate_area(sample, mapped == judged).scaled(1 / sample.total)
    assert (round(found.value, 2), round(found.margin, 2)) == (0.95, 0.02)
    assert np.trace(error_matrix(sample, mapped, judged, range(4))) == pytest.approx(found.value)


def test_producers_accuracies_are_those_of_the_published_formula():
    """Equation 7 of Olofsson et al. (2014), written out."""
    sample, mapped, judged = published()
    counts = np.array([[np.sum((mapped == i) & (judged == j)) for j in range(4)] for i in range(4)])
    pixels, share = sample.units, counts / counts.sum(axis=1, keepdims=True)
    for j in range(4):
        total = pixels @ share[:, j]
        found = estimate_ratio(sample, (mapped == j) & (judged == j), judged == j)
        users, producers = share[j, j], pixels[j] * share[j, j] / total
        each = pixels**2 * share[:, j] * (1 - share[:, j]) / (counts.sum(axis=1) - 1)
        own = pixels[j] ** 2 * (1 - producers) ** 2 * users * (1 - users) / (counts[j].sum() - 1)
        variance = (own + producers**2 * (each.sum() - each[j])) / total**2
        assert (found.value, found.error) == pytest.approx((producers, variance**0.5))


@st.composite
def samples(draw):
    """A population of up to 5 strata, what it is, and a sample of at least two units of each."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    units = rng.integers(2, 40, draw(st.integers(1, 5)))
    stratum = np.repeat(np.arange(len(units)), units)
    size = rng.uniform(0.5, 2, len(stratum)) if draw(st.booleans()) else np.ones(len(stratum))
    truth = rng.integers(0, 4, len(stratum))
    counts = [rng.integers(2, count + 1) for count in units]
    places = [
        rng.choice(np.flatnonzero(stratum == h), n, replace=False) for h, n in enumerate(counts)
    ]
    chosen = np.concatenate(places)
    area = np.bincount(stratum, size)
    whole = StratifiedSample(stratum, size, units, area)
    return whole, truth, StratifiedSample(stratum[chosen], size[chosen], units, area), truth[chosen]


@given(samples())
@settings(max_examples=25, deadline=None)
def test_adjusted_areas_add_up_to_the_mapped_area(drawn):
    whole, _, sample, judged = drawn
    areas = [estimate_area(sample, judged == code).value for code in range(4)]
    assert sum(areas) == pytest.approx(whole.total)
    assert sample.weights().sum() == pytest.approx(whole.total)
    matrix = error_matrix(sample, sample.stratum % 4, judged, (3, 0, 2, 1))
    assert matrix.sum() == pytest.approx(1)
    assert matrix.sum(axis=0) == pytest.approx(np.array(areas)[[3, 0, 2, 1]] / whole.total)


@given(samples())
@settings(max_examples=20, deadline=None)
def test_a_census_is_exact_and_without_error(drawn):
    whole, truth, _, _ = drawn
    found = estimate_area(whole, truth == 1)
    assert found.value == pytest.approx(whole.size[truth == 1].sum())
    assert found.error == pytest.approx(0)
    assert whole.too_small().size == 0


@given(samples(), st.integers(0, 3))
@settings(max_examples=20, deadline=None)
def test_empty_strata_and_their_order_change_nothing(drawn, more):
    _, _, sample, judged = drawn
    order = np.random.default_rng(more).permutation(len(sample.units) + more)
    units, area = np.zeros(len(order), dtype=np.int64), np.zeros(len(order))
    units[order[: len(sample.units)]] = sample.units
    area[order[: len(sample.units)]] = sample.area
    other = StratifiedSample(order[sample.stratum], sample.size, units, area)
    for measure in (
        lambda each: estimate_area(each, judged == 2),
        lambda each: estimate_ratio(each, judged == 2, judged >= 1),
    ):
        one, two = measure(sample), measure(other)
        assert (one is None) == (two is None)
        if one:
            assert (two.value, two.error) == pytest.approx((one.value, one.error))


@given(samples(), st.floats(0.01, 1000))
@settings(max_examples=15, deadline=None)
def test_another_unit_of_area_scales_areas_and_leaves_shares(drawn, factor):
    _, _, sample, judged = drawn
    other = StratifiedSample(
        sample.stratum, sample.size * factor, sample.units, sample.area * factor
    )
    one, two = (estimate_area(each, judged == 0) for each in (sample, other))
    assert (two.value, two.error) == pytest.approx((one.value * factor, one.error * factor))
    shares = [estimate_ratio(each, judged == 0, judged <= 1) for each in (sample, other)]
    if shares[0]:
        assert shares[1].value == pytest.approx(shares[0].value)
        assert shares[1].error == pytest.approx(shares[0].error, abs=1e-9)


def test_a_ratio_of_nothing_is_none():
    sample, _, judged = published()
    assert estimate_ratio(sample, judged == 0, judged == 9) is None


def test_strata_with_less_than_two_judged_units_are_named():
    units, area = np.array([10, 10, 1, 0, 10]), np.array([10.0, 10, 1, 0, 10])
    sample = StratifiedSample(np.array([0, 2, 4, 4]), np.ones(4), units, area)
    assert sample.too_small().tolist() == [0, 1]


def test_the_estimator_has_no_bias():
    """The mean over all samples of two of four, of a stratum of unequal truth, is the truth."""
    from itertools import combinations

    truth = np.array([1, 0, 0, 1, 1])
    values = [
        estimate_area(
            StratifiedSample(np.zeros(2, dtype=int), np.ones(2), np.array([5]), np.array([5.0])),
            truth[list(pair)] == 1,
        )
        for pair in combinations(range(5), 2)
    ]
    assert np.mean([each.value for each in values]) == pytest.approx(3)
    # and so is the mean of the estimated variance, which is that of the estimates
    variance = np.mean([each.error**2 for each in values])
    assert variance == pytest.approx(np.var([each.value for each in values]))
