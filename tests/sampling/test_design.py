"""Samples are random, stratified and the same however the map is read."""

from dataclasses import replace

import numpy as np
import pytest
import shapely
from predictions import TRANSFORM, patches, write_map
from scipy.ndimage import maximum_filter
from scipy.spatial.distance import pdist
from vectors import write

from scdcli.errors import InputError, UnknownName
from scdcli.legend import SECOND
from scdcli.sampling import changemap
from scdcli.sampling.changemap import BUFFER, code_strips, codes_at, fingerprint, open_map
from scdcli.sampling.design import SampleSettings, draw_sample
from scdcli.sampling.strata import make_strata
from scdcli.sampling.units import Population, count_units, find_units

SETTINGS = SampleSettings(size=60, minimum=10)
NAMES = ("low vegetation → building", "building → water", "unchanged")


@pytest.fixture(scope="module")
def codes():
    return patches()


@pytest.fixture(scope="module")
def change_map(codes, tmp_path_factory):
    return open_map(write_map(tmp_path_factory.mktemp("map") / "p", codes))


def pixels_of(sample):
    return sample.units.row.astype(int), sample.units.col.astype(int)


def test_every_unit_lies_in_its_stratum_and_none_twice(change_map, codes):
    sample = draw_sample(change_map, SETTINGS)
    row, col = pixels_of(sample)
    assert tuple(each.name for each in sample.strata) == NAMES
    assert np.array_equal(codes[row, col], sample.units.code)
    assert np.array_equal(np.array([305, 501, 0])[sample.stratum], sample.units.code)
    assert len(set(zip(row, col, strict=True))) == 60
    counts = [np.sum(codes == code) for code in (305, 501, 0)]
    assert [each.units for each in sample.strata] == counts
    assert [each.area for each in sample.strata] == pytest.approx(np.array(counts) * 100, rel=2e-3)
    assert sample.strata[0].inclusion == 10 / counts[0]
    assert [each.drawn for each in sample.strata] == np.bincount(sample.stratum).tolist()


def test_outlines_are_the_pixels(change_map):
    sample = draw_sample(change_map, SETTINGS)
    left, bottom, right, top = shapely.bounds(sample.units.outline).T
    assert (right - left == 10).all()
    assert (top - bottom == 10).all()
    assert np.array_equal((left + right) / 2, TRANSFORM.c + 10 * sample.units.col)
    assert np.array_equal((bottom + top) / 2, TRANSFORM.f - 10 * sample.units.row)


@pytest.mark.parametrize("unit", ["pixel", "block", "polygon"])
def test_the_sample_does_not_depend_on_the_strips(change_map, monkeypatch, unit):
    settings = replace(SETTINGS, unit=unit, buffer=30, size=40)
    monkeypatch.setattr(changemap, "STRIP_PIXELS", 10**9)
    whole = draw_sample(change_map, settings)
    monkeypatch.setattr(changemap, "STRIP_PIXELS", 700)
    strips = draw_sample(change_map, settings)
    assert whole.strata == strips.strata
    assert np.array_equal(whole.stratum, strips.stratum)
    for one, other in zip(whole.units, strips.units, strict=True):
        assert (one == other).all()


@pytest.mark.parametrize(("buffer", "multiple"), [(0, 1), (0, 7), (40, 1), (40, 7), (600, 3)])
def test_strips_of_several_blocks_join_to_the_map(tmp_path, monkeypatch, buffer, multiple):
    codes = patches((1300, 30), share=0.01, seed=3)  # three rows of blocks
    tall = open_map(write_map(tmp_path / "p", codes))
    monkeypatch.setattr(changemap, "STRIP_PIXELS", 100 * 30)
    strips = list(code_strips(tall, buffer=buffer, multiple=multiple))
    assert [strip.row % multiple for strip in strips] == [0] * len(strips)
    changed = (codes != 0) & (codes != 65535)
    near = maximum_filter(changed, 2 * buffer + 1, mode="constant") & (codes == 0)
    expected = np.where(near, BUFFER, codes)
    assert np.array_equal(np.concatenate([strip.codes for strip in strips]), expected)
    assert [strip.row for strip in strips] == np.cumsum(
        [0, *(len(strip.codes) for strip in strips[:-1])]
    ).tolist()


