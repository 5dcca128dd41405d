"""A stratified random sample of a map: how many units of each stratum, and which.

How many is by Cochran (1977), section 5.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from scdcli.datasets.drawn import AOI, burn_area
from scdcli.errors import InputError, look_up
from scdcli.polygons.area import central_pixel
from scdcli.sampling.changemap import ChangeMap, CodeStrip, code_strips, fingerprint
from scdcli.sampling.strata import Strata, make_strata
from scdcli.sampling.units import BLOCK, KINDS, Population, Units, count_units, find_units

EVERY = "ua"
"""Key of the user's accuracy to expect of strata that have none of their own."""
SPARE = 4  # times more units than needed, of which those too near to others are left out


@dataclass(frozen=True)
class SampleSettings:
    """What sample to draw.

    Attributes:
        strata: A name in `strata.KINDS`.
        merge: Strata of change below this percentage of the mapped area become one.
        buffer: Metres (pixels without a CRS) from changes within which what is unchanged is a
            stratum of its own; 0 for none.
        size: Units to draw; None for as many as ``error`` takes.
        error: Standard error of overall accuracy to aim at.
        expect: User's accuracies to expect, by name of the stratum; of all others ``ua``.
        allocation: A name in `ALLOCATIONS`.
        minimum: Least units of a stratum with the allocation ``minimum``.
        unit: A name in `units.KINDS`.
        block: Rows and columns of a block.
        distance: Metres (pixels without a CRS) that units are apart at least; 0 for none.
        aoi: File with the polygons inside which units lie.
        seed: Another draws other units.
    """

    strata: str = "transition"
    merge: float = 0.0
    buffer: float = 0.0
    size: int | None = 500
    error: float | None = None
    expect: Mapping[str, float] = field(default_factory=dict)
    allocation: str = "minimum"
    minimum: int = 50
    unit: str = "pixel"
    block: int = 3
    distance: float = 0.0
    aoi: Path | None = None
    seed: int = 0


class Drawn(NamedTuple):
    """A stratum, and what was drawn of it."""

    name: str
    units: int
    area: float  # square metres (square pixels without a CRS)
    drawn: int

    @property
    def inclusion(self) -> float:
        """Probability of each unit to be in the sample."""
        return self.drawn / self.units


@dataclass(frozen=True)
class Sample:
    """Units to judge, in random order.

    Attributes:
        change_map: What they were drawn from.
        map: The fingerprint of that.
        settings: How.
        strata: The strata, and how many units each has.
        stratum: Place of the stratum of each unit, (n,).
        units: The units, (n,).
    """

    change_map: ChangeMap
    map: str
    settings: SampleSettings
    strata: tuple[Drawn, ...]
    stratum: NDArray[np.int64]
    units: Units


def draw_sample(change_map: ChangeMap, settings: SampleSettings) -> Sample:
    """Draw the sample of a map; the same settings draw the same units.

    Raises:
        InputError: The map has nothing to draw from, or not what the settings ask for, or it or the
            polygons of ``aoi`` cannot be read.
        DatasetError: ``aoi`` holds no polygons, or its CRS does not fit.
        UnknownName: No strata, units or allocation of this name.
    """
    look_up("kind of units", settings.unit, dict.fromkeys(KINDS))
    population = Population(
        _reading(change_map, settings),
        change_map.grid,
        change_map.ground,
        settings.unit,
        settings.block if settings.unit == BLOCK else 1,
    )
    census = count_units(population)
    if not census.units.any():
        inside = f" inside {settings.aoi}" if settings.aoi else ""
        raise InputError(f"{change_map.name} has no measured pixel{inside}; nothing can be drawn.")
    strata = make_strata(change_map.legend, census.area, settings.strata, settings.merge)
    counts = strata.sums(census.units).astype(np.int64)
    areas = strata.sums(census.area)
    sizes = _sizes(strata, counts, areas, settings)
    chosen = _choose(population, strata, counts, sizes, settings)
    drawn = tuple(map(Drawn, strata.names, counts.tolist(), areas.tolist(), sizes.tolist()))
    stratum = np.repeat(np.arange(len(sizes)), sizes)
    order = np.random.default_rng([settings.seed, len(sizes)]).permutation(len(stratum))
    units = Units._make(np.concatenate(f)[order] for f in zip(*chosen, strict=True))
    return Sample(change_map, fingerprint(change_map), settings, drawn, stratum[order], units)


