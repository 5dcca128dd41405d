"""``scd report``: the page again, and what it says where it cannot."""

import pytest
from finished import draw_classes, predict_images, write_images

from scdcli.reporting.batchfiles import finish_batch


@pytest.fixture
def folder(tmp_path, rng):
    predict_images(write_images(tmp_path, draw_classes(rng)), tmp_path / "out", report=False)
    return tmp_path / "out"


def test_the_page_is_made_and_named(scd, folder):
    result = scd("report", folder)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.strip() == str(folder / "report.html")
    assert (folder / "report.html").exists()


def test_a_page_elsewhere_replaces_nothing_by_itself(scd, folder, tmp_path):
    page = tmp_path / "page.html"
    assert scd("report", folder, "-o", page).exit_code == 0
    result = scd("report", folder, "-o", page)
    assert result.exit_code == 1
    assert "--overwrite" in result.stderr
    assert scd("report", folder, "-o", page, "--overwrite").exit_code == 0


def test_images_that_are_gone_are_a_warning(scd, folder):
    image = (folder.parent / "after.tif").rename(folder.parent / "moved.tif")
    result = scd("report", folder)
    assert result.exit_code == 0
    assert result.stderr.startswith("Warning: This page shows no images: after.tif is not where")
    assert scd("report", folder, "-q").stderr == ""
    assert scd("report", folder, "--after", image).stderr == ""
    kept = scd("report", folder).stderr
    assert kept.startswith("Warning: report.html is left as it was, since it shows images")
    assert scd("report", folder, "--overwrite").stderr == result.stderr


def test_no_prediction_is_one_sentence(scd, tmp_path):
    result = scd("report", tmp_path)
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "is no prediction" in result.stderr


def test_a_batch_gets_a_page_of_links(scd, folder):
    batch = folder.parent
    assert scd("report", folder).exit_code == 0
    result = scd("report", "--pairs", batch)
    assert result.exit_code == 0
    assert result.stdout.strip() == str(batch / "index.html")
    assert 'href="out/report.html"' in (batch / "index.html").read_text(encoding="utf-8")


def test_what_a_batch_has_left_is_made_again(scd, folder):
    batch = folder.parent
    scd("report", "--pairs", batch)
    assert not (batch / "transitions.csv").exists()
    finish_batch(batch, [], {}, formats=(), page=False)
    (batch / "transitions.csv").unlink()
    assert scd("report", "--pairs", batch, "-o", batch / "page.html").exit_code == 0
    assert not (batch / "transitions.csv").exists()
    assert scd("report", "--pairs", batch).exit_code == 0
    assert (batch / "transitions.csv").exists()


@pytest.mark.parametrize(
    "arguments", [[], ["a", "--pairs", "b"], ["--pairs", "b", "--before", "c.tif"]]
)
def test_one_prediction_or_several(scd, arguments):
    assert scd("report", *arguments).exit_code == 2


def test_a_page_replaces_no_file_of_another_kind(scd, folder):
    polygons = folder / "changes.gpkg"
    before = polygons.read_bytes()
    result = scd("report", folder, "-o", polygons, "--overwrite")
    assert result.exit_code == 2
    assert "changes.gpkg does not end in .html" in result.stderr
    assert polygons.read_bytes() == before
