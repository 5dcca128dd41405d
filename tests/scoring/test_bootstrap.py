import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from maps import draw

from scdcli.scoring import bootstrap
from scdcli.scoring.bootstrap import (
    draw_weights,
    interval,
    resampled_scores,
    row_scores,
    share_not_better,
    stack_margins,
    weighted,
)
from scdcli.scoring.counting import (
    JointCounts,
    Margins,
    count_joint,
    from_to_margins,
    stacked_matrix,
)
from scdcli.scoring.metrics import HEADLINE, change_scores, known, scores

SEEDS = st.integers(0, 2**32 - 1)


def drawn(seed, pairs, classes=3, share=0.4):
    """Counts of small pairs; few pixels and low shares leave many scores undefined."""
    return [
        count_joint(
            (
                *draw(seed + 2 * number, classes, (3, 4), share),
                *draw(seed + 2 * number + 1, classes, (3, 4), share),
            )
        )
        for number in range(pairs)
    ]


def of_pixels(*pixels):
    """Counts of one pair: (truth from, to, predicted from, to) per pixel."""
    return count_joint(tuple(np.array(pixels, np.uint8).T.reshape(4, 1, -1)))


def expected(counts, classes):
    """What `scdcli.scoring.metrics` says, nan for undefined."""
    found = scores(counts, classes).headline()
    return {
        name: math.nan if known(value) is None else known(value) for name, value in found.items()
    }


def row(found, number=0):
    return {name: values[number] for name, values in found.items()}


@settings(max_examples=60)
@given(SEEDS, st.integers(1, 5), st.sampled_from([0.0, 0.1, 0.5, 1.0]))
def test_with_every_pair_once_the_scores_are_those_of_the_whole(seed, pairs, share):
    counts = drawn(seed, pairs, share=share)
    whole = sum(counts, JointCounts.empty())
    for margins_of in (
        lambda each: from_to_margins(each, 3),
        lambda each: Margins.of(stacked_matrix(each, 3)),
    ):
        found = row_scores(weighted(stack_margins(counts, margins_of), np.ones((1, pairs))))
        exact = change_scores(margins_of(whole))
        for name, values in found.items():
            value = known(getattr(exact, name))
            assert values[0] == pytest.approx(
                math.nan if value is None else value, rel=1e-9, abs=1e-12, nan_ok=True
            ), name


@settings(max_examples=20)
@given(SEEDS, st.integers(2, 4))
def test_a_resample_scores_as_the_set_of_its_pairs(seed, pairs):
    counts = drawn(seed, pairs)
    (weights,) = draw_weights(pairs, 3, seed)
    found = resampled_scores([counts], 3, 3, seed)[0]
    for number, times in enumerate(weights):
        repeated = [each for each, n in zip(counts, times, strict=True) for _ in range(int(n))]
        whole = sum(repeated, JointCounts.empty())
        assert row(found, number) == pytest.approx(
            expected(whole, 3), rel=1e-9, abs=1e-12, nan_ok=True
        )


@given(st.integers(1, 9), st.integers(1, 40), SEEDS)
def test_every_resample_has_as_many_pairs_as_the_set(pairs, resamples, seed):
    weights = np.concatenate(list(draw_weights(pairs, resamples, seed)))
    assert weights.shape == (resamples, pairs)
    assert (weights.sum(axis=1) == pairs).all()


def test_resamples_depend_on_the_seed_and_not_on_how_they_are_cut(monkeypatch):
    whole = np.concatenate(list(draw_weights(7, 50, 3)))
    monkeypatch.setattr(bootstrap, "BLOCK", 8)
    np.testing.assert_array_equal(np.concatenate(list(draw_weights(7, 50, 3))), whole)
    assert (np.concatenate(list(draw_weights(7, 50, 4))) != whole).any()


def test_every_pair_is_drawn_equally_often():
    weights = np.concatenate(list(draw_weights(10, 20_000, 0)))
    np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.03)


def test_systems_see_the_same_resamples():
    counts = drawn(1, 6)
    first, second = resampled_scores([counts, counts], 3, 200, 0)
    for name in HEADLINE:
        np.testing.assert_array_equal(first[name], second[name])


def test_equal_pairs_have_no_spread():
    pair = drawn(5, 1, share=0.6)
    (found,) = resampled_scores([pair * 4], 3, 100, 0)
    for name, value in expected(sum(pair * 4, JointCounts.empty()), 3).items():
        assert interval(found[name]).low == pytest.approx(value)
        assert interval(found[name]).high == pytest.approx(value)


def test_a_resample_without_change_is_undefined_as_in_the_scores():
    unchanged, changed = of_pixels((0, 0, 0, 0)), of_pixels((1, 2, 1, 2), (2, 1, 1, 2))
    (found,) = resampled_scores([[unchanged, changed]], 2, 400, 0)
    (weights,) = draw_weights(2, 400, 0)
    undefined = weights[:, 1] == 0
    assert undefined.any()
    np.testing.assert_array_equal(np.isnan(found["sek_from_to"]), undefined)
    assert interval(found["sek_from_to"]).undefined == undefined.sum()


def test_one_type_of_change_leaves_sek_undefined_and_iou_not():
    pair = of_pixels((1, 2, 1, 2), (0, 0, 0, 0))
    (found,) = resampled_scores([[pair, pair]], 2, 5, 0)
    assert np.isnan(found["sek_from_to"]).all()
    assert (found["iou_changed"] == 1).all()


def test_scores_are_exact_where_one_type_is_nearly_all():
    most = of_pixels((1, 2, 1, 2), (0, 0, 0, 0))
    counts = [
        JointCounts(most.codes, most.pixels * 10**9),
        of_pixels((2, 1, 1, 2), (1, 2, 0, 0), (0, 0, 2, 2)),
    ]
    margins = stack_margins(counts, lambda each: from_to_margins(each, 2))
    found = row_scores(weighted(margins, np.ones((1, 2))))
    exact = scores(sum(counts, JointCounts.empty()), 2).from_to
    assert found["sek"][0] == pytest.approx(exact.sek, rel=1e-12)
    assert found["kappa"][0] == pytest.approx(exact.kappa, rel=1e-12)


def test_types_that_never_occur_take_no_room():
    counts = [of_pixels((1, 99, 1, 99), (99, 1, 1, 2), (0, 0, 0, 0))] * 3
    margins = stack_margins(counts, lambda each: from_to_margins(each, 99))
    assert margins.hits.shape == (3, 4)


def test_no_pixel_leaves_everything_undefined():
    (found,) = resampled_scores([[of_pixels((255, 0, 0, 0))] * 2], 2, 5, 0)
    assert all(np.isnan(values).all() for values in found.values())


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=50), st.integers(0, 5))
def test_an_interval_lies_within_the_defined_values(values, holes):
    found = interval(np.array(values + [math.nan] * holes))
    assert min(values) <= found.low <= found.high <= max(values)
    assert found.undefined == holes


def test_an_interval_leaves_out_a_fortieth_at_either_end():
    found = interval(np.arange(1001.0))
    assert (found.low, found.high) == pytest.approx((25, 975))


def test_without_a_defined_value_there_is_no_interval():
    assert interval(np.array([math.nan, math.nan])) is None


def test_zero_is_not_better():
    assert share_not_better(np.array([-1.0, 0.0, 1.0, 2.0, math.nan])) == 0.5
