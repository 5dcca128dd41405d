"""The rasters of a prediction as other programs see them: GDAL, rio-cogeo and QGIS."""

import csv
import json
import shutil
import subprocess
from itertools import pairwise
from xml.etree import ElementTree as ET

import fiona
import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from pyproj import Geod, Transformer
from rasterio.features import rasterize
from rasterio.warp import transform_geom
from rio_cogeo import cog_validate
from scenes import NORTH_UP, ROTATED, SOUTH_UP, UTM, write_scene
from standins import Thresholds, loaded

from scdcli.legend import SECOND
from scdcli.prediction.chain import Predictor
from scdcli.prediction.settings import OutputSettings
from scdcli.prediction.tiling import Tiling
from scdcli.prediction.write import write_prediction
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.sidecar import transition_color

CLASS_MAPS = ("from", "to", "before_cover", "after_cover")
RASTERS = (*CLASS_MAPS, "transition", "probability")
GRIDS = {
    "UTM": (UTM, NORTH_UP),
    "Web Mercator": ("EPSG:3857", Affine(1.2, 0, 13_024_380, 0, -1.2, 4_320_000)),
    "lon/lat": ("EPSG:4326", Affine(1e-5, 0, 117, 0, -1e-5, 36)),
    "rotated": (UTM, ROTATED),
    "south-up": (UTM, SOUTH_UP),
    "no CRS": (None, Affine.identity()),
}
needs_gdal = pytest.mark.skipif(shutil.which("gdalinfo") is None, reason="needs GDAL's programs")


def gdalinfo(path, *options):
    command = ["gdalinfo", "-json", *options, str(path)]
    return json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def predict(folder, images, crs, transform, **profile):
    """A prediction of two images (3, H, W), made where they lie."""
    paths = [
        write_scene(folder / f"{name}.tif", image, transform, crs, **profile)
        for name, image in zip(("before", "after"), images, strict=True)
    ]
    predictor = Predictor(loaded(Thresholds()), torch.device("cpu"), 0.5, tiling=Tiling(256, 16, 4))
    with open_pair(*paths) as pair:
        settings = OutputSettings(land_cover=True)
        write_prediction(pair, predictor, folder / "out", settings)
    return folder / "out"


