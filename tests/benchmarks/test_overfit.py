"""Learning by heart: rows of the table, and pair branches that begin silent."""

import argparse
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import overfit

GIVEN = argparse.Namespace(width=0.125, steps=1, every=1, optimizer="adamw", lr=0.003, seed=0)


@pytest.fixture(scope="module")
def rows():
    batch = overfit.draw(2, 32)
    return {
        name: list(overfit.learn(name, batch, GIVEN)) for name in ("asn", "asn+zero", "hrscd-str4")
    }


def test_pairs_are_cut_from_worlds_and_standardized():
    before, after, from_label, to_label = overfit.draw(2, 32)
    assert before.shape == after.shape == (2, 3, 32, 32)
    assert abs(float((before + after).mean())) < 1e-4
    assert ((from_label > 0) == (to_label > 0)).all()


def test_every_row_has_scores_gradients_and_the_size_of_the_pair_branches(rows):
    *_, asp, arp = rows["asn"][0]
    assert [row[0] for row in rows["asn"]] == [0, 1]
    assert all(float(norm) > 0 for norm in rows["asn"][0][5:-2])
    assert 0 < float(asp) < 1
    assert 0 < float(arp) < 1
    assert rows["hrscd-str4"][0][-4:] == [""] * 4  # no pyramids


def test_zero_begins_without_pairs(rows):
    assert [float(x) for x in rows["asn+zero"][0][-2:]] == [0, 0]
    assert all(0 < float(x) < 0.1 for x in rows["asn+zero"][1][-2:])
