"""What QGIS makes of the styles of polygons."""

import numpy as np
import pytest
from realqgis import ask, needs_qgis
from vectors import GRID, UTM, write

from scdcli.legend import SECOND
from scdcli.polygons.files.style import polygon_styles
from scdcli.rasters.grid import Grid

SIDE = 100
DRAWN = 50  # pixels of the picture: two of the map in each

LOOK = """
from qgis.PyQt.QtCore import QSize, QLocale
QLocale.setDefault(QLocale("en_US"))

def look(layer):
    fields = {field.name(): index for index, field in enumerate(layer.fields())}
    feature = next(layer.getFeatures(QgsFeatureRequest().addOrderBy('"id"')))
    shown = {}
    for name, index in fields.items():
        setup = layer.editorWidgetSetup(index)
        formatter = QgsApplication.fieldFormatterRegistry().fieldFormatter(setup.type())
        text = formatter.representValue(layer, index, setup.config(), None, feature[index])
        shown[layer.attributeDisplayName(index)] = None if setup.type() == "Hidden" else text
    context = layer.createExpressionContext()
    context.setFeature(feature)
    hidden = [c.name for c in layer.attributeTableConfig().columns() if c.hidden]
    return {
        "renderer": layer.renderer().type(),
        "labels": [item.label() for item in layer.renderer().legendSymbolItems()],
        "shown": shown,
        "hidden": hidden,
        "tip": QgsExpression.replaceExpressionText(layer.mapTipTemplate(), context),
    }

def picture(layer):
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setDestinationCrs(layer.crs())
    settings.setExtent(layer.extent())
    settings.setFlag(QgsMapSettings.Antialiasing)
    settings.setOutputSize(QSize(arguments["size"], arguments["size"]))
    job = QgsMapRendererSequentialJob(settings)
    job.start()
    job.waitForFinished()
    image = job.renderedImage()
    return [[image.pixelColor(x, y).getRgb()[:3] for x in range(image.width())]
            for y in range(image.height())]

found = {}
for name, path in arguments["layers"].items():
    layer = QgsVectorLayer(path, name, "ogr")
    assert layer.isValid(), path
    found[name] = look(layer)
    if path.endswith(".gpkg"):
        count, ids, names, *_ = layer.listStylesInDatabase()
        found[name] |= {"styles": names, "picture": picture(layer)}
        qml, error = layer.getStyleFromDatabase(ids[names.index("confidence")])
        from qgis.PyQt.QtXml import QDomDocument
        document = QDomDocument()
        document.setContent(qml)
        layer.importNamedStyle(document)
        found[name]["second"] = look(layer)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """A layer in every format, and one without a CRS, as QGIS shows them."""
    folder = tmp_path_factory.mktemp("styles")
    codes = np.zeros((SIDE, SIDE), dtype=np.uint16)
    codes[:] = 105
    codes[::10] = codes[:, ::10] = 0  # squares of nine pixels
    layers = {}
    for name, crs in {"placed": UTM, "pixels": None}.items():
        place = Grid(SIDE, SIDE, GRID.transform, crs)
        styles = polygon_styles(SECOND, [(1, 5)], place)
        formats = ["gpkg"] if crs is None else ["gpkg", "geojson", "fgb", "shp"]
        (folder / name).mkdir()
        write(folder / name, codes, crs=crs, formats=formats, styles=styles)
        layers |= {f"{name} {each}": folder / name / f"changes.{each}" for each in formats}
    return ask(LOOK, folder, layers=layers, size=DRAWN)


@needs_qgis
@pytest.mark.parametrize("format", ["gpkg", "geojson", "fgb", "shp"])
def test_every_format_opens_with_names_aliases_and_round_numbers(seen, format):
    layer = seen[f"placed {format}"]
    assert layer["renderer"] == "categorizedSymbol"
    assert layer["labels"] == ["water → building"]
    assert set(layer["hidden"]) >= {"id", "from_class", "to_class", "transition"}
    shown = {name: text for name, text in layer["shown"].items() if text is not None}
    assert list(shown) == ["From", "To", "Area (m²)", "Perimeter (m)", "Confidence"]
    assert shown["From"] == "water"
    assert shown["Confidence"] == "0.80"
    assert shown["Area (m²)"].count(".") == 1
    assert len(shown["Area (m²)"].split(".")[1]) == 1
    assert layer["tip"].startswith("<b>water → building</b><br>")
    assert layer["tip"].endswith("confidence 0.80")


@needs_qgis
def test_confidence_is_the_second_style_of_the_geopackage(seen):
    layer = seen["placed gpkg"]
    assert layer["styles"] == ["transitions", "confidence"]
    assert layer["second"]["renderer"] == "graduatedSymbol"
    assert "70 to 80 %" in layer["second"]["labels"]
    assert layer["second"]["shown"] == layer["shown"]


@needs_qgis
@pytest.mark.parametrize("name", ["placed gpkg", "pixels gpkg"])
def test_zoomed_out_polygons_look_like_the_new_class(seen, name):
    """Buildings, dark red, that were water, blue."""
    picture = np.array(seen[name]["picture"], dtype=int)
    drawn = picture[(picture < 250).any(axis=-1)]
    assert len(drawn) > DRAWN * DRAWN / 2
    red, _, blue = drawn.T
    assert (blue > red).mean() < 0.15
