"""All views of chips that the plain one leaves in doubt, and of no others; whatever the split."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from scenes import NORTH_UP, write_scene
from standins import Thresholds, loaded

from scdcli.legend import NODATA
from scdcli.models.engines import Engine
from scdcli.models.networks.outputs import Logits
from scdcli.prediction.chain import (
    Predictor,
    find_supertiles,
    look_at,
    read_supertiles,
    read_windows,
)
from scdcli.prediction.chipstore import chip_store
from scdcli.prediction.doubt import SHARE, is_doubtful
from scdcli.prediction.looks import Looks, describe_looks, looks_from, looks_of
from scdcli.prediction.tiling import Tiling
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.pair.settings import PairSettings

CHANGED = slice(70, 84), slice(20, 44)  # rows and columns of the one change
BOUNDS = (500_010.0, 3_999_890.0, 500_100.0, 3_999_940.0)  # rows 60 to 110, columns 10 to 100
TILING = Tiling(64, 16, 2)


def predictor(tta, network=None, **options):
    options.setdefault("tiling", TILING)
    return Predictor(loaded(network or Thresholds()), torch.device("cpu"), 0.5, tta=tta, **options)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Two scenes of 160 × 210 pixels with one change; resizing blurs the edges of classes."""
    folder = tmp_path_factory.mktemp("scenes")
    rng = np.random.default_rng(3)
    before = np.kron(rng.integers(0, 5, (32, 42)), np.ones((5, 5), int))
    after = before.copy()
    after[CHANGED] += 1
    paths = []
    for name, classes in (("before", before), ("after", after)):
        image = np.stack([classes * 40 + 20] * 3).astype(np.uint8)
        paths.append(write_scene(folder / f"{name}.tif", image))
    return paths


def mapped(paths, running, **settings):
    """Change probability and class maps of a pair, (6, H, W), and its chips."""
    looks = Looks()
    with open_pair(*paths, PairSettings(**settings)) as pair:
        found = np.full((6, *pair.grid.shape), np.nan)
        for window, predicted in read_windows(pair, running):
            found[(slice(None), *window.toslices())] = [predicted.reading.change, *predicted.maps]
            looks |= predicted.looks
    return found, looks


@pytest.fixture(scope="module")
def whole(scenes):
    return {tta: mapped(scenes, predictor(tta)) for tta in ("none", "ms+flip", "adaptive")}


def test_chips_with_a_change_get_all_views_and_the_others_one(whole):
    (none, _), (full, every), (adaptive, looks) = (
        whole[tta] for tta in ("none", "ms+flip", "adaptive")
    )
    touched = {
        (row, col)
        for row, col in every
        if row < CHANGED[0].stop
        and row + 64 > CHANGED[0].start
        and col < CHANGED[1].stop
        and col + 64 > CHANGED[1].start
    }
    assert {place for place, again in looks.items() if again} == touched
    assert 0 < len(touched) < len(looks) == len(every)
    again, once = np.zeros((2, *adaptive.shape[1:]), bool)
    for row, col in looks:
        chosen = again if (row, col) in touched else once
        chosen[row : row + 64, col : col + 64] = True
    assert np.array_equal(adaptive[:, again & ~once], full[:, again & ~once])
    assert np.array_equal(adaptive[:, once & ~again], none[:, once & ~again])
    assert not np.array_equal(none[:, again & ~once], full[:, again & ~once])
    assert not np.array_equal(none[:, once & ~again], full[:, once & ~again])


@pytest.mark.parametrize(("supertile", "batch"), [(1, 1), (50, 1), (2, 3), (3, 5)])
def test_neither_supertiles_nor_batches_change_anything(scenes, whole, supertile, batch):
    running = predictor("adaptive", tiling=Tiling(64, 16, supertile), batch=batch)
    found, looks = mapped(scenes, running)
    assert np.array_equal(found, whole["adaptive"][0])
    assert looks == whole["adaptive"][1]


def area(folder):
    """A triangle over the part, with the change half in it; an edge cuts through many chips."""
    corners = [list(NORTH_UP @ corner) for corner in ((10, 60), (100, 60), (10, 110), (10, 60))]
    geometry = {"type": "Polygon", "coordinates": [corners]}
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32650"}}
    features = [{"type": "Feature", "properties": {}, "geometry": geometry}]
    path = folder / "area.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": features}))
    return str(path)


