"""A model of change alone: all outputs call what changed by one name."""

import csv
import json

import fiona
import numpy as np
import pytest
import rasterio
import torch
from scenes import noise, write_scene

from scdcli.legend import CHANGE, NODATA, Legend
from scdcli.models.checkpoint import ModelHeader, save_model
from scdcli.models.networks import NetworkSettings, build
from scdcli.models.networks.model import ChangeModel

SIZE = (64, 96)


@pytest.fixture
def scene(tmp_path):
    """Two images, the first with a row of nodata, and an untrained model of change."""
    pixels = noise((3, *SIZE), seed=1)
    pixels[:, 0] = 0
    write_scene(tmp_path / "before.tif", pixels, nodata=0)
    write_scene(tmp_path / "after.tif", noise((3, *SIZE), seed=2))
    torch.manual_seed(3)
    settings = NetworkSettings("hrscd-str4", "residual", 0.125, 3, 1)
    network = ChangeModel(build(settings), [128.0] * 3, [60.0] * 3)
    save_model(tmp_path / "change.safetensors", network, ModelHeader(settings, CHANGE, chip=64))
    return tmp_path / "before.tif", tmp_path / "after.tif", "-m", tmp_path / "change.safetensors"


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read(1), dataset.tags(ns="SCD")


def test_outputs_say_changed_and_nothing_else(scd, scene, tmp_path):
    words = (*scene[:4], "--mmu", "0", "-o", tmp_path / "out")
    result = scd("predict", *words, "--tta", "none", "--overlap", "0")
    assert result.exit_code == 0, result.stderr
    (first, tags), (second, _) = (read(tmp_path / f"out/{name}.tif") for name in ("from", "to"))
    np.testing.assert_array_equal(first, second)
    assert set(np.unique(first)) == {0, 1, NODATA}
    assert Legend.from_dict(json.loads(tags["LEGEND"])) == CHANGE
    transitions, _ = read(tmp_path / "out/transition.tif")
    assert set(np.unique(transitions)) == {0, 101, 65535}
    with (tmp_path / "out/transitions.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["transition"], row["from_name"], row["to_name"]) == ("101", "changed", "changed")
    assert int(row["pixels"]) == int((first == 1).sum())
    with fiona.open(tmp_path / "out/changes.gpkg") as layer:
        named = {(each.properties["from_name"], each.properties["to_name"]) for each in layer}
    assert named == {("changed", "changed")}
    sidecar = (tmp_path / "out/transition.tif.aux.xml").read_text(encoding="utf-8")
    assert "<F>changed</F>" in sidecar
    assert "→" not in sidecar
    lines = [line.split()[0] for line in result.stderr.splitlines() if line.strip()]
    assert lines.count("changed") == 1


def test_a_model_of_change_maps_no_land_cover(scd, scene, tmp_path):
    result = scd("predict", *scene, "-o", tmp_path / "out", "--land-cover")
    assert result.exit_code == 1
    assert "change.safetensors was trained on masks of change" in result.stderr
    assert "Leave --land-cover out" in result.stderr
    assert not (tmp_path / "out").exists()


def test_its_card_says_so(scd, scene):
    assert "change alone: it tells no classes apart" in scd("models", scene[3]).stdout


def test_its_maps_are_scored_against_masks(scd, scene, tmp_path):
    out = tmp_path / "maps/a"
    settings = ("--tta", "none", "--overlap", "0", "--mmu", "0")
    assert scd("predict", *scene, "-o", out, *settings).exit_code == 0
    found, _ = read(out / "from.tif")
    truth = tmp_path / "set"
    for part, name in (("A", "before"), ("B", "after")):
        (truth / part).mkdir(parents=True)
        (tmp_path / f"{name}.tif").rename(truth / part / "a.tif")
    (truth / "label").mkdir()
    write_scene(truth / "label/a.tif", (found == 1)[None].astype(np.uint8) * 255)
    scored = scd("evaluate", truth, "--pred", tmp_path / "maps", "--json")
    assert scored.exit_code == 0, scored.stderr
    assert json.loads(scored.stdout)["f1"] == 1