def _reading(
    change_map: ChangeMap, settings: SampleSettings
) -> Callable[[int], Iterator[CodeStrip]]:
    aoi = None
    if settings.aoi is not None:
        aoi = burn_area(settings.aoi, AOI, change_map.grid, change_map.name)
    buffer = _in_pixels(change_map, settings.buffer)
    return lambda multiple: code_strips(change_map, aoi=aoi, buffer=buffer, multiple=multiple)


def _in_pixels(change_map: ChangeMap, length: float) -> int:
    """A length in whole pixels of the middle of the map, at least one unless it is 0."""
    side = min(central_pixel(change_map.grid) or (1.0, 1.0))
    return int(np.ceil(length / side - 1e-9))


def _sizes(
    strata: Strata,
    counts: NDArray[np.int64],
    areas: NDArray[np.float64],
    settings: SampleSettings,
) -> NDArray[np.int64]:
    unknown = sorted(set(settings.expect) - {EVERY, *strata.names})
    if unknown:
        raise InputError(
            f"no stratum is named {unknown[0]!r}, of which a user's accuracy is expected; there "
            f"are {', '.join(strata.names)}, and {EVERY} for all."
        )
    every = settings.expect.get(EVERY, 0.5)
    accuracy = np.array([settings.expect.get(name, every) for name in strata.names])
    size = settings.size
    if settings.error is not None:
        size = size_for_error(counts, areas, accuracy, settings.error)
    assert size is not None
    size = max(size, 2 * len(counts)) if settings.error is not None else size
    return allocate(settings.allocation, size, counts, areas, accuracy, settings.minimum)


def _choose(
    population: Population,
    strata: Strata,
    counts: NDArray[np.int64],
    sizes: NDArray[np.int64],
    settings: SampleSettings,
) -> list[Units]:
    """The units of each stratum; more are looked at until enough lie far from each other."""
    candidates = sizes if not settings.distance else np.minimum(counts, SPARE * sizes)
    while True:
        ranks = [
            np.random.default_rng([settings.seed, place]).choice(total, number, replace=False)
            for place, (total, number) in enumerate(zip(counts, candidates, strict=True))
        ]
        found = find_units(population, strata, ranks)
        if not settings.distance:
            return found
        kept = _spread_out(population, found, sizes, settings.distance)
        short = np.array([len(each) for each in kept]) < sizes
        if not short.any():
            return [Units._make(f[by] for f in u) for u, by in zip(found, kept, strict=True)]
        exhausted = np.flatnonzero(short & (candidates == counts))
        if exhausted.size:
            place = int(exhausted[0])
            raise InputError(
                f"of {strata.names[place]!r} {sizes[place]} units are to be drawn, of which only "
                f"{len(kept[place])} lie {settings.distance:g} apart from all others; draw fewer, "
                "or lower the distance."
            )
        candidates = np.where(short, np.minimum(counts, SPARE * candidates), candidates)


def _spread_out(
    population: Population, found: list[Units], sizes: NDArray[np.int64], distance: float
) -> list[NDArray[np.int64]]:
    """Places of the first units of each stratum that lie far from all before; rare strata first."""
    across, down = central_pixel(population.grid) or (1.0, 1.0)
    taken = np.empty((0, 2))
    kept: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64)] * len(found)
    for place in np.argsort([len(each.code) for each in found], kind="stable").tolist():
        points = np.stack([found[place].row * down, found[place].col * across], axis=1)
        free = np.ones(len(points), dtype=bool)
        if len(taken):
            free = cKDTree(taken).query(points)[0] >= distance
        near = cKDTree(points).query_ball_point(points, np.nextafter(distance, 0))
        mine: list[int] = []
        for each in np.flatnonzero(free).tolist():
            if len(mine) < sizes[place] and not any(other in mine for other in near[each]):
                mine.append(each)
        kept[place] = np.array(mine, dtype=np.int64)
        taken = np.concatenate([taken, points[kept[place]]])
    return kept


