"""``scd train``, ``scd models`` and ``scd simulate`` through the real group."""

import json
import re

import numpy as np
import pytest
import rasterio
from covers import write_covered
from pictures import write_png

QUICK = ["--width", "0.125", "--chip", "64", "--epochs", "1", "--batch", "2", "-q"]


def test_a_set_becomes_a_model_that_predicts(scd, second_tree, tmp_path):
    root = second_tree(pairs=3, size=64, splits=("train", "test"))
    run = tmp_path / "run"
    result = scd("train", root, "-o", run, *QUICK, "--val-share", "0.3")
    assert result.exit_code == 0, result.output
    model = run / "best.safetensors"
    assert result.stdout == f"{model}\n"
    described = json.loads(scd("models", model, "--json").stdout)
    assert described["training"]["pairs"] == 2
    assert described["training"]["validation_pairs"] == 1
    assert described["land_cover"] is False
    scores = json.loads(scd("evaluate", root, "--model", model, "--json", "-q").stdout)
    assert scores["pairs"] == 3
    assert scores["pixels"] == 3 * 64 * 64


def test_a_val_folder_is_the_validation_set_and_test_is_never_read(scd, second_tree, tmp_path):
    root = second_tree(pairs=2, size=64, splits=("train", "val", "test"), covers=True)
    for path in (root / "test/im1").iterdir():
        path.write_bytes(b"training must not open this")
    result = scd("train", root, "-o", tmp_path / "run", *QUICK[:-1], "--epochs", "2")
    assert result.exit_code == 0, result.output
    assert "2 training and 2 validation pairs" in result.stderr
    # the line that lives: how far the whole run is, the loss, and the SeK once there is one
    assert re.search(r"^asn 1/2, loss \d\.\d{3}: 1 of 2$", result.stderr, re.M)
    assert re.search(r"^asn 2/2, loss \d\.\d{3}, SeK -?0\.\d{3}: 2 of 2$", result.stderr, re.M)
    assert "classes learnt on every pixel" in result.stderr


def test_pairs_with_and_without_land_cover_train_together(scd, tmp_path):
    write_covered(tmp_path / "set/train", "abcd", without="b", unknown=slice(0, 32))
    write_covered(tmp_path / "set/val", "a")
    result = scd("train", tmp_path / "set", "-o", tmp_path / "run", *QUICK[:-1])
    assert result.exit_code == 0, result.output
    assert "classes learnt on every pixel of 3 pairs, changed pixels of 1" in result.stderr
    assert re.search(r"epoch 1/1, loss .*, land cover mIoU 0\.\d{4}, ", result.stderr)
    described = json.loads(scd("models", tmp_path / "run/best.safetensors", "--json").stdout)
    assert described["land_cover"] is True
    assert described["legend"]["name"] == "second"
    refused = scd("train", tmp_path / "set", "-o", tmp_path / "other", "--legend", "urban", *QUICK)
    assert "carries the legend 'second' with 6 classes, but legend 'urban'" in refused.stderr


def test_a_run_resumes_and_is_not_overwritten(scd, second_tree, tmp_path):
    root = second_tree(pairs=3, size=64)
    command = ("train", root, "-o", tmp_path / "run", *QUICK)
    assert scd(*command).exit_code == 0
    refused = scd("train", tmp_path / "no-set", *command[2:])
    assert refused.exit_code == 1
    assert "--resume" in refused.stderr
    assert scd(*command, "--resume").exit_code == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--legend", "urbn"], "'urbn'"),
        (["--cover"], "no cover1 and cover2"),
        (["--bands", "4"], "has bands 1 to 3"),
        (["--bands", "nir"], "has no band named so"),
        (["--device", "cuda:7"], "cuda:7"),
    ],
)
def test_settings_that_cannot_work_are_one_sentence(scd, second_tree, tmp_path, options, words):
    result = scd("train", second_tree(pairs=3, size=64), "-o", tmp_path / "run", *QUICK, *options)
    assert result.exit_code == 1
    assert words in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--network", "unet"], "'unet'; choose one of: asn"),
        (["--blocks", "dense"], "'dense'; choose one of: residual, se"),
        (["--optimizer", "lion"], "'lion'; choose one of: adamw"),
        (["--class-weights", "focal"], "'focal'; choose one of: inverse"),
        (["--network", "asn-atl", "--atl-class-weights", "focal"], "'focal'; choose one of"),
        (["--precision", "fp8"], "'fp8'; choose one of: auto"),
        (["--init", "gone.safetensors"], "no such file) named 'gone.safetensors'"),
    ],
)
def test_what_is_mistyped_is_said_before_the_set_is_looked_at(scd, tmp_path, options, words):
    result = scd("train", tmp_path / "no-set", "-o", tmp_path / "run", *QUICK, *options)
    assert result.exit_code == 1
    assert words in result.stderr


