"""The largest and the surest changes, and all of them by confidence."""

import numpy as np
import pytest
from changemaps import PIXEL_GRID, polygons_of, random_map

from scdcli.polygons.trace.trace import Polygons
from scdcli.reporting.changes import BINS, LEAST_SURE, SHOWN, Changes


def traced(rng, count=60):
    """Polygons of many sizes and confidences; every other map is noise, with many of one pixel."""
    maps = [random_map(rng) for _ in range(count)]
    batches = [
        polygons_of(each, 7, probability=rng.integers(0, 101, each.shape).astype(np.uint8))
        for each in maps
    ]
    return [batch for batch in batches if len(batch.outline)]


def seen(batches):
    changes = Changes()
    assert list(changes.watching(batches)) == batches
    return changes


def test_the_largest_and_the_surest_are_those_of_all_together(rng):
    batches = traced(rng)
    every = Polygons._make(map(np.concatenate, zip(*batches, strict=True)))
    changes = seen(batches)
    assert changes.count == len(every.outline)
    assert [c.area for c in changes.largest] == sorted(every.area.tolist())[::-1][:SHOWN]
    enough = every.confidence[every.pixels >= LEAST_SURE]
    assert len(enough) >= SHOWN
    assert [c.confidence for c in changes.surest] == sorted(enough.tolist())[::-1][:SHOWN]


def test_batches_make_no_difference(rng):
    batches = traced(rng)
    whole = [Polygons._make(map(np.concatenate, zip(*batches, strict=True)))]
    one, other = seen(batches), seen(whole)
    assert (one.largest, one.surest) == (other.largest, other.surest)
    assert one.area_by_confidence == pytest.approx(other.area_by_confidence)


def test_tiny_ones_are_listed_where_there_are_no_others():
    batch = polygons_of([[101, 0, 203], [0, 506, 0]], 2, transform=PIXEL_GRID)
    changes = seen([batch])
    assert len(changes.surest) == 3
    assert {(c.from_class, c.to_class) for c in changes.surest} == {(1, 1), (2, 3), (5, 6)}


def test_all_area_is_somewhere_in_the_histogram(rng):
    batches = traced(rng, 5)
    bins = seen(batches).area_by_confidence
    assert len(bins) == BINS
    assert bins.sum() == pytest.approx(sum(batch.area.sum() for batch in batches))
    sure = polygons_of([[101]], 1, probability=np.array([[100]], dtype=np.uint8))
    assert np.flatnonzero(seen([sure]).area_by_confidence).tolist() == [BINS - 1]


def test_nothing_changed_is_nothing_to_show():
    changes = seen([])
    assert (changes.largest, changes.surest, changes.count) == ([], [], 0)
