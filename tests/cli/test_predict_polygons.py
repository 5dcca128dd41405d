"""``scd predict`` with the options of polygons, from images to files."""

import json
from pathlib import Path

import pyogrio
import pytest
import shapely
from scenes import noise, write_scene
from standins import tiny_model


@pytest.fixture
def predict(scd, tmp_path, monkeypatch):
    """Predict a small pair in which much has changed; returns its summary and folder."""
    monkeypatch.chdir(tmp_path)
    tiny_model(tmp_path / "model.safetensors")
    for number, name in enumerate(("before", "after")):
        write_scene(tmp_path / f"{name}.tif", noise((3, 60, 80), seed=number))

    def run(out, *options):
        run = ["before.tif", "after.tif", "-m", "model.safetensors", "--chip", "64", "-o", out]
        result = scd("predict", *run, "--overlap", "0", "--mmu", "0", "--json", *options)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout), tmp_path / out

    return run


def read(path):
    about, _, geometry, columns = pyogrio.raw.read(path, layer="changes")
    table = dict(zip(about["fields"], columns, strict=True))
    return shapely.from_wkb(geometry), table


def test_simplify_changes_the_outlines_and_nothing_else(predict):
    exact_summary, exact = predict("exact")
    summary, simpler = predict("simpler", "--simplify", "1.5")
    assert summary["settings"]["simplify"] == 1.5
    assert summary["transitions"] == exact_summary["transitions"]
    (before, there), (after, here) = (read(f / "changes.gpkg") for f in (exact, simpler))
    assert len(before) > 10
    for name, values in there.items():
        assert here[name].tolist() == values.tolist()
    assert not shapely.equals(before, after).all()
    assert shapely.coverage_is_valid(after)


def test_every_format_in_one_run_and_what_a_shapefile_calls_its_columns(predict):
    summary, out = predict("out", "--vector", "gpkg,geojson,fgb,shp,parquet")
    suffixes = {path.suffix for path in out.glob("changes.*")}
    assert {".gpkg", ".geojson", ".fgb", ".shp", ".dbf", ".cpg", ".parquet"} <= suffixes
    assert summary["shapefile_names"] == {"perimeter_m": "perim_m"}


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "much"])
def test_sizes_that_are_no_sizes_are_wrong_usage(scd, value):
    for option in ("--simplify", "--mmu"):
        assert scd("predict", "before.tif", "after.tif", option, value).exit_code == 2


@pytest.mark.parametrize(("unit", "said"), [("576px", False), ("577px", True)])
def test_a_unit_beyond_what_is_measured_is_said(scd, predict, unit, said):
    run = ["before.tif", "after.tif", "-m", "model.safetensors", "--chip", "64", "--overlap", "0"]
    result = scd("predict", *run, "--mmu", unit, "-o", unit, "--vector", "none", "--no-report")
    assert result.exit_code == 0, result.output
    sentence = "is 577 pixels, but what is longer than 24 pixels stays even where it is smaller"
    assert (sentence in result.stderr) == said


@pytest.mark.parametrize(("unit", "said"), [("20", True), ("20px", False)])
def test_square_meters_are_said_to_be_pixels_where_there_is_no_crs(scd, predict, unit, said):
    for name in "ab":
        write_scene(Path(f"{name}.tif"), noise((3, 60, 80)), crs=None)
    run = ["a.tif", "b.tif", "-m", "model.safetensors", "--chip", "64", "--overlap", "0"]
    result = scd("predict", *run, "--mmu", unit, "-o", "out", "--vector", "none", "--no-report")
    assert result.exit_code == 0, result.output
    assert ("mapping unit 20 m² is taken as 20 pixels: without a CRS" in result.stderr) == said
