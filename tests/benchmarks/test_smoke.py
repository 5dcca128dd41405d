"""The checks on a GPU: the hours that the paper's protocol takes, from what a step does."""

import sys
from pathlib import Path

import pytest
import torch
from sets import find_samples

FOLDER = str(Path(__file__).parents[2] / "benchmarks/gpu")


@pytest.fixture
def smoke():
    sys.path.insert(0, FOLDER)
    import smoke

    yield smoke
    sys.path.remove(FOLDER)
    del sys.modules["smoke"]


def test_hours_are_those_of_all_steps_by_the_pairs_of_a_gpu(
    smoke, second_tree, tmp_path, monkeypatch
):
    samples = find_samples(second_tree(pairs=2, size=64) / "train")
    bench = smoke.Bench(tmp_path, torch.device("cpu"), 64, samples)
    pairs = []

    def timed(_, act):
        pairs.append(len(act.args[2]["before"]))
        assert act() > 0  # a step is taken
        return 0.25 * pairs[-1], 0.0

    monkeypatch.setattr(smoke, "timed", timed)
    found = smoke.hours(bench)
    assert pairs == [4, 4, 1, 1]
    steps = 2968 // 4 * 50
    one, four = (f"{steps * seconds / 3600:.1f} h" for seconds in (1, 0.25))
    assert found["hours"] == [f"| 1, fp32 | {one} | {one} |", f"| 4, fp32 | {four} | {four} |"]
