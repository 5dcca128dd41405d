"""Sizes of samples: the published one, and laws of every allocation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scdcli.errors import InputError, UnknownName
from scdcli.sampling.design import ALLOCATIONS, allocate, size_for_error

# Olofsson et al. (2014), section 5.1.1.
UNITS = np.array([200_000, 150_000, 3_200_000, 6_450_000])
ACCURACY = np.array([0.7, 0.6, 0.9, 0.95])


def test_the_published_size_comes_out():
    assert size_for_error(UNITS, UNITS * 0.09, ACCURACY, 0.01) == 641


def test_more_precise_estimates_take_more_units_and_never_more_than_there_are():
    sizes = [
        size_for_error(UNITS, UNITS * 0.09, ACCURACY, error) for error in (0.05, 0.01, 0.001, 1e-9)
    ]
    assert sizes == sorted(sizes)
    assert sizes[-1] <= UNITS.sum()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("proportional", [13, 10, 205, 413]),
        ("equal", [161, 160, 160, 160]),
        ("minimum", [75, 75, 163, 328]),
    ],
)
def test_the_published_allocations_come_out(name, expected):
    assert allocate(name, 641, UNITS, UNITS * 0.09, ACCURACY, 75).tolist() == expected


def test_neyman_draws_more_where_less_is_known():
    drawn = allocate("neyman", 641, UNITS, UNITS * 0.09, ACCURACY, 0)
    wanted = UNITS * np.sqrt(ACCURACY * (1 - ACCURACY))
    assert np.abs(drawn - 641 * wanted / wanted.sum()).max() < 1


@pytest.mark.parametrize("name", ALLOCATIONS)
@given(
    units=st.lists(st.integers(1, 10**9), min_size=1, max_size=8),
    size=st.integers(16, 2000),
    minimum=st.integers(0, 300),
)
@settings(max_examples=20, deadline=None)
def test_every_allocation_adds_up_within_what_there_is(name, units, size, minimum):
    units = np.array(units)
    accuracy = np.linspace(0.6, 1.0, len(units))
    drawn = allocate(name, size, units, units * 1.0, accuracy, minimum)
    assert drawn.sum() == min(size, units.sum())
    assert (drawn <= units).all()
    assert (drawn >= np.minimum(units, 2)).all()


def test_too_few_units_for_the_strata_are_refused():
    with pytest.raises(InputError, match="7 units are too few for 4 strata.*at least 8"):
        allocate("equal", 7, UNITS, UNITS * 1.0, ACCURACY, 0)


def test_an_unknown_allocation_is_refused():
    with pytest.raises(UnknownName, match="no allocation named 'best'"):
        allocate("best", 100, UNITS, UNITS * 1.0, ACCURACY, 0)


def test_few_large_units_get_their_share_of_the_area():
    units, area = np.array([100, 10_000]), np.array([500.0, 500.0])
    assert allocate("proportional", 120, units, area, np.ones(2) / 2, 0).tolist() == [60, 60]
