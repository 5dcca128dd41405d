"""Areas by zone, such as districts: pixels are cut along the borders, so that nothing is lost."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from scdcli.legend import Legend
from scdcli.polygons.area import PIXELS, Ground
from scdcli.polygons.strips import Runs
from scdcli.polygons.table import CODES, COLUMNS, TransitionTally, write_table

Floats = NDArray[np.float64]
Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels of the map."""

ZONE_TABLE = "zones.csv"
OUTSIDE = "outside all zones"
ZONE_COLUMNS = {
    "zone": "String",
    "kind": "String",
    **COLUMNS,
    "pixels": "Real",  # of those on a border a part
}
ROUNDING = 1e-9  # of a pixel or a sum: less is no area
DECIMALS = 9  # of pixels
SLIVER = 1e-4  # of all that lies in zones


@dataclass(frozen=True)
class Zones:
    """Zones on a map.

    Attributes:
        names: Of each zone, all different.
        outlines: Valid (multi)polygons, x is the column and y the row of the map, (N,).
        source: File, layer, field of the names and a hash, JSON-ready.
        notes: What was repaired or decided, as sentences.
        warnings: What makes the areas others than they seem, as sentences.
    """

    names: list[str]
    outlines: NDArray[np.object_]
    source: Mapping[str, Any]
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def settings(self) -> dict[str, Any]:
        """What a prediction keeps of them among its settings, JSON-ready."""
        file, layer, names, digest = (
            self.source[key] for key in ("file", "layer", "field", "sha256")
        )
        return {"zones": f"{file}:{layer}", "zone_names": names, "zones_sha256": digest}


@dataclass
class _Sums:
    """Pixels and area by code, of one zone."""

    pixels: dict[int, float] = field(default_factory=dict)
    area: dict[int, float] = field(default_factory=dict)

    def add(self, codes: Sequence[int], pixels: NDArray[Any], area: NDArray[Any]) -> None:
        for code, count, amount in zip(codes, pixels.tolist(), area.tolist(), strict=True):
            if count:
                self.pixels[code] = self.pixels.get(code, 0.0) + count
                self.area[code] = self.area.get(code, 0.0) + amount

    def less(self, other: "_Sums") -> "_Sums":
        """The difference; what is nothing but rounding is nothing."""
        left = _Sums()
        for code, count in self.pixels.items():
            pixels = count - other.pixels.get(code, 0.0)
            area = self.area[code] - other.area.get(code, 0.0)
            if pixels > ROUNDING * count:
                left.pixels[code], left.area[code] = pixels, max(area, 0.0)
        return left


class ZoneTally:
    """Pixels and ground area of every transition in every zone, and outside of all."""

    def __init__(self, ground: Ground, zones: Zones) -> None:
        """Nothing is counted yet."""
        self.ground = ground
        self.zones = zones
        union = shapely.union_all(zones.outlines)
        # the last one is all zones together
        self._outlines = np.array([*zones.outlines, union], dtype=object)
        self._tree = shapely.STRtree(self._outlines)
        self._sums = [_Sums() for _ in self._outlines]
        self._whole = _Sums()

    def counting(self, runs: Iterable[Runs]) -> Iterator[Runs]:
        """The same runs, each counted before it is handed on."""
        for strip in runs:
            self._count(strip)
            yield strip

    def to_dict(self, legend: Legend) -> dict[str, Any]:
        """Where the zones are from, the areas in each, and those outside of all; JSON-ready.

        Raises:
            InputError: A transition is not in the legend.
        """
        *each, together = self._sums
        outside = self._whole.less(together)
        named = zip(self.zones.names, each, strict=True)
        return {
            **self.zones.source,
            "zones": [self._described(name, sums, legend) for name, sums in named],
            "outside": self._described(OUTSIDE, outside, legend),
            "notes": self.zones.notes,
        }

    def overlap_told(self) -> list[str]:
        """A sentence on ground that lies in several zones; nothing without any."""
        *each, together = self._sums
        pixels, area = (
            sum(sum(getattr(sums, name).values()) for sums in each)
            - sum(getattr(together, name).values())
            for name in ("pixels", "area")
        )
        # Slivers between neighbors, as everybody draws them, change no figure that is shown.
        if pixels < max(1, SLIVER * sum(together.pixels.values())):
            return []
        unit = "pixels" if self.ground.unit == PIXELS else "m²"
        return [
            f"Zones of {self.zones.source['file']} overlap: {area:,.0f} {unit} lie in more than "
            "one and are counted in each, so the zones add up to more than the map."
        ]

    def _count(self, strip: Runs) -> None:
        height, width = strip.transition.shape
        codes, code_of_run = np.unique(strip.code, return_inverse=True)
        kinds, listed = len(codes), codes.tolist()
        self._whole.add(
            listed,
            np.bincount(code_of_run, weights=strip.length, minlength=kinds),
            np.bincount(code_of_run, weights=strip.area, minlength=kinds),
        )
        places = self._tree.query(shapely.box(0, strip.row, width, strip.row + height))
        if not len(places):
            return
        code = np.repeat(code_of_run, strip.length).reshape(height, width)
        area = self._pixel_areas(strip)
        for place in places.tolist():
            found = _shares(self._outlines[place], (0, strip.row, width, strip.row + height))
            if found is None:
                continue
            (left, top, right, bottom), share = found
            window = (slice(top - strip.row, bottom - strip.row), slice(left, right))
            kind = code[window].ravel()
            self._sums[place].add(
                listed,
                np.bincount(kind, weights=share.ravel(), minlength=kinds),
                np.bincount(kind, weights=(share * area[window]).ravel(), minlength=kinds),
            )

    def _pixel_areas(self, strip: Runs) -> Floats:
        """Area of each pixel, (h, W); those of a run add up to that of the run."""
        each = self.ground.pixel_areas(strip.row, *strip.transition.shape).ravel()
        scale = strip.area / np.add.reduceat(each, strip.start)
        return (each * np.repeat(scale, strip.length)).reshape(strip.transition.shape)

    def _described(self, name: str, sums: _Sums, legend: Legend) -> dict[str, Any]:
        pixels, area = np.zeros(CODES), np.zeros(CODES)
        codes = list(sums.pixels)
        pixels[codes], area[codes] = list(sums.pixels.values()), list(sums.area.values())
        tally = TransitionTally(self.ground, np.round(pixels, DECIMALS), area)
        return {"name": name} | tally.to_dict(legend)


