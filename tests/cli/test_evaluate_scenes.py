"""``scd evaluate`` with labels of large scenes: polygons, tables, areas of interest."""

import json

import numpy as np
import pytest
import shapely
from layers import write as write_layer
from maps import draw, write_prediction
from scenes import noise, write_scene

from scdcli.legend import SECOND

SHAPE = (90, 70)
OUTLINE = shapely.box(500_010, 3_999_950, 500_040, 3_999_980)  # rows 20-49, columns 10-39


def burnt():
    """What the outline is as from and to maps."""
    maps = np.zeros((2, *SHAPE), np.uint8)
    maps[0, 20:50, 10:40] = 3
    maps[1, 20:50, 10:40] = 5
    return maps


@pytest.fixture
def scenes(tmp_path):
    """Two scenes: one with polygons, one with rasters."""
    root = tmp_path / "set"
    for name in ("drawn", "burnt"):
        (root / name).mkdir(parents=True)
        for seed, image in enumerate(("before", "after")):
            write_scene(root / name / f"{image}.tif", noise((3, *SHAPE), seed=seed))
    write_layer(root / "drawn/changes.gpkg", [OUTLINE])
    write_prediction(root / "burnt", draw(1, shape=SHAPE))
    return root


def scored(scd, *arguments):
    result = scd("evaluate", *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_polygons_and_rasters_are_truth_on_the_grid_of_the_maps(scd, scenes, tmp_path):
    maps = tmp_path / "maps"
    write_prediction(maps / "drawn", burnt(), legend=SECOND)
    write_prediction(maps / "burnt", draw(1, shape=SHAPE), legend=SECOND)
    found = scored(scd, scenes, "--pred", maps)
    assert found["pairs"] == 2
    assert found["pixels"] == 2 * SHAPE[0] * SHAPE[1]
    assert found["sek_from_to"] == found["miou"] == 1
    wrong = burnt()
    wrong[:, 20:30, 10:40] = 0
    write_prediction(maps / "drawn", wrong, legend=SECOND)
    (scenes / "only").mkdir()
    (scenes / "drawn").rename(scenes / "only/drawn")
    (maps / "only").mkdir()
    (maps / "drawn").rename(maps / "only/drawn")
    found = scored(scd, scenes / "only", "--pred", maps / "only")
    assert found["iou_changed"] == pytest.approx(20 / 30)
    assert scored(scd, scenes / "only/drawn", "--pred", maps / "only/drawn")["pairs"] == 1


def test_outside_the_area_of_interest_nothing_is_scored(scd, scenes, tmp_path):
    area = shapely.box(500_000, 3_999_970, 500_070, 4_000_000)
    write_layer(scenes / "drawn/aoi.geojson", [area], layer="aoi", id=[1])
    write_prediction(tmp_path / "maps", np.zeros((2, *SHAPE), np.uint8))
    found = scored(scd, scenes / "drawn", "--pred", tmp_path / "maps", "--legend", "second")
    assert found["pixels"] == 30 * SHAPE[1]
    assert found["nodata_pixels"] == 60 * SHAPE[1]


def test_a_table_and_its_test_split_are_read(scd, scenes, tmp_path):
    test = tmp_path / "whole/test"
    test.parent.mkdir()
    scenes.rename(test)
    (test.parent / "train").mkdir()
    (test / "pairs.csv").write_text(
        "name,before,after,changes\nx,drawn/before.tif,drawn/after.tif,drawn/changes.gpkg\n"
    )
    write_prediction(tmp_path / "maps/x", burnt(), legend=SECOND)
    result = scd("evaluate", test.parent, "--pred", tmp_path / "maps", "--json")
    assert json.loads(result.stdout)["miou"] == 1
    assert "whole/test is used" in result.stderr


def test_an_incomplete_scene_is_named(scd, scenes, tmp_path):
    (scenes / "burnt/to.tif").unlink()
    result = scd("evaluate", scenes, "--pred", tmp_path)
    assert result.exit_code == 1
    assert "set is incomplete, 1 problem:\n- " in result.stderr
    assert "burnt/to.tif is missing beside from.tif" in result.stderr


def test_a_model_is_scored_against_polygons_and_drawn(scd, scenes, tmp_path):
    import torch

    from scdcli.models.checkpoint import ModelHeader, save_model
    from scdcli.models.networks import NetworkSettings, build
    from scdcli.models.networks.model import ChangeModel

    torch.manual_seed(0)
    settings = NetworkSettings("asn", "residual", 0.125, 3, 6)
    network = ChangeModel(build(settings), [128.0] * 3, [60.0] * 3)
    save_model(tmp_path / "m.safetensors", network, ModelHeader(settings, SECOND, chip=64))
    options = ("--model", tmp_path / "m.safetensors", "--device", "cpu", "--tta", "none")
    panels = ("--panels", tmp_path / "panels")
    found = scored(scd, scenes, *options, *panels, "--chip", "64", "--overlap", "0")
    assert found["pixels"] == 2 * SHAPE[0] * SHAPE[1]
    assert sorted(file.name for file in (tmp_path / "panels").iterdir()) == [
        "burnt.png",
        "drawn.png",
    ]