def test_a_folder_without_a_set_says_what_is_missing(scd, tmp_path):
    result = scd("train", tmp_path, "-o", tmp_path / "run")
    assert result.exit_code == 1
    assert "neither a train folder, nor im1" in result.stderr
    missing = scd("train", tmp_path / "nowhere", "-o", tmp_path / "run")
    assert missing.exit_code == 1
    assert "nowhere is not a labelled set" in missing.stderr


@pytest.mark.parametrize(
    "options", [["--scale", "2", "0.5"], ["--lr", "-1"], ["--width", "0"], ["--chip", "8"]]
)
def test_values_out_of_range_are_usage_errors(scd, tmp_path, options):
    assert scd("train", tmp_path, "-o", tmp_path / "run", *options).exit_code == 2


def test_index_labels_need_a_legend(scd, second_tree, tmp_path):
    root = second_tree(pairs=3, size=64)
    for part, value in (("label1", 3), ("label2", 5)):
        label = np.zeros((64, 64), np.uint8)
        label[:20] = value
        for path in (root / "train" / part).iterdir():
            write_png(path, label)
    command = ("train", root, "-o", tmp_path / "run", *QUICK)
    refused = scd(*command)
    assert refused.exit_code == 1
    assert "--legend second" in refused.stderr
    assert scd(*command, "--legend", "second").exit_code == 0


def test_asn_atl_takes_one_command_or_two(scd, second_tree, tmp_path):
    root = second_tree(pairs=3, size=64)
    command = ("train", root, *QUICK[:-1], "--network", "asn-atl", "--atl-epochs", "1")
    both = scd(*command, "-o", tmp_path / "both")
    assert both.exit_code == 0, both.output
    assert "asn epoch 1/1, loss" in both.stderr
    assert "asn-atl epoch 1/1, loss" in both.stderr
    first = tmp_path / "both/asn/best.safetensors"
    epochs = [word for word in command if word not in ("--epochs", "1", "--atl-epochs")]
    alone = scd(*epochs, "--atl-epochs", "1", "--init", first, "-o", tmp_path / "alone")
    assert alone.exit_code == 0, alone.output
    described = json.loads(scd("models", tmp_path / "alone/best.safetensors", "--json").stdout)
    assert described["training"]["class_weights"] == "inverse"
    refused = scd(*command, "--init", first, "-o", tmp_path / "refused")
    assert refused.exit_code == 2
    assert "give --atl-epochs instead of --epochs" in refused.stderr


def test_a_split_file_says_what_trains(scd, second_tree, tmp_path):
    root = second_tree(pairs=5, size=64, splits=("train", "val"))
    split = tmp_path / "split.csv"
    split.write_text("name,split\n00000,train\n00001,train\n00003,val\n", encoding="utf-8")
    command = ("train", root, *QUICK[:-1], "--split-file", split)
    result = scd(*command, "-o", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert "2 training and 1 validation pairs" in result.stderr
    assert "2 pairs that split.csv does not name are left out" in result.stderr
    split.write_text("00000\n00009\n", encoding="utf-8")
    refused = scd(*command, "-o", tmp_path / "other")
    assert refused.exit_code == 1
    assert "not among the 5 of the training folder: 00009 (1 in all)" in refused.stderr


def test_models_lists_and_describes(scd):
    from scdcli.models import DEFAULT_MODEL

    assert f"{DEFAULT_MODEL}  (default)" in scd("models").stdout
    card = scd("models", DEFAULT_MODEL).stdout
    assert "scd train" in card
    assert json.loads(scd("models", "--json").stdout)["default"] == DEFAULT_MODEL
    described = json.loads(scd("models", DEFAULT_MODEL, "--json").stdout)
    assert described["legend"]["name"] == "urban"
    assert described["land_cover"] is True


def test_simulated_pairs_are_a_set_that_trains(scd, tmp_path):
    result = scd("simulate", tmp_path / "world", "--pairs", "2", "--size", "128", "-q")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{tmp_path / 'world' / 'train'}\n"
    command = ("simulate", tmp_path / "world", "--pairs", "2", "--size", "128", "-q")
    again = scd(*command)
    assert again.exit_code == 1
    assert "--overwrite" in again.stderr
    assert json.loads((tmp_path / "world/train/simulation.json").read_text())["seed"] == 0
    (tmp_path / "world/train/notes.txt").write_text("mine")
    assert "also holds notes.txt" in scd(*command, "--overwrite").stderr
    (tmp_path / "world/train/notes.txt").unlink()
    assert scd(*command, "--overwrite").exit_code == 0
    trained = scd("train", tmp_path / "world", "-o", tmp_path / "run", *QUICK, "--val-share", "0.5")
    assert trained.exit_code == 0, trained.output


def test_the_demo_scene_is_a_georeferenced_pair(scd, tmp_path):
    result = scd("simulate", tmp_path / "demo", "--size", "256")
    assert result.exit_code == 0, result.output
    with rasterio.open(tmp_path / "demo/before.tif") as before:
        assert before.crs is not None
        assert before.shape == (256, 256)
    assert (tmp_path / "demo/truth/to.tif").exists()
