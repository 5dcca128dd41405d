"""How ``scd predict`` is told which bands and which part of two images to read."""

import json

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from rasterio.enums import ColorInterp
from scenes import NORTH_UP, noise, write_scene
from standins import tiny_model

X, Y = NORTH_UP.c, NORTH_UP.f
MODEL = ("-m", "model.safetensors", "--chip", "64", "--overlap", "0")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder with a pair of scenes of four bands, an area and a tiny model in it."""
    monkeypatch.chdir(tmp_path)
    tiny_model(tmp_path / "model.safetensors")
    for number, name in enumerate(("before", "after")):
        order = ("red", "green", "blue", "nir")[:: 1 - 2 * number]
        path = write_scene(
            tmp_path / f"{name}.tif",
            noise((4, 60, 80), seed=number),
            photometric="MINISBLACK",
            alpha="NO",
        )
        with rasterio.open(path, "r+") as dataset:
            dataset.colorinterp = [ColorInterp[color] for color in order]
    area = shapely.box(X + 20, Y - 40, X + 60, Y - 10)
    pyogrio.raw.write(
        tmp_path / "city.gpkg",
        shapely.to_wkb([shapely.Polygon(area.exterior.coords[:3])]),
        [],
        [],
        crs="EPSG:32650",
        geometry_type="Polygon",
    )
    return tmp_path


def failed(result, *words):
    """Exit 1 and one sentence on stderr."""
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr
    assert result.stdout == ""


def test_the_whole_way_with_every_option(scd, here):
    secret = here / "secret-folder"
    secret.mkdir()
    (here / "city.gpkg").rename(secret / "city.gpkg")
    bounds = f"{X + 15},{Y - 50},{X + 75},{Y}"
    options = ("--bounds", bounds, "--aoi", "secret-folder/city.gpkg", "--assume-crs", "EPSG:32650")
    result = scd(
        "predict", "before.tif", "after.tif", *MODEL, "--vector", "none", *options, "--json"
    )
    assert result.exit_code == 0, result.output
    assert "Only the polygon of city.gpkg is mapped" in result.stderr
    assert "--assume-crs is not used" in result.stderr
    assert "Of 4 bands red, green and blue are used: 1, 2, 3 and 4, 3, 2; for" in result.stderr
    summary = json.loads(result.stdout)
    assert "secret-folder" not in result.stdout
    assert summary["settings"]["bounds"] == [X + 15, Y - 50, X + 75, Y]
    assert summary["settings"]["aoi"] == "city.gpkg"
    assert summary["settings"]["assume_crs"] == "EPSG:32650"
    assert summary["inputs"]["after_bands"] == [4, 3, 2]
    assert summary["inputs"]["aoi"]["polygons"] == 1
    assert (summary["grid"]["width"], summary["grid"]["height"]) == (40, 30)
    with rasterio.open(here / "before__after/from.tif") as dataset:
        assert dataset.bounds[:2] == (X + 20, Y - 40)
        assert dataset.transform.a == 1
        assert 550 < (dataset.read(1) != 255).sum() < 650


def test_bands_by_name_and_of_the_second_image(scd, here):
    pair = ("predict", "before.tif", "after.tif", *MODEL, "--vector", "none", "-q")
    assert scd(*pair, "-o", "a", "--bands", "nir, Red,green").exit_code == 0
    assert scd(*pair, "-o", "b", "--bands", "4,1,2", "--after-bands", "1,4,3").exit_code == 0
    summaries = [json.loads((here / name / "summary.json").read_text()) for name in "ab"]
    for summary in summaries:
        assert summary["inputs"]["bands"] == [4, 1, 2]
        assert summary["inputs"]["after_bands"] == [1, 4, 3]
    maps = [rasterio.open(here / name / "probability.tif").read() for name in "ab"]
    np.testing.assert_array_equal(*maps)


def test_degrees_are_bounds_with_their_crs(scd, here):
    from pyproj import Transformer

    to_degrees = Transformer.from_crs("EPSG:32650", "EPSG:4326", always_xy=True)
    bounds = to_degrees.transform_bounds(X + 20, Y - 40, X + 60, Y - 10)
    said = ("--bounds", " ".join(map(str, bounds)), "--bounds-crs", "EPSG:4326")
    result = scd(
        "predict", "before.tif", "after.tif", *MODEL, "--vector", "none", *said, "--json", "-q"
    )
    grid = json.loads(result.stdout)["grid"]
    assert 40 <= grid["width"] <= 43
    assert 30 <= grid["height"] <= 33


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--bounds", "1,2,3,4"), ("--bounds 1, 2, 3, 4 (EPSG:32650) lie outside before.tif",)),
        (("--aoi", "gone.gpkg"), ("--aoi gone.gpkg does not exist",)),
        (("--assume-crs", "moon"), ("--assume-crs moon is no CRS",)),
        (("--bands", "swir"), ("no band named so", "1 (red)")),
        (("--max-pixels", "1000"), ("80 x 60 pixels", "--max-pixels")),
        (("--bands", "1,2", "--after-bands", "1"), ("2 bands are chosen", "--after-bands")),
    ],
)
def test_what_cannot_be_done_is_one_sentence(scd, here, options, words):
    failed(scd("predict", "before.tif", "after.tif", *MODEL, *options), *words)
    assert not (here / "before__after").exists()


@pytest.mark.parametrize(
    "options",
    [
        ("--bounds", "1,2,3"),
        ("--bounds", "3,2,1,4"),
        ("--bounds", "0,0,inf,1"),
        ("--bounds", "a,b,c,d"),
        ("--bands", "1,red"),
        ("--max-pixels", "0"),
    ],
)
def test_wrong_usage_is_exit_2(scd, here, options):
    assert scd("predict", "before.tif", "after.tif", *options).exit_code == 2


def test_nothing_measured_is_said(scd, here):
    write_scene(here / "empty.tif", np.zeros((3, 60, 80), np.uint8), nodata=0)
    result = scd("predict", "before.tif", "empty.tif", *MODEL, "--bands", "1,2,3")
    assert result.exit_code == 0, result.output
    assert (
        "No pixel is measured in both images, so before__empty holds nodata only" in result.stderr
    )
