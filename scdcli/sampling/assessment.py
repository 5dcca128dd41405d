"""Adjusted areas and accuracies of a map, from what was judged at the places of a sample."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scdcli.errors import InputError
from scdcli.legend import TRANSITION_BASE, TRANSITION_NODATA, UNCHANGED, Legend
from scdcli.polygons.area import PIXELS
from scdcli.polygons.table import SQUARE_METRES_PER_HECTARE
from scdcli.sampling.changemap import ChangeMap, code_strips, codes_at, fingerprint
from scdcli.sampling.estimation import (
    Estimate,
    StratifiedSample,
    error_matrix,
    estimate_area,
    estimate_ratio,
)
from scdcli.sampling.reference import DESIGN, UNJUDGED, Reference
from scdcli.sampling.strata import CHANGED_NAME, UNCHANGED_NAME
from scdcli.sampling.units import PIXEL, Census, Population, count_units

FEW = 5
"""Judged places of a class below which an interval says little."""

Codes = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Target:
    """What the area is estimated of.

    Attributes:
        kind: ``transition``, ``from``, ``to``, ``changed`` or ``unchanged``.
        name: For people.
        codes: The codes that belong to it.
        points: Places judged to be it.
        mapped: Area that the map shows of it, square metres (square pixels without a CRS).
        area: What it is estimated to be.
        users: User's accuracy; None where the sample has nothing that the map calls so.
        producers: Producer's accuracy; None where nothing was judged to be it.
        f1: Harmonic mean of both.
        bounds: The least and the most the estimate could be, whatever the places are that nobody
            judged; None where all were.
    """

    kind: str
    name: str
    codes: tuple[int, ...]
    points: int
    mapped: float
    area: Estimate
    users: Estimate | None
    producers: Estimate | None
    f1: Estimate | None
    bounds: tuple[float, float] | None


@dataclass(frozen=True)
class Assessment:
    """Everything `scd area` says.

    Attributes:
        unit: ``m2`` or ``px2``, of the areas.
        total: Area of all that was sampled.
        points: Judged places.
        skipped: Places that nobody judged, by stratum.
        overall: Overall accuracy.
        targets: What areas are estimated of.
        names: Of the classes in the error matrix.
        counts: Judged places, (K, K), a row per class of the map, a column per judged class.
        matrix: Shares of the area, (K, K).
        notes: What to know, in sentences.
    """

    unit: str
    total: float
    points: int
    skipped: dict[str, int]
    overall: Estimate
    targets: tuple[Target, ...]
    names: tuple[str, ...]
    counts: NDArray[np.int64]
    matrix: NDArray[np.float64]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, with intervals, hectares and percent."""
        return {
            "total": self._areas(self.total),
            "points": self.points,
            "skipped": self.skipped,
            "overall_accuracy": _share(self.overall),
            "areas": [self._target(each) for each in self.targets],
            "error_matrix": {
                "classes": list(self.names),
                "counts": self.counts.tolist(),
                "shares": self.matrix.tolist(),
            },
            "notes": list(self.notes),
        }

    def rows(self) -> list[dict[str, Any]]:
        """A flat row of a table for every target."""
        return [_flat(each) for each in self.to_dict()["areas"]]

    def _target(self, target: Target) -> dict[str, Any]:
        area = target.area
        return {
            "kind": target.kind,
            "name": target.name,
            "points": target.points,
            "mapped": self._areas(target.mapped),
            "adjusted": self._areas(area.value),
            "standard_error": self._areas(area.error),
            "low": self._areas(max(area.value - area.margin, 0.0)),
            "high": self._areas(min(area.value + area.margin, self.total)),
            "users_accuracy": _share(target.users),
            "producers_accuracy": _share(target.producers),
            "f1": _share(target.f1),
            "if_skipped": [self._areas(each) for each in target.bounds] if target.bounds else None,
        }

    def _areas(self, area: float) -> dict[str, float]:
        percent = {"percent": 100 * area / self.total}
        if self.unit == "px2":
            return {"pixels": area} | percent
        return {"m2": area, "hectares": area / SQUARE_METRES_PER_HECTARE} | percent


def _share(estimate: Estimate | None) -> dict[str, float] | None:
    return None if estimate is None else asdict(estimate) | {"margin": estimate.margin}


