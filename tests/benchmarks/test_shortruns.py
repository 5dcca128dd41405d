"""Short trainings side by side: what is asked for once is done once, and ends in one table."""

import sys
from pathlib import Path

import pytest
import torch
from encoderweights import published

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import shortruns


@pytest.fixture
def call(second_tree, tmp_path, monkeypatch):
    """The script on a small set."""
    root = second_tree(pairs=2, size=64, splits=("train", "test"))
    weights = published(shortruns.ENCODER)
    means = {k: x / x[0].numel() if x.dim() == 4 else x for k, x in weights.items()}
    torch.save(means, tmp_path / "lite0.pth")
    small = ("--width", "0.125", "--batch", "2", "--encoder-weights", str(tmp_path / "lite0.pth"))

    def called(*words):
        monkeypatch.setattr(sys, "argv", ["", str(root), str(tmp_path / "out"), *small, *words])
        shortruns.main()
        return shortruns.rows_of(tmp_path / "out/scores.csv")

    return called


def test_every_system_has_a_score_at_every_budget_and_is_trained_once(call, capsys, monkeypatch):
    given = ("--systems", "sscd-l,asn", "--seeds", "0", "--score-at", "2,1")
    rows = call(*given)
    assert [(row["system"], row["steps"]) for row in rows] == [
        ("sscd-l", "1"),
        ("sscd-l", "2"),
        ("asn", "1"),
        ("asn", "2"),
    ]
    assert rows[0]["asp"] == ""
    assert float(rows[3]["asp"]) > 0
    assert all(float(row["miou"]) >= 0 for row in rows)
    table = capsys.readouterr().out.split("2 steps\n\n")[1]
    assert table.splitlines()[2].startswith("| `sscd-l` | ")
    monkeypatch.setattr(shortruns, "run", lambda *_: pytest.fail("trained again"))
    assert call(*given) == rows


def test_a_term_is_added_to_the_loss_of_its_system_alone(call, monkeypatch):
    asked = []
    original = shortruns.TERMS["dice"]
    monkeypatch.setitem(
        shortruns.TERMS, "dice", lambda *x: asked.append(x[1][2].shape) or original(*x)
    )
    call("--seeds", "0", "--score-at", "2", "--systems", "sscd-l,sscd-l+dice,sscd-l+balanced")
    assert asked == [(2, 32, 32)] * 2


def test_what_there_is_not_is_refused(call):
    with pytest.raises(SystemExit, match="no system 'asn.focal'"):
        call("--systems", "asn+focal")


def test_the_interval_is_students():
    assert shortruns.interval([1.0, 2.0, 3.0]) == "+2.00 [-0.48, +4.48]"
    assert shortruns.interval([1.0]) == "+1.00"
    assert shortruns.spread([1.0, 3.0]) == "2.00 ± 1.41"
