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


def test_the_page_has_the_images_wherever_the_correction_lies(scd, tmp_path):
    images = write_images(tmp_path, draw_classes(np.random.default_rng(5), (6, 8)))
    predict_images(images, tmp_path / "out")
    first, second = tmp_path / "a/b/first", tmp_path / "a/b/the second"
    (tmp_path / "a/b").mkdir(parents=True)
    polygons = tmp_path / "out/changes.gpkg"
    done = scd("revise", tmp_path / "out", "--polygons", polygons, "-o", first)
    assert f"0 pixels, 0.00 hectares are other than in {tmp_path / 'out'}." in done.stderr
    assert "no images" not in done.stderr
    page = (tmp_path / "out/report.html").read_text(encoding="utf-8").count("data:image/jpeg")
    assert (first / "report.html").read_text(encoding="utf-8").count("data:image/jpeg") == page
    # a correction of the correction, and the images are too far away
    again = scd("revise", first, "--polygons", polygons, "-o", second)
    assert again.exit_code == 0, again.output
    assert "This page shows no images: before.tif is not where" in again.stderr
    assert f"scd report '{second}' --before IMAGE --after IMAGE makes it" in again.stderr
    assert f"are other than in {first}." in again.stderr
