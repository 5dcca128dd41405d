"""Which part of the ground is read: inside bounds, or in the polygons of an area of interest."""

import hashlib
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError
from pyproj.exceptions import ProjError
from rasterio.crs import CRS
from rasterio.features import rasterize
from rasterio.windows import Window

from scdcli.errors import InputError, PairError
from scdcli.files.naming import crs_name, file_name, is_remote, name_of, without_secrets
from scdcli.rasters.alignment import bounds_text, moved
from scdcli.rasters.crs import Placed, Points, placed_layer, reproject_outlines, reproject_points
from scdcli.rasters.grid import Grid
from scdcli.rasters.limits import ACROSS, is_virtual_layer

Bounds = tuple[float, float, float, float]
"""Left, bottom, right, top."""

PIXELS = "pixels, y is minus the row"
EDGE_POINTS = 33  # per side, so that a side that bends in the other CRS is followed
TOUCH = 1e-6  # pixels: bounds that end on an edge do not touch the pixel beyond it
FOREIGN_ERRORS = (DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError)
POLYGON_TYPES = (3, 6)  # shapely's numbers of polygon and multipolygon
# Pieces with at most so many corners: a window then touches few corners, whatever the outline.
MOST_CORNERS = 512
SIDES_BEND = 64  # pieces of the longest side of the area, so that a side that bends is followed


def crop_to_bounds(grid: Grid, bounds: Bounds, crs: CRS | None, name: str) -> Grid:
    """The part of a grid that touches bounds given by the user.

    Bounds are left, bottom, right, top, in the CRS of the grid unless another is given.

    Raises:
        PairError: The bounds lie outside the grid, or cannot be brought into its CRS.
    """
    if crs is not None and grid.crs is None:
        raise PairError(
            f"--bounds-crs is {crs_name(crs)}, but {name} has no CRS; give --bounds in pixels of "
            "the image: left, bottom, right, top, where y is minus the row."
        )
    left, bottom, right, top = bounds
    across, up = np.linspace(left, right, EDGE_POINTS), np.linspace(bottom, top, EDGE_POINTS)
    xs = np.concatenate([across, across, np.full_like(up, left), np.full_like(up, right)])
    ys = np.concatenate([np.full_like(across, bottom), np.full_like(across, top), up, up])
    points = np.stack([xs, ys])
    if crs is not None and grid.crs is not None and crs != grid.crs:
        points = _bounds_in_crs(points, crs, grid.crs)
    part = crop_to_pixels(grid, moved(~grid.transform, points))
    if part is None:
        unit = crs_name(crs or grid.crs) or "pixels"
        given = ", ".join(f"{value:.10g}" for value in bounds)
        remedy = "Name the CRS of the bounds with --bounds-crs if it is another one."
        if grid.crs is None:
            remedy = (
                "The image has no CRS: give them in its pixels, or say its CRS with --assume-crs."
            )
        raise PairError(
            f"--bounds {given} ({unit}) lie outside {name}, which covers "
            f"{bounds_text(grid, grid)} (left, bottom, right, top in "
            f"{crs_name(grid.crs) or PIXELS}). {remedy}"
        )
    return part


def crop_to_pixels(grid: Grid, points: Points) -> Grid | None:
    """The part of a grid around points, given as (col, row); None where they lie outside."""
    size = np.array([grid.width, grid.height])
    first = np.clip(np.floor(points.min(axis=1) + TOUCH), 0, size).astype(int)
    last = np.clip(np.ceil(points.max(axis=1) - TOUCH), 0, size).astype(int)
    width, height = (last - first).tolist()
    if width <= 0 or height <= 0:
        return None
    transform = grid.transform @ Affine.translation(*first.tolist())
    return replace(grid, height=height, width=width, transform=transform)


def _bounds_in_crs(points: Points, crs: CRS, target: CRS) -> Points:
    try:
        reprojected = reproject_points(crs, target, points)
    except ProjError as error:
        raise PairError(
            f"--bounds cannot be brought from {crs_name(crs)} to {crs_name(target)}: nothing leads "
            "from one to the other. Give them in the CRS of the image."
        ) from error
    if not np.isfinite(reprojected).all():
        raise PairError(
            f"--bounds reach beyond what {crs_name(target)} can express; give them in that CRS."
        )
    return reprojected


