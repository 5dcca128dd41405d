"""GeoJSON as RFC 7946 wants it: longitude and latitude, seven decimals, cut at the antimeridian."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from scdcli.changes.features import Features

DECIMALS = 7  # of a degree: about a centimetre
HALF_TURN = 180.0
FULL_TURN = np.array([360.0, 0.0])
WGS84 = "OGC:CRS84"

Outlines = NDArray[np.object_]


@contextmanager
def open_geojson(path: Path, name: str, crs: str | None) -> Iterator[Callable[[Features], None]]:
    """A function that appends features to a new feature collection.

    Args:
        path: File to write.
        name: Name of the collection.
        crs: WKT of the outlines' CRS; None leaves the coordinates as they are (pixels).
    """
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(f'{{"type": "FeatureCollection", "name": {json.dumps(name)}, "features": [')
        separator = "\n"

        def put(features: Features) -> None:
            nonlocal separator
            for feature in _feature_texts(features, crs):
                file.write(separator + feature)
                separator = ",\n"

        yield put
        file.write("\n]}\n")


def _feature_texts(features: Features, crs: str | None) -> Iterator[str]:
    outlines = features.outline if crs is None else _lonlat(features.outline, crs)
    names = list(features.columns)
    rows = zip(*(column.tolist() for column in features.columns.values()), strict=True)
    for geometry, row in zip(shapely.to_geojson(outlines), rows, strict=True):
        properties = json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False)
        yield f'{{"type": "Feature", "properties": {properties}, "geometry": {geometry}}}'


def _lonlat(outlines: Outlines, crs: str) -> Outlines:
    """Outlines on WGS 84, exterior rings counter-clockwise."""
    transformer = Transformer.from_crs(CRS.from_wkt(crs), WGS84, always_xy=True)

    def place(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack(transformer.transform(xy[:, 0], xy[:, 1]), axis=1)

    placed = _cut_at_antimeridian(shapely.transform(outlines, place))
    rounded: Outlines = shapely.transform(placed, lambda xy: np.round(xy, DECIMALS))
    return rounded


def _cut_at_antimeridian(outlines: Outlines) -> Outlines:
    """Outlines that jump from one side of the map to the other become two parts."""
    west, _, east, _ = shapely.bounds(outlines).T
    for index in np.flatnonzero(east - west > HALF_TURN):
        whole = shapely.transform(outlines[index], _unwrap)
        eastern = shapely.intersection(whole, shapely.box(0, -90, HALF_TURN, 90))
        western = shapely.intersection(whole, shapely.box(HALF_TURN, -90, 2 * HALF_TURN, 90))
        wrapped = shapely.transform(western, lambda xy: xy - FULL_TURN)
        outlines[index] = shapely.multipolygons(shapely.get_parts([eastern, wrapped]))
    return outlines


def _unwrap(lonlat: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(lonlat[:, :1] < 0, lonlat + FULL_TURN, lonlat)
