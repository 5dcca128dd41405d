"""Presets are tables of option values: documented, accepted by the options, and the weakest."""

import json
import re
from pathlib import Path

import click
import pytest

from scdcli.cli import main
from scdcli.errors import UnknownName
from scdcli.training.presets import PRESETS, preset, preset_rows

PAGE = Path(__file__).parents[2] / "docs/reference/presets.md"


def train_command():
    return main.get_command(click.Context(main), "train")


def values(*words, config=None):
    """What the command would run with."""
    parent = click.Context(main, auto_envvar_prefix="SCD", default_map={"train": config or {}})
    words = ["set", "-o", "run", *words]
    return train_command().make_context("train", words, parent=parent).params


def test_the_page_shows_the_table():
    shown = re.findall(r"^\| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    rows = [tuple(cell.strip("` ") for cell in row.split(" | ")) for row in shown]
    assert [rows[0], *rows[1:]] == preset_rows()


def test_help_shows_the_table(scd):
    page = scd("train", "--help").output
    for row in preset_rows():
        assert re.search(r"^ +" + r"\s+".join(map(re.escape, row)) + "$", page, re.MULTILINE), row


@pytest.mark.parametrize("name", PRESETS)
def test_every_value_is_one_of_an_option(name):
    params = {p.name: p for p in train_command().params}
    taken = values("--preset", name)
    for key, value in preset(name).items():
        assert key in params, key
        assert taken[key] == value
    assert taken["preset"] == name


def test_the_papers_protocol_is_the_default():
    defaults, paper = values(), values("--preset", "paper")
    differing = {key for key in defaults if defaults[key] != paper[key]}
    # Drawn sets know the class of every pixel, and are trained on it unless told otherwise;
    # without validation pairs there is nothing to calibrate with.
    assert differing == {"preset", "val_share", "cover", "calibrate"}


def test_command_line_environment_and_file_win_in_this_order(monkeypatch):
    config = {"lr": 0.3, "ema": 0.3, "jitter": 0.3}
    given = ("--preset", "best", "--lr", "0.1")
    monkeypatch.setenv("SCD_TRAIN_LR", "0.2")
    monkeypatch.setenv("SCD_TRAIN_EMA", "0.2")
    taken = values(*given, config=config)
    found = {key: taken[key] for key in ("lr", "ema", "jitter", "optimizer", "batch")}
    assert found == {"lr": 0.1, "ema": 0.2, "jitter": 0.3, "optimizer": "adamw", "batch": 4}


def test_a_preset_may_come_from_file_or_environment(monkeypatch):
    assert values(config={"preset": "best"})["optimizer"] == "adamw"
    monkeypatch.setenv("SCD_TRAIN_PRESET", "best")
    assert values()["ema"] == 0.999


def test_unknown_presets_list_what_exists(scd, tmp_path):
    with pytest.raises(UnknownName, match="no preset named 'fast'; choose one of: best, paper"):
        preset("fast")
    result = scd("train", tmp_path, "-o", tmp_path / "run", "--preset", "fast")
    assert result.exit_code == 1
    assert "choose one of: best, paper" in result.stderr


def test_run_and_model_record_the_preset_and_its_values(scd, second_tree, tmp_path):
    root = second_tree(pairs=3, size=64)
    quick = ("--width", "0.125", "--chip", "64", "--epochs", "1", "--batch", "2", "-q")
    done = scd("train", root, "-o", tmp_path / "run", "--preset", "best", *quick)
    assert done.exit_code == 0, done.output
    settings = json.loads((tmp_path / "run/settings.json").read_text())
    model = json.loads(scd("models", tmp_path / "run/best.safetensors", "--json").stdout)
    for recorded in (settings, model["training"]):
        assert (recorded["preset"], recorded["optimizer"], recorded["lr"]) == (
            "best",
            "adamw",
            0.002,
        )
        assert recorded["augmentation"]["swap_dates"] is True
        assert recorded["epochs"] == 1