def write_zones(path: Path, described: Mapping[str, Any]) -> None:
    """Write the areas by zone as a table: rows per transition, changed, unchanged and nodata.

    Raises:
        OutputError: The file cannot be written; nothing is left behind.
    """
    write_table(path, ZONE_COLUMNS, _rows((*described["zones"], described["outside"])))


def _rows(zones: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for zone in zones:
        for row in zone["transitions"]:
            yield {"zone": zone["name"], "kind": "transition", **row}
        for kind in ("changed", "unchanged", "nodata"):
            yield {"zone": zone["name"], "kind": kind, **zone[kind]}


def _shares(outline: shapely.Geometry, strip: Box) -> tuple[Box, Floats] | None:
    """How much of each pixel of a strip a zone covers, 0 to 1, in the box that it has there.

    The border is cut at the edges of the pixels. Each piece takes from the pixel that it lies in
    what is left of it, and from all pixels before it in the row its height; summed up along the
    rows that is the area of the zone in each pixel, exactly.
    """
    part = shapely.intersection(outline, shapely.box(*strip))
    if not shapely.area(part) > 0:
        return None
    west, north, east, south = shapely.bounds(part)
    left, top = int(np.floor(west)), int(np.floor(north))
    height, width = int(np.ceil(south)) - top, int(np.ceil(east)) - left
    first, second = _edges(part, left, top)
    # cut at rows, then at columns
    first, second = _cut(*_cut(first, second, 1), 0)
    middle = 0.5 * (first + second)
    col = np.clip(np.floor(middle[:, 0]), 0, width - 1).astype(np.int64)
    row = np.clip(np.floor(middle[:, 1]), 0, height - 1).astype(np.int64)
    down, after = second[:, 1] - first[:, 1], middle[:, 0] - col
    place = row * (width + 1) + col
    size = height * (width + 1)
    steps = np.bincount(place, weights=down * (1 - after), minlength=size)
    steps += np.bincount(place + 1, weights=down * after, minlength=size)
    share = np.abs(np.cumsum(steps.reshape(height, width + 1), axis=1)[:, :width])
    share[share < ROUNDING] = 0.0
    share[share > 1 - ROUNDING] = 1.0
    return (left, top, left + width, top + height), share


def _edges(part: shapely.Geometry, left: int, top: int) -> tuple[Floats, Floats]:
    """Both ends of every edge of all polygons, (N, 2) each, outer rings around the same way."""
    shapes = shapely.get_parts(shapely.get_parts(part))
    polygons = shapes[shapely.get_type_id(shapes) == shapely.GeometryType.POLYGON]
    rings = shapely.get_rings(shapely.orient_polygons(polygons))
    corners, ring = shapely.get_coordinates(rings, return_index=True)
    corners = corners - (left, top)
    of_one = ring[1:] == ring[:-1]
    return corners[:-1][of_one], corners[1:][of_one]


def _cut(first: Floats, second: Floats, axis: int) -> tuple[Floats, Floats]:
    """Edges cut where a coordinate is a whole number; both ends of the pieces, in any order."""
    low = np.floor(np.minimum(first[:, axis], second[:, axis]))
    high = np.ceil(np.maximum(first[:, axis], second[:, axis]))
    count = np.maximum(high - low, 1).astype(np.int64)
    edge = np.repeat(np.arange(len(first)), count)
    number = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count)
    start, way = first[edge], (second - first)[edge]
    # as a share of the way; an edge along the other axis is one piece
    length = np.where(way[:, axis] == 0, 1.0, way[:, axis])
    lines = low[edge] + number
    enter, leave = ((lines + side - start[:, axis]) / length for side in (0, 1))
    straight = way[:, axis] == 0
    begin = np.where(straight, 0.0, np.clip(np.minimum(enter, leave), 0.0, 1.0))
    end = np.where(straight, 1.0, np.clip(np.maximum(enter, leave), 0.0, 1.0))
    return start + begin[:, None] * way, start + end[:, None] * way
