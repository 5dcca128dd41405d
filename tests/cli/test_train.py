"""``scd train``, ``scd models`` and ``scd simulate`` through the real group."""

import json

import pytest
import rasterio

QUICK = ["--width", "0.125", "--chip", "64", "--epochs", "1", "--batch", "2", "-q"]


def test_a_set_becomes_a_model_that_predicts(scd, second_tree, tmp_path):
    root = second_tree(pairs=3, size=64, splits=("train", "test"))
    run = tmp_path / "run"
    result = scd("train", root, "-o", run, *QUICK, "--val-share", "0.3")
    assert result.exit_code == 0, result.output
    model = run / "best.safetensors"
    assert result.stdout == f"{model}\n"
    described = json.loads(scd("models", model).stdout)
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
    result = scd("train", root, "-o", tmp_path / "run", *QUICK[:-1])
    assert result.exit_code == 0, result.output
    assert "2 training and 2 validation pairs" in result.stderr
    assert "classes learnt on every pixel" in result.stderr


def test_a_run_resumes_and_is_not_overwritten(scd, second_tree, tmp_path):
    root = second_tree(pairs=3, size=64)
    command = ("train", root, "-o", tmp_path / "run", *QUICK)
    assert scd(*command).exit_code == 0
    refused = scd(*command)
    assert refused.exit_code == 1
    assert "--resume" in refused.stderr
    assert scd(*command, "--resume").exit_code == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--network", "unet"], "'unet'; choose one of: asn"),
        (["--optimizer", "lion"], "'lion'"),
        (["--legend", "urbn"], "'urbn'"),
        (["--cover"], "no cover1 and cover2"),
        (["--bands", "4"], "has 3 bands"),
        (["--device", "cuda:7"], "cuda:7"),
    ],
)
def test_settings_that_cannot_work_are_one_sentence(scd, second_tree, tmp_path, options, words):
    result = scd("train", second_tree(pairs=3, size=64), "-o", tmp_path / "run", *QUICK, *options)
    assert result.exit_code == 1
    assert words in result.stderr
    assert not (tmp_path / "run").exists()


def test_a_folder_without_a_set_says_what_is_missing(scd, tmp_path):
    result = scd("train", tmp_path, "-o", tmp_path / "run")
    assert result.exit_code == 1
    assert "neither a train folder nor im1" in result.stderr


def test_models_lists_and_describes(scd):
    from scdcli.checkpoint import DEFAULT_MODEL

    assert f"{DEFAULT_MODEL}  (default)" in scd("models").stdout
    card = scd("models", DEFAULT_MODEL).stdout
    assert "scd train" in card
    assert json.loads(scd("models", "--json").stdout)["default"] == DEFAULT_MODEL
    described = json.loads(scd("models", DEFAULT_MODEL, "--json").stdout)
    assert described["legend"]["name"] == "second"
    assert described["land_cover"] is True


def test_simulated_pairs_are_a_set_that_trains(scd, tmp_path):
    result = scd("simulate", tmp_path / "world", "--pairs", "2", "--size", "128", "-q")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{tmp_path / 'world' / 'train'}\n"
    again = scd("simulate", tmp_path / "world", "--pairs", "2", "--size", "128", "-q")
    assert again.exit_code == 1
    assert "--overwrite" in again.stderr
    trained = scd("train", tmp_path / "world", "-o", tmp_path / "run", *QUICK, "--val-share", "0.5")
    assert trained.exit_code == 0, trained.output


def test_the_demo_scene_is_a_georeferenced_pair(scd, tmp_path):
    result = scd("simulate", tmp_path / "demo", "--size", "256")
    assert result.exit_code == 0, result.output
    with rasterio.open(tmp_path / "demo/before.tif") as before:
        assert before.crs is not None
        assert before.shape == (256, 256)
    assert (tmp_path / "demo/truth/to.tif").exists()
