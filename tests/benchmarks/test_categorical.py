"""The shares that the script on Table II draws from printed scores."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import categorical

from scdcli.scoring.counting import Margins
from scdcli.scoring.metrics import change_scores

MATRIX = np.array([[700, 40, 20, 15], [30, 60, 10, 5], [25, 6, 45, 4], [10, 2, 3, 25]])


def test_ious_and_sek_give_the_share_of_right_types():
    total, scores = MATRIX.sum(), change_scores(Margins.of(MATRIX))
    printed = categorical.Printed(
        np.zeros((1, 1)), scores.iou_unchanged, scores.iou_changed, scores.sek
    )
    a, hits = categorical.unchanged_and_hits(printed)
    assert (a, hits) == pytest.approx((700 / total, MATRIX[1:, 1:].sum() / total))
    labelled, predicted = MATRIX.sum(axis=0)[1:], MATRIX.sum(axis=1)[1:]
    chance = (labelled * predicted).sum() / (labelled.sum() * predicted.sum())
    found = categorical.shares(printed, labelled.sum() / total, chance)
    assert found.right == pytest.approx((60 + 45 + 25) / total)


def test_f1_is_found_again_under_its_factor():
    f1 = 0.6
    value = np.exp(f1 / (2 - f1) - 1) * f1
    assert categorical.f1_of_iou_times_f1(value) == pytest.approx(f1)
