"""A sample as a GeoPackage that people fill in: points, the units they stand for, a QGIS form.

Every row says itself of which stratum it is and how many units that has, so that a table made of
the file, in whatever program, is enough to estimate from.
"""

import os
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pyarrow as pa
import pyogrio
import shapely

from scdcli.errors import OutputError
from scdcli.files.interruption import mortal
from scdcli.files.whole import require_free_file
from scdcli.legend import UNCHANGED, Legend, split_transition
from scdcli.polygons.area import PIXELS
from scdcli.polygons.files import geopackage
from scdcli.polygons.files.vector import CREATION, FOREIGN_ERRORS
from scdcli.rasters.alignment import moved
from scdcli.rasters.sidecar import QGIS_VERSION, QML_HEADER
from scdcli.sampling.changemap import BUFFER
from scdcli.sampling.design import Sample
from scdcli.sampling.units import BLOCK

POINTS, UNITS = "points", "units"
MAP_PLACE = "MAP"
"""Metadata of the layer `POINTS`: the folder of the map, as seen from the file's."""
GEOMETRY = "geometry"
ROW = "fid"  # GDAL's own number of a row
REFERENCES = ("reference_from", "reference_to")
ALIASES = dict(zip(REFERENCES, ("class before", "class after"), strict=True))
JUDGED = (*REFERENCES, "confidence", "note")
SURE = ("sure", "unsure")
HIDDEN = (
    *("stratum", "map_from", "map_to", "unit", "unit_area", "stratum_units", "stratum_area"),
    *("drawn", "inclusion", "map"),
)
"""What the form leaves out: a person who sees the map's class judges worse."""


def require_usable(path: Path, *, overwrite: bool) -> None:
    """Refuse a file that exists or that is no GeoPackage by its name.

    Raises:
        OutputError: It is one.
    """
    if path.suffix.lower() != ".gpkg":
        raise OutputError(f"{path} is not called .gpkg; a sample is written as a GeoPackage.")
    require_free_file(path, overwrite=overwrite)


def write_points(path: Path, sample: Sample, *, overwrite: bool = False) -> None:
    """Write a sample, whole or not at all: the layers ``points`` and ``units``.

    Raises:
        OutputError: The file exists, is no GeoPackage by its name, or cannot be written.
    """
    require_usable(path, overwrite=overwrite)
    crs = sample.change_map.grid.crs
    legend = sample.change_map.legend
    points, units = sample_tables(sample)
    try:
        with TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as beside:
            draft = Path(beside, path.name)
            for layer, table, kind in ((POINTS, points, "Point"), (UNITS, units, "Polygon")):
                with warnings.catch_warnings(), mortal():
                    warnings.filterwarnings("ignore", "'crs' was not provided", UserWarning)
                    pyogrio.raw.write_arrow(
                        table,
                        draft,
                        layer=layer,
                        driver="GPKG",
                        geometry_name=GEOMETRY,
                        geometry_type=kind,
                        crs=None if crs is None else crs.to_wkt(),
                        encoding="UTF-8",
                        append=draft.exists(),
                        dataset_options=None if draft.exists() else CREATION["GPKG"],
                        layer_metadata=_metadata(path, sample) if layer == POINTS else None,
                    )
            geopackage.finish(draft, POINTS, {"judging": point_qml(legend)})
            geopackage.finish(draft, UNITS, {"outline": _outline_qml()})
            draft.replace(path)
    except FOREIGN_ERRORS as error:
        raise OutputError(
            f"{path} cannot be written ({error}); see that its folder exists, may be written to "
            "and has room."
        ) from error


def _metadata(path: Path, sample: Sample) -> dict[str, str] | None:
    folder = sample.change_map.path.parent.resolve()
    try:
        place = os.path.relpath(folder, path.parent.resolve())
    except ValueError:  # on another drive of Windows
        return None
    return {MAP_PLACE: Path(place).as_posix()}


def sample_tables(sample: Sample) -> tuple[pa.Table, pa.Table]:
    """The rows of both layers, numbered from 1 in the random order of the sample."""
    units, change_map = sample.units, sample.change_map
    count = len(sample.stratum)
    code = np.where(units.code == BUFFER, np.uint16(UNCHANGED), units.code)
    map_from, map_to = split_transition(code)
    numbers = np.arange(1, count + 1)
    x, y = moved(change_map.grid.transform, np.stack([units.col, units.row]))
    of_stratum = [sample.strata[place] for place in sample.stratum.tolist()]
    settings = sample.settings
    columns: dict[str, Any] = {
        GEOMETRY: pa.array(shapely.to_wkb(shapely.points(x, y)), pa.binary()),
        "id": pa.array(numbers, pa.int64()),
        **{name: pa.nulls(count, pa.int32()) for name in REFERENCES},
        "confidence": pa.nulls(count, pa.string()),
        "note": pa.nulls(count, pa.string()),
        "stratum": pa.array([each.name for each in of_stratum], pa.string()),
        "map_from": pa.array(map_from, pa.int32()),
        "map_to": pa.array(map_to, pa.int32()),
        "unit": pa.array([settings.unit] * count, pa.string()),
        "unit_area": pa.array(units.area, pa.float64()),
        "stratum_units": pa.array([each.units for each in of_stratum], pa.int64()),
        "stratum_area": pa.array([each.area for each in of_stratum], pa.float64()),
        "drawn": pa.array([each.drawn for each in of_stratum], pa.int64()),
        "inclusion": pa.array([each.inclusion for each in of_stratum], pa.float64()),
        "map": pa.array([sample.map] * count, pa.string()),
    }
    outlines = {
        GEOMETRY: pa.array(shapely.to_wkb(units.outline), pa.binary()),
        "id": columns["id"],
    }
    return pa.table(columns), pa.table(outlines)


