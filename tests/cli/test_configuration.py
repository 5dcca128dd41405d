"""A run is repeated from the file that it leaves."""

import tomllib
from shutil import move

import pytest
import torch
from runs import tensors
from sets import write_second_tree

from scdcli.errors import TrainingError

TINY = ("--width", "0.125", "--chip", "64", "--batch", "2", "-q")


@pytest.fixture
def root(tmp_path, rng):
    """A set in a folder with every sign that a string of TOML has to escape."""
    return write_second_tree(tmp_path / 'a "set"\\ä\x7f', rng, pairs=4)


def test_a_run_is_repeated_from_its_folder(scd, root, tmp_path, monkeypatch):
    (tmp_path / "split.txt").write_text("00000\n00001\n00002\n")
    monkeypatch.chdir(tmp_path)
    command = ("train", root.relative_to(tmp_path), "-o", "run", "--network", "fc-siam-diff", *TINY)
    given = ("--epochs", "2", "--seed", "4", "--lr", "1e-5", "--bands", "3,2,1", "--no-flip")
    result = scd(*command, *given, "--split-file", "split.txt", "--preset", "best")
    assert result.exit_code == 0, result.output
    config = tmp_path / "run/config.toml"
    table = tomllib.loads(config.read_text(encoding="utf-8"))["train"]
    assert table["split-file"] == str(tmp_path / "split.txt")
    assert (table["lr"], table["bands"], table["flip"]) == (1e-5, [3, 2, 1], False)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = scd("train", "--config", config, "-o", "again", "-q")
    assert again.exit_code == 0, again.output
    for name in ("last.safetensors", "best.safetensors"):
        assert (tmp_path / "elsewhere/again" / name).read_bytes() == (
            tmp_path / "run" / name
        ).read_bytes()
    refused = scd("train", "--config", config)
    assert f"{tmp_path / 'run'} holds a training run already; continue it" in refused.stderr
    more = scd("train", "--config", config, "--resume", "--epochs", "3", "-q")
    assert more.exit_code == 0, more.output
    table = tomllib.loads(config.read_text(encoding="utf-8"))["train"]
    assert (table["epochs"], table["lr"]) == (3, 1e-5)


def test_a_run_that_was_stopped_goes_on_where_its_folder_and_set_lie_now(
    scd, root, tmp_path, monkeypatch
):
    from scdcli.training import loop

    command = ("train", root, "-o", tmp_path / "run", "--network", "fc-siam-diff", *TINY)
    command = (*command, "--epochs", "2")
    assert scd(*command).exit_code == 0
    whole = (tmp_path / "run").rename(tmp_path / "whole")
    original, steps = loop.optimize, iter([False, True])

    def stopped(*arguments):
        if next(steps):
            raise TrainingError("the power is off.")
        return original(*arguments)

    monkeypatch.setattr(loop, "optimize", stopped)
    assert "the power is off" in scd(*command).stderr
    monkeypatch.setattr(loop, "optimize", original)
    (tmp_path / "other machine").mkdir()
    run = move(tmp_path / "run", tmp_path / "other machine/run")
    moved = move(root, tmp_path / "other machine/set")
    config = ("--config", f"{run}/config.toml", "-o", run, "--resume")
    assert f"{root} is not a labelled set" in scd("train", *config).stderr
    result = scd("train", moved, *config)
    assert result.exit_code == 0, result.output
    for name in ("last.safetensors", "best.safetensors"):
        one, two = (tensors(folder / name) for folder in (whole, tmp_path / "other machine/run"))
        assert all(torch.equal(one[key], two[key]) for key in one)
    assert len((tmp_path / "other machine/run/log.csv").read_text().splitlines()) == 3


def test_a_fine_tuning_is_repeated(scd, root, tmp_path):
    first = ("train", root, "-o", tmp_path / "first", "--network", "fc-ef", "--epochs", "1", *TINY)
    assert scd(*first).exit_code == 0
    start = tmp_path / "first/best.safetensors"
    tuned = ("--epochs", "1", *TINY[2:], "--init", start, "-o", tmp_path / "tuned")
    result = scd("train", root, *tuned)
    assert result.exit_code == 0, result.output
    config = tmp_path / "tuned/config.toml"
    table = tomllib.loads(config.read_text(encoding="utf-8"))["train"]
    assert "network" not in table  # which is the model's
    assert table["init"] == str(start)
    again = scd("train", "--config", config, "-o", tmp_path / "again", "-q")
    assert again.exit_code == 0, again.output
    one, two = (tmp_path / name / "last.safetensors" for name in ("tuned", "again"))
    assert one.read_bytes() == two.read_bytes()


def test_what_is_no_file_of_a_run_is_a_usage_error(scd, tmp_path):
    config = tmp_path / "config.toml"
    config.write_text("lr = 0.1\n")
    assert "no table [train]" in scd("train", "--config", config).stderr
    config.write_text("[train]\npatients = 3\n")
    refused = scd("train", "--config", config)
    assert refused.exit_code == 2
    assert "has no option --patients" in refused.stderr
    assert "Did you mean patience?" in refused.stderr
    config.write_text("[train\n")
    assert "is not TOML" in scd("train", "--config", config).stderr
