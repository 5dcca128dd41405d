"""A sweep is what scoring at every threshold would give."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from readings import window

from scdcli.prediction.decode import Reading
from scdcli.scoring.counting import count_joint
from scdcli.scoring.metrics import Undefined, scores
from scdcli.scoring.sweep import THRESHOLDS, SweepCounts, count_sweep, sweep


def count(seed, classes=3):
    return count_sweep(*window(seed, classes), classes)


def test_thresholds_are_hundredths_and_finer_at_the_ends():
    assert {n / 100 for n in range(101)} <= set(THRESHOLDS)
    assert THRESHOLDS[:4] == (0, 0.0001, 0.0002, 0.0005)
    assert THRESHOLDS[-4:] == (0.9995, 0.9998, 0.9999, 1)
    assert list(THRESHOLDS) == sorted(set(THRESHOLDS))


@pytest.mark.parametrize("classes", [1, 2, 5])
def test_every_threshold_scores_as_the_maps_at_it(classes):
    truth_from, truth_to, reading, valid = window(classes, classes)
    rows = sweep(count_sweep(truth_from, truth_to, reading, valid, classes))
    assert [row.threshold for row in rows] == list(THRESHOLDS)
    for row in rows:
        maps = reading.at(row.threshold).with_nodata(valid)
        alone = scores(count_joint((truth_from, truth_to, maps.from_class, maps.to_class)), classes)
        assert row.from_to == alone.from_to
        assert row.stacked == alone.stacked


def test_precision_and_recall_are_of_change_whatever_its_class():
    truth_from, truth_to, reading, valid = window(3)
    changed = (truth_from > 0)[valid]
    for row in sweep(count_sweep(truth_from, truth_to, reading, valid, 3)):
        said = (reading.change >= row.threshold)[valid]
        right = (changed & said).sum()
        assert row.recall == right / changed.sum()
        if said.any():
            assert row.precision == right / said.sum()
            assert row.f1 == 2 * right / (said.sum() + changed.sum())


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 30), st.integers(1, 29))
def test_counts_of_parts_add_to_those_of_all(seed, row):
    truth_from, truth_to, reading, valid = window(seed)
    whole = count_sweep(truth_from, truth_to, reading, valid, 3)
    parts = [
        count_sweep(
            truth_from[part], truth_to[part], Reading(*(x[part] for x in reading)), valid[part], 3
        )
        for part in (np.s_[:row], np.s_[row:])
    ]
    total = sum(parts, SweepCounts.empty(3))
    assert sweep(total) == sweep(whole)
    assert total.pixels == valid.sum()
    assert total.changed_pixels == (truth_from > 0)[valid].sum()


def test_nothing_at_all_has_no_scores():
    rows = sweep(SweepCounts.empty(2))
    assert all(isinstance(row.from_to.sek, Undefined) for row in rows)
    assert all(isinstance(row.precision, Undefined) for row in rows)
    assert all(isinstance(row.recall, Undefined) for row in rows)


def test_many_classes_take_little_memory():
    """20 classes: 401 types, whose whole matrix would take 160 000 numbers per threshold."""
    counts = count(0, 20)
    held = (counts.labelled, counts.predicted, counts.hits, counts.class_hits, counts.unchanged)
    assert sum(each.nbytes for each in held) < 2 << 20
