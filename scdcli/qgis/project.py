"""``changes.qgz``: a QGIS project with the images, the maps and the polygons of a prediction.

It names every file relative to itself, so it moves with them.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from rasterio.crs import CRS

from scdcli.files.folder import timestamp
from scdcli.files.naming import file_name, is_remote
from scdcli.rasters.grid import Grid
from scdcli.rasters.pair.glance import Source
from scdcli.rasters.pair.open import Pair
from scdcli.rasters.scene import alpha_bands

PROJECT = "changes.qgz"
POLYGONS = "changes"
HEADER = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
VERSION = "3.22.0"  # of QGIS, whose form this is; later ones read it
OPENED = ("gpkg", "fgb", "geojson", "shp")
"""Formats of polygons that every QGIS opens, the best one first."""

MAPS = {
    "transition": "transition",
    "from": "class before",
    "to": "class after",
    "probability": "probability of change (%)",
    "before_cover": "land cover before",
    "after_cover": "land cover after",
}
"""The rasters of a prediction, and what they are called in the list of layers."""


@dataclass(frozen=True)
class Image:
    """An image below the maps.

    Attributes:
        path: The file.
        name: What it is called in the list of layers.
        crs: Where QGIS is to take it for.
        bands: Band numbers of red, green and blue, or of gray, from 1.
        ranges: Values drawn black and white, per band; None for colors as they are.
        alpha: Number of the band that says what is transparent; None without one.
    """

    path: Path
    name: str
    crs: CRS | None
    bands: tuple[int, ...]
    ranges: tuple[tuple[float, float], ...] | None = None
    alpha: int | None = None


def images_of(pair: Pair) -> list[Image]:
    """The images of a pair, AFTER above BEFORE; those in memory or at an address are left out."""
    ranges = None
    if pair.stretch is not None:
        ranges = tuple(zip(pair.stretch.low, pair.stretch.high, strict=True))
    found = []
    for when, source in zip(("before", "after"), pair.glances, strict=True):
        if not isinstance(source, Source) or is_remote(source.scene.path):
            continue
        count = 3 if len(source.bands) >= 3 else 1
        alpha = alpha_bands(source.scene.dataset)
        found.append(
            Image(
                Path(source.scene.path),
                f"{when}: {file_name(source.scene.path)}",
                source.scene.grid.crs,
                source.bands[:count],
                ranges[:count] if ranges else None,
                alpha[0] if alpha else None,
            )
        )
    return found[::-1]


def write_project(
    folder: Path,
    grid: Grid,
    images: Iterable[Image],
    formats: Sequence[str],
    styles: Mapping[str, str],
) -> Path:
    """Write the project of a finished prediction into its folder.

    Args:
        folder: Holds the rasters with their ``.qml``, and the polygons.
        grid: Where the maps lie.
        images: What they were made from, the upper one first.
        formats: Formats of the polygons.
        styles: QGIS styles of the polygons by name, the default one first.

    Returns:
        The file written.

    Raises:
        OutputError: ``SOURCE_DATE_EPOCH`` is not a number of seconds.
        OSError: The file cannot be written, or a style is missing.
    """
    maps = [name for name in MAPS if (folder / f"{name}.tif").exists()]
    format_ = next((name for name in OPENED if name in formats), None)
    groups: dict[str, list[ET.Element]] = {
        "Changes": [_polygons(format_, styles, grid)] if format_ else [],
        "Maps": [_map(folder, name, grid) for name in maps],
        "Images": [_image(number, image, folder) for number, image in enumerate(images)],
    }
    shown = (
        {*groups["Images"], *groups["Changes"]}
        if format_
        else {
            *groups["Images"],
            *groups["Maps"][:1],
        }
    )
    root = ET.Element("qgis", version=VERSION, projectname="")
    ET.SubElement(root, "homePath", path="")
    ET.SubElement(root, "title").text = "Changes"
    root.append(_crs("projectCrs", grid.crs))
    root.append(_tree(groups, shown))
    root.append(_canvas(grid))
    layers = ET.SubElement(root, "projectlayers")
    layers.extend(layer for group in groups.values() for layer in group)
    properties = ET.SubElement(root, "properties")
    paths = ET.SubElement(properties, "Paths")
    ET.SubElement(paths, "Absolute", type="bool").text = "false"
    systems = ET.SubElement(properties, "SpatialRefSys")
    projected = "0" if grid.crs is None else "1"
    ET.SubElement(systems, "ProjectionsEnabled", type="int").text = projected
    ET.indent(root)
    return _pack(folder / PROJECT, HEADER + ET.tostring(root, encoding="unicode") + "\n")


def _pack(path: Path, text: str) -> Path:
    moment = timestamp()
    # a ZIP knows no time before 1980
    entry = ZipInfo(f"{path.stem}.qgs", (max(moment.year, 1980), *moment.timetuple()[1:6]))
    entry.compress_type = ZIP_DEFLATED
    entry.create_system = 3  # the same on every system
    with ZipFile(path, "w") as file:
        file.writestr(entry, text)
    return path


def _tree(groups: Mapping[str, Sequence[ET.Element]], shown: set[ET.Element]) -> ET.Element:
    root = ET.Element("layer-tree-group")
    for name, layers in groups.items():
        if not layers:
            continue
        group = ET.SubElement(
            root,
            "layer-tree-group",
            name=name,
            checked="Qt::Checked",
            expanded="0" if name == "Maps" else "1",
        )
        for layer in layers:
            ET.SubElement(
                group,
                "layer-tree-layer",
                id=layer.findtext("id", ""),
                name=layer.findtext("layername", ""),
                source=layer.findtext("datasource", ""),
                providerKey=layer.findtext("provider", ""),
                checked="Qt::Checked" if layer in shown else "Qt::Unchecked",
                expanded="1" if layer in groups["Changes"] else "0",
            )
    return root


def _canvas(grid: Grid) -> ET.Element:
    canvas = ET.Element("mapcanvas", name="theMapCanvas", annotationsVisible="1")
    extent = ET.SubElement(canvas, "extent")
    for name, value in zip(("xmin", "ymin", "xmax", "ymax"), grid.bounds, strict=True):
        ET.SubElement(extent, name).text = repr(float(value))
    ET.SubElement(canvas, "rotation").text = "0"
    canvas.append(_crs("destinationsrs", grid.crs))
    return canvas


def _crs(tag: str, crs: CRS | None) -> ET.Element:
    found = ET.Element(tag)
    system = ET.SubElement(found, "spatialrefsys")
    if crs is not None:
        ET.SubElement(system, "wkt").text = crs.to_wkt(version="WKT2_2019")
        authority = crs.to_authority()
        ET.SubElement(system, "authid").text = ":".join(authority) if authority else ""
    return found


def _layer(kind: str, identity: str, name: str, source: str, crs: CRS | None) -> ET.Element:
    layer = ET.Element("maplayer", type=kind)
    # QGIS replaces an identity of ten characters or less
    ET.SubElement(layer, "id").text = f"scd_layer_{identity}"
    ET.SubElement(layer, "datasource").text = source
    ET.SubElement(layer, "layername").text = name
    layer.append(_crs("srs", crs))
    provider = "ogr" if kind == "vector" else "gdal"
    ET.SubElement(layer, "provider").text = provider
    return layer


def _polygons(format_: str, styles: Mapping[str, str], grid: Grid) -> ET.Element:
    source = f"./{POLYGONS}.{format_}" + (f"|layername={POLYGONS}" if format_ == "gpkg" else "")
    # without a CRS GeoJSON holds pixels, too
    crs = CRS.from_epsg(4326) if format_ == "geojson" and grid.crs else grid.crs
    layer = _layer("vector", POLYGONS, POLYGONS, source, crs)
    layer.set("geometry", "Polygon")
    default, *others = styles
    manager = ET.SubElement(layer, "map-layer-style-manager", current=default)
    ET.SubElement(manager, "map-layer-style", name=default)
    for name in others:
        ET.SubElement(manager, "map-layer-style", name=name).append(_style(styles[name]))
    layer.extend(_style(styles[default]))
    return layer


def _map(folder: Path, name: str, grid: Grid) -> ET.Element:
    layer = _layer("raster", name, MAPS[name], f"./{name}.tif", grid.crs)
    layer.extend(_style((folder / f"{name}.qml").read_text(encoding="utf-8")))
    return layer


def _image(number: int, image: Image, folder: Path) -> ET.Element:
    source = _relative(image.path, folder)
    layer = _layer("raster", f"image_{number}", image.name, source, image.crs)
    pipe = ET.SubElement(layer, "pipe")
    kind, names = (
        ("multibandcolor", ("red", "green", "blue"))
        if len(image.bands) == 3
        else ("singlebandgray", ("gray",))
    )
    renderer = ET.SubElement(
        pipe, "rasterrenderer", type=kind, opacity="1", alphaBand=str(image.alpha or -1)
    )
    for place, (name, band) in enumerate(zip(names, image.bands, strict=True)):
        renderer.set(f"{name}Band", str(band))
        if image.ranges is not None:
            tag = "contrastEnhancement" if name == "gray" else f"{name}ContrastEnhancement"
            enhancement = ET.SubElement(renderer, tag)
            low, high = image.ranges[place]
            ET.SubElement(enhancement, "minValue").text = repr(float(low))
            ET.SubElement(enhancement, "maxValue").text = repr(float(high))
            ET.SubElement(enhancement, "algorithm").text = "StretchToMinimumMaximum"
    return layer


def _relative(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:  # on another drive of Windows
        return path.resolve().as_posix()


def _style(qml: str) -> ET.Element:
    """The root of a ``.qml``, whose elements a layer of a project holds alike."""
    return ET.fromstring(qml.removeprefix(HEADER))
