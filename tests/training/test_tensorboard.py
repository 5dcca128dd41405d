"""TensorBoard shows what log.csv has, and the steps between."""

import csv

import pytest
from sets import write_second_tree

from scdcli.training import tensorboard

QUICK = ("--network", "fc-ef", "--width", "0.125", "--chip", "64", "--batch", "2", "-q")


@pytest.fixture
def train(scd, tmp_path, rng):
    root = write_second_tree(tmp_path / "set", rng, pairs=5)
    return lambda *more: scd("train", root, "-o", tmp_path / "run", *QUICK, *more)


def scalars(folder):
    """By name, the value at each place."""
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = events.EventAccumulator(str(folder))
    found.Reload()
    return {
        name: {event.step: event.value for event in found.Scalars(name)}
        for name in found.Tags()["scalars"]
    }


def test_a_run_is_recorded_by_step_and_epoch(train, tmp_path):
    pytest.importorskip("tensorboard", reason="scdcli[tensorboard] is not installed")
    writers = pytest.importorskip("torch.utils.tensorboard")
    assert train("--tensorboard", "--epochs", "1").exit_code == 0
    with writers.SummaryWriter(str(tmp_path / "run/tensorboard")) as killed:
        for step in (3, 4, 5):  # as of an epoch that was not finished
            killed.add_scalar("step/loss", 99.0, step)
    resumed = train("--tensorboard", "--epochs", "2", "--resume")
    assert resumed.exit_code == 0, resumed.output
    found = scalars(tmp_path / "run/tensorboard")
    with (tmp_path / "run/log.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert list(found["step/loss"]) == [1, 2, 3, 4]
    assert 99.0 not in found["step/loss"].values()
    for name in ("loss", "lr", "gradient_norm", "miou", "val_loss"):
        shown = [value for _, value in sorted(found[f"epoch/{name}"].items())]
        assert shown == pytest.approx([float(row[name]) for row in rows])
    assert {name.removeprefix("iou/") for name in found if name.startswith("iou/")} == {
        name.removeprefix("iou_")
        for row in rows
        for name in row
        if name.startswith("iou_") and row[name]
    }


def test_it_is_off_unless_asked_and_asks_for_its_package(train, tmp_path, monkeypatch):
    monkeypatch.setattr(tensorboard, "find_spec", lambda name: None)
    refused = train("--tensorboard", "--epochs", "1")
    assert refused.exit_code == 1
    assert "pip install 'scdcli[tensorboard]'" in refused.stderr
    assert not (tmp_path / "run").exists()
    assert train("--epochs", "1").exit_code == 0
    assert not (tmp_path / "run/tensorboard").exists()
