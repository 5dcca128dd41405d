"""What a prediction leaves on disk, and that it is the same every time."""

import csv
import json
import sqlite3

import fiona
import numpy as np
import pytest
import rasterio
import torch
from rasterio.errors import NotGeoreferencedWarning
from rasterio.features import rasterize
from rio_cogeo import cog_validate
from scenes import UTM, write_scene
from shapely.geometry import shape
from standins import Thresholds, loaded

from scdcli.errors import InputError, OutputError, UnknownName
from scdcli.legend import SECOND, split_transition
from scdcli.prediction.chain import Predictor
from scdcli.prediction.settings import OutputSettings
from scdcli.prediction.tiling import Tiling
from scdcli.prediction.write import write_prediction
from scdcli.rasters.grid import UNPLACED
from scdcli.rasters.pair.open import open_pair

FILES = {
    "from.tif",
    "from.tif.aux.xml",
    "from.qml",
    "to.tif",
    "to.tif.aux.xml",
    "to.qml",
    "transition.tif",
    "transition.tif.aux.xml",
    "transition.qml",
    "probability.tif",
    "probability.qml",
    "changes.gpkg",
    "changes.qgz",
    "transitions.csv",
    "transitions.csvt",
    "summary.json",
    "report.html",
    "preview.png",
}


@pytest.fixture
def scenes(tmp_path, rng):
    """BEFORE and AFTER of 100 × 140 pixels; AFTER lacks a corner."""
    blocks = rng.integers(0, 6, (2, 10, 14))
    blocks[1, 3:] = blocks[0, 3:]
    blocks[1, 6, 2:5] = (blocks[0, 6, 2:5] + 1) % 6
    paths = []
    for name, classes in zip(("before", "after"), blocks, strict=True):
        image = np.kron(np.stack([classes * 40 + 20] * 3), np.ones((1, 10, 10))).astype(np.uint8)
        if name == "after":
            image[:, :25, :30] = 0
        paths.append(write_scene(tmp_path / f"{name}.tif", image, nodata=0))
    return paths


def run(scenes, out, network=None, **settings):
    predictor = Predictor(
        loaded(network or Thresholds()), torch.device("cpu"), 0.5, tiling=Tiling(64, 16, 1)
    )
    with open_pair(*scenes) as pair:
        return write_prediction(pair, predictor, out, OutputSettings(**settings))


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read(1)


