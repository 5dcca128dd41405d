"""Layers of polygons with the class before and after: what people draw, and what `vector` writes.

The classes stand in ``from_class, to_class`` (numbers) or ``from_name, to_name`` (names of the
legend), or in both if they agree.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError

from scdcli.errors import DatasetError, InputError
from scdcli.legend import MAX_CLASSES, TRANSITION_BASE, Legend

LAYER = "changes"
AOI = "aoi"
SIDES = ("from", "to")
POLYGON_TYPES = (3, 6)  # shapely's numbers of polygon and multipolygon
FOREIGN_ERRORS = (DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError)


class Layer(NamedTuple):
    """Polygons as they are in the file."""

    outline: NDArray[np.object_]  # shapely (multi)polygons in the layer's CRS, (N,)
    ids: NDArray[np.int64]  # the file's numbers of the features, (N,)
    columns: dict[str, NDArray[Any]]  # by name in lower case, (N,) each
    crs: str | None


def read_changes(path: Path, legend: Legend | None) -> tuple[Layer, NDArray[np.uint16]]:
    """The polygons of change, and the transition of each as ``from * 100 + to``, (N,).

    Args:
        path: A vector file; of several layers the one named ``changes``.
        legend: What names and numbers mean; None for indices that nobody declared.

    Raises:
        InputError: The file cannot be read.
        DatasetError: It has no such layer or columns, or a class that the legend does not know.
    """
    layer = read_layer(path, LAYER)
    first, second = (_classes(path, layer, side, legend) for side in SIDES)
    return layer, first * np.uint16(TRANSITION_BASE) + second


def read_layer(path: Path, name: str) -> Layer:
    """A layer by name, or the only one beside ``aoi``.

    Raises:
        InputError: The file cannot be read.
        DatasetError: Several layers and none of this name, or a feature is no polygon.
    """
    try:
        layers = [str(each[0]) for each in pyogrio.list_layers(path) if each[1] is not None]
        about, ids, outline, columns = pyogrio.raw.read(
            path, layer=_chosen(path, layers, name), return_fids=True
        )
    except FOREIGN_ERRORS as error:
        raise InputError(
            f"{path} cannot be read as a layer of polygons: {error}. Give a GeoPackage, GeoJSON, "
            "FlatGeobuf or shapefile."
        ) from error
    shapes = shapely.from_wkb(outline, on_invalid="fix")
    for number, kind in zip(ids.tolist(), shapely.get_type_id(shapes).tolist(), strict=True):
        if kind not in POLYGON_TYPES:
            what = "no geometry" if kind < 0 else f"geometry type {shapely.GeometryType(kind).name}"
            raise DatasetError(
                f"{path}: feature {number} has {what}, not a polygon; remove it or draw its area."
            )
    names = (str(field).lower() for field in about["fields"])
    return Layer(shapes, ids, dict(zip(names, columns, strict=True)), about["crs"])


def has_layer(path: Path, name: str) -> bool:
    """Whether a file holds a layer of this name beside others."""
    try:
        layers = [str(each[0]) for each in pyogrio.list_layers(path)]
    except FOREIGN_ERRORS:
        return False
    return len(layers) > 1 and name in layers


def _chosen(path: Path, layers: list[str], name: str) -> str:
    if name in layers:
        return name
    others = [layer for layer in layers if layer != AOI] if name != AOI else layers
    if len(others) != 1:
        listed = ", ".join(layers) or "none"
        raise DatasetError(
            f"{path} has the layers {listed}; name the one with the polygons {name!r}."
        )
    return others[0]


def _classes(path: Path, layer: Layer, side: str, legend: Legend | None) -> NDArray[np.uint16]:
    """The class of each polygon at one date, (N,)."""
    numbers, names = layer.columns.get(f"{side}_class"), layer.columns.get(f"{side}_name")
    if numbers is None and names is None:
        raise DatasetError(
            f"{path} has the fields {', '.join(layer.columns) or 'none'}; the class of a polygon "
            f"stands in {side}_class as a number or in {side}_name as a name."
        )
    index = {cover.name: number for number, cover in enumerate(legend.classes, 1)} if legend else {}
    found = np.zeros(len(layer.ids), dtype=np.uint16)
    for place, feature in enumerate(layer.ids.tolist()):
        where = f"{path}: feature {feature}"
        number = None if numbers is None else _number(numbers[place], where, f"{side}_class")
        if names is None or legend is None:
            found[place] = _numbered(number, where, side, legend)
            continue
        name = names[place]
        if name not in index:
            raise DatasetError(
                f"{where} has {side}_name {name!r}, which legend {legend.name!r} does not know; "
                f"it has {', '.join(index)}. Mend the field, or give another --legend."
            )
        if number is not None and number not in _numbers(legend, index[name]):
            raise DatasetError(
                f"{where} has {side}_class {number} and {side}_name {name!r}, which is "
                f"{index[name]} in legend {legend.name!r}; mend one, or remove a field."
            )
        found[place] = index[name]
    return found


def _numbers(legend: Legend, index: int) -> tuple[int, ...]:
    """What a number beside a name may be: the index, as in our outputs, or the labels' value."""
    values = legend.coding.values
    return (index,) if values is None else (index, values[index - 1])


def _number(value: object, where: str, field: str) -> int | None:
    """A whole number out of what the file holds; None for an empty field."""
    try:
        number = float(str(value))
    except ValueError:
        number = float("nan") if value is None else 0.5
    if np.isnan(number):
        return None
    if number != int(number):
        raise DatasetError(f"{where} has {field} {value!r}; give the whole number of a class.")
    return int(number)


def _numbered(number: int | None, where: str, side: str, legend: Legend | None) -> int:
    """The index of the class that a number alone names."""
    values = legend.coding.values if legend else None
    known = values or range(1, (len(legend) if legend else MAX_CLASSES) + 1)
    if number is None or number not in known:
        has = f"legend {legend.name!r} has" if legend else "classes are"
        listed = ", ".join(map(str, known)) if values else f"1 to {len(known)}"
        raise DatasetError(
            f"{where} has {side}_class {'empty' if number is None else number}, but {has} "
            f"{listed}; mend the field, or give another --legend."
        )
    return known.index(number) + 1