@pytest.mark.parametrize("kind", ["bounds", "aoi"])
def test_a_part_has_the_pixels_of_the_whole(scenes, whole, tmp_path, kind):
    part = BOUNDS if kind == "bounds" else area(tmp_path)
    found, looks = mapped(scenes, predictor("adaptive"), **{kind: part})
    expected = whole["adaptive"][0][:, 60:110, 10:100]
    inside = found[1] != NODATA
    assert np.array_equal(found[:, inside], expected[:, inside])
    assert inside.all() if kind == "bounds" else 0.4 < inside.mean() < 0.6
    placed = {(row + 60, col + 10): again for (row, col), again in looks.items()}
    assert placed.items() <= whole["adaptive"][1].items()
    assert 0 < sum(placed.values()) < len(placed)


class InterruptedHereError(Exception):
    pass


class Kept:
    """What a supertile has added up to when it is interrupted after some chips."""

    def __init__(self, chips):
        self.left, self.state = chips, None

    def load(self):
        return self.state

    def offer(self, layers):
        self.left -= 1
        if self.left == 0:
            self.state = {name: np.array(layer) for name, layer in layers.items()}
            raise InterruptedHereError


def test_an_interrupted_supertile_goes_on_to_the_same_pixels_and_chips(scenes):
    running = predictor("adaptive", tiling=Tiling(64, 16, 50))
    with open_pair(*scenes) as pair:
        (tile,) = find_supertiles(pair, running)
        (expected,) = read_supertiles(pair, [tile], running)
        last = max(number for number, again in enumerate(expected.looks.values()) if again) + 1
        kept = Kept(last)  # so that the chips that were looked at again are those that are kept
        with pytest.raises(InterruptedHereError):
            list(read_supertiles(pair, [tile], running, unfinished=[kept]))
        (found,) = read_supertiles(pair, [tile], running, unfinished=[kept])
    assert found.looks == expected.looks
    assert 0 < last < len(expected.looks)
    assert all(np.array_equal(*each) for each in zip(found.maps, expected.maps, strict=True))


def test_supertiles_that_share_a_chip_look_at_it_once(scenes, whole):
    passes = []
    running = predictor("adaptive")
    forward = running.engine.forward

    def counted(before, after):
        passes.append(before.shape[-1])
        return forward(before, after)

    running = replace(running, engine=Engine("torch", counted))
    with open_pair(*scenes) as pair:
        tiles = list(find_supertiles(pair, running))
        with chip_store(tiles) as store:
            looks = Looks()
            for predicted in read_supertiles(pair, tiles, running, store):
                looks |= predicted.looks
    assert looks == whole["adaptive"][1]
    again = sum(looks.values())
    assert len(passes) == len(looks) + 23 * again
    assert passes.count(32) == 4 * again  # at half the scale


def test_doubt_is_a_share_of_the_pixels_that_reach_the_threshold():
    change = np.zeros(1000, np.float32)
    change[: round(SHARE * 1000)] = 0.4
    assert not is_doubtful(change, 0.4)
    change[round(SHARE * 1000)] = 0.4
    assert is_doubtful(change, 0.4)
    assert not is_doubtful(change, 0.41)
    assert not is_doubtful(change[:0], 0.4)


def test_what_is_not_measured_leaves_no_doubt():
    class Changed(torch.nn.Module):
        output = "branches"

        def forward(self, before, after):
            changed = (after[:, :1] > 0).float() * 20
            zeros = torch.zeros(len(before), 6, *before.shape[-2:])
            return Logits(zeros, zeros, torch.cat((10 - changed, changed - 10), dim=1))

    before, after = torch.zeros(2, 1, 3, 64, 64)
    after[..., 40:, :] = 1
    running = predictor("adaptive", Changed())
    assert look_at(running, before, after).again == [0]
    holed = np.ones((64, 64), bool)
    holed[40:] = False
    assert look_at(running, before, after, [holed]).again == []
    assert look_at(running, before, after, [np.ones((40, 64), bool)]).again == []


def test_the_chips_of_supertiles_are_joined_and_counted():
    looks = {(0, 48): True, (48, 0): False}
    array = looks_of(looks)
    assert array.shape == (2, 3)
    assert looks_from(array) == looks
    assert looks_from(looks_of({})) == {}
    joined = looks | {(48, 0): False, (48, 48): False}
    assert describe_looks(joined) == {"predicted": 3, "looked_at_again": 1}