@dataclass(frozen=True)
class AreaOfInterest:
    """Polygons of the area of interest, in pixels of a grid.

    Attributes:
        grid: The part of the scene's grid around the area.
        pieces: The area in valid polygons with few corners, x is the column and y the row, (N,).
        tree: Finds the pieces of a window.
        record: What a summary says of it, JSON-ready.
    """

    grid: Grid
    pieces: NDArray[np.object_]
    tree: shapely.STRtree
    record: dict[str, Any]

    def inside(self, window: Window) -> NDArray[np.bool_]:
        """Which pixels of a window have their center in the area, (h, w)."""
        shape = (int(window.height), int(window.width))
        left, top = int(window.col_off), int(window.row_off)
        box = shapely.box(left, top, left + shape[1], top + shape[0])
        pieces = self.pieces[self.tree.query(box, predicate="intersects")]
        if not len(pieces):
            return np.zeros(shape, dtype=bool)
        burnt = rasterize(
            pieces.tolist(),
            out_shape=shape,
            transform=Affine.translation(left, top),
            dtype="uint8",
        )
        return np.asarray(burnt, dtype=bool)


def read_aoi(path: str, grid: Grid, grid_name: str) -> AreaOfInterest:
    """The polygons of a file on the grid of a scene, and the part of that grid around them.

    The path is a vector file, or ``FILE:LAYER`` where it has several layers.

    Raises:
        InputError: The file cannot be read or holds no polygons, or one of several layers.
        PairError: Its CRS does not fit the grid's, or it lies outside.
    """
    polygons, crs, layer = _read_polygons(path)
    outline = shapely.make_valid(_polygons_in_crs(polygons, crs, path, grid, grid_name))
    outline = shapely.transform(outline, lambda xy: moved(~grid.transform, xy.T).T)
    outline = outline[shapely.intersects(outline, shapely.box(0, 0, grid.width, grid.height))]
    corners = shapely.get_coordinates(outline).T
    part = crop_to_pixels(grid, corners) if corners.size else None
    if part is None:
        raise PairError(
            f"--aoi {name_of(path)} lies outside {grid_name}: it covers {_extent(polygons)} in "
            f"{crs or 'pixels'}, the image {bounds_text(grid, grid)} in "
            f"{crs_name(grid.crs) or PIXELS} (left, bottom, right, top). Check both places."
        )
    to_part = ~part.transform @ grid.transform
    outline = shapely.transform(outline, lambda xy: moved(to_part, xy.T).T)
    pieces = _pieces(outline, part)
    record = {
        "name": file_name(path),
        "layer": layer,
        "polygons": len(polygons),
        "sha256": hashlib.sha256(b"".join(shapely.to_wkb(outline))).hexdigest(),
    }
    return AreaOfInterest(part, pieces, shapely.STRtree(pieces), record)


