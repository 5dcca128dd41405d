"""Whole batches."""

import torch
from livebanks import bank

from scdcli.training.live.draws import Draws
from scdcli.training.live.pairs import make_batch

CPU = torch.device("cpu")
BANKS = [(bank(size=96), 0.5), (bank(size=48, dates=2, seed=3), 0.5)]


def test_a_batch_has_all_that_a_step_needs():
    batch = make_batch(BANKS, BANKS, 8, 40, Draws.seeded(0, CPU))
    assert batch.before.shape == batch.after.shape == (8, 3, 40, 40)
    assert batch.covers.shape == (8, 2, 40, 40)
    assert batch.changed.shape == (8, 40, 40)
    assert set(batch.changed.unique().tolist()) <= {0, 1, 255}
    assert (batch.changed == 1).any()
    assert torch.isfinite(batch.before).all()
    assert abs(float(batch.before.mean())) < 0.3


def test_no_two_steps_see_the_same_pair_and_a_seed_repeats_them():
    draws = [Draws.seeded(5, CPU), Draws.seeded(5, CPU)]
    first, again = ([make_batch(BANKS, BANKS, 2, 32, each) for _ in range(3)] for each in draws)
    assert all(torch.equal(a.before, b.before) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0].before, first[1].before)
    assert not torch.equal(first[1].before, first[2].before)
