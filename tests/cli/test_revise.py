"""``scd revise``."""

import json

import numpy as np
import pyogrio
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
    # a correction of the correction, whose project knows where the images are
    again = scd("revise", first, "--polygons", polygons, "-o", second)
    assert "no images" not in again.stderr
    moved = [path.rename(path.with_name(f"moved-{path.name}")) for path in images]
    again = scd("revise", first, "--polygons", polygons, "-o", second, "--overwrite")
    assert again.exit_code == 0, again.output
    assert f"The page of {second} shows no images: before.tif is not where" in again.stderr
    assert f"scd report '{second}' --before IMAGE --after IMAGE makes it" in again.stderr
    assert f"are other than in {first}." in again.stderr
    named = ("--before", moved[0], "--after", moved[1], "--overwrite")
    found = scd("revise", first, "--polygons", polygons, "-o", second, *named)
    assert "no images" not in found.stderr
    assert (second / "report.html").read_text(encoding="utf-8").count("data:image/jpeg") == page


def test_a_correction_of_a_correction_says_both(scd, tmp_path):
    images = write_images(tmp_path, draw_classes(np.random.default_rng(5), (6, 8)))
    predict_images(images, tmp_path / "out", formats=("gpkg",))
    for name in ("out", "out-revised"):
        polygons = tmp_path / f"{name}.gpkg"
        without_largest(tmp_path / name / "changes.gpkg", polygons)
        assert scd("revise", tmp_path / name, "--polygons", polygons).exit_code == 0
    folders = [tmp_path / name for name in ("out", "out-revised", "out-revised-revised")]
    each = [json.loads((folder / "summary.json").read_text()) for folder in folders]
    first, second = (summary["revision"] for summary in each[1:])
    assert first.pop("earlier") == []
    assert second.pop("earlier") == [first]
    assert [first["of"], second["of"]] == ["out", "out-revised"]
    changed = [summary["changed"]["pixels"] for summary in each]
    # each says what is other than in the one it was made from, and areas are those of its own map
    assert changed[0] - changed[1] == first["pixels"] > 0
    assert changed[1] - changed[2] == second["pixels"] > 0
    assert second["polygons_removed"] == 1
    text = (folders[2] / "report.html").read_text(encoding="utf-8")
    assert "Corrected by a person with <b>out-revised.gpkg</b>: 1 polygons removed" in text
    assert "which had been corrected once before" in text


def without_largest(source, target):
    """The polygons but the largest one."""
    about, _, outlines, columns = pyogrio.raw.read(source, layer="changes")
    left = np.arange(len(outlines)) != np.argmax(columns[about["fields"].tolist().index("area_m2")])
    pyogrio.raw.write(
        target,
        outlines[left],
        [column[left] for column in columns],
        about["fields"],
        geometry_type="Polygon",
        crs=about["crs"],
        layer="changes",
    )