def _flat(target: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, value in target.items():
        if isinstance(value, dict):
            row |= {f"{name}_{unit}": number for unit, number in value.items()}
        elif isinstance(value, list):
            for end, part in zip(("least", "most"), value, strict=True):
                row |= {f"{name}_{end}_{unit}": number for unit, number in part.items()}
        elif value is not None:
            row[name] = value
    return row


def assess(change_map: ChangeMap, reference: Reference, *, other_map: bool = False) -> Assessment:
    """Estimate areas and accuracies.

    Args:
        change_map: The map whose accuracy is asked for.
        reference: The judged places, with the strata they were drawn from; without these they count
            as drawn from the transitions of this map.
        other_map: Whether another map than this one was sampled.

    Raises:
        InputError: Too little was judged, this is not the map that was sampled, or the file
            contradicts itself.
    """
    population = Population(
        lambda multiple: code_strips(change_map), change_map.grid, change_map.ground
    )
    census = count_units(population)
    own = set(reference.texts("map")) - {""}
    foreign = bool(own) and own != {fingerprint(change_map)}
    _require_sampled_map(change_map, reference, foreign=foreign, other_map=other_map)
    mapped = _mapped(change_map, reference, foreign=foreign)
    names, everyone, notes = _strata(change_map, reference, census, mapped)
    judged, more = reference.judged, list[str]()
    if not change_map.legend.change_only:
        judged, more = _read_same_class(judged, census)
    known = judged != UNJUDGED
    sample = _part(everyone, known)
    drawn = np.maximum(_drawn(reference, everyone), everyone.judged)
    _require_enough(names, sample)
    skipped = drawn - sample.judged
    notes += more + _skipped_note(int(skipped.sum()), int(drawn.sum()))
    if foreign:
        notes.append("Another map was sampled: its strata, the accuracies of this one.")
    naive = census if np.isclose(census.area.sum(), sample.total, rtol=1e-6) else None
    work = _Work(change_map.legend, sample, mapped[known], judged[known], naive, skipped)
    codes = sorted({*np.unique(work.mapped).tolist(), *np.unique(work.judged).tolist()})
    place = {code: number for number, code in enumerate(codes)}
    counts = np.zeros((len(codes), len(codes)), dtype=np.int64)
    for one, other in zip(work.mapped.tolist(), work.judged.tolist(), strict=True):
        counts[place[one], place[other]] += 1
    targets = tuple(work.targets())
    notes += _few_note(targets)
    return Assessment(
        "px2" if change_map.ground.unit == PIXELS else "m2",
        sample.total,
        int(known.sum()),
        {name: int(n) for name, n in zip(names, skipped, strict=True) if n},
        estimate_area(sample, work.mapped == work.judged).scaled(1 / sample.total),
        targets,
        tuple(_name(change_map.legend, code) for code in codes),
        counts,
        error_matrix(sample, work.mapped, work.judged, codes),
        tuple(notes),
    )


@dataclass(frozen=True)
class _Work:
    """Judged places, what the map says of them, and the map's own areas where these compare."""

    legend: Legend
    sample: StratifiedSample
    mapped: Codes
    judged: Codes
    census: Census | None
    skipped: NDArray[np.int64]

    def targets(self) -> Iterator[Target]:
        """What was mapped or judged: unchanged, changed, transitions, classes before and after."""
        present = {*self.mapped.tolist(), *self.judged.tolist()}
        if self.census is not None:
            present |= set(np.flatnonzero(self.census.area).tolist())
        changes = sorted(present - {UNCHANGED, TRANSITION_NODATA})
        yield self._target("unchanged", UNCHANGED_NAME, (UNCHANGED,))
        yield self._target("changed", CHANGED_NAME, tuple(changes))
        if self.legend.change_only:
            return
        for code in changes:
            yield self._target("transition", _name(self.legend, code), (code,))
        for kind, when, side in (("from", "before", 0), ("to", "after", 1)):
            for number in self.legend.indices():
                codes = tuple(c for c in changes if divmod(c, TRANSITION_BASE)[side] == number)
                if codes:
                    yield self._target(kind, f"{self.legend[number].name} {when}", codes)

    def _target(self, kind: str, name: str, codes: tuple[int, ...]) -> Target:
        mapped, judged = np.isin(self.mapped, codes), np.isin(self.judged, codes)
        both = mapped & judged
        sample = self.sample
        if self.census is not None:
            shown = float(self.census.area[list(codes)].sum())
        else:
            shown = estimate_area(sample, mapped).value
        f1 = estimate_ratio(sample, both, (mapped + judged.astype(np.float64)) / 2)
        return Target(
            kind,
            name,
            codes,
            int(judged.sum()),
            shown,
            estimate_area(sample, judged),
            estimate_ratio(sample, both, mapped),
            estimate_ratio(sample, both, judged),
            f1,
            self._bounds(judged) if self.skipped.any() else None,
        )

    def _bounds(self, judged: Bools) -> tuple[float, float]:
        """The estimate if none, and if all, of the skipped places belonged."""
        sample = self.sample
        mean = sample.area / np.maximum(sample.units, 1)
        more = np.repeat(np.arange(len(self.skipped)), self.skipped)
        every = StratifiedSample(
            np.concatenate([sample.stratum, more]),
            np.concatenate([sample.size, mean[more]]),
            sample.units,
            sample.area,
        )
        least, most = (
            estimate_area(every, np.concatenate([judged, np.full(len(more), all_of_them)])).value
            for all_of_them in (False, True)
        )
        return least, most


def _name(legend: Legend, code: int) -> str:
    if code == UNCHANGED:
        return UNCHANGED_NAME
    return legend.transition_name(*divmod(code, TRANSITION_BASE))


def _require_sampled_map(
    change_map: ChangeMap, reference: Reference, *, foreign: bool, other_map: bool
) -> None:
    if not foreign:
        return
    if not other_map:
        raise InputError(
            f"{reference.name} was drawn from another map than {change_map.name}; give the "
            "prediction that was sampled, or --other-map to assess this one with its strata."
        )
    units = set(reference.texts("unit")) - {"", PIXEL}
    if units:
        raise InputError(
            f"{reference.name} has {units.pop()}s of another map as units, of which "
            f"{change_map.name} says different things in each; judge pixels to assess other maps."
        )


def _mapped(change_map: ChangeMap, reference: Reference, *, foreign: bool) -> Codes:
    """What the map says of each place."""
    if not foreign and all(reference.texts("map_from")) and all(reference.texts("map_to")):
        first, second = (
            reference.numbers(name).astype(np.int64) for name in ("map_from", "map_to")
        )
        return first * TRANSITION_BASE + second
    codes = codes_at(change_map, reference.row, reference.col).astype(np.int64)
    off = np.flatnonzero(codes == TRANSITION_NODATA)
    if off.size:
        raise InputError(
            f"{reference.records[off[0]].where} lies where {change_map.name} has no measurement; "
            "remove it."
        )
    return codes


def _strata(
    change_map: ChangeMap, reference: Reference, census: Census, mapped: Codes
) -> tuple[list[str], StratifiedSample, list[str]]:
    """Names of the strata, all places in them, and what to know of that."""
    labels = reference.texts(DESIGN[0])
    if not any(labels):
        codes = [int(code) for code in np.flatnonzero(census.units)]
        note = (
            f"{reference.name} names no strata: its places count as drawn at random from each "
            "transition of this map."
        )
        place = np.searchsorted(codes, mapped)
        area = change_map.ground.run_area(reference.row, reference.col, np.ones_like(reference.row))
        sample = StratifiedSample(place, area, census.units[codes], census.area[codes])
        return [_name(change_map.legend, code) for code in codes], sample, [note]
    names = list(dict.fromkeys(labels))
    stratum = np.array([names.index(label) for label in labels])
    units, area = (_of_stratum(reference, names, stratum, column) for column in DESIGN[1:])
    size = (area / units)[stratum]
    if all(reference.texts("unit_area")):
        size = reference.numbers("unit_area")
    return names, StratifiedSample(stratum, size, units.astype(np.int64), area), []


def _of_stratum(
    reference: Reference, names: list[str], stratum: NDArray[np.int64], column: str
) -> NDArray[np.float64]:
    """What all rows of a stratum say alike, (H,)."""
    values, found = reference.numbers(column), np.zeros(len(names))
    for place, name in enumerate(names):
        mine = values[stratum == place]
        strange = np.flatnonzero((stratum == place) & ~np.isclose(values, mine[0], rtol=1e-9))
        if strange.size or mine[0] <= 0:
            row = int(strange[0]) if strange.size else int(np.flatnonzero(stratum == place)[0])
            raise InputError(
                f"{reference.records[row].where} has {column} {values[row]:.10g}, where stratum "
                f"{name!r} has {mine[0]:.10g} elsewhere; it is one positive number for a stratum."
            )
        found[place] = mine[0]
    return found


def _drawn(reference: Reference, sample: StratifiedSample) -> NDArray[np.int64]:
    """Places drawn of each stratum, also those whose rows are gone."""
    if not all(reference.texts("drawn")):
        return sample.judged
    drawn = np.zeros(len(sample.units))
    np.maximum.at(drawn, sample.stratum, reference.numbers("drawn"))
    return drawn.astype(np.int64)


def _part(sample: StratifiedSample, which: Bools) -> StratifiedSample:
    return StratifiedSample(sample.stratum[which], sample.size[which], sample.units, sample.area)


def _require_enough(names: list[str], sample: StratifiedSample) -> None:
    small = sample.too_small()
    if small.size:
        place = int(small[0])
        raise InputError(
            f"stratum {names[place]!r} has {sample.judged[place]} of {sample.units[place]:,} units "
            "judged; a standard error takes 2 at least: judge more of it, or draw a sample with "
            "merged strata."
        )


def _read_same_class(judged: Codes, census: Census) -> tuple[Codes, list[str]]:
    """Judgements in which the same class twice is unchanged, unless the map has that change."""
    first, second = np.divmod(judged, TRANSITION_BASE)
    same = (judged > 0) & (first == second) & (census.units[np.maximum(judged, 0)] == 0)
    note = f"{int(same.sum())} places have the same class before and after: taken as unchanged."
    return np.where(same, UNCHANGED, judged), [note] if same.any() else []


def _few_note(targets: tuple[Target, ...]) -> list[str]:
    few = sum(0 < target.points < FEW for target in targets)
    if not few:
        return []
    return [
        f"{few} of the areas rest on fewer than {FEW} judged places; their intervals are an "
        "indication only, as are accuracies of 0 and 1."
    ]


def _skipped_note(skipped: int, drawn: int) -> list[str]:
    if not skipped:
        return []
    return [
        f"{skipped} of {drawn} places were not judged: the others of their stratum stand for them. "
        "How far the areas could be off for that is given beside them."
    ]
