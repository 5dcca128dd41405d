"""Zones such as districts, read from a file of polygons: what areas are given by."""

from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from pyproj.exceptions import ProjError

from scdcli.errors import InputError
from scdcli.files.naming import crs_name, name_of
from scdcli.polygons.zones import Zones
from scdcli.rasters.alignment import bounds_text, moved
from scdcli.rasters.crs import Placed, horizontal, reproject_outlines, require_degrees
from scdcli.rasters.grid import Grid
from scdcli.rasters.limits import is_virtual_layer
from scdcli.rasters.pair.extent import (
    FOREIGN_ERRORS,
    PIXELS,
    POLYGON_TYPES,
    SIDES_BEND,
    choose_layer,
    place_both,
    split_layer,
)

NAME = "name"
MARGIN = 0.02  # of the map, around it: what is farther away is cut off before it is reprojected


@dataclass(frozen=True)
class ZoneFile:
    """Zones as a file has them.

    Attributes:
        file: The file as messages call it.
        layer: Its layer.
        name_field: Where the names stand; None where there are none.
        names: Of each zone, all different.
        outlines: Valid (multi)polygons in the CRS of the layer, (N,).
        crs: As text; None without one.
        notes: What was repaired or decided, as sentences.
    """

    file: str
    layer: str
    name_field: str | None
    names: list[str]
    outlines: NDArray[np.object_]
    crs: str | None
    notes: list[str] = field(default_factory=list)

    @property
    def sha256(self) -> str:
        """Of names and outlines."""
        told = "\n".join(self.names).encode() + b"".join(shapely.to_wkb(self.outlines))
        return sha256(told).hexdigest()


def read_zones(given: str, name_field: str | None = None) -> ZoneFile:
    """The zones in a file.

    Polygons of one name are one zone. Names stand in ``name_field``; without one in the field
    ``name``, else in the first field of texts that are all different, else zones are numbered.

    Raises:
        InputError: There is no such file, layer or field, or there are no polygons.
    """
    path, _ = split_layer(given)
    if not Path(path).exists():
        raise InputError(f"--zones {name_of(given)} does not exist; check the name.")
    if is_virtual_layer(path):
        raise InputError(f"--zones {name_of(given)} is a VRT; give the file it refers to.")
    return _read(given, name_field, Path(path).stat().st_mtime_ns)


@lru_cache(maxsize=1)  # one file serves all pairs of a batch
def _read(given: str, name_field: str | None, modified: int) -> ZoneFile:
    path, wanted = split_layer(given)
    try:
        layers = [str(each[0]) for each in pyogrio.list_layers(path) if each[1] is not None]
        layer = choose_layer("--zones", path, layers, wanted)
        about, ids, outline, columns = pyogrio.raw.read(path, layer=layer, return_fids=True)
    except FOREIGN_ERRORS as error:
        raise InputError(
            f"--zones {name_of(path)} cannot be read: {str(error).rstrip('.')}. Give a GeoPackage, "
            "GeoJSON, FlatGeobuf or shapefile."
        ) from error
    shapes = shapely.force_2d(shapely.from_wkb(outline, on_invalid="fix"))
    whole = np.isin(shapely.get_type_id(shapes), POLYGON_TYPES) & ~shapely.is_empty(shapes)
    if not whole.any():
        raise InputError(
            f"--zones {name_of(given)} holds {len(shapes)} features and no polygon among them; "
            "draw the zones as polygons."
        )
    notes = []
    if not whole.all():
        notes.append(f"{int((~whole).sum())} features of {name_of(path)} are no polygons.")
    values = dict(zip(about["fields"].tolist(), columns, strict=True))
    named, texts = _names(given, values, ids, name_field)
    names, outlines = _dissolved(path, texts[whole], _repaired(path, shapes[whole], notes), notes)
    if named is None:
        notes.append(
            f"{name_of(path)} has no field of names, so its zones are numbered; --zone-names says "
            "where names stand."
        )
    return ZoneFile(name_of(path), layer, named, names, outlines, about["crs"], notes)


