"""Of 500 samples, 95 % intervals hold the true area about as often as they say."""

from functools import cache

import numpy as np
import pytest
from affine import Affine
from predictions import SITE, patches

from scdcli.legend import SECOND
from scdcli.polygons.area import measure_ground
from scdcli.rasters.grid import Grid
from scdcli.sampling.allocation import ALLOCATIONS, allocate
from scdcli.sampling.changemap import CodeStrip
from scdcli.sampling.estimation import StratifiedSample, estimate_area
from scdcli.sampling.strata import make_strata
from scdcli.sampling.units import Population, count_units, find_units

SAMPLES, SIZE, BLOCK = 500, 600, 3
WRONG = {0: 0.06, 305: 0.25, 501: 0.15}  # share of units by what the map says
ACCURACY = np.array([0.75, 0.85, 0.94])


@cache
def world(kind):
    """Every unit of a map: its stratum, its area, whether it truly changed; and the strata."""
    side = BLOCK if kind == "block" else 1
    codes = np.kron(patches((160, 200), share=0.3), np.ones((side, side), np.uint16))
    grid = Grid(*codes.shape, Affine.scale(10, -10), SITE)
    population = Population(
        lambda multiple: iter([CodeStrip(0, codes)]), grid, measure_ground(grid), kind, side
    )
    census = count_units(population)
    strata = make_strata(SECOND, census.area)
    units = strata.sums(census.units).astype(np.int64)
    found = find_units(population, strata, [np.arange(count) for count in units])
    stratum = np.repeat(np.arange(len(units)), units)
    code, size = (np.concatenate([getattr(each, f) for each in found]) for f in ("code", "area"))
    rng = np.random.default_rng(3)
    wrong = rng.random(len(code)) < np.vectorize(WRONG.get)(code)
    truth = np.where(wrong, np.where(code == 0, rng.choice([305, 501], len(code)), 0), code)
    return stratum, size, truth, units, strata.sums(census.area)


@pytest.mark.parametrize(
    ("kind", "allocation"),
    [
        *(("pixel", a) for a in ALLOCATIONS),
        *(("polygon", a) for a in ALLOCATIONS),
        ("block", "equal"),
    ],
)
def test_intervals_hold_the_truth_as_often_as_they_say(kind, allocation):
    stratum, size, truth, units, area = world(kind)
    changed = truth != 0
    true = size[changed].sum()
    count = min(SIZE, int(0.5 * units.sum()))
    drawn = allocate(allocation, count, units, area, ACCURACY, 50)
    first = np.concatenate([[0], np.cumsum(units)[:-1]])
    held, values = 0, []
    for seed in range(SAMPLES):
        places = np.concatenate(
            [
                start + np.random.default_rng([seed, h]).choice(total, number, replace=False)
                for h, (start, total, number) in enumerate(zip(first, units, drawn, strict=True))
            ]
        )
        sample = StratifiedSample(stratum[places], size[places], units, area)
        found = estimate_area(sample, changed[places])
        held += abs(found.value - true) <= found.margin
        values.append(found.value)
    assert 0.93 <= held / SAMPLES <= 0.97
    # without bias: the mean of all estimates is the truth within four of its standard errors
    assert abs(np.mean(values) - true) < 4 * np.std(values) / SAMPLES**0.5
