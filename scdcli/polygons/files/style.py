"""The QGIS style of the change polygons: filled with the new class, edged with the old one."""

from collections.abc import Iterable
from xml.etree import ElementTree as ET

from scdcli.legend import TRANSITION_BASE, Color, Legend
from scdcli.rasters.sidecar import QGIS_VERSION, QML_HEADER

FILL_OPACITY = 150  # of 255, so that the image below shows
EDGE_WIDTH = "0.5"  # mm


def polygon_qml(legend: Legend, transitions: Iterable[tuple[int, int]] | None = None) -> str:
    """A QGIS style that tells polygons apart by their field ``transition``.

    Args:
        legend: Names and colors.
        transitions: The (from, to) pairs to show in the legend; all of different classes if None.

    Returns:
        The text of a ``.qml`` file or of a style in a GeoPackage.
    """
    if transitions is None:
        transitions = [(a, b) for a, b in legend.transitions() if a != b]
    root = ET.Element("qgis", version=QGIS_VERSION, styleCategories="Symbology")
    renderer = ET.SubElement(root, "renderer-v2", type="categorizedSymbol", attr="transition")
    categories = ET.SubElement(renderer, "categories")
    symbols = ET.SubElement(renderer, "symbols")
    for number, (from_class, to_class) in enumerate(transitions):
        ET.SubElement(
            categories,
            "category",
            symbol=str(number),
            value=str(from_class * TRANSITION_BASE + to_class),
            type="long",
            label=legend.transition_name(from_class, to_class),
            render="true",
        )
        _symbol(symbols, number, legend[to_class].color, legend[from_class].color)
    ET.SubElement(root, "layerGeometryType").text = "2"
    ET.indent(root)
    return QML_HEADER + ET.tostring(root, encoding="unicode") + "\n"


def _symbol(symbols: ET.Element, number: int, fill: Color, edge: Color) -> None:
    symbol = ET.SubElement(symbols, "symbol", type="fill", name=str(number), alpha="1")
    layer = ET.SubElement(symbol, "layer", {"class": "SimpleFill"}, enabled="1")
    options = ET.SubElement(layer, "Option", type="Map")
    values = {
        "color": _rgba(fill, FILL_OPACITY),
        "style": "solid",
        "outline_color": _rgba(edge, 255),
        "outline_style": "solid",
        "outline_width": EDGE_WIDTH,
        "outline_width_unit": "MM",
    }
    for name, value in values.items():
        ET.SubElement(options, "Option", type="QString", name=name, value=value)


def _rgba(color: Color, alpha: int) -> str:
    return ",".join(str(part) for part in (*color, alpha))
