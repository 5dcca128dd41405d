"""How QGIS shows the polygons: two styles, by transition and by confidence."""

from collections.abc import Iterable
from xml.etree import ElementTree as ET

from scdcli.legend import TRANSITION_BASE, Color, Legend
from scdcli.polygons.area import central_pixel
from scdcli.polygons.files.shapefile import SHORT_NAMES
from scdcli.rasters.grid import Grid
from scdcli.rasters.sidecar import QGIS_VERSION, QML_HEADER

TRANSITIONS, CONFIDENCE = "transitions", "confidence"
"""Names of the styles."""

FILL_OPACITY = 150  # of 255, so that the image below shows
EDGE_PIXELS = 0.2
"""Width of an edge in pixels of the map: one that filled small polygons would hide their color."""
WIDEST_EDGE = 0.5  # mm on the screen, however far one zooms in
DARK: Color = (35, 35, 35)

CONFIDENCE_STEPS: tuple[tuple[int, int, Color], ...] = (
    (0, 50, (255, 255, 178)),
    (50, 60, (254, 217, 118)),
    (60, 70, (254, 178, 76)),
    (70, 80, (253, 141, 60)),
    (80, 90, (240, 59, 32)),
    (90, 100, (189, 0, 38)),
)
"""From and to percent, and color."""

HIDDEN = ("fid", "id", "from_class", "to_class", "transition")  # numbers whose names stand beside
ALIASES = {
    "pair": "Pair",  # in the layer of a batch
    "from_name": "From",
    "to_name": "To",
    "area_m2": "Area (m²)",
    "area_px": "Area (pixels)",
    "perimeter_m": "Perimeter (m)",
    "perimeter_px": "Perimeter (pixels)",
    "confidence": "Confidence",
}
DECIMALS = {
    "area_m2": 1,
    "area_px": 0,
    "perimeter_m": 1,
    "perimeter_px": 0,
    "confidence": 2,
}


def polygon_styles(
    legend: Legend, transitions: Iterable[tuple[int, int]], grid: Grid
) -> dict[str, str]:
    """The styles of a layer of polygons as texts of ``.qml`` files, the default one first.

    The first shows the transitions given. Edges are as wide as pixels of the grid make them.

    Raises:
        InputError: The CRS of the grid cannot be related to the ellipsoid.
    """
    edge = _edge(grid)
    by_transition, by_confidence = (
        _layer_style(legend, "px" if grid.crs is None else "m") for _ in range(2)
    )
    by_transition.insert(0, _categories(legend, transitions, edge))
    by_confidence.insert(0, _steps(edge))
    styles = {TRANSITIONS: by_transition, CONFIDENCE: by_confidence}
    for root in styles.values():
        ET.indent(root)
    return {
        name: QML_HEADER + ET.tostring(root, encoding="unicode") + "\n"
        for name, root in styles.items()
    }


def _edge(grid: Grid) -> dict[str, str]:
    """Width of an edge as options of a symbol layer, on the ground: thin when zoomed out."""
    pixel = central_pixel(grid)
    return {
        "outline_width": f"{EDGE_PIXELS * min(pixel or grid.pixel_size):.6g}",
        # QGIS knows no meters where there is no CRS
        "outline_width_unit": "MapUnit" if pixel is None else "RenderMetersInMapUnits",
        "outline_width_map_unit_scale": f"3x:0,0,0,0,1,{WIDEST_EDGE}",
    }


def _layer_style(legend: Legend, unit: str) -> ET.Element:
    """All of a style but its renderer: fields as people read them, and a map tip."""
    root = ET.Element(
        "qgis",
        version=QGIS_VERSION,
        styleCategories="Symbology|Fields|Forms|AttributeTable|MapTips",
    )
    configuration = ET.SubElement(root, "fieldConfiguration")
    aliases = ET.SubElement(root, "aliases")
    table = ET.SubElement(root, "attributetableconfig", sortExpression="", sortOrder="0")
    columns = ET.SubElement(table, "columns")
    for name in HIDDEN:
        _widget(configuration, name, "Hidden", {})
        ET.SubElement(columns, "column", type="field", name=name, hidden="1", width="-1")
    for name, alias in ALIASES.items():
        for each in dict.fromkeys((name, SHORT_NAMES.get(name, name))):
            if name in DECIMALS:
                _widget(configuration, each, "Range", {"Precision": DECIMALS[name]})
            ET.SubElement(aliases, "alias", field=each, name=alias)
            ET.SubElement(columns, "column", type="field", name=each, hidden="0", width="-1")
    ET.SubElement(columns, "column", type="actions", hidden="1", width="-1")
    ET.SubElement(root, "mapTip").text = _map_tip(legend, unit)
    ET.SubElement(root, "layerGeometryType").text = "2"
    return root


def _widget(configuration: ET.Element, field: str, kind: str, options: dict[str, int]) -> None:
    parent = ET.SubElement(configuration, "field", name=field)
    config = ET.SubElement(ET.SubElement(parent, "editWidget", type=kind), "config")
    values = ET.SubElement(config, "Option", type="Map")
    for name, value in options.items():
        ET.SubElement(values, "Option", type="int", name=name, value=str(value))


def _map_tip(legend: Legend, unit: str) -> str:
    name = '[% "to_name" %]' if legend.change_only else '[% "from_name" %] → [% "to_name" %]'
    area, shown = ("area_px", "pixels") if unit == "px" else ("area_m2", "m²")
    return (
        f'<b>{name}</b><br>[% format_number("{area}", {DECIMALS[area]}) %] {shown}<br>'
        f'confidence [% format_number("confidence", {DECIMALS["confidence"]}) %]'
    )


def _categories(
    legend: Legend, transitions: Iterable[tuple[int, int]], edge: dict[str, str]
) -> ET.Element:
    renderer = ET.Element("renderer-v2", type="categorizedSymbol", attr="transition")
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
        _symbol(symbols, number, legend[to_class].color, legend[from_class].color, edge)
    return renderer


def _steps(edge: dict[str, str]) -> ET.Element:
    renderer = ET.Element(
        "renderer-v2",
        type="graduatedSymbol",
        attr="confidence",
        graduatedMethod="GraduatedColor",
    )
    ranges = ET.SubElement(renderer, "ranges")
    symbols = ET.SubElement(renderer, "symbols")
    for number, (low, high, color) in enumerate(CONFIDENCE_STEPS):
        ET.SubElement(
            ranges,
            "range",
            lower=str(low / 100),
            upper=str(high / 100),
            symbol=str(number),
            label=f"{low} to {high} %" if low else f"below {high} %",
            render="true",
        )
        _symbol(symbols, number, color, DARK, edge)
    return renderer


def _symbol(
    symbols: ET.Element, number: int, fill: Color, edge: Color, width: dict[str, str]
) -> None:
    symbol = ET.SubElement(symbols, "symbol", type="fill", name=str(number), alpha="1")
    layer = ET.SubElement(symbol, "layer", {"class": "SimpleFill"}, enabled="1")
    options = ET.SubElement(layer, "Option", type="Map")
    values = {
        "color": _rgba(fill, FILL_OPACITY),
        "style": "solid",
        "outline_color": _rgba(edge, 255),
        "outline_style": "solid",
        "joinstyle": "miter",
        **width,
    }
    for name, value in values.items():
        ET.SubElement(options, "Option", type="QString", name=name, value=value)


def _rgba(color: Color, alpha: int) -> str:
    return ",".join(str(part) for part in (*color, alpha))
