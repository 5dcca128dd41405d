"""``scd revise``."""

import json

import numpy as np
from finished import draw_classes, predict_images, write_images


def test_the_corrected_prediction_lies_beside_the_first(scd, tmp_path):
    images = write_images(tmp_path, draw_classes(np.random.default_rng(5), (6, 8)))
    predict_images(images, tmp_path / "out")
    polygons = tmp_path / "out/changes.gpkg"
    done = scd("revise", tmp_path / "out", "--polygons", polygons)
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{tmp_path / 'out-revised'}\n"
    assert "0 polygons removed, 0 with another class, 0 drawn: 0 pixels" in done.stderr
    summary = json.loads((tmp_path / "out-revised/summary.json").read_text(encoding="utf-8"))
    assert summary["revision"]["of"] == "out"
    assert "exists" in scd("revise", tmp_path / "out", "--polygons", polygons).stderr
    again = scd("revise", tmp_path / "out", "--polygons", polygons, "-o", tmp_path / "out")
    assert "which is kept" in again.stderr


def test_the_working_directory_can_be_revised(scd, tmp_path, monkeypatch):
    images = write_images(tmp_path, draw_classes(np.random.default_rng(5), (6, 8)))
    predict_images(images, tmp_path / "out")
    monkeypatch.chdir(tmp_path / "out")
    done = scd("revise", ".", "--polygons", "changes.gpkg")
    assert done.stdout.strip() == str(tmp_path.resolve() / "out-revised"), done.output
