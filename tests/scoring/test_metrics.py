import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from scdcli.scoring.counting import Margins, count_joint
from scdcli.scoring.metrics import Undefined, change_scores, scores, separated_kappa

# Ten pixels, K = 2: (truth from, truth to, predicted from, predicted to, pixels)
# From-to types: 1→2 is (1-1)·2+2 = 2, 2→1 is (2-1)·2+1 = 3.
TEN = [
    (0, 0, 0, 0, 4),  # q[0,0] = 4
    (1, 2, 1, 2, 2),  # q[2,2] = 2
    (1, 2, 0, 0, 1),  # q[0,2] = 1
    (2, 1, 2, 1, 1),  # q[3,3] = 1
    (2, 1, 1, 2, 1),  # q[2,3] = 1
    (0, 0, 2, 1, 1),  # q[3,0] = 1
]


def counts_of(rows):
    pixels = [row[:4] for row in rows for _ in range(row[4])]
    return count_joint(tuple(np.array(pixels, np.uint8).T.reshape(4, 1, -1)))


def values(change):
    return {name: getattr(change, name) for name in change.__dataclass_fields__}


def test_from_to_scores_of_ten_pixels():
    # Rows (predicted) 5, 3, 2 and columns (labelled) 5, 3, 2 for unchanged, 1→2, 2→1.
    # OA = (4+2+1)/10; η = (25+9+4)/100 = 0.38; κ = 0.32/0.62 = 16/31.
    # IoU unchanged = 4/(5+5-4) = 2/3; IoU changed = (2+1+1)/(10-4) = 2/3.
    # Without q11: n = 6, ρ̂ = 3/6, η̂ = (1·1+3·3+2·2)/36 = 14/36, κ̂ = (18-14)/(36-14) = 2/11.
    # F_scd: 3 right of 5 predicted and 5 labelled as changed.
    sek = math.exp(-1 / 3) * 2 / 11
    assert values(scores(counts_of(TEN), 2).from_to) == pytest.approx(
        {
            "oa": 0.7,
            "kappa": 16 / 31,
            "miou": 2 / 3,
            "iou_unchanged": 2 / 3,
            "iou_changed": 2 / 3,
            "sek": sek,
            "fscd": 0.6,
            "score": 0.3 * 2 / 3 + 0.7 * sek,
        },
        rel=1e-15,
    )


def test_stacked_scores_of_ten_pixels():
    # Twenty entries: predicted 0: 8 1 1; predicted 1: 1 3 1; predicted 2: 1 1 3.
    # OA = 14/20; η = (100+25+25)/400 = 0.375; κ = 0.325/0.625 = 0.52.
    # IoU unchanged = 8/12; IoU changed = 8/12; n = 12, ρ̂ = 6/12,
    # η̂ = (2·2+5·5+5·5)/144 = 54/144, κ̂ = (72-54)/(144-54) = 1/5; F_scd = 2·6/(10+10).
    sek = math.exp(-1 / 3) / 5
    assert values(scores(counts_of(TEN), 2).stacked) == pytest.approx(
        {
            "oa": 0.7,
            "kappa": 0.52,
            "miou": 2 / 3,
            "iou_unchanged": 2 / 3,
            "iou_changed": 2 / 3,
            "sek": sek,
            "fscd": 0.6,
            "score": 0.2 + 0.7 * sek,
        },
        rel=1e-15,
    )


def test_categorical_scores_of_ten_pixels():
    # 1→2: TP 2, FP 1, FN 1, TN 6: IoU 1/2, ρ = 0.8, η = (3·3+7·7)/100, κ = 0.22/0.42 = 11/21.
    # 2→1: TP 1, FP 1, FN 1, TN 7: IoU 1/3, ρ = 0.8, η = (2·2+8·8)/100, κ = 0.12/0.32 = 3/8.
    same_first, forth, back, same_second = scores(counts_of(TEN), 2).categorical_sek_masked
    assert forth == pytest.approx(math.exp(-1 / 2) * 11 / 21, rel=1e-15)
    assert back == pytest.approx(math.exp(-2 / 3) * 3 / 8, rel=1e-15)
    assert isinstance(same_first, Undefined)
    assert isinstance(same_second, Undefined)


