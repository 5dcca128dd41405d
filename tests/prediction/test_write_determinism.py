"""The same pair gives the same bytes: any supertile, order, strip, run and process.

With a real network, and with AFTER warped onto BEFORE in several blocks.
"""

import json
import os
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from scenes import NORTH_UP, UTM, write_scene
from standins import loaded, tiny_model

import scdcli.prediction.layers
import scdcli.prediction.write
from scdcli.polygons.strips import read_strips
from scdcli.prediction.chain import Predicted, Predictor, find_supertiles, read_supertiles
from scdcli.prediction.cleaning import Cleaning
from scdcli.prediction.decode import ClassMaps
from scdcli.prediction.settings import MappingUnit, OutputSettings
from scdcli.prediction.tiling import Tiling
from scdcli.prediction.write import write_prediction
from scdcli.rasters import warp
from scdcli.rasters.pair.open import open_pair

HEIGHT, WIDTH = 150, 180
LAYERS = ("from", "to", "probability", "before_cover", "after_cover")  # as decoded
RASTERS = (*LAYERS, "transition")
TURNED = NORTH_UP @ Affine.translation(-10.3, 7.7) @ Affine.rotation(4) @ Affine.scale(0.9)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Blocks of color with noise and a hole; AFTER turned, finer and off the grid of BEFORE."""
    folder, rng = tmp_path_factory.mktemp("scenes"), np.random.default_rng(8)
    paths = []
    for name, transform in (("before", NORTH_UP), ("after", TURNED)):
        classes = np.kron(rng.integers(0, 6, (14, 17)), np.ones((11, 11), int))
        image = (classes * 36 + 10 + rng.integers(0, 36, (3, *classes.shape))).astype(np.uint8)
        image[:, 20:45, 100:130] = 0
        path = folder / f"{name}.tif"
        paths.append(write_scene(path, image[:, :HEIGHT, :WIDTH], transform, UTM, nodata=0))
    return paths


@pytest.fixture(autouse=True)
def surroundings(monkeypatch):
    """A fixed time, and warped blocks that are smaller than the scene and soon forgotten."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    monkeypatch.setattr(warp, "BLOCK", 48)
    monkeypatch.setattr(warp, "CACHE_BYTES", 0)


@pytest.fixture(scope="module")
def model():
    """A small network that has learnt nothing: its answers are close to each other."""
    return loaded()


def predictor(model, supertile=2, batch=1):
    tiling = Tiling(64, 16, supertile)
    unit = MappingUnit(2)
    return Predictor(model, torch.device("cpu"), 0.5, tiling=tiling, batch=batch, unit=unit)


def predict(scenes, out, used, **settings):
    with open_pair(*scenes) as pair:
        write_prediction(pair, used, out, OutputSettings(**settings))
    return out


def contents(folder):
    """The bytes of every file, except the seconds that it took."""
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    summary = json.loads(found.pop("summary.json"))
    del summary["seconds"], summary["stages"]
    return found | {"summary.json": summary}


def unlike(one, two):
    """Names of the files in which two folders differ."""
    first, second = contents(one), contents(two)
    assert first.keys() == second.keys()
    return [name for name in first if first[name] != second[name]]


def pixels(folder):
    maps = {}
    for name in RASTERS:
        with rasterio.open(folder / f"{name}.tif") as dataset:
            maps[name] = dataset.read(1)
    return maps


@pytest.fixture(scope="module")
def usual(scenes, model, tmp_path_factory):
    """A prediction to compare with, made in supertiles of 2 × 2 strides."""
    with pytest.MonkeyPatch.context() as patch:
        surroundings.__wrapped__(patch)
        folder = tmp_path_factory.mktemp("usual") / "out"
        return predict(scenes, folder, predictor(model), land_cover=True, formats=("gpkg",))


def test_the_maps_hold_what_could_differ(usual):
    maps = pixels(usual)
    assert 0.02 < np.isin(maps["from"], (0, 255)).mean() < 0.98
    assert 0.02 < (maps["from"] == 255).mean() < 0.5
    assert len(np.unique(maps["transition"])) >= 5


