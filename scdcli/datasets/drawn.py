"""Layers of polygons with the class before and after: what people draw, and what `vector` writes.

The classes stand in ``from_class, to_class`` (numbers) or ``from_name, to_name`` (names of the
legend), or in both if they agree.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyogrio
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.windows import Window

from scdcli.errors import DatasetError, InputError, PairError
from scdcli.files.naming import crs_name
from scdcli.legend import MAX_CLASSES, TRANSITION_BASE, Legend, split_transition
from scdcli.rasters.crs import Placed, placed_layer, reproject_outlines
from scdcli.rasters.grid import UNPLACED, Grid
from scdcli.rasters.limits import is_virtual_layer
from scdcli.rasters.pair.extent import FOREIGN_ERRORS, POLYGON_TYPES

LAYER = "changes"
AOI = "aoi"
SIDES = ("from", "to")

# Polygons with more corners are cut to the window first: handing one over takes time per corner.
MANY_CORNERS = 2000


class Layer(NamedTuple):
    """Polygons as they are in the file."""

    outline: NDArray[np.object_]  # shapely (multi)polygons in the layer's CRS, (N,)
    ids: NDArray[np.int64]  # the file's numbers of the features, (N,)
    columns: dict[str, NDArray[Any]]  # by name in lower case, (N,) each
    crs: str | None


def read_layer(path: Path, name: str) -> Layer:
    """A layer by name, or the only one beside ``aoi``.

    Raises:
        InputError: The file cannot be read.
        DatasetError: Several layers and none of this name, or a feature is no polygon.
    """
    if is_virtual_layer(path):
        raise InputError(f"{path} is a VRT; put the file it refers to in its place.")
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
    if is_virtual_layer(path):
        return False
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
    classes = np.zeros(len(layer.ids), dtype=np.uint16)
    for place, feature in enumerate(layer.ids.tolist()):
        where = f"{path}: feature {feature}"
        number = None if numbers is None else _number(numbers[place], where, f"{side}_class")
        if names is None or legend is None:
            classes[place] = _numbered(number, where, side, legend)
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
        classes[place] = index[name]
    return classes


def _numbers(legend: Legend, index: int) -> tuple[int, ...]:
    """The numbers that may stand beside a name: its index, as in our outputs, or its value."""
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


@dataclass(frozen=True)
class Burner:
    """Polygons with a number each, in pixels of a grid.

    Attributes:
        outline: shapely polygons, x is the column and y the row, (N,).
        number: Above 0, (N,) uint16.
        corners: All corners, ring by ring, (M, 2) float64.
        rings: First corner of each ring, and the end of the last.
        polygons: First ring of each polygon, and the end of the last, (N + 1,).
        tree: Finds the polygons of a window.
    """

    outline: NDArray[np.object_]
    number: NDArray[np.uint16]
    corners: NDArray[np.float64]
    rings: NDArray[np.int64]
    polygons: NDArray[np.int64]
    tree: shapely.STRtree

    def read(self, window: Window) -> NDArray[np.uint16]:
        """The number of the polygon at each pixel's center, 0 outside all, (h, w).

        Where polygons overlap, the later one in the file counts.
        """
        height, width = int(window.height), int(window.width)
        left, top = int(window.col_off), int(window.row_off)
        bounds = (left, top, left + width, top + height)
        places = np.sort(self.tree.query(shapely.box(*bounds))).tolist()
        numbers = self.number[places].tolist()
        shapes = ((self._shape(place, bounds), n) for place, n in zip(places, numbers, strict=True))
        wanted = [(shape, number) for shape, number in shapes if shape]
        if not wanted:
            return np.zeros((height, width), dtype=np.uint16)
        burnt: NDArray[np.uint16] = rasterize(
            wanted,
            out_shape=(height, width),
            transform=Affine.translation(left, top),
            dtype="uint16",
        )
        return burnt

    def _shape(self, place: int, bounds: tuple[int, int, int, int]) -> dict[str, Any] | None:
        """A polygon as GeoJSON; of a large one the part in the window and a pixel around it."""
        first, last = self.polygons[place], self.polygons[place + 1]
        ends = self.rings[first : last + 1]
        outline = self.outline[place]
        if ends[-1] - ends[0] >= MANY_CORNERS and shapely.is_valid(outline):
            left, top, right, bottom = bounds
            part = shapely.clip_by_rect(outline, left - 1, top - 1, right + 1, bottom + 1)
            return None if shapely.is_empty(part) else dict(shapely.geometry.mapping(part))
        # A tenth of the time that shapely takes to say the same.
        rings = [self.corners[a:b].tolist() for a, b in pairwise(ends.tolist())]
        return {"type": "Polygon", "coordinates": rings}

    def read_classes(self, window: Window) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """From and to classes, (h, w) uint8, where numbers are transitions; 0 outside."""
        return split_transition(self.read(window))


def burn_changes(path: Path, grid: Grid, grid_name: str, legend: Legend | None) -> Burner:
    """Polygons of change on the grid of a scene, numbered by transition: ``from * 100 + to``.

    Of several layers that named ``changes`` is read. Without a legend classes are indices.

    Raises:
        InputError: The file cannot be read.
        DatasetError: It has no such layer or columns, a class that the legend does not know, or a
            CRS that does not fit the scene's.
    """
    layer = read_layer(path, LAYER)
    first, second = (_classes(path, layer, side, legend) for side in SIDES)
    return _burner(path, layer, first * np.uint16(TRANSITION_BASE) + second, grid, grid_name)


def burn_area(path: Path, name: str, grid: Grid, grid_name: str) -> Burner:
    """The polygons of a layer on the grid of a scene, all with the number 1.

    Raises:
        InputError: The file cannot be read.
        DatasetError: It holds no polygons, or its CRS does not fit the scene's.
    """
    layer = read_layer(path, name)
    return _burner(path, layer, np.ones(len(layer.ids), dtype=np.uint16), grid, grid_name)


def _burner(
    path: Path, layer: Layer, number: NDArray[np.uint16], grid: Grid, grid_name: str
) -> Burner:
    return burn(in_crs(path, layer, grid, grid_name), number, grid)


def burn(outlines: NDArray[np.object_], number: NDArray[np.uint16], grid: Grid) -> Burner:
    """Polygons on a grid.

    Outlines are shapely (multi)polygons in the CRS of the grid, (N,), numbers above 0, (N,) uint16.
    """
    outline, owner = shapely.get_parts(outlines, return_index=True)
    to_pixels = np.array(tuple(~grid.transform)[:6]).reshape(2, 3)
    outline = shapely.transform(outline, lambda xy: xy @ to_pixels[:, :2].T + to_pixels[:, 2])
    corners: NDArray[np.float64] = np.empty((0, 2))
    rings: NDArray[Any] = np.zeros(1)
    polygons: NDArray[Any] = np.zeros(1)
    if len(outline):
        _, corners, (rings, polygons) = shapely.to_ragged_array(outline, include_z=False)
    places = (rings.astype(np.int64), polygons.astype(np.int64))
    return Burner(outline, number[owner], corners, *places, shapely.STRtree(outline))


def in_crs(path: Path, layer: Layer, grid: Grid, grid_name: str) -> NDArray[np.object_]:
    """The outlines of a layer in the CRS of a grid, (N,).

    Raises:
        DatasetError: The CRS of the layer does not fit the grid's.
    """
    # GeoJSON cannot say that it has no CRS: without one on the grid its coordinates are pixels.
    crs = None if grid.crs is None and path.suffix == ".geojson" else layer.crs
    if (crs is None) != (grid.crs is None):
        raise DatasetError(
            f"{path} has {crs or 'no CRS'} and {grid_name} has {crs_name(grid.crs) or 'no CRS'}; "
            "give the other one a CRS, for example with ogr2ogr -a_srs or gdal_edit.py -a_srs."
        )
    if crs is None or grid.crs is None:
        _require_below_top(path, layer, grid, grid_name)
        return layer.outline
    try:
        own = placed_layer(str(path), crs, str(path))
        return reproject_outlines(layer.outline, own, Placed(grid_name, grid.crs, grid_name))
    except PairError as error:
        raise DatasetError(f"{error}") from error


def _require_below_top(path: Path, layer: Layer, grid: Grid, grid_name: str) -> None:
    """Refuse polygons that count rows downward, on an image of which only pixels say the place."""
    if grid.transform != UNPLACED or not len(layer.outline):
        return
    lowest, highest = shapely.total_bounds(layer.outline)[1::2]
    if lowest >= 0 < highest:
        raise DatasetError(
            f"{path} has polygons with y from {lowest:.8g} to {highest:.8g}, and {grid_name} has "
            f"no CRS, where y is minus the row: {-grid.height} to 0. Turn their sign, for example "
            "with QGIS's Affine transform, scale factor -1 in y."
        )
