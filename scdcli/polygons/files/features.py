"""Polygons of change with the columns every vector format has, in chunks of equal size."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scdcli.errors import InputError
from scdcli.legend import TRANSITION_BASE, Legend
from scdcli.polygons.area import PIXELS, Ground
from scdcli.polygons.trace.trace import Polygons

CHUNK = 5000

Columns = dict[str, NDArray[np.generic]]


class Features(NamedTuple):
    """Polygons and their attributes."""

    outline: NDArray[np.object_]  # shapely polygons in map coordinates, (N,)
    columns: Columns  # name to values, (N,) each


def no_features(ground: Ground, legend: Legend) -> Features:
    """The columns, without a feature."""
    none = np.empty(0)
    codes = np.empty(0, dtype=np.uint16)
    nothing = Polygons(np.empty(0, dtype=object), codes, none.astype(np.int64), none, none, none)
    return _features(nothing, 1, ground, legend)


def number_features(
    polygons: Iterable[Polygons], ground: Ground, legend: Legend
) -> Iterator[Features]:
    """Features numbered from 1 in the order of the polygons.

    Chunks are equal however the polygons arrive, so a file's bytes do not depend on the strips.

    Raises:
        InputError: A transition is not in the legend.
    """
    first = 1
    for chunk in _rechunk(polygons):
        yield _features(chunk, first, ground, legend)
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


def _features(polygons: Polygons, first: int, ground: Ground, legend: Legend) -> Features:
    from_class, to_class = np.divmod(polygons.transition.astype(np.int32), TRANSITION_BASE)
    names = _class_names(legend, from_class, to_class)
    area, perimeter = (
        ("area_px", "perimeter_px") if ground.unit == PIXELS else ("area_m2", "perimeter_m")
    )
    columns: Columns = {
        "id": np.arange(first, first + len(from_class), dtype=np.int64),
        "from_class": from_class,
        "to_class": to_class,
        "transition": polygons.transition.astype(np.int32),
        "from_name": names[from_class],
        "to_name": names[to_class],
        area: polygons.area,
        perimeter: polygons.perimeter,
        "confidence": polygons.confidence,
    }
    return Features(polygons.outline, columns)


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
