"""The QGIS project of a prediction: what it names, how, and that QGIS opens it."""

import shutil
from xml.etree import ElementTree as ET
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from realqgis import ask, needs_qgis
from scenes import NORTH_UP, UTM, write_scene
from standins import Thresholds, loaded

from scdcli.prediction.chain import Predictor
from scdcli.prediction.settings import OutputSettings
from scdcli.prediction.tiling import Tiling
from scdcli.prediction.write import write_prediction
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.pair.settings import PairSettings

HEIGHT, WIDTH = 60, 90
MAPS = ["transition", "class before", "class after", "probability of change (%)"]


def predict(folder, crs=UTM, dtype="uint8", formats=("gpkg",), out="out"):
    """A prediction of a scene whose right half changes, in ``folder/out``; images lie beside."""
    before = np.full((4, HEIGHT, WIDTH), 60, dtype)
    after = before.copy()
    after[:, :, WIDTH // 2 :] = 180
    paths = [folder / "before.tif", folder / "after & later.tif"]
    for path, image in zip(paths, (before, after), strict=True):
        path.exists() or write_scene(path, image, NORTH_UP, crs, photometric="MINISBLACK")
    network = Predictor(
        loaded(Thresholds(), bands=3), torch.device("cpu"), 0.5, tiling=Tiling(64, 16, 1)
    )
    settings = PairSettings(bands=(3, 2, 1), scale=None if dtype == "uint8" else (0, 255))
    with open_pair(*paths, settings) as pair:
        write = OutputSettings(formats=formats, land_cover=True, report=False)
        write_prediction(pair, network, folder / out, write)
    return folder / out


def project(folder):
    with ZipFile(folder / "changes.qgz") as file:
        assert file.namelist() == ["changes.qgs"]
        return ET.fromstring(file.read("changes.qgs").decode().split("\n", 1)[1])


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    predict(folder)
    return folder


def test_every_source_is_relative_and_there(place):
    sources = [layer.findtext("datasource") for layer in project(place / "out").iter("maplayer")]
    assert sources[0] == "./changes.gpkg|layername=changes"
    assert sources[-2:] == ["../after & later.tif", "../before.tif"]
    assert len(sources) == 9
    for source in sources:
        assert (place / "out" / source.split("|")[0]).is_file()
    assert project(place / "out").findtext("properties/Paths/Absolute") == "false"


def test_the_extent_is_that_of_the_maps(place):
    canvas = project(place / "out").find("mapcanvas/extent")
    assert [float(side.text) for side in canvas] == [
        NORTH_UP.c,
        NORTH_UP.f - HEIGHT,
        NORTH_UP.c + WIDTH,
        NORTH_UP.f,
    ]


def test_images_show_the_bands_in_use(place, tmp_path):
    renderers = [
        layer.find("pipe/rasterrenderer") for layer in project(place / "out").iter("maplayer")
    ]
    for renderer in renderers[-2:]:
        assert [renderer.get(f"{c}Band") for c in ("red", "green", "blue")] == ["3", "2", "1"]
        assert renderer.find("redContrastEnhancement") is None
    dark = project(predict(tmp_path, dtype="uint16"))
    for layer in list(dark.iter("maplayer"))[-2:]:
        enhancement = layer.find("pipe/rasterrenderer/greenContrastEnhancement")
        assert enhancement.findtext("minValue") == "0.0"
        assert enhancement.findtext("maxValue") == "255.0"


def test_two_projects_are_the_same_bytes(place, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    one, two = (predict(place, out=name) / "changes.qgz" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_without_polygons_the_transitions_are_shown(tmp_path):
    root = project(predict(tmp_path, formats=("parquet",)))  # which few QGIS open
    assert [group.get("name") for group in root.iter("layer-tree-group")] == [
        None,
        "Maps",
        "Images",
    ]
    layers = {layer.get("name"): layer.get("checked") for layer in root.iter("layer-tree-layer")}
    assert layers["transition"] == "Qt::Checked"
    assert layers["class before"] == "Qt::Unchecked"


OPEN = """
from qgis.PyQt.QtCore import QSize
found = {}
for name, path in arguments["projects"].items():
    project = QgsProject.instance()
    assert project.read(path), project.error()
    root = project.layerTreeRoot()
    about = {"crs": project.crs().authid(), "layers": [], "groups": {}}
    for group in root.children():
        about["groups"][group.name()] = [layer.name() for layer in group.children()]
    for node in root.findLayers():
        layer = node.layer()
        about["layers"].append([layer.name(), layer.isValid(), node.isVisible()])
    polygons = project.mapLayers()["scd_layer_changes"]
    about["styles"] = polygons.styleManager().styles()
    about["labels"] = [item.label() for item in polygons.renderer().legendSymbolItems()]
    settings = QgsMapSettings()
    settings.setLayers(root.checkedLayers())
    settings.setDestinationCrs(project.crs())
    settings.setExtent(QgsRectangle(*arguments["extents"][name]))
    settings.setOutputSize(QSize(90, 60))
    job = QgsMapRendererSequentialJob(settings)
    job.start()
    job.waitForFinished()
    image = job.renderedImage()
    image.save(arguments["pictures"] + "/" + name + ".png")
    about["picture"] = [[image.pixelColor(x, y).getRgb()[:3] for x in range(90)] for y in range(60)]
    found[name] = about
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """Projects that were moved with all they name, as QGIS opens them."""
    home = tmp_path_factory.mktemp("opened")
    projects, extents = {}, {}
    for name, options in {
        "placed": {},
        "pixels": {"crs": None},
        "geojson": {"formats": ("geojson",)},
    }.items():
        folder = tmp_path_factory.mktemp(name)
        out = predict(folder, **options)
        shutil.move(folder, home / f"moved {name}")
        projects[name] = home / f"moved {name}" / "out/changes.qgz"
        extents[name] = [
            float(side.text) for side in project(projects[name].parent).find("mapcanvas/extent")
        ]
        assert out != projects[name].parent
    return ask(OPEN, home, projects=projects, extents=extents, pictures=home)


@needs_qgis
@pytest.mark.parametrize("name", ["placed", "pixels", "geojson"])
def test_qgis_opens_a_project_that_has_moved(opened, name):
    about = opened[name]
    covers = ["land cover before", "land cover after"]
    images = ["after: after & later.tif", "before: before.tif"]
    assert about["groups"] == {"Changes": ["changes"], "Maps": MAPS + covers, "Images": images}
    assert [layer for layer, valid, _ in about["layers"] if not valid] == []
    visible = [layer for layer, _, shown in about["layers"] if shown]
    assert visible == ["changes", *images]
    assert about["crs"] == ("" if name == "pixels" else UTM)
    assert about["styles"] == ["confidence", "transitions"]
    assert about["labels"] == ["n.v.g. surface → building"]


@needs_qgis
@pytest.mark.parametrize("name", ["placed", "pixels", "geojson"])
def test_polygons_lie_on_what_changed(opened, name):
    picture = np.array(opened[name]["picture"], dtype=int)
    left, right = picture[5:-5, 5:40], picture[5:-5, 50:-5]
    assert (left == 60).all()  # the image, which has not changed
    red, green, _ = right.reshape(-1, 3).T
    assert (red > green).all()  # a building over it