def place_zones(zones: ZoneFile, grid: Grid, grid_name: str) -> Zones:
    """The zones that lie on a map, in its pixels.

    Raises:
        PairError: Their CRS does not fit that of the map.
    """
    outlines = _in_crs(zones, grid, grid_name)
    outlines = shapely.transform(outlines, lambda xy: moved(~grid.transform, xy.T).T)
    outlines = shapely.make_valid(outlines, method="structure")
    map_box = shapely.box(0, 0, grid.width, grid.height)
    on_map = np.flatnonzero(shapely.area(shapely.intersection(outlines, map_box)) > 0)
    warnings = []
    if not len(on_map):
        warnings.append(
            f"No zone of {zones.file} lies on the map: the zones cover "
            f"{_bounds(zones.outlines)} in {zones.crs or PIXELS}, {grid_name} "
            f"{bounds_text(grid, grid)} in {crs_name(grid.crs) or PIXELS} (left, bottom, right, "
            "top). All of it counts as outside."
        )
    source: dict[str, Any] = {
        "file": zones.file,
        "layer": zones.layer,
        "field": zones.name_field,
        "sha256": zones.sha256,
        "count": len(zones.names),
    }
    names = [zones.names[place] for place in on_map.tolist()]
    return Zones(names, outlines[on_map], source, zones.notes, warnings)


def _bounds(outlines: NDArray[np.object_]) -> str:
    return f"({', '.join(f'{value:.8g}' for value in shapely.total_bounds(outlines))})"


def _repaired(path: str, outlines: NDArray[np.object_], notes: list[str]) -> NDArray[np.object_]:
    broken = ~shapely.is_valid(outlines)
    if broken.any():
        notes.append(f"{int(broken.sum())} zones of {name_of(path)} cross themselves: repaired.")
        outlines = np.where(broken, shapely.make_valid(outlines, method="structure"), outlines)
    return outlines


def _names(
    given: str, values: dict[str, NDArray[Any]], ids: NDArray[np.int64], wanted: str | None
) -> tuple[str | None, NDArray[np.object_]]:
    """The field of the names, and the name of each feature; those without one are numbered."""
    field_ = _field(given, values, wanted)
    texts = [""] * len(ids) if field_ is None else [_text(value) for value in values[field_]]
    named = [text or f"zone {number}" for text, number in zip(texts, ids.tolist(), strict=True)]
    return field_, np.array(named, dtype=object)


def _field(given: str, values: dict[str, NDArray[Any]], wanted: str | None) -> str | None:
    lower = {name.lower(): name for name in values}
    if wanted is not None:
        if wanted.lower() in lower:
            return lower[wanted.lower()]
        raise InputError(
            f"--zones {name_of(given)} has no field {wanted!r}; it has "
            f"{', '.join(values) or 'none'}. Name one with --zone-names."
        )
    if NAME in lower:
        return lower[NAME]
    for name, column in values.items():
        texts = [_text(value) for value in column]
        if column.dtype == object and all(texts) and len(set(texts)) == len(texts):
            return name
    return None


def _text(value: object) -> str:
    """What a field holds, as a name; nothing for an empty one."""
    text = "" if value is None or value != value else str(value).strip()
    return text.removesuffix(".0") if isinstance(value, float) else text


def _dissolved(
    path: str, texts: NDArray[np.object_], outlines: NDArray[np.object_], notes: list[str]
) -> tuple[list[str], NDArray[np.object_]]:
    """Polygons of one name as one zone, in the order of the file."""
    groups: dict[str, list[int]] = {}
    for place, text in enumerate(texts.tolist()):
        groups.setdefault(text, []).append(place)
    if len(groups) < len(texts):
        notes.append(f"{len(texts)} polygons of {name_of(path)} are {len(groups)} zones by name.")
    joined = np.empty(len(groups), dtype=object)
    for number, places in enumerate(groups.values()):
        alone = len(places) == 1
        joined[number] = outlines[places[0]] if alone else shapely.union_all(outlines[places])
    return list(groups), joined


def _in_crs(zones: ZoneFile, grid: Grid, grid_name: str) -> NDArray[np.object_]:
    """The outlines in the CRS of a grid, as far as its surroundings go."""
    placed = place_both(f"--zones {zones.file}", zones.file, zones.crs, grid, grid_name)
    if placed is None:
        return zones.outlines
    own, scene = placed
    require_degrees(zones.outlines, own, scene)
    return reproject_outlines(_near(zones.outlines, own, grid), own, scene, SIDES_BEND)


def _near(outlines: NDArray[np.object_], own: Placed, grid: Grid) -> NDArray[np.object_]:
    """The outlines around a map, in their own CRS: the whole Earth has no place in most others."""
    assert grid.crs is not None
    try:
        to_own = Transformer.from_crs(horizontal(grid.crs), horizontal(own.crs), always_xy=True)
        left, bottom, right, top = to_own.transform_bounds(*grid.bounds)
    except ProjError:
        return outlines
    if not np.isfinite([left, bottom, right, top]).all() or left > right:
        return outlines
    x, y = MARGIN * (right - left), MARGIN * (top - bottom)
    around = shapely.box(left - x, bottom - y, right + x, top + y)
    near: NDArray[np.object_] = shapely.intersection(outlines, around)
    return near
