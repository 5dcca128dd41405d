"""Names and colors beside a raster: GDAL's ``.aux.xml``, and ``.qml`` styles that QGIS loads."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from scdcli.errors import OutputError
from scdcli.legend import TRANSITION_BASE, UNCHANGED, UNCHANGED_COLOR, Color, Legend

QML_HEADER = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
QGIS_VERSION = "3.28"

# GDAL's numbers for the type and the use of a column.
INTEGER, TEXT = "0", "2"
GENERIC, NAME, VALUE, RED, GREEN, BLUE = "0", "2", "5", "6", "7", "8"

PROBABILITY_COLORS: tuple[Color, ...] = (
    (255, 255, 178),
    (254, 204, 92),
    (253, 141, 60),
    (240, 59, 32),
    (189, 0, 38),
)
"""From the threshold to 100 %, in equal steps."""


@dataclass(frozen=True)
class Entry:
    """One value of a raster: what it means, and for a transition from and to which class."""

    value: int
    name: str
    color: Color
    from_name: str = ""
    to_name: str = ""


def cover_entries(legend: Legend) -> list[Entry]:
    """The values of a map of land cover: the classes."""
    return [Entry(i, legend[i].name, legend[i].color) for i in legend.indices()]


def class_entries(legend: Legend) -> list[Entry]:
    """The values of a map of classes where something changed: unchanged, then the classes."""
    return [Entry(UNCHANGED, "unchanged", UNCHANGED_COLOR), *cover_entries(legend)]


def transition_entries(legend: Legend) -> list[Entry]:
    """The values of a transition map: unchanged, then all pairs of classes in code order."""
    pairs = [
        Entry(
            a * TRANSITION_BASE + b,
            legend.transition_name(a, b),
            transition_color(legend, a, b),
            legend[a].name,
            legend[b].name,
        )
        for a, b in legend.transitions()
    ]
    return [Entry(UNCHANGED, "unchanged", UNCHANGED_COLOR), *pairs]


def transition_color(legend: Legend, from_class: int, to_class: int) -> Color:
    """The color of the new class, tinted by a quarter of the old one."""
    red, green, blue = (
        round((old + 3 * new) / 4)
        for old, new in zip(legend[from_class].color, legend[to_class].color, strict=True)
    )
    return red, green, blue


def write_aux_xml(raster: str | Path, entries: Sequence[Entry]) -> Path:
    """Write ``RASTER.aux.xml`` with an attribute table, and category names where values allow.

    Category names are a list by value, so they are written when the values are 0, 1, 2, ... or
    1, 2, 3, ..., where 0 gets no name.

    Raises:
        OutputError: The file cannot be written.
    """
    root = ET.Element("PAMDataset")
    band = ET.SubElement(root, "PAMRasterBand", band="1")
    named = {entry.value: entry.name for entry in entries}
    if named.keys() | {0} == set(range(max(named) + 1)):
        names = ET.SubElement(band, "CategoryNames")
        for value in range(max(named) + 1):
            ET.SubElement(names, "Category").text = named.get(value, "")
    _attribute_table(band, entries)
    path = Path(raster)
    return _write(path.with_name(path.name + ".aux.xml"), root)


def write_qml(raster: str | Path, entries: Iterable[Entry]) -> Path:
    """Write the QGIS style of a class or transition map: same stem, ``.qml``.

    Raises:
        OutputError: The file cannot be written.
    """
    root, renderer = _raster_style("paletted")
    palette = ET.SubElement(renderer, "colorPalette")
    for entry in entries:
        # What did not change stays transparent, so that the image below shows.
        alpha = "0" if entry.value == UNCHANGED else "255"
        color = _hex(entry.color)
        attributes = {"value": str(entry.value), "color": color, "alpha": alpha}
        ET.SubElement(palette, "paletteEntry", attributes, label=entry.name)
    return _write(Path(raster).with_suffix(".qml"), root, QML_HEADER)


def write_probability_qml(raster: str | Path, threshold: float) -> Path:
    """Write the QGIS style of a probability map: same stem, ``.qml``.

    What is below the threshold is transparent; from there a ramp of colors leads to 100 %.

    Args:
        raster: The map, in percent.
        threshold: Change probability, 0 to 1, from which a pixel counts as changed.

    Raises:
        OutputError: The file cannot be written.
    """
    root, renderer = _raster_style("singlebandpseudocolor")
    renderer.set("classificationMin", "0")
    renderer.set("classificationMax", "100")
    shader = ET.SubElement(
        ET.SubElement(renderer, "rastershader"),
        "colorrampshader",
        colorRampType="INTERPOLATED",
        classificationMode="1",
        clip="0",
        minimumValue="0",
        maximumValue="100",
    )
    for percent, color, alpha in _probability_stops(round(100 * threshold)):
        attributes = {"value": str(percent), "color": _hex(color), "alpha": str(alpha)}
        ET.SubElement(shader, "item", attributes, label=f"{percent} %")
    return _write(Path(raster).with_suffix(".qml"), root, QML_HEADER)


def _probability_stops(threshold: int) -> list[tuple[int, Color, int]]:
    """Percent, color and opacity (0-255), rising; between two of them QGIS interpolates."""
    last = len(PROBABILITY_COLORS) - 1
    below = sorted({0, max(threshold - 1, 0)} - {threshold})
    ramp = {
        threshold + round((100 - threshold) * step / last): color
        for step, color in enumerate(PROBABILITY_COLORS)
    }
    return [(percent, PROBABILITY_COLORS[0], 0) for percent in below] + [
        (percent, color, 255) for percent, color in ramp.items()
    ]


def _attribute_table(band: ET.Element, entries: Sequence[Entry]) -> None:
    columns = [
        ("Value", INTEGER, VALUE),
        ("Name", TEXT, NAME),
        ("Red", INTEGER, RED),
        ("Green", INTEGER, GREEN),
        ("Blue", INTEGER, BLUE),
    ]
    transitions = any(entry.from_name for entry in entries)
    if transitions:
        columns += [("From", TEXT, GENERIC), ("To", TEXT, GENERIC)]
    table = ET.SubElement(band, "GDALRasterAttributeTable", tableType="thematic")
    for index, (name, kind, usage) in enumerate(columns):
        column = ET.SubElement(table, "FieldDefn", index=str(index))
        ET.SubElement(column, "Name").text = name
        ET.SubElement(column, "Type").text = kind
        ET.SubElement(column, "Usage").text = usage
    for index, entry in enumerate(entries):
        row = ET.SubElement(table, "Row", index=str(index))
        cells = [entry.value, entry.name, *entry.color, entry.from_name, entry.to_name]
        for cell in cells[: len(columns)]:
            ET.SubElement(row, "F").text = str(cell)


def _raster_style(kind: str) -> tuple[ET.Element, ET.Element]:
    """Root and renderer of a QGIS style for band 1."""
    root = ET.Element("qgis", version=QGIS_VERSION, styleCategories="Symbology")
    pipe = ET.SubElement(root, "pipe")
    renderer = ET.SubElement(
        pipe, "rasterrenderer", type=kind, band="1", opacity="1", alphaBand="-1", nodataColor=""
    )
    ET.SubElement(renderer, "rasterTransparency")
    ET.SubElement(pipe, "rasterresampler", maxOversampling="2")
    return root, renderer


def _write(path: Path, root: ET.Element, header: str = "") -> Path:
    ET.indent(root)
    try:
        path.write_text(header + ET.tostring(root, encoding="unicode") + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}.") from error
    return path


def _hex(color: Color) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)
