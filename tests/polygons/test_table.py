"""The area table counts every pixel once and agrees with the polygons."""

import csv

import numpy as np
import pytest
from affine import Affine
from pyproj import Transformer
from rasterio.crs import CRS

from scdcli.errors import InputError, OutputError
from scdcli.legend import SECOND
from scdcli.polygons.area import measure_ground
from scdcli.polygons.strips import Strip, find_runs
from scdcli.polygons.table import TransitionTally, write_transitions
from scdcli.polygons.trace.trace import trace
from scdcli.rasters.grid import Grid

NODATA = 65535
CODES = np.array([[0, 0, 101, 101], [NODATA, 305, 305, 101]], dtype=np.uint16)


def tally_of(codes, *, height=3, crs=None, transform=None):
    grid = Grid(*codes.shape, transform or Affine.identity(), crs)
    tally = TransitionTally(measure_ground(grid))
    strips = (
        Strip(row, codes[row : row + height], np.zeros_like(codes[row : row + height], np.uint8))
        for row in range(0, len(codes), height)
    )
    polygons = list(trace(tally.counting(find_runs(strips, tally.ground)), grid, tally.ground))
    return tally, polygons


def test_every_pixel_is_counted_once():
    tally, _ = tally_of(CODES)
    summary = tally.to_dict(SECOND)
    assert [(row["transition"], row["pixels"]) for row in summary["transitions"]] == [
        (101, 3),
        (305, 2),
    ]
    assert {name: summary[name]["pixels"] for name in summary if name != "transitions"} == {
        "changed": 5,
        "unchanged": 2,
        "valid": 7,
        "nodata": 1,
    }


def test_percent_is_of_the_valid_area():
    summary = tally_of(CODES)[0].to_dict(SECOND)
    assert summary["transitions"][0]["percent"] == pytest.approx(300 / 7)
    assert summary["changed"]["percent"] == pytest.approx(500 / 7)
    assert summary["valid"]["percent"] == 100
    assert summary["nodata"]["percent"] is None


def test_a_map_of_nodata_has_no_percentages():
    summary = tally_of(np.full((2, 2), NODATA, dtype=np.uint16))[0].to_dict(SECOND)
    assert summary["unchanged"]["percent"] is None
    assert summary["transitions"] == []


def test_areas_are_none_without_a_crs():
    (first, _) = tally_of(CODES)[0].transitions(SECOND)
    assert (first.area_m2, first.hectares) == (None, None)


@pytest.mark.parametrize("height", [1, 7, 60])
def test_areas_are_those_of_the_polygons(rng, height):
    codes = rng.choice(np.array([0, 101, 203, 305], dtype=np.uint16), (60, 50))
    transform, crs = Affine(100, 0, 1.1e6, 0, -100, 8.4e6), CRS.from_epsg(3857)
    tally, batches = tally_of(codes, height=height, crs=crs, transform=transform)
    valid = tally.to_dict(SECOND)["valid"]["area_m2"]
    for row in tally.transitions(SECOND):
        mine = [batch.area[batch.transition == row.transition].sum() for batch in batches]
        assert sum(mine) == row.area_m2
        assert row.hectares == row.area_m2 / 10_000
        assert row.percent == pytest.approx(100 * row.area_m2 / valid, rel=1e-12)


def test_three_crss_give_the_same_hectares():
    """A disc of 8 km radius drawn on three grids of fine pixels."""
    hectares = {}
    for epsg, size in ((32632, 40.0), (3857, 80.0), (4326, 0.0005)):
        to_grid = Transformer.from_crs(4326, epsg, always_xy=True)
        x, y = to_grid.transform(10.0, 60.0)
        n = 1000
        transform = Affine(size, 0, x - n * size / 2, 0, -size, y + n * size / 2)
        col, row = np.meshgrid(np.arange(n) + 0.5, np.arange(n) + 0.5)
        to_utm = Transformer.from_crs(epsg, 32632, always_xy=True)
        east, north = to_utm.transform(transform.c + size * col, transform.f - size * row)
        center = Transformer.from_crs(4326, 32632, always_xy=True).transform(10.0, 60.0)
        inside = np.hypot(east - center[0], north - center[1]) < 8000
        codes = np.where(inside, 203, 0).astype(np.uint16)
        tally, _ = tally_of(codes, height=200, crs=CRS.from_epsg(epsg), transform=transform)
        hectares[epsg] = tally.transitions(SECOND)[0].hectares
    assert hectares[32632] == pytest.approx(np.pi * 8000**2 / 1e4, rel=2e-3)
    assert hectares[3857] == pytest.approx(hectares[32632], rel=1e-3)
    assert hectares[4326] == pytest.approx(hectares[32632], rel=1e-3)


@pytest.mark.parametrize("code", [107, 701])
def test_a_class_beyond_the_legend_is_refused(code):
    with pytest.raises(InputError, match=rf"transition {code}, but the legend 'second' .* 1 to 6"):
        tally_of(np.array([[code]], dtype=np.uint16))[0].transitions(SECOND)


def test_csv_has_a_row_per_transition(tmp_path):
    transform, crs = Affine(10, 0, 5e5, 0, -10, 5e6), CRS.from_epsg(32632)
    tally, _ = tally_of(CODES, crs=crs, transform=transform)
    path = tmp_path / "transitions.csv"
    write_transitions(path, tally.transitions(SECOND))
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    sides = ("from_class", "from_name", "to_class", "to_name", "transition")
    assert [[row[name] for name in sides] for row in rows] == [
        ["1", "water", "1", "water", "101"],
        ["3", "low vegetation", "5", "building", "305"],
    ]
    assert float(rows[0]["hectares"]) == pytest.approx(0.03, rel=1e-3)
    types = path.with_suffix(".csvt")
    assert types.read_text() == (
        '"Integer","Integer","Integer","String","String","Integer64","Real","Real","Real"\n'
    )
    assert set(tmp_path.iterdir()) == {path, types}


def test_csv_leaves_areas_empty_without_a_crs(tmp_path):
    path = tmp_path / "transitions.csv"
    write_transitions(path, tally_of(CODES)[0].transitions(SECOND))
    assert path.read_text().splitlines()[1].startswith("1,1,101,water,water,3,,,42.8")


def test_csv_in_a_missing_folder_is_an_error(tmp_path):
    path = tmp_path / "missing" / "transitions.csv"
    with pytest.raises(OutputError, match=r"transitions\.csv cannot be written"):
        write_transitions(path, [])
