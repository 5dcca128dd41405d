"""``scd judge``."""

import shutil

import numpy as np
import pytest
from finished import draw_classes, predict_images, write_images


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("judging")
    images = write_images(folder, draw_classes(np.random.default_rng(5), (8, 10)))
    predict_images(images, folder / "out")
    return folder


def test_the_page_of_a_sample_finds_map_and_images(scd, folder):
    assert scd("sample", folder / "out", "--size", 8, "--strata", "change").exit_code == 0
    done = scd("judge", folder / "out-points.gpkg")
    assert done.exit_code == 0, done.output
    page = folder / "out-points.html"
    assert done.stdout == f"{page}\n"
    assert page.read_text(encoding="utf-8").count("data:image/jpeg;base64,") == 8 * 4
    assert "exists" in scd("judge", folder / "out-points.gpkg").stderr


def test_missing_map_or_images_are_said(scd, folder, tmp_path):
    drawn = tmp_path / "drawn.gpkg"
    scd("sample", folder / "out", "--size", 8, "--strata", "change", "-o", drawn)
    done = scd("judge", drawn, "--map", folder / "out", "--before", tmp_path / "gone.tif")
    assert done.exit_code == 1
    assert "gone.tif does not exist" in done.stderr


def said(done):
    return " ".join(done.stderr.split())


def test_the_map_is_found_where_it_was_or_beside_the_sample(scd, folder, tmp_path, monkeypatch):
    drawn = tmp_path / "samples" / "points.gpkg"
    drawn.parent.mkdir()
    scd("sample", folder / "out", "--size", 8, "--strata", "change", "-o", drawn)
    images = ("--before", folder / "before.tif", "--after", folder / "after.tif", "--overwrite")
    assert scd("judge", drawn, *images).exit_code == 0  # where it was
    moved = tmp_path / "moved" / "far" / "points.gpkg"
    moved.parent.mkdir(parents=True)
    drawn.rename(moved)
    lost = scd("judge", moved, *images)
    assert lost.exit_code == 1
    assert "is not where it was, beside the file or in the working folder" in said(lost)
    shutil.copytree(folder / "out", moved.parent / "other name")
    (moved.parent / "other").mkdir()
    (moved.parent / "other" / "transition.tif").write_text("no raster")
    assert scd("judge", moved, *images).exit_code == 0  # beside it
    (moved.parent / "other name").rename(tmp_path / "here")
    monkeypatch.chdir(tmp_path)
    assert scd("judge", moved, *images).exit_code == 0  # in the working folder
    shutil.copytree("here", moved.parent / "copy")
    assert "are both the map" in said(scd("judge", moved, *images))


def test_what_is_no_sample_is_said(scd, tmp_path):
    (tmp_path / "points.gpkg").write_text("no sample")
    assert "cannot be read as a sample" in said(scd("judge", tmp_path / "points.gpkg"))


def test_judges_are_compared(scd, tmp_path):
    head = "id,reference_from,reference_to\n"
    (tmp_path / "ann.csv").write_text(head + "1,0,0\n2,3,5\n3,3,5\n4,,\n")
    (tmp_path / "ben.csv").write_text(head + "1,0,0\n2,3,5\n3,3,4\n4,1,2\n")
    done = scd("judge", tmp_path / "ann.csv", "--compare", tmp_path / "ben.csv")
    assert done.exit_code == 0, done.output
    assert "ann.csv, ben.csv" in done.stdout
    assert "66.7 %" in done.stdout