@pytest.mark.parametrize("supertile", [1, 100])
def test_every_size_of_supertile_gives_the_same_files(supertile, scenes, model, usual, tmp_path):
    out = predict(scenes, tmp_path / "out", predictor(model, supertile), land_cover=True)
    assert unlike(out, usual) == []


def test_supertiles_may_come_in_any_order(scenes, model, usual):
    used = predictor(model)
    maps = pixels(usual)
    with open_pair(*scenes) as pair:
        tiles = list(find_supertiles(pair, used))
        np.random.default_rng(1).shuffle(tiles)
        for tile, predicted in zip(tiles, read_supertiles(pair, tiles, used), strict=True):
            decoded, core = predicted.maps, tile.core
            rows, cols = (slice(*limits) for limits in core.toranges())
            assert (decoded.from_class == maps["from"][rows, cols]).all(), core
            assert (decoded.probability == maps["probability"][rows, cols]).all(), core
    assert len(tiles) > 3


def test_batches_differ_in_the_last_bits_only(scenes, model, usual, tmp_path):
    out = predict(scenes, tmp_path / "out", predictor(model, batch=4), land_cover=True)
    one, four = pixels(usual), pixels(out)
    for name in ("transition", "before_cover", "after_cover"):
        assert (one[name] == four[name]).mean() >= 0.99999, name
    assert np.abs(one["probability"].astype(int) - four["probability"]).max() <= 1


def test_a_batch_gives_the_same_files_for_every_supertile(scenes, model, tmp_path):
    """Chips then stand at other places of their batch, and other ones fill the last."""
    first = predict(scenes, tmp_path / "first", predictor(model, 2, batch=3))
    other = predict(scenes, tmp_path / "other", predictor(model, 100, batch=3))
    assert unlike(first, other) == []


@pytest.mark.parametrize("pixels_per_strip", [1, 5 * WIDTH, 64 * WIDTH])
def test_every_height_of_strip_gives_the_same_polygons_and_tables(
    pixels_per_strip, scenes, usual, tmp_path, monkeypatch
):
    """The rasters are given; only what is made from them is made again."""
    cut = partial(read_strips, strip_pixels=pixels_per_strip)
    monkeypatch.setattr(scdcli.prediction.write, "read_strips", cut)
    maps = pixels(usual)
    summary = json.loads((usual / "summary.json").read_text())
    summed = Cleaning(*(summary["cleaning"][f"{name}_pixels"] for name in Cleaning._fields))
    looks = {(number, 0): False for number in range(summary["chips"]["predicted"])}
    counted = iter([(summed, looks)])

    def look_up(pair, tiles, predictor, store, unfinished):
        for tile in tiles:
            rows, cols = (slice(*limits) for limits in tile.core.toranges())
            found = ClassMaps(*(maps[name][rows, cols] for name in LAYERS))
            yield Predicted(found, None, None, *next(counted, (Cleaning(), {})))

    monkeypatch.setattr(scdcli.prediction.layers, "read_supertiles", look_up)
    out = predict(scenes, tmp_path / "out", predictor(loaded()), land_cover=True)
    assert unlike(out, usual) == []


def test_two_processes_give_the_same_bytes(scenes, tmp_path):
    """Each in another folder, with another order of hashes and another number of GDAL's threads."""
    tiny_model(tmp_path / "model.safetensors")
    command = [sys.executable, "-m", "scdcli", "predict", *map(str, scenes), "-q", "-o", "out"]
    command += ["--model", str(tmp_path / "model.safetensors"), "--tta", "none", "--chip", "128"]
    command += ["--overlap", "32"]
    command += ["--land-cover", "--vector", "gpkg,geojson,fgb,shp"]
    runs = []
    for seed in "12":
        (tmp_path / seed).mkdir()
        chosen = {"PYTHONHASHSEED": seed, "GDAL_NUM_THREADS": seed, "OMP_NUM_THREADS": "1"}
        runs.append(subprocess.Popen(command, cwd=tmp_path / seed, env=os.environ | chosen))
    assert [run.wait() for run in runs] == [0, 0]
    assert unlike(tmp_path / "1/out", tmp_path / "2/out") == []
