"""One page on which a person judges the places of a sample, from disk and without a network."""

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import shapely
from affine import Affine
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from rasterio.windows import Window

from scdcli.errors import InputError
from scdcli.legend import UNCHANGED, Legend
from scdcli.rasters.grid import Grid
from scdcli.rasters.pair.extent import FOREIGN_ERRORS
from scdcli.rasters.pair.glance import Display, displayed, small_shape
from scdcli.rasters.pair.open import Pair
from scdcli.reporting.encoding import jpeg_uri
from scdcli.sampling.changemap import ChangeMap
from scdcli.sampling.pointfile import JUDGED, POINTS, UNITS
from scdcli.sampling.strata import UNCHANGED_NAME

NEAR, FAR = 48, 240  # pixels of the map that the two views show, at least
ROOM = 2.0  # of the near view, times the size of the unit
CHIP = 240  # pixels of a picture
MOST_CHIP = 12_000  # bytes
RANGE_SIDE = 512  # pixels, at which the values of an image are looked at
LONLAT = "OGC:CRS84"


def build_judging_page(
    points: Path, change_map: ChangeMap, pair: Pair, *, show_map: bool = False
) -> str:
    """The page.

    Raises:
        InputError: The file is no such sample, or an image cannot be read.
    """
    rows, places, outlines = _read(points)
    legend = change_map.legend
    xy = np.stack([shapely.get_x(places), shapely.get_y(places)], axis=1)
    lonlat = _lonlat(xy, change_map.grid)
    chips = _chips(outlines, pair)
    listed = [
        {
            "row": row | {"x": float(x), "y": float(y)},
            "lonlat": where,
            "chips": views,
            "map": _said(legend, row) if show_map else None,
        }
        for row, (x, y), where, views in zip(rows, xy, lonlat, chips, strict=True)
    ]
    classes = [
        {
            "index": k,
            "name": legend[k].name,
            "color": "#{:02x}{:02x}{:02x}".format(*legend[k].color),
        }
        for k in legend.indices()
    ]
    key = sha256(json.dumps([points.name, rows], sort_keys=True).encode()).hexdigest()[:16]
    data = {
        "key": key,
        "name": points.stem,
        "columns": [*rows[0], "x", "y"],
        "classes": classes,
        "showMap": show_map,
        "points": listed,
    }
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    template = _environment().get_template("judge.html.j2")
    return template.render(title=points.stem, data=Markup(text.replace("<", "\\u003c")))


def _read(points: Path) -> tuple[list[dict[str, Any]], NDArray[np.object_], NDArray[np.object_]]:
    """Attributes, points and outlines of a sample, in its order."""
    try:
        table, units = (pyogrio.raw.read_arrow(points, layer=layer)[1] for layer in (POINTS, UNITS))
    except FOREIGN_ERRORS as error:
        raise InputError(
            f"{points} cannot be read as a sample: {error}. Give a file of scd sample."
        ) from error
    rows = table.to_pylist()
    if not rows or not set(JUDGED) <= rows[0].keys() or len(rows) != len(units):
        raise InputError(f"{points} is no sample; give a file of scd sample.")
    geometry = {name for name in rows[0] if isinstance(rows[0][name], bytes)}
    places = shapely.from_wkb([row[name] for row in rows for name in geometry])
    shapes = {
        row["id"]: value
        for row in units.to_pylist()
        for value in row.values()
        if isinstance(value, bytes)
    }
    kept = [{name: v for name, v in row.items() if name not in geometry} for row in rows]
    return kept, places, shapely.from_wkb([shapes.get(row["id"]) for row in kept])


def _lonlat(xy: NDArray[np.float64], grid: Grid) -> list[list[float]]:
    """Longitudes and latitudes; the coordinates of the map without a CRS."""
    if grid.crs is None:
        return xy.tolist()  # type: ignore[no-any-return]
    move = Transformer.from_crs(CRS.from_wkt(grid.crs.to_wkt()), LONLAT, always_xy=True)
    lon, lat = move.transform(xy[:, 0], xy[:, 1])
    placed = np.stack([lon, lat], axis=1)
    if not np.isfinite(placed).all():
        return xy.tolist()  # type: ignore[no-any-return]
    return placed.round(7).tolist()  # type: ignore[no-any-return]


def _said(legend: Legend, row: Mapping[str, Any]) -> str:
    if row["map_from"] == UNCHANGED:
        return UNCHANGED_NAME
    return legend.transition_name(row["map_from"], row["map_to"])


def _chips(outlines: NDArray[np.object_], pair: Pair) -> Iterator[list[dict[str, str]]]:
    """Two views of each unit, at both dates."""
    grid = pair.grid
    whole = Window(0, 0, grid.width, grid.height)
    shape = small_shape(grid.shape, RANGE_SIDE)
    before, after = (displayed(source, whole, shape) for source in pair.glances)
    for outline in outlines:
        pixels = _in_pixels(outline, ~grid.transform)
        left, top, right, bottom = shapely.bounds(pixels).tolist()
        size = max(right - left, bottom - top)
        near = max(NEAR, ROOM * size)
        views = [_around((left + right) / 2, (top + bottom) / 2, near, grid)]
        views.append(_around((left + right) / 2, (top + bottom) / 2, near * FAR / NEAR, grid))
        yield [
            {
                "before": _picture(before, window),
                "after": _picture(after, window),
                "outline": _path(pixels, window),
            }
            for window in views
        ]


def _in_pixels(outline: shapely.Polygon, inverse: Affine) -> shapely.Polygon:
    a, b, c, d, e, f = tuple(inverse)[:6]
    matrix, offset = np.array([[a, d], [b, e]]), np.array([c, f])
    moved: shapely.Polygon = shapely.transform(outline, lambda xy: xy @ matrix + offset)
    return moved


def _around(col: float, row: float, side: float, grid: Grid) -> Window:
    """A square around a place, moved into the grid, and no larger than that."""
    length = int(min(round(side), grid.width, grid.height))
    left = int(np.clip(round(col - length / 2), 0, grid.width - length))
    top = int(np.clip(round(row - length / 2), 0, grid.height - length))
    return Window(left, top, length, length)


def _picture(display: Display, window: Window) -> str:
    return jpeg_uri(display.picture(window, small_shape((window.height,) * 2, CHIP)), MOST_CHIP)


def _path(outline: shapely.Polygon, window: Window) -> str:
    """The outline as a path in a square of 100 x 100."""
    rings = []
    for ring in (outline.exterior, *outline.interiors):
        xy = (np.asarray(ring.coords)[:, :2] - (window.col_off, window.row_off)) * 100
        rings.append("M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in xy / window.width) + "Z")
    return "".join(rings)


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader(__package__, "templates"), autoescape=True, undefined=StrictUndefined
    )
