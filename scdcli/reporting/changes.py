"""Single changes worth showing, and how sure all are, gathered while polygons pass by."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from scdcli.legend import TRANSITION_BASE
from scdcli.polygons.area import measure_ground
from scdcli.polygons.strips import find_runs, read_strips
from scdcli.polygons.trace.trace import Polygons, trace
from scdcli.reporting.finished import MAPS, Finished

SHOWN = 20
LEAST_SURE = 16  # pixels: smaller ones are surest by chance
BINS = 20  # of confidence, 5 % each


class Change(NamedTuple):
    """One polygon."""

    outline: shapely.Polygon  # in map coordinates
    from_class: int
    to_class: int
    area: float  # square metres, or pixels without a CRS
    confidence: float  # 0-1


@dataclass
class Changes:
    """The largest and the surest polygons of a map, and all of them by confidence.

    Attributes:
        largest: By area.
        surest: By confidence, of those that are not tiny as long as there are such.
        area_by_confidence: Area of the polygons in steps of 5 % of confidence, (20,).
        count: Number of polygons.
    """

    largest: list[Change] = field(default_factory=list)
    surest: list[Change] = field(default_factory=list)
    area_by_confidence: NDArray[np.float64] = field(default_factory=lambda: np.zeros(BINS))
    count: int = 0
    _large: Polygons | None = None
    _sure: Polygons | None = None

    def watching(self, polygons: Iterable[Polygons]) -> Iterator[Polygons]:
        """The same polygons, each looked at before it is handed on."""
        for batch in polygons:
            self._add(batch)
            yield batch
        self.largest, self.surest = _changes(self._large), _changes(self._sure)

    def _add(self, batch: Polygons) -> None:
        self.count += len(batch.outline)
        bins = np.clip((batch.confidence * BINS).astype(int), 0, BINS - 1)
        self.area_by_confidence += np.bincount(bins, weights=batch.area, minlength=BINS)
        self._large = _best(self._large, batch, _by_area)
        self._sure = _best(self._sure, batch, _by_confidence)


def trace_changes(prediction: Finished) -> Changes:
    """The changes of a finished prediction, from its maps: as its polygons, whatever their format.

    Raises:
        InputError: A map cannot be read.
    """
    settings = prediction.summary["settings"]
    ground = measure_ground(prediction.grid)
    transition, probability = (prediction.folder / name for name in MAPS)
    strips = read_strips(transition, probability)
    changes = Changes()
    polygons = trace(
        find_runs(strips, ground),
        prediction.grid,
        ground,
        tolerance=settings.get("simplify", 0.0),
    )
    for _ in changes.watching(polygons):
        pass
    return changes


Keys = tuple[NDArray[np.float64], ...]


def _by_area(polygons: Polygons) -> Keys:
    return (polygons.confidence, polygons.area)


def _by_confidence(polygons: Polygons) -> Keys:
    not_tiny = (polygons.pixels >= LEAST_SURE).astype(np.float64)
    return (polygons.area, polygons.confidence, not_tiny)


def _best(kept: Polygons | None, batch: Polygons, keys: Callable[[Polygons], Keys]) -> Polygons:
    """The best so far, best first; those that came first win a tie."""
    every = batch
    if kept is not None:
        both = ([getattr(each, name) for each in (kept, batch)] for name in Polygons._fields)
        every = Polygons._make(np.concatenate(columns) for columns in both)
    best = np.lexsort(tuple(-key for key in keys(every)))[:SHOWN]
    return Polygons._make(column[best] for column in every)


def _changes(polygons: Polygons | None) -> list[Change]:
    if polygons is None:
        return []
    from_class, to_class = np.divmod(polygons.transition.astype(int), TRANSITION_BASE)
    columns = (polygons.outline, from_class, to_class, polygons.area, polygons.confidence)
    return [
        Change(outline, int(a), int(b), float(area), float(sure))
        for outline, a, b, area, sure in zip(*columns, strict=True)
    ]