def draw(height, width, side):
    """Squares of color at two dates, and a corner without data at the second, (2, 3, H, W)."""
    rng = np.random.default_rng(3)
    classes = rng.integers(0, 6, (2, -(-height // side), -(-width // side)))
    cover = np.kron(classes, np.ones((1, side, side), int))[:, :height, :width]
    images = np.repeat(cover[:, None] * 40 + 20, 3, axis=1).astype(np.uint8)
    images[1, :, : height // 5, : width // 4] = 0
    return images


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A result large enough for overviews."""
    place = tmp_path_factory.mktemp("utm")
    return predict(place, draw(530, 610, 7), *GRIDS["UTM"], nodata=0)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Small results, one per kind of grid."""
    found = {}
    for name, grid in GRIDS.items():
        place = tmp_path_factory.mktemp("grid")
        found[name] = predict(place, draw(60, 75, 9), *grid, nodata=0)
    return found


def read(path, **options):
    with rasterio.open(path, **options) as dataset:
        return dataset.read(1)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("grid", GRIDS)
def test_every_raster_is_a_cloud_optimized_geotiff(folders, grid):
    for name in RASTERS:
        found = cog_validate(folders[grid] / f"{name}.tif", strict=True, quiet=True)
        assert found == (True, [], []), name


@pytest.mark.parametrize("name", RASTERS)
def test_a_raster_with_overviews_is_one_too(folder, name):
    assert cog_validate(folder / f"{name}.tif", strict=True, quiet=True) == (True, [], [])
    with rasterio.open(folder / f"{name}.tif") as dataset:
        assert dataset.overviews(1) == [2]


@pytest.mark.parametrize("name", [*CLASS_MAPS, "transition"])
def test_overviews_show_no_class_that_the_map_has_not(folder, name):
    """Also not where squares of 7 pixels are halved, and never one class between two others."""
    whole = read(folder / f"{name}.tif")
    half = read(folder / f"{name}.tif", overview_level=0)
    assert half.shape == (265, 305)
    blocks = whole.reshape(265, 2, 305, 2).transpose(0, 2, 1, 3).reshape(265, 305, 4)
    assert (blocks == half[..., None]).any(axis=-1).all()


def test_the_overview_of_the_probability_is_an_average_of_what_was_measured(folder):
    whole = read(folder / "probability.tif").astype(float)
    whole[whole == 255] = np.nan
    blocks = whole.reshape(265, 2, 305, 2).transpose(0, 2, 1, 3).reshape(265, 305, 4)
    half = read(folder / "probability.tif", overview_level=0)
    measured = ~np.isnan(blocks).all(axis=-1)
    assert ((half == 255) == ~measured).all()
    np.testing.assert_allclose(half[measured], np.nanmean(blocks[measured], axis=-1), atol=0.51)


@needs_gdal
@pytest.mark.parametrize("name", CLASS_MAPS)
def test_gdal_sees_colors_and_names_of_classes(folder, name):
    about = gdalinfo(folder / f"{name}.tif", "-mdd", "SCD")
    (band,) = about["bands"]
    assert (band["type"], band["noDataValue"]) == ("Byte", 255)
    assert band["colorInterpretation"] == "Palette"
    colors = [tuple(entry[:3]) for entry in band["colorTable"]["entries"][:7]]
    assert colors == [(255, 255, 255), *(cover.color for cover in SECOND.classes)]
    covers = name.endswith("cover")
    names = ["" if covers else "unchanged", *(cover.name for cover in SECOND.classes)]
    assert band["categories"] == names
    assert [row["f"] for row in about["rat"]["row"]] == [
        [value, *cells]
        for value, cells in enumerate(
            [name, *color] for name, color in zip(names, colors, strict=True)
        )
        if value or not covers
    ]
    assert band["description"]
    assert len(band["overviews"]) == 1
    tags = about["metadata"]["SCD"]
    assert json.loads(tags["LEGEND"]) == SECOND.to_dict()
    assert (tags["BEFORE"], tags["AFTER"]) == ("before.tif", "after.tif")
    assert {"VERSION", "MODEL", "MODEL_SHA256", "THRESHOLD", "TTA", "CHIP"} <= tags.keys()


@needs_gdal
def test_gdal_sees_the_names_of_transitions(folder):
    about = gdalinfo(folder / "transition.tif")
    (band,) = about["bands"]
    assert (band["type"], band["noDataValue"]) == ("UInt16", 65535)
    rows = {row["f"][0]: row["f"][1:] for row in about["rat"]["row"]}
    assert set(np.unique(read(folder / "transition.tif")).tolist()) <= {*rows, 65535}
    assert rows[305] == [
        "low vegetation → building",
        *transition_color(SECOND, 3, 5),
        "low vegetation",
        "building",
    ]


@needs_gdal
def test_gdal_leaves_nodata_out_of_the_statistics(folder, tmp_path):
    path = shutil.copy(folder / "probability.tif", tmp_path)  # it writes what it found beside
    (band,) = gdalinfo(path, "-stats")["bands"]
    values = read(path)
    measured = values[values != 255]
    assert 0 < len(measured) < values.size
    said = {name: float(value) for name, value in band["metadata"][""].items()}
    assert (said["STATISTICS_MINIMUM"], said["STATISTICS_MAXIMUM"]) == (0, 100)
    assert said["STATISTICS_MEAN"] == pytest.approx(measured.mean())
    assert said["STATISTICS_STDDEV"] == pytest.approx(measured.std())
    share = 100 * len(measured) / values.size
    assert said["STATISTICS_VALID_PERCENT"] == pytest.approx(share, abs=0.01)


@needs_gdal
@pytest.mark.parametrize("grid", GRIDS)
def test_gdal_finds_every_raster_where_the_scene_lies(folders, grid):
    crs, transform = GRIDS[grid]
    for name in RASTERS:
        about = gdalinfo(folders[grid] / f"{name}.tif")
        assert about.get("geoTransform", [0, 1, 0, 0, 0, 1]) == list(transform.to_gdal()), name
        corners = about["cornerCoordinates"]
        for corner, pixel in {
            "upperLeft": (0, 0),
            "upperRight": (75, 0),
            "lowerLeft": (0, 60),
            "lowerRight": (75, 60),
        }.items():
            # rounded to a millimetre, or to 7 digits of a degree
            assert corners[corner] == pytest.approx(transform @ pixel, rel=2e-9), name
        code = {"EPSG:4326": 4326, "EPSG:3857": 3857, UTM: 32650}.get(crs)
        wkt = about.get("coordinateSystem", {}).get("wkt", "")
        assert wkt.endswith(f'ID["EPSG",{code}]]') if code else not wkt


@pytest.mark.parametrize("name", RASTERS)
def test_a_style_of_qgis_lies_beside_each_raster_and_knows_its_values(folder, name):
    root = ET.parse(folder / f"{name}.qml").getroot()
    assert root.tag == "qgis"
    entries = {
        int(entry.get("value")): (entry.get("label"), entry.get("color"))
        for entry in root.iter("paletteEntry")
    }
    values = set(np.unique(read(folder / f"{name}.tif")).tolist())
    if name == "probability":
        stops = [float(item.get("value")) for item in root.iter("item")]
        assert (stops[0], stops[-1]) == (0, 100)
        assert stops == sorted(stops)
        return
    assert values - {255, 65535} <= entries.keys()
    assert (folder / f"{name}.tif.aux.xml").is_file()
    if name == "transition":
        assert len(entries) == 37
        return
    with rasterio.open(folder / f"{name}.tif") as dataset:
        table = dataset.colormap(1)
    assert {value: color for value, (_, color) in entries.items()} == {
        value: "#{:02x}{:02x}{:02x}".format(*table[value])
        for value in range(1 if name.endswith("cover") else 0, 7)
    }


def outline(radius):
    """A wavy shape at 60 degrees north near the edge of its UTM zone: GeoJSON in lon/lat."""
    angle = np.linspace(0, 2 * np.pi, 2000, endpoint=False)
    reach = radius * (1 + 0.3 * np.sin(5 * angle) + 0.1 * np.cos(2 * angle))
    x, y = 660_000 + reach * np.cos(angle), 6_655_000 + reach * np.sin(angle)
    ring = np.stack(Transformer.from_crs(UTM, 4326, always_xy=True).transform(x, y), axis=1)
    return {"type": "Polygon", "coordinates": [[*ring.tolist(), ring[0].tolist()]]}


def hectares(ring):
    """Area on the ellipsoid of a ring in lon/lat, (N, 2)."""
    area, _ = Geod(ellps="WGS84").polygon_area_perimeter(*np.transpose(ring))
    return abs(area) / 10_000


def frame(crs, transform, height, width):
    """Hectares of a whole grid, its sides followed in 100 steps each."""
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height), (0, 0)])
    steps = np.linspace(0, 1, 100, endpoint=False)[:, None]
    around = [a + steps * (b - a) for a, b in pairwise(corners)]
    to_lonlat = Transformer.from_crs(crs, 4326, always_xy=True)
    return hectares([to_lonlat.transform(*(transform @ at)) for at in np.concatenate(around)])


@pytest.mark.parametrize(
    ("crs", "flat_error"), [(UTM, 0.0002), ("EPSG:3857", 2.9), ("EPSG:4326", 0.99)]
)
def test_the_same_ground_has_the_same_hectares_on_every_grid(crs, flat_error, tmp_path):
    """One shape is drawn on three grids of about a metre; its size on the ellipsoid is known.

    Drawing by pixel centers misses 0.006 to 0.034 % of its 110 000 pixels; areas taken on the map
    instead of on the ground would be wrong by `flat_error`.
    """
    shape = outline(180)
    truth = hectares(shape["coordinates"][0])
    placed = transform_geom("EPSG:4326", crs, shape)
    xs, ys = np.array(placed["coordinates"][0]).T
    size = ((xs.max() - xs.min()) / 440, (ys.max() - ys.min()) / 460)
    transform = Affine(size[0], 0, xs.min() - 9 * size[0], 0, -size[1], ys.max() + 11 * size[1])
    inside = rasterize([placed], (485, 470), transform=transform, dtype="uint8")
    before = np.full((3, *inside.shape), 20, np.uint8)
    out = predict(tmp_path, (before, before + 40 * inside), crs, transform)

    summary = json.loads((out / "summary.json").read_text())
    assert summary["valid"]["hectares"] == pytest.approx(frame(crs, transform, 485, 470), rel=1e-6)
    assert summary["changed"]["pixels"] == inside.sum()
    flat = inside.sum() * size[0] * size[1] / 10_000
    assert abs(flat / truth - 1) > 0.9 * flat_error
    assert summary["changed"]["hectares"] == pytest.approx(truth, rel=1e-3)
    with (out / "transitions.csv").open() as stream:
        (row,) = csv.DictReader(stream)
    assert float(row["hectares"]) == pytest.approx(truth, rel=1e-3)
    with fiona.open(out / "changes.gpkg") as layer:
        area = sum(feature.properties["area_m2"] for feature in layer)
    assert area / 10_000 == pytest.approx(truth, rel=1e-3)
