"""Which pixel sizes a trained model knows."""

import json

import numpy as np
import pytest
from affine import Affine
from scenes import noise, write_scene

QUICK = ("--width", "0.125", "--chip", "64", "--epochs", "1", "--batch", "2", "--val-share", "0")


def known_to(scd, run):
    return json.loads(scd("models", run / "best.safetensors", "--json").stdout)["pixel_size"]


def test_a_simulated_set_says_its_pixel_size(scd, tmp_path):
    assert scd("simulate", tmp_path / "set", "--pairs", "2", "--size", "128").exit_code == 0
    command = ("train", tmp_path / "set", *QUICK, "-o", tmp_path / "run")
    refused = scd(*command, "--pixel-size", "1", "2")
    assert refused.exit_code == 1
    assert "--pixel-size says 1 to 2 m, but all images say their own: 0.5 to 0.5" in refused.stderr


def test_scenes_say_it_by_their_georeference(scd, tmp_path):
    for name, size in (("fine", 2.0), ("coarse", 5.0)):
        place = Affine(size, 0, 500_000, 0, -size, 4_000_000)
        (tmp_path / "set" / name).mkdir(parents=True)
        labels = np.kron(noise((1, 2, 2), low=0, high=3), np.ones((64, 64), np.uint8))
        for part, pixels in (
            ("before", noise((3, 128, 128))),
            ("after", noise((3, 128, 128), seed=1)),
            ("from", labels),
            ("to", labels),
        ):
            write_scene(tmp_path / "set" / name / f"{part}.tif", pixels, place)
    command = ("train", tmp_path / "set", "-o", tmp_path / "run", *QUICK, "--legend", "second")
    result = scd(*command, "--scale", "1", "1")
    assert result.exit_code == 0, result.output
    assert known_to(scd, tmp_path / "run") == pytest.approx([2, 5], rel=1e-3)


def test_of_pictures_it_has_to_be_said(scd, second_tree, tmp_path):
    command = ("train", second_tree(pairs=2, size=64), *QUICK, "--scale", "0.5", "2")
    result = scd(*command, "-o", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert "say it with --pixel-size" in result.stderr
    assert known_to(scd, tmp_path / "run") is None
    said = scd(*command, "-o", tmp_path / "said", "--pixel-size", "0.5", "3")
    assert "--pixel-size" not in said.stderr
    assert known_to(scd, tmp_path / "said") == [0.25, 6]
    wrong = scd(*command, "-o", tmp_path / "wrong", "--pixel-size", "3", "0.5")
    assert wrong.exit_code == 2
    assert "3 0.5: give the finer pixels first" in wrong.stderr