def _read_polygons(path: str) -> tuple[NDArray[np.object_], str | None, str]:
    """Polygons as they are in the file, their CRS and the name of the layer."""
    source, wanted = split_layer(path)
    _require_file(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what matters comes as an error as well
            layers = [str(each[0]) for each in pyogrio.list_layers(source) if each[1] is not None]
            layer = choose_layer("--aoi", source, layers, wanted)
            about, _, outlines, _ = pyogrio.raw.read(source, layer=layer, columns=[])
    except FOREIGN_ERRORS as error:
        reason = without_secrets(str(error).replace(source, name_of(source))).rstrip(".")
        raise InputError(
            f"--aoi {name_of(source)} cannot be read: {reason}. Give a GeoPackage, GeoJSON, "
            "FlatGeobuf or shapefile."
        ) from error
    shapes = shapely.from_wkb(outlines, on_invalid="fix")
    polygons = shapes[np.isin(shapely.get_type_id(shapes), POLYGON_TYPES)]
    polygons = polygons[~shapely.is_empty(polygons)]
    if not len(polygons):
        raise InputError(
            f"--aoi {name_of(path)} holds {len(shapes)} features and no polygon among them; draw "
            "the area as polygons."
        )
    return shapely.force_2d(polygons), about["crs"], layer


def _require_file(source: str) -> None:
    """Refuse an address, a missing file, and a VRT, which can read any file."""
    if ACROSS.search(source):
        raise InputError(f"--aoi {name_of(source)} is an address; download the file first.")
    if is_remote(source):
        return
    if not Path(source).exists():
        raise InputError(f"--aoi {name_of(source)} does not exist; check the name.")
    if is_virtual_layer(source):
        raise InputError(f"--aoi {name_of(source)} is a VRT; give the file it refers to.")


def split_layer(path: str) -> tuple[str, str | None]:
    """``FILE:LAYER`` in two, unless a file is really named so."""
    source, colon, layer = path.rpartition(":")
    if len(source) < 2 or not colon or "/" in layer or is_remote(path) or Path(path).exists():
        return path, None
    return source, layer


def choose_layer(option: str, source: str, layers: list[str], wanted: str | None) -> str:
    """The layer wanted, or the only one of a file.

    Raises:
        InputError: There is none of this name, or several.
    """
    if wanted in layers or (wanted is None and len(layers) == 1):
        return wanted or layers[0]
    asked = "" if wanted is None else f", not {wanted!r}"
    raise InputError(
        f"{option} {name_of(source)} has the layers {', '.join(layers) or 'none'}{asked}; name one "
        f"with {option} {name_of(source)}:LAYER."
    )


def _polygons_in_crs(
    polygons: NDArray[np.object_], crs: str | None, path: str, grid: Grid, grid_name: str
) -> NDArray[np.object_]:
    """The polygons in the CRS of the grid."""
    file, name = name_of(split_layer(path)[0]), f"--aoi {name_of(path)}"
    placed = place_both(name, file, crs, grid, grid_name)
    return reproject_outlines(polygons, *placed, SIDES_BEND) if placed else polygons


def place_both(
    name: str, file: str, crs: str | None, grid: Grid, grid_name: str
) -> tuple[Placed, Placed] | None:
    """A layer and a grid with their CRS; None where neither has one.

    Args:
        name: What errors call the layer.
        file: Its file.
        crs: Its CRS as the file says it.
        grid: The grid.
        grid_name: What errors call that.

    Raises:
        PairError: Only one of the two has a CRS, or that of the layer is not known.
    """
    if grid.crs is None and file.lower().endswith((".geojson", ".json")):
        crs = None  # GeoJSON cannot say that it has no CRS: its coordinates are then pixels
    if (crs is None) != (grid.crs is None):
        raise PairError(
            f"{name} has {crs or 'no CRS'} and {grid_name} has "
            f"{crs_name(grid.crs) or 'no CRS'}; give the other one a CRS, for example with "
            "ogr2ogr -a_srs or --assume-crs."
        )
    if crs is None or grid.crs is None:
        return None
    return placed_layer(name, crs, file), Placed(grid_name, grid.crs, grid_name)


def _pieces(areas: NDArray[np.object_], grid: Grid) -> NDArray[np.object_]:
    """Areas as polygons of few corners, cut along whole pixels, as far as the grid reaches."""
    parts = _polygons_of(areas)
    many = shapely.get_num_coordinates(parts) > MOST_CORNERS
    pieces = [parts[~many]]
    waiting = [(part, (0, 0, grid.width, grid.height)) for part in parts[many]]
    while waiting:
        area, (left, top, right, bottom) = waiting.pop()
        area = shapely.clip_by_rect(area, left, top, right, bottom)
        if shapely.get_num_coordinates(area) <= MOST_CORNERS or max(right - left, bottom - top) < 2:
            pieces.append(_polygons_of(area))
        elif right - left >= bottom - top:
            middle = (left + right) // 2
            waiting += [(area, (left, top, middle, bottom)), (area, (middle, top, right, bottom))]
        else:
            middle = (top + bottom) // 2
            waiting += [(area, (left, top, right, middle)), (area, (left, middle, right, bottom))]
    return np.concatenate(pieces)


def _polygons_of(areas: NDArray[np.object_] | shapely.Geometry) -> NDArray[np.object_]:
    """The polygons in multipolygons and collections; lines and points of these are left out."""
    parts = shapely.get_parts(shapely.get_parts(areas))
    polygons: NDArray[np.object_] = parts[shapely.area(parts) > 0]
    return polygons


def _extent(polygons: NDArray[np.object_]) -> str:
    return f"({', '.join(f'{value:.8g}' for value in shapely.total_bounds(polygons))})"
