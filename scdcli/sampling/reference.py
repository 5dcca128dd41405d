"""What people judged of the places of a sample: tables and layers, ours or another program's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

from scdcli.errors import InputError
from scdcli.files.table import read_table
from scdcli.legend import TRANSITION_BASE, UNCHANGED, Legend
from scdcli.rasters.grid import Grid
from scdcli.rasters.limits import is_virtual_layer
from scdcli.rasters.pair.extent import FOREIGN_ERRORS
from scdcli.sampling.pointfile import POINTS, REFERENCES
from scdcli.sampling.strata import UNCHANGED_NAME

UNJUDGED = -1
DESIGN = ("stratum", "stratum_units", "stratum_area")
MEANT = {*REFERENCES, *DESIGN, "id", "x", "y", "unit", "unit_area", "drawn", "map"} | {
    *("map_from", "map_to", "confidence", "judge", "crs")
}
"""Columns that are read; a table may call them otherwise."""
TABLES = (".csv", ".tsv", ".txt")
EMPTY = {"", "null", "none", "nan"}


class Record(NamedTuple):
    """One place: where it stands in the file, and its filled cells by our names of the columns."""

    where: str  # for example "points.csv, line 4"
    cells: dict[str, str]


@dataclass(frozen=True)
class Reference:
    """Judged places on the grid of a map, (n,) each.

    Attributes:
        name: The file.
        records: Where each stands in the file, and all that is said of it.
        row: Row of the pixel it lies in.
        col: Column of that.
        judged: ``from * 100 + to``, 0 for unchanged, `UNJUDGED` where nothing was said.
    """

    name: str
    records: tuple[Record, ...]
    row: NDArray[np.int64]
    col: NDArray[np.int64]
    judged: NDArray[np.int64]

    def texts(self, column: str) -> list[str]:
        """The cells of a column, empty where there is none."""
        return [record.cells.get(column, "") for record in self.records]

    def numbers(self, column: str) -> NDArray[np.float64]:
        """The cells of a column as numbers.

        Raises:
            InputError: One is missing or no number.
        """
        return np.array([_number(record, column) for record in self.records])


def read_reference(
    path: Path, grid: Grid, legend: Legend, columns: Mapping[str, str] | None = None
) -> Reference:
    """The judgements in a CSV table or a layer of points.

    Args:
        path: The file; of a GeoPackage the layer ``points``.
        grid: Of the map; without columns x and y the geometry says where a point is.
        legend: What numbers and names of classes mean.
        columns: What the file calls our columns, by our name.

    Raises:
        InputError: The file cannot be read, or a row in it makes no sense.
    """
    records = [_moved(record, grid) for record in read_records(path, columns or {})]
    xy = np.array([_place(record) for record in records]).reshape(-1, 2)
    inverse = np.array(tuple(~grid.transform)[:6]).reshape(2, 3)
    col, row = np.floor(inverse[:, :2] @ xy.T + inverse[:, 2:] + 1e-6).astype(np.int64)
    for record, x, y, r, c in zip(records, *xy.T.tolist(), row, col, strict=True):
        if not (0 <= r < grid.height and 0 <= c < grid.width):
            left, bottom, right, top = grid.bounds
            raise InputError(
                f"{record.where} lies at x {x:.10g}, y {y:.10g}, outside the map ({left:.10g} to "
                f"{right:.10g}, {bottom:.10g} to {top:.10g}); see that it belongs to this map and "
                "is in its CRS."
            )
    _refuse_twice(records, [record.cells.get("id", "") for record in records], "the id")
    _refuse_twice(records, list(zip(row.tolist(), col.tolist(), strict=True)), "the pixel")
    judged = np.array([_judgement(record, legend) for record in records], dtype=np.int64)
    return Reference(str(path), tuple(records), row, col, judged)


def read_records(path: Path, columns: Mapping[str, str]) -> list[Record]:
    """The rows of a file, with columns by our names; geometries as x and y.

    Raises:
        InputError: The file cannot be read, has no judgements, or lacks a column that was named.
    """
    table = path.suffix.lower() in TABLES
    known, listed = _csv_rows(path, columns) if table else _layer_rows(path)
    theirs = {ours: columns.get(ours, ours).lower() for ours in MEANT}
    missing = [theirs[ours] for ours in columns if theirs[ours] not in known]
    wanted = [theirs[ours] for ours in REFERENCES if theirs[ours] not in known]
    if missing or wanted:
        raise InputError(
            f"{path} has the columns {', '.join(known) or 'none'}, but not {(missing or wanted)[0]}"
            "; say what it calls ours, for example --columns reference_from=before."
        )
    return [
        Record(where, {ours: row[name] for ours, name in theirs.items() if name in row})
        for where, row in listed
    ]


def _csv_rows(
    path: Path, columns: Mapping[str, str]
) -> tuple[Sequence[str], list[tuple[str, dict[str, str]]]]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    table = read_table(content, str(path), [columns.get(c, c).lower() for c in REFERENCES])
    listed = [(f"{table.name}, line {row.line}", row.cells) for row in table.rows]
    return [name for name in table.columns if name], listed


def _layer_rows(path: Path) -> tuple[Sequence[str], list[tuple[str, dict[str, str]]]]:
    if is_virtual_layer(path):
        raise InputError(f"{path} is a VRT; put the file it refers to in its place.")
    try:
        layers = [str(each[0]) for each in pyogrio.list_layers(path)]
        layer = POINTS if POINTS in layers else layers[0]
        about, ids, geometry, columns = pyogrio.raw.read(path, layer=layer, return_fids=True)
    except (*FOREIGN_ERRORS, IndexError) as error:
        raise InputError(
            f"{path} cannot be read as points: {error}. Give a CSV table, GeoPackage or GeoJSON."
        ) from error
    names = [str(name).lower() for name in about["fields"]]
    places = shapely.from_wkb(geometry) if geometry is not None else np.full(len(ids), None)
    middles = shapely.centroid(places)
    x, y = shapely.get_x(middles), shapely.get_y(middles)
    listed = []
    for place, number in enumerate(ids.tolist()):
        values = ((name, _text(column[place])) for name, column in zip(names, columns, strict=True))
        cells = {name: text for name, text in values if text}
        if "x" not in cells and isfinite(x[place]):
            cells |= {"x": repr(float(x[place])), "y": repr(float(y[place]))}
            cells["crs"] = about["crs"] or ""
        listed.append((f"{path}, feature {number}", cells))
    return [*names, "x", "y"], listed


def _text(value: object) -> str:
    """A cell as a table would have it."""
    if isinstance(value, float | np.floating):
        number = float(value)
        if not isfinite(number):
            return ""
        return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)
    text = "" if value is None else str(value).strip()
    return "" if text.lower() in EMPTY else text


def _moved(record: Record, grid: Grid) -> Record:
    """The record with x and y in the CRS of a map, where a layer has another."""
    crs = record.cells.get("crs", "")
    if not crs or grid.crs is None:
        return record
    try:
        x, y = _transformer(crs, grid.crs.to_wkt()).transform(*_place(record))
    except ProjError as error:
        raise InputError(
            f"{record.where} has the CRS {crs}, from which nothing leads to that of the map "
            f"({error}); give the points in that."
        ) from error
    return record._replace(cells=record.cells | {"x": repr(x), "y": repr(y)})


@cache
def _transformer(source: str, target: str) -> Transformer:
    return Transformer.from_crs(source, CRS.from_wkt(target), always_xy=True)


def _place(record: Record) -> tuple[float, float]:
    return _number(record, "x"), _number(record, "y")


def _number(record: Record, column: str) -> float:
    text = record.cells.get(column, "")
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        point = f" Write {text.replace(',', '.')}." if text.count(",") == 1 else ""
        raise InputError(
            f"{record.where} has {column} {text!r}, which is no number.{point}"
            if text
            else f"{record.where} has no {column}; fill it in, or name its column with --columns."
        )
    return number


def _refuse_twice(records: Sequence[Record], keys: Sequence[Any], what: str) -> None:
    seen: dict[Any, Record] = {}
    for record, key in zip(records, keys, strict=True):
        if key == "":
            continue
        if key in seen:
            raise InputError(
                f"{record.where} has {what} {_shown(key)} of {seen[key].where.split(', ')[-1]}; "
                "keep one of them."
            )
        seen[key] = record


def _shown(key: Any) -> str:  # noqa: ANN401
    return f"(row {key[0]}, column {key[1]})" if isinstance(key, tuple) else str(key)


def _judgement(record: Record, legend: Legend) -> int:
    """``from * 100 + to``, the same class twice included; `UNJUDGED` without both."""
    first, second = (_class(record, column, legend) for column in REFERENCES)
    if first is None and second is None:
        return UNJUDGED
    if UNCHANGED in (first, second) and (first or UNCHANGED) == (second or UNCHANGED):
        return UNCHANGED
    if not first or not second:
        empty, said = REFERENCES if not first else REFERENCES[::-1]
        kind = "no" if None in (first, second) else "unchanged as"
        raise InputError(
            f"{record.where} has {said} {record.cells[said]!r} but {kind} {empty}; fill in both, "
            f"or {UNCHANGED_NAME} in both."
        )
    return first * TRANSITION_BASE + second


def _class(record: Record, column: str, legend: Legend) -> int | None:
    text = record.cells.get(column, "").strip()
    if text.lower() in EMPTY:
        return None
    names = {name.lower(): number for number, name in enumerate(legend.names, 1)}
    known = {UNCHANGED_NAME: UNCHANGED} | names
    number = known.get(text.lower())
    if number is None and text.removesuffix(".0").isdecimal():
        number = int(text.removesuffix(".0"))
    if number is None or not 0 <= number <= len(legend):
        listed = ", ".join(f"{k} {name}" for name, k in known.items())
        raise InputError(
            f"{record.where} has {column} {text!r}, which legend {legend.name!r} does not know; it "
            f"has {listed}."
        )
    return number


def judgements_by_id(path: Path) -> dict[str, str]:
    """What was judged, as the file says it, by the id of the place; without places left open.

    Raises:
        InputError: The file cannot be read, or a row has no id.
    """
    found = {}
    for record in read_records(path, {}):
        first, second = (record.cells.get(name, "").lower() for name in REFERENCES)
        if first or second:
            if "id" not in record.cells:
                raise InputError(f"{record.where} has no id; places are compared by it.")
            found[record.cells["id"]] = f"{first} {second}"
    return found


class Agreement(NamedTuple):
    """Two judges compared.

    Attributes:
        places: What both have judged.
        share: Of these the share on which they agree; None without any.
        kappa: Cohen's kappa, agreement beyond chance: 1 is full, 0 that of chance; None where both
            always say the same one thing.
        differing: Where they disagree, in the order of the first.
    """

    places: int
    share: float | None
    kappa: float | None
    differing: tuple[str, ...]


def agreement(first: Mapping[str, str], second: Mapping[str, str]) -> Agreement:
    """Compare judgements by the id of their place."""
    common = [place for place in first if place in second]
    if not common:
        return Agreement(0, None, None, ())
    differing = tuple(place for place in common if first[place] != second[place])
    count = len(common)
    share = 1 - len(differing) / count
    one, other = [first[place] for place in common], [second[place] for place in common]
    chance = sum(one.count(each) * other.count(each) for each in set(one)) / count**2
    kappa = (share - chance) / (1 - chance) if chance < 1 else None
    return Agreement(count, share, kappa, differing)
