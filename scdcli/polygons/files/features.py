"""Polygons of change with the columns every vector format has, as Arrow record batches."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from scdcli.errors import InputError
from scdcli.legend import TRANSITION_BASE, Legend
from scdcli.polygons.area import PIXELS, Ground
from scdcli.polygons.trace.trace import Polygons

CHUNK = 5000  # rows of a batch
GEOMETRY = "geometry"


def feature_schema(unit: str) -> pa.Schema:
    """The columns: the outline as WKB in map coordinates, and its attributes.

    Args:
        unit: Of lengths and areas, as `Ground` has it: metres, or pixels without a CRS.
    """
    area, perimeter = ("area_px", "perimeter_px") if unit == PIXELS else ("area_m2", "perimeter_m")
    return pa.schema(
        {
            GEOMETRY: pa.binary(),
            "id": pa.int64(),
            "from_class": pa.int32(),
            "to_class": pa.int32(),
            "transition": pa.int32(),
            "from_name": pa.string(),
            "to_name": pa.string(),
            area: pa.float64(),
            perimeter: pa.float64(),
            "confidence": pa.float64(),
        }
    )


def number_features(
    polygons: Iterable[Polygons], ground: Ground, legend: Legend
) -> Iterator[pa.RecordBatch]:
    """Features numbered from 1 in the order of the polygons, in batches of `feature_schema`.

    Batches are equal however the polygons arrive, so a file's bytes do not depend on the strips.

    Raises:
        InputError: A transition is not in the legend.
    """
    schema = feature_schema(ground.unit)
    first = 1
    for chunk in _rechunk(polygons):
        yield _batch(chunk, first, schema, legend)
        first += len(chunk.outline)


def _rechunk(polygons: Iterable[Polygons]) -> Iterator[Polygons]:
    waiting: list[Polygons] = []
    held = 0
    for batch in polygons:
        waiting.append(batch)
        held += len(batch.outline)
        if held >= CHUNK:
            together = _join(waiting)
            whole = held - held % CHUNK
            yield from (_part(together, slice(k, k + CHUNK)) for k in range(0, whole, CHUNK))
            waiting, held = [_part(together, slice(whole, None))], held - whole
    if held:
        yield _join(waiting)


def _join(batches: list[Polygons]) -> Polygons:
    return Polygons._make(map(np.concatenate, zip(*batches, strict=True)))


def _part(polygons: Polygons, which: slice) -> Polygons:
    return Polygons._make(field[which] for field in polygons)


def _batch(polygons: Polygons, first: int, schema: pa.Schema, legend: Legend) -> pa.RecordBatch:
    from_class, to_class = np.divmod(polygons.transition.astype(np.int32), TRANSITION_BASE)
    names = _class_names(legend, from_class, to_class)
    columns = (
        shapely.to_wkb(polygons.outline),
        np.arange(first, first + len(from_class)),
        from_class,
        to_class,
        polygons.transition,
        names[from_class],
        names[to_class],
        polygons.area,
        polygons.perimeter,
        polygons.confidence,
    )
    arrays = [pa.array(column, kind) for column, kind in zip(columns, schema.types, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def outlines_of(batch: pa.RecordBatch) -> NDArray[np.object_]:
    """The outlines as shapely polygons, (N,)."""
    outlines: NDArray[np.object_] = shapely.from_wkb(batch[GEOMETRY].to_numpy(zero_copy_only=False))
    return outlines


def _class_names(
    legend: Legend, from_class: NDArray[np.int32], to_class: NDArray[np.int32]
) -> NDArray[np.object_]:
    """Names by class index, after a check that every class has one."""
    classes = np.concatenate([from_class, to_class])
    strange = (classes < 1) | (classes > len(legend))
    if strange.any():
        raise InputError(
            f"the map holds the class {classes[strange][0]}, but the legend {legend.name!r} has "
            f"the classes 1 to {len(legend)}; give the legend of the model that made the map."
        )
    return np.array([None, *(cover.name for cover in legend.classes)], dtype=object)