LEAST = 2  # units of a stratum without which no standard error can be estimated

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


def spread(accuracy: Floats) -> Floats:
    """Standard deviation of right and wrong in strata with these user's accuracies, (H,)."""
    deviation: Floats = np.sqrt(accuracy * (1 - accuracy))
    return deviation


def size_for_error(units: Counts, area: Floats, accuracy: Floats, error: float) -> int:
    """Units to judge so that overall accuracy has this standard error, with the best allocation.

    Args:
        units: Units in each stratum, (H,).
        area: Area of each, (H,), in any unit.
        accuracy: The user's accuracy to expect of each, (H,), 0 to 1.
        error: The standard error to aim at, above 0.
    """
    weight = area / area.sum()
    deviation = spread(accuracy)
    within = float(weight @ deviation**2)
    size = float(weight @ deviation) ** 2 / (error**2 + within / float(units.sum()))
    return int(np.ceil(size - 1e-9))


def allocate(
    name: str, size: int, units: Counts, area: Floats, accuracy: Floats, minimum: int
) -> Counts:
    """Units to draw of each stratum, (H,), which add up to ``size`` or to all there are.

    At least two of every stratum are drawn, and never more than it has; what a small stratum cannot
    give is taken from the others.

    Args:
        name: Of a rule in `ALLOCATIONS`.
        size: Units to draw in all.
        units: Units in each stratum, (H,).
        area: Area of each, (H,), in any unit.
        accuracy: The user's accuracy to expect of each, (H,), 0 to 1.
        minimum: Least units of a stratum with the rule ``minimum``.

    Raises:
        UnknownName: No such rule.
        InputError: The size is too small for two units in every stratum.
    """
    rule = look_up("allocation", name, ALLOCATIONS)
    least = np.minimum(units, LEAST)
    if size < least.sum():
        raise InputError(
            f"{size} units are too few for {len(units)} strata, of which each needs {LEAST}; draw "
            f"at least {least.sum()}, or merge strata."
        )
    return _shared_out(size, *rule(area, accuracy, np.minimum(units, minimum)), units)


def _shared_out(size: int, floor: Counts, share: Floats, units: Counts) -> Counts:
    """Whole numbers in proportion to the shares, between a floor and the units there are."""
    floor = np.maximum(floor, np.minimum(units, LEAST))
    if floor.sum() > size:  # the minimum is more than there is to draw: as equal as can be
        floor, share = np.minimum(units, LEAST), np.ones(len(units))
    share = np.maximum(share, 1e-9 * (share.max() or 1.0))  # what has no share comes last
    low, high = 0.0, float(units.max() / share.min())
    for _ in range(200):  # the scale at which clipped shares add up to the size
        scale = (low + high) / 2
        if np.clip(scale * share, floor, units).sum() < size:
            low = scale
        else:
            high = scale
    wanted = np.clip(high * share, floor, units)
    drawn = np.floor(wanted + 1e-9).astype(np.int64)
    for place in np.argsort(drawn - wanted, kind="stable").tolist():  # largest remainder first
        if drawn.sum() < min(size, units.sum()) and drawn[place] < units[place]:
            drawn[place] += 1
    return drawn


ALLOCATIONS: dict[str, Callable[[Floats, Floats, Counts], tuple[Counts, Floats]]] = {
    "proportional": lambda area, accuracy, least: (0 * least, area),
    "equal": lambda area, accuracy, least: (0 * least, np.ones(len(area))),
    "neyman": lambda area, accuracy, least: (0 * least, area * spread(accuracy)),
    "minimum": lambda area, accuracy, least: (least, area),
}
"""Least units of each stratum and the shares of the rest, by the name of the rule."""