def test_categorical_scores_of_the_five_changed_pixels():
    # The pixel that was missed is mapped as 1 at both dates. 1→2: TP 2, FP 1, FN 1, TN 1: ρ = 3/5,
    # η = (3·3+2·2)/25, κ = (15-13)/(25-13). 2→1: TP 1, FN 1, TN 3: ρ = 4/5, η = (1·2+4·3)/25,
    # κ = (20-14)/(25-14). 1→1 is labelled nowhere: κ = 0. IoU changed = 2/3 of all ten.
    changed = [(1, 2, 1, 2, 2), (1, 2, 1, 1, 1), (2, 1, 2, 1, 1), (2, 1, 1, 2, 1)]
    found = scores(counts_of(TEN), 2, counts_of(changed)).categorical_sek_unmasked
    factor = math.exp(-1 / 3)
    assert found[:3] == pytest.approx((0, factor / 6, factor * 6 / 11), rel=1e-15)
    assert isinstance(found[3], Undefined)
    without = scores(counts_of(TEN), 2).categorical_sek_unmasked
    assert all(isinstance(value, Undefined) for value in without)


def test_class_iou_of_ten_pixels():
    # Stacked: class 1 has 3 hits in 5 predicted and 5 labelled: 3/(5+5-3); class 2 the same.
    assert scores(counts_of(TEN), 2).class_iou == pytest.approx((3 / 7, 3 / 7), rel=1e-15)


def test_confusing_two_types_can_make_sek_negative():
    # q[2,3] = q[3,2] = 1, all else unchanged: ρ̂ = 0, η̂ = (1+1)/4, κ̂ = -1, IoU changed = 1.
    rows = [(0, 0, 0, 0, 9), (1, 2, 2, 1, 1), (2, 1, 1, 2, 1)]
    assert scores(counts_of(rows), 2).from_to.sek == -1


def test_a_missed_change_scores_zero():
    rows = [(0, 0, 0, 0, 9), (1, 2, 0, 0, 1), (2, 1, 0, 0, 1)]
    found = scores(counts_of(rows), 2).from_to
    assert (found.sek, found.fscd, found.iou_changed) == (0, 0, 0)


def test_a_prediction_with_one_date_is_unchanged_in_from_to_and_as_given_in_stacked():
    rows = [(1, 2, 1, 0, 1), (2, 1, 2, 1, 1), (0, 0, 0, 0, 1)]
    found = scores(counts_of(rows), 2)
    # From-to: 1 of 2 changed pixels found. Stacked: 3 of 4 entries.
    assert (found.from_to.iou_changed, found.stacked.iou_changed) == (1 / 2, 3 / 4)


@pytest.mark.parametrize("place", range(4))
def test_nodata_in_any_map_leaves_the_pixel_out(place):
    spoiled = [1, 2, 2, 1, 7]
    spoiled[place] = 255
    assert scores(counts_of([*TEN, tuple(spoiled)]), 2) == scores(counts_of(TEN), 2)


NOTHING = "nothing changed"
PIXELS = "no pixel is valid"
ONE_TYPE = "only one type of change"
UNDEFINED = {
    "no valid pixel": (
        [(255, 255, 0, 0, 3)],
        dict.fromkeys(
            ["oa", "kappa", "miou", "iou_unchanged", "iou_changed", "sek", "fscd", "score"], PIXELS
        ),
    ),
    "nothing changed": (
        [(0, 0, 0, 0, 3)],
        {"kappa": "all pixels are of one type"}
        | dict.fromkeys(["miou", "iou_changed", "sek", "fscd", "score"], NOTHING),
    ),
    "everything changed": (
        [(1, 2, 1, 2, 3), (2, 1, 2, 1, 3)],
        dict.fromkeys(["miou", "iou_unchanged", "score"], "everything changed"),
    ),
    "one type, perfect": (
        [(0, 0, 0, 0, 5), (1, 2, 1, 2, 3)],
        dict.fromkeys(["sek", "score"], ONE_TYPE),
    ),
    "one type, imperfect": (
        [(0, 0, 0, 0, 5), (1, 2, 1, 2, 3), (1, 2, 0, 0, 1), (0, 0, 1, 2, 1)],
        dict.fromkeys(["sek", "score"], ONE_TYPE),
    ),
}