def describe_sample(sample: Sample) -> dict[str, Any]:
    """The sample in numbers, JSON-ready."""
    unit = "area_px" if sample.change_map.ground.unit == PIXELS else "area_m2"
    settings = sample.settings
    return {
        "map": sample.map,
        "unit": settings.unit,
        "block": settings.block if settings.unit == BLOCK else None,
        "seed": settings.seed,
        "allocation": settings.allocation,
        "size": len(sample.stratum),
        "strata": [
            {
                "name": each.name,
                "units": each.units,
                unit: each.area,
                "drawn": each.drawn,
                "inclusion": each.inclusion,
            }
            for each in sample.strata
        ],
    }


def point_qml(legend: Legend) -> str:
    """A QGIS style of the points: rings that leave the image free, and a form to fill in."""
    root = ET.Element("qgis", version=QGIS_VERSION, styleCategories="Symbology|Fields|Forms")
    _symbol(
        root,
        "marker",
        "SimpleMarker",
        {
            "name": "circle",
            "color": "0,0,0,0",
            "outline_color": "255,0,255,255",
            "outline_width": "0.6",
            "outline_width_unit": "MM",
            "size": "5",
            "size_unit": "MM",
        },
    )
    fields = ET.SubElement(root, "fieldConfiguration")
    classes = {"unchanged": str(UNCHANGED)} | {
        name: str(number) for number, name in enumerate(legend.names, 1)
    }
    for name in REFERENCES:
        _value_map(fields, name, classes)
    _value_map(fields, "confidence", {name: name for name in SURE})
    _widget(fields, "note", "TextEdit")
    for name in (ROW, *HIDDEN):
        _widget(fields, name, "Hidden")
    aliases = ET.SubElement(root, "aliases")
    for name, alias in ALIASES.items():
        ET.SubElement(aliases, "alias", field=name, name=alias)
    editable = ET.SubElement(root, "editable")
    ET.SubElement(editable, "field", name="id", editable="0")  # by which judges are compared
    ET.SubElement(root, "layerGeometryType").text = "0"
    ET.indent(root)
    return QML_HEADER + ET.tostring(root, encoding="unicode") + "\n"


def _outline_qml() -> str:
    root = ET.Element("qgis", version=QGIS_VERSION, styleCategories="Symbology")
    _symbol(
        root,
        "fill",
        "SimpleFill",
        {
            "style": "no",
            "outline_color": "255,0,255,255",
            "outline_style": "solid",
            "outline_width": "0.5",
            "outline_width_unit": "MM",
        },
    )
    ET.SubElement(root, "layerGeometryType").text = "2"
    ET.indent(root)
    return QML_HEADER + ET.tostring(root, encoding="unicode") + "\n"


def _symbol(root: ET.Element, kind: str, layer_kind: str, values: dict[str, str]) -> None:
    renderer = ET.SubElement(root, "renderer-v2", type="singleSymbol")
    symbols = ET.SubElement(renderer, "symbols")
    symbol = ET.SubElement(symbols, "symbol", type=kind, name="0", alpha="1")
    layer = ET.SubElement(symbol, "layer", {"class": layer_kind}, enabled="1")
    options = ET.SubElement(layer, "Option", type="Map")
    for name, value in values.items():
        ET.SubElement(options, "Option", type="QString", name=name, value=value)


def _widget(fields: ET.Element, name: str, kind: str) -> ET.Element:
    field = ET.SubElement(fields, "field", name=name, configurationFlags="None")
    widget = ET.SubElement(field, "editWidget", type=kind)
    return ET.SubElement(ET.SubElement(widget, "config"), "Option", type="Map")


def _value_map(fields: ET.Element, name: str, values: dict[str, str]) -> None:
    """A drop-down that shows the keys and keeps the values."""
    options = _widget(fields, name, "ValueMap")
    listed = ET.SubElement(options, "Option", type="List", name="map")
    for shown, kept in values.items():
        entry = ET.SubElement(listed, "Option", type="Map")
        ET.SubElement(entry, "Option", type="QString", name=shown, value=kept)