def test_another_seed_draws_others_and_the_same_seed_the_same(change_map):
    first, again, other = (
        pixels_of(draw_sample(change_map, replace(SETTINGS, seed=seed))) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_every_unit_has_the_same_chance(change_map, codes):
    population = Population(
        lambda multiple: code_strips(change_map), change_map.grid, change_map.ground
    )
    census = count_units(population)
    strata = make_strata(SECOND, census.area)
    total = int(census.units[305])
    ranks = [np.arange(total)[::-1], np.empty(0, int), np.empty(0, int)]
    units = find_units(population, strata, ranks)[0]
    rows, cols = np.nonzero(codes == 305)
    assert np.array_equal(units.row.astype(int), rows[::-1])
    assert np.array_equal(units.col.astype(int), cols[::-1])


def test_near_changes_is_a_stratum_of_its_own(change_map, codes):
    sample = draw_sample(change_map, replace(SETTINGS, buffer=25))  # 3 pixels of 10 m
    changed = (codes != 0) & (codes != 65535)
    assert [each.units for each in sample.strata[:2]] == [np.sum(codes == c) for c in (305, 501)]
    row, col = pixels_of(sample)
    near = [each.name for each in sample.strata].index("near a change")
    for place, r, c in zip(sample.stratum, row, col, strict=True):
        around = changed[max(r - 3, 0) : r + 4, max(c - 3, 0) : c + 4].any()
        if codes[r, c] == 0:
            assert (place == near) == around


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("from", ("low vegetation before", "building before", "unchanged")),
        ("to", ("building after", "water after", "unchanged")),
        ("change", ("changed", "unchanged")),
    ],
)
def test_strata_of_other_kinds(change_map, kind, names):
    sample = draw_sample(change_map, replace(SETTINGS, strata=kind))
    assert tuple(each.name for each in sample.strata) == names


def test_rare_strata_become_one(tmp_path):
    drawn = np.zeros((40, 50), np.uint16)
    drawn[0, :10], drawn[1, :10], drawn[10:20] = 102, 103, 305
    sample = draw_sample(open_map(write_map(tmp_path / "p", drawn)), replace(SETTINGS, merge=1))
    assert {each.name: each.units for each in sample.strata} == {
        "other changes": 20,
        "low vegetation → building": 500,
        "unchanged": 1480,
    }


def test_blocks_take_the_code_of_most_of_their_pixels(tmp_path):
    drawn = np.zeros((7, 9), np.uint16)
    drawn[:3, :3] = 305
    drawn[0, 0] = 65535
    drawn[3:5, 3:6] = 501
    drawn[6] = 65535
    sample = draw_sample(
        open_map(write_map(tmp_path / "p", drawn)),
        replace(SETTINGS, unit="block", block=3, size=99),
    )
    assert [(each.name, each.units) for each in sample.strata] == list(
        zip(NAMES, (1, 1, 4), strict=True)
    )
    assert sample.units.area[sample.units.code == 305] == pytest.approx(800, rel=2e-3)
    assert sum(each.area for each in sample.strata) == pytest.approx(100 * (54 - 1), rel=2e-3)
    assert shapely.area(sample.units.outline).tolist() == [900] * 6