def test_a_prediction_is_these_files_and_nothing_else(scenes, tmp_path):
    run(scenes, tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    assert {path.name for path in tmp_path.iterdir()} == {"before.tif", "after.tif", "out"}


def test_land_cover_adds_both_dates(scenes, tmp_path):
    run(scenes, tmp_path / "out", land_cover=True)
    covers = [read(tmp_path / "out" / f"{name}_cover.tif") for name in ("before", "after")]
    from_class, to_class = (read(tmp_path / "out" / f"{name}.tif") for name in ("from", "to"))
    changed = (from_class > 0) & (from_class < 255)
    assert changed.any()
    assert (covers[0][changed] == from_class[changed]).all()
    assert (covers[1][changed] == to_class[changed]).all()
    assert (covers[0] > 0).all()
    assert "unchanged" not in (tmp_path / "out/after_cover.qml").read_text()
    assert "unchanged" in (tmp_path / "out/to.qml").read_text()


def test_rasters_agree_with_each_other_and_lie_on_the_before_grid(scenes, tmp_path):
    run(scenes, tmp_path / "out")
    from_class, to_class = split_transition(read(tmp_path / "out/transition.tif"))
    assert (from_class == read(tmp_path / "out/from.tif")).all()
    assert (to_class == read(tmp_path / "out/to.tif")).all()
    assert ((read(tmp_path / "out/probability.tif") == 255) == (from_class == 255)).all()
    assert (from_class[:25, :30] == 255).all()
    with rasterio.open(scenes[0]) as before, rasterio.open(tmp_path / "out/from.tif") as result:
        assert (result.transform, result.crs, result.shape) == (
            before.transform,
            before.crs,
            before.shape,
        )
        assert json.loads(result.tags(ns="SCD")["LEGEND"]) == SECOND.to_dict()
    style = (tmp_path / "out/probability.qml").read_text()
    assert '<item value="49" color="#ffffb2" alpha="0"' in style  # just below the threshold, 0.5
    for path in (tmp_path / "out").glob("*.tif"):
        assert cog_validate(path, quiet=True)[0], path.name


def test_rasterizing_the_polygons_gives_back_the_transitions(scenes, tmp_path):
    run(scenes, tmp_path / "out")
    transition = read(tmp_path / "out/transition.tif")
    with fiona.open(tmp_path / "out/changes.gpkg", layer="changes") as layer:
        shapes = [(shape(f.geometry), f.properties["transition"]) for f in layer]
    with rasterio.open(tmp_path / "out/transition.tif") as dataset:
        burnt = rasterize(shapes, transition.shape, transform=dataset.transform, dtype="uint16")
    assert shapes
    assert (burnt == np.where(transition == 65535, 0, transition)).all()


def test_areas_agree_between_summary_table_and_polygons(scenes, tmp_path):
    summary = run(scenes, tmp_path / "out")
    assert summary == json.loads((tmp_path / "out/summary.json").read_text())
    with (tmp_path / "out/transitions.csv").open() as stream:
        rows = {row["transition"]: row for row in csv.DictReader(stream)}
    with fiona.open(tmp_path / "out/changes.gpkg") as layer:
        features = [f.properties for f in layer]
    for row in summary["transitions"]:
        polygons = [f for f in features if f["transition"] == row["transition"]]
        assert sum(f["area_m2"] for f in polygons) == pytest.approx(row["area_m2"])
        assert float(rows[str(row["transition"])]["area_m2"]) == pytest.approx(row["area_m2"])
        assert row["area_m2"] == pytest.approx(row["pixels"], rel=0.002)  # pixels of 1 m²
    nodata = summary["nodata"]["pixels"]
    assert nodata == 25 * 30
    assert summary["changed"]["pixels"] + summary["unchanged"]["pixels"] + nodata == 100 * 140


def test_two_runs_give_the_same_bytes(scenes, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    for name in ("one", "two"):
        run(scenes, tmp_path / name, land_cover=True, formats=("gpkg", "geojson"))
    for path in sorted((tmp_path / "one").iterdir()):
        if path.name != "summary.json":  # holds the seconds it took
            assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


def test_the_layer_style_names_the_transitions_that_occur(scenes, tmp_path):
    summary = run(scenes, tmp_path / "out")
    with sqlite3.connect(tmp_path / "out/changes.gpkg") as database:
        styles = dict(database.execute("SELECT styleName, styleQML FROM layer_styles"))
    database.close()
    names = {f"{row['from_name']} → {row['to_name']}" for row in summary["transitions"]}
    assert names
    assert all(name in styles["transitions"] for name in names)
    assert styles["transitions"].count("<category ") == len(names)
    assert "<category " not in styles["confidence"]


def test_nothing_changed_is_an_empty_layer(scenes, tmp_path):
    summary = run((scenes[0], scenes[0]), tmp_path / "out")
    with fiona.open(tmp_path / "out/changes.gpkg") as layer:
        assert len(layer) == 0
        assert "confidence" in layer.schema["properties"]
    assert summary["changed"]["pixels"] == 0
    assert summary["transitions"] == []


def test_no_polygons_where_none_are_wanted(scenes, tmp_path):
    summary = run(scenes, tmp_path / "out", formats=())
    assert not (tmp_path / "out/changes.gpkg").exists()
    assert summary["changed"]["pixels"] > 0


def test_an_existing_folder_stays_unless_it_may_be_replaced(scenes, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("keep")
    with pytest.raises(OutputError, match=r"out exists; replace it with --overwrite"):
        run(scenes, tmp_path / "out")
    assert (tmp_path / "out/mine.txt").read_text() == "keep"
    with pytest.raises(OutputError, match="not made by this command"):
        run(scenes, tmp_path / "out", overwrite=True)
    assert (tmp_path / "out/mine.txt").read_text() == "keep"
    run(scenes, tmp_path / "ours")
    (tmp_path / "ours/stale.tif").write_text("")
    run(scenes, tmp_path / "ours", overwrite=True)
    assert {path.name for path in (tmp_path / "ours").iterdir()} == FILES


def test_a_failure_leaves_nothing(scenes, tmp_path):
    class Broken(Thresholds):
        def forward(self, before, after):
            raise InputError("the third chip cannot be read")

    with pytest.raises(InputError, match="third chip"):
        run(scenes, tmp_path / "out", Broken())
    assert {path.name for path in tmp_path.iterdir()} == {"before.tif", "after.tif"}


def test_unknown_formats_list_the_known_ones_before_any_work(scenes, tmp_path):
    with pytest.raises(UnknownName, match=r"'kml'; choose one of: .*gpkg.*none"):
        run(scenes, tmp_path / "out", formats=("kml",))


def test_two_images_without_a_crs_have_areas_in_pixels(scenes, tmp_path):
    paths = []
    for path in scenes:
        paths.append(
            write_scene(tmp_path / f"bare_{path.name}", np.stack([read(path)] * 3), crs=None)
        )
    summary = run(paths, tmp_path / "out")
    assert summary["changed"]["hectares"] is None
    with fiona.open(tmp_path / "out/changes.gpkg") as layer:
        assert "area_px" in layer.schema["properties"]
        shapes = [(shape(f.geometry), f.properties["transition"]) for f in layer]
    assert UTM not in json.dumps(summary)
    assert summary["grid"]["bounds"] == [0, -100, 140, 0]
    with pytest.warns(NotGeoreferencedWarning):  # it is drawn like the images
        transition = read(tmp_path / "out/transition.tif")
    burnt = rasterize(shapes, transition.shape, transform=UNPLACED, dtype="uint16")
    assert (burnt == np.where(transition == 65535, 0, transition)).all()
