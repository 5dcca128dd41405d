"""Masks of change as labels: change alone is scored, whatever classes a prediction has."""

import csv
import json

import numpy as np
import pytest
import torch
from maps import write_prediction, write_second
from masks import SIZE, draw_mask, write_masks
from PIL import Image

from scdcli.datasets.indexpng import write_index_png
from scdcli.legend import CHANGE, SECOND
from scdcli.models.checkpoint import ModelHeader, save_model
from scdcli.models.networks import NetworkSettings, build
from scdcli.models.networks.model import ChangeModel
from scdcli.scoring.job import evaluate

TRUTH = {name: draw_mask(seed) for seed, name in enumerate("ab")}
FOUND = {name: np.roll(mask, 5, axis=0) for name, mask in TRUTH.items()}
SCORES = ("precision", "recall", "f1", "iou_changed")


def expected():
    """Counted by hand: right, predicted and labelled pixels."""
    right = sum(int((TRUTH[name] & FOUND[name]).sum()) for name in TRUTH)
    predicted, labelled = (sum(int(x.sum()) for x in each.values()) for each in (FOUND, TRUTH))
    either = predicted + labelled - right
    return right / predicted, right / labelled, 2 * right / (predicted + labelled), right / either


def as_masks(root):
    root.mkdir()
    for name, mask in FOUND.items():
        Image.fromarray(mask.astype(np.uint8) * 255).save(root / f"{name}.png")


def as_classes(root):
    """Two classes that say different things of the same change."""
    for name, mask in FOUND.items():
        after = np.where(np.arange(SIZE[1]) % 2, 5, 6)
        maps = (mask * np.uint8(3), (mask * after).astype(np.uint8))
        write_prediction(root / name, maps, legend=SECOND)


def as_change(root):
    for name, mask in FOUND.items():
        maps = (mask.astype(np.uint8),) * 2
        write_prediction(root / name, maps, legend=CHANGE)


@pytest.mark.parametrize("way", [as_masks, as_classes, as_change])
def test_change_alone_is_scored(scd, tmp_path, way):
    root = write_masks(tmp_path / "set/test")
    way(tmp_path / "maps")
    result = scd("evaluate", root.parent, "--pred", tmp_path / "maps", "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["legend"] == CHANGE.to_dict()
    assert tuple(found[name] for name in SCORES) == pytest.approx(expected())
    shown = scd("evaluate", root.parent, "--pred", tmp_path / "maps").stdout
    assert f"{100 * expected()[0]:.2f}" in shown
    assert "SeK" not in shown


@pytest.fixture
def model(tmp_path):
    """A function that writes an untrained model of some classes."""

    def write(name, legend):
        torch.manual_seed(3)
        settings = NetworkSettings("hrscd-str4", "residual", 0.125, 3, len(legend))
        network = ChangeModel(build(settings), [128.0] * 3, [60.0] * 3)
        save_model(tmp_path / name, network, ModelHeader(settings, legend, chip=64))
        return tmp_path / name

    return write


def test_models_of_any_classes_are_compared(scd, tmp_path, model):
    root = write_masks(tmp_path / "set")
    first, second = model("first.safetensors", SECOND), model("second.safetensors", CHANGE)
    table = tmp_path / "scores.csv"
    words = (
        "-m",
        first,
        "-m",
        second,
        "--tta",
        "none",
        "--overlap",
        "0",
        "--mmu",
        "0",
        "-o",
        table,
    )
    swept = ("--sweep", tmp_path / "sweep")
    result = scd("evaluate", root, *words, *swept)
    assert result.exit_code == 0, result.stderr
    assert "Recall" in result.stdout
    assert "SeK" not in result.stdout
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["system"] for row in rows] == ["first", "second"]
    assert all(0 <= float(row["recall"]) <= 1 for row in rows)
    with (tmp_path / "sweep/sweep.csv").open(newline="") as file:
        half = [row for row in csv.DictReader(file) if row["threshold"] == "0.5"]
    assert [row["recall"] for row in half] == [row["recall"] for row in rows]


def test_a_model_is_fitted_to_masks(scd, tmp_path, model):
    root = write_masks(tmp_path / "set")
    start, out = model("first.safetensors", SECOND), tmp_path / "own.safetensors"
    result = scd("evaluate", root, "-m", start, "--calibrate", out, "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["sweep"]["best"]["score"] == "f1"
    assert out.exists()


def test_other_labels_are_read_as_masks_with_binary(tmp_path):
    truth, maps = tmp_path / "truth", tmp_path / "maps"
    for name in TRUTH:  # labels that carry their classes; masks in both folders
        for part, value in (("label1", 3), ("label2", 5)):
            (truth / part).mkdir(parents=True, exist_ok=True)
            index = (TRUTH[name] * value).astype(np.uint8)
            write_index_png(truth / part / f"{name}.png", index, SECOND)
            (maps / part).mkdir(parents=True, exist_ok=True)
            shown = Image.fromarray(FOUND[name].astype(np.uint8) * 255)
            shown.save(maps / part / f"{name}.png")
    (run,) = evaluate(truth, predictions=[maps], binary=True)
    found = run.headline()
    assert tuple(found[name] for name in SCORES) == pytest.approx(expected())


def test_black_predictions_and_labels_have_their_reason(scd, tmp_path):
    root = write_masks(tmp_path / "set", "a")
    (tmp_path / "maps").mkdir()
    black = Image.fromarray(np.zeros(SIZE, np.uint8))
    black.save(tmp_path / "maps/a.png")
    shown = " ".join(scd("evaluate", root, "--pred", tmp_path / "maps").stdout.split())
    assert "Precision is undefined: nothing is predicted as changed." in shown
    black.save(root / "label/a.png")
    shown = " ".join(scd("evaluate", root, "--pred", tmp_path / "maps").stdout.split())
    assert "F1, IoU changed, mIoU are undefined: nothing changed, neither in the labels" in shown


def test_masks_have_no_legend(scd, tmp_path):
    root = write_masks(tmp_path / "set")
    refused = scd("evaluate", root, "--pred", root / "label", "--legend", "second")
    assert refused.exit_code == 1
    assert "holds masks of change, which have no classes; leave --legend out" in refused.stderr
    write_second(tmp_path / "classes", {"a": (np.eye(4, dtype=np.uint8),) * 2})
    both = scd("evaluate", tmp_path / "classes", "--binary", "--legend", "second")
    assert both.exit_code == 2