@pytest.mark.parametrize("case", UNDEFINED)
def test_what_cannot_be_computed_says_why(case):
    rows, expected = UNDEFINED[case]
    found = values(scores(counts_of(rows), 2).from_to)
    undefined = {name: value for name, value in found.items() if isinstance(value, Undefined)}
    assert undefined.keys() == expected.keys()
    for name, value in undefined.items():
        assert expected[name] in value.reason


def test_a_single_class_has_no_sek_because_there_is_one_type():
    rows = [(0, 0, 0, 0, 5), (1, 1, 1, 1, 3), (1, 1, 0, 0, 1)]
    found = scores(counts_of(rows), 1)
    assert "one class" in found.from_to.sek.reason
    assert "one class" in found.stacked.sek.reason
    assert found.from_to.iou_changed == 3 / 4


def test_scores_of_ten_billion_pixels_do_not_overflow():
    small = np.array([[40, 1, 2], [3, 20, 1], [1, 2, 30]])
    large = change_scores(Margins.of(small * 10**10))
    assert values(large) == pytest.approx(values(change_scores(Margins.of(small))), rel=1e-14)


def labelled_maps(classes):
    """Truth and prediction, each changed at both dates or at neither."""
    index = hnp.arrays(np.uint8, (6, 7), elements=st.integers(1, classes))
    changed = hnp.arrays(np.bool_, (6, 7))
    pair = st.tuples(index, index, changed).map(lambda it: (it[0] * it[2], it[1] * it[2]))
    return st.tuples(pair, pair).map(lambda pairs: (*pairs[0], *pairs[1]))


@given(labelled_maps(4))
def test_a_perfect_prediction_scores_one_when_two_types_occur(maps):
    truth_from, truth_to = maps[:2]
    assume(len(set(zip(truth_from.ravel(), truth_to.ravel(), strict=True)) - {(0, 0)}) >= 2)
    found = scores(count_joint((truth_from, truth_to, truth_from, truth_to)), 4)
    for change in (found.from_to, found.stacked):
        assert (change.oa, change.sek, change.fscd, change.iou_changed) == (1, 1, 1, 1)


@given(labelled_maps(4), st.permutations([1, 2, 3, 4]))
def test_scores_do_not_depend_on_the_order_of_the_classes(maps, order):
    table = np.array([0, *order], dtype=np.uint8)
    found = scores(count_joint(maps), 4)
    renamed = scores(count_joint(tuple(table[each] for each in maps)), 4)
    assert renamed.from_to == found.from_to
    assert renamed.stacked == found.stacked
    for index, new in enumerate(order):
        assert renamed.class_iou[new - 1] == found.class_iou[index]


@given(labelled_maps(3))
def test_scores_do_not_depend_on_the_order_of_the_pixels(maps):
    shuffled = tuple(each[::-1, ::-1] for each in maps)
    assert scores(count_joint(shuffled), 3) == scores(count_joint(maps), 3)


@given(hnp.arrays(np.int64, (4, 4), elements=st.integers(0, 50)))
def test_sek_follows_equation_18(matrix):
    separated = matrix.astype(float)
    separated[0, 0] = 0
    total = separated.sum()
    found = separated_kappa(Margins.of(matrix))
    assume(not isinstance(found, Undefined))
    agreement = separated.trace() / total
    chance = (separated.sum(axis=0) * separated.sum(axis=1)).sum() / total**2
    iou = matrix[1:, 1:].sum() / total
    expected = math.exp(iou - 1) * (agreement - chance) / (1 - chance)
    assert found == pytest.approx(expected, abs=1e-12)
    assert -1 <= found <= 1


@given(labelled_maps(2))
def test_every_score_is_a_number_in_range_or_has_a_reason(maps):
    for change in (scores(count_joint(maps), 2).from_to, scores(count_joint(maps), 2).stacked):
        for value in values(change).values():
            assert isinstance(value, Undefined) or -1 <= value <= 1