def test_polygons_of_change_are_drawn_whole(change_map, codes, tmp_path):
    sample = draw_sample(change_map, replace(SETTINGS, unit="polygon", size=30))
    traced = {shapely.normalize(outline).wkb for outline in _outlines(tmp_path, codes)}
    changed = sample.units.code != 0
    assert changed.any()
    assert {shapely.normalize(each).wkb for each in sample.units.outline[changed]} <= traced
    assert (shapely.area(sample.units.outline[~changed]) == 100).all()
    row, col = pixels_of(sample)
    assert np.array_equal(codes[row, col], sample.units.code)
    counts = np.array([np.sum(codes == code) for code in (305, 501, 0)])
    assert [each.area for each in sample.strata] == pytest.approx(counts * 100, rel=2e-3)


def _outlines(folder, codes):
    import pyogrio

    write(folder, codes)
    return shapely.from_wkb(pyogrio.raw.read(folder / "changes.gpkg")[2])


def test_units_keep_their_distance(change_map):
    sample = draw_sample(change_map, replace(SETTINGS, distance=60, size=40))
    points = np.stack([sample.units.row, sample.units.col], axis=1) * 10
    assert pdist(points).min() >= 60 * 0.999
    with pytest.raises(InputError, match="of which only .* lie 400 apart"):
        draw_sample(change_map, replace(SETTINGS, distance=400))


def test_units_lie_inside_the_area_of_interest(change_map, codes, tmp_path):
    left, top = TRANSFORM.c, TRANSFORM.f
    area = tmp_path / "area.geojson"
    box = shapely.box(left + 200, top - 600, left + 800, top - 100)
    area.write_text(
        '{"type": "FeatureCollection", "crs": {"type": "name", "properties": {"name": '
        '"urn:ogc:def:crs:EPSG::32632"}}, "features": [{"type": "Feature", "properties": {}, '
        f'"geometry": {shapely.to_geojson(box)}}}]}}'
    )
    sample = draw_sample(change_map, replace(SETTINGS, aoi=area))
    row, col = pixels_of(sample)
    assert ((row >= 10) & (row < 60) & (col >= 20) & (col < 80)).all()
    inside = codes[10:60, 20:80]
    assert sum(each.units for each in sample.strata) == np.sum(inside != 65535)


def test_sizes_from_a_target(change_map):
    settings = replace(SETTINGS, size=None, error=0.05, expect={"ua": 0.7, "unchanged": 0.95})
    few = draw_sample(change_map, settings)
    many = draw_sample(change_map, replace(settings, error=0.02))
    assert len(few.stratum) < len(many.stratum)
    with pytest.raises(InputError, match="no stratum is named 'unchange'.*there are low"):
        draw_sample(change_map, replace(SETTINGS, expect={"unchange": 0.9}))


def test_what_cannot_be_drawn_is_refused(change_map, tmp_path):
    nothing = open_map(write_map(tmp_path / "p", np.full((5, 5), 65535)))
    with pytest.raises(InputError, match="no measured pixel"):
        draw_sample(nothing, SETTINGS)
    with pytest.raises(UnknownName, match="no kind of units named 'pixels'"):
        draw_sample(change_map, replace(SETTINGS, unit="pixels"))
    with pytest.raises(InputError, match="holds no transition.tif"):
        open_map(tmp_path)
    with pytest.raises(InputError, match="none is not a folder; name one that scd predict"):
        open_map(tmp_path / "none")


def test_the_fingerprint_is_that_of_the_pixels(change_map, codes, tmp_path, monkeypatch):
    again = open_map(write_map(tmp_path / "again", codes))
    monkeypatch.setattr(changemap, "STRIP_PIXELS", 500)
    assert fingerprint(again) == fingerprint(change_map)
    other = codes.copy()
    other[50, 50] = 102
    assert fingerprint(open_map(write_map(tmp_path / "o", other))) != fingerprint(change_map)


def test_codes_are_looked_up_at_pixels(change_map, codes, monkeypatch):
    monkeypatch.setattr(changemap, "STRIP_PIXELS", 500)
    row, col = np.array([80, 3, 44]), np.array([5, 100, 60])
    assert np.array_equal(codes_at(change_map, row, col), codes[row, col])
