"""``scd check`` and the same look at the start of ``scd train``."""

import json
from shutil import rmtree

import numpy as np
import pytest
import shapely
from covers import write_covered
from layers import write as write_layer
from pictures import write_png
from scenes import noise, write_scene

LEGEND = """
name = "parcels"
[[classes]]
name = "field"
color = "#00FF00"
value = 110
[[classes]]
name = "road"
color = "#808080"
value = 20
"""


def test_a_sound_set_fits_one_screen(scd, second_tree):
    root = second_tree(pairs=3, splits=("train", "test"))
    result = scd("check", root)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert len(lines) <= 40
    assert lines[0] == f"{root}: layout second, legend second, bands 1, 2, 3"
    (split,) = (line.split() for line in lines if line.startswith(" test"))
    assert split[:7] == ["test", "3", "64", "x", "64", "3", "uint8"]
    assert lines[-1] == "No problems."
    document = json.loads(scd("check", root, "--json").stdout)
    found = document["splits"]["train"]
    assert found["pixels"] == found["changed"] + found["unchanged"] == 3 * 64 * 64
    assert sum(found["transitions"].values()) == found["changed"]
    assert sum(each["from_pixels"] for each in found["classes"]) == found["changed"]
    assert document["problem_count"] == 0


def test_the_land_cover_is_shown_by_class_with_what_is_not_known(scd, tmp_path):
    drawn = write_covered(tmp_path / "set/train", "abcd", without="b", unknown=slice(0, 16))
    result = scd("check", tmp_path / "set")
    assert result.exit_code == 0, result.output
    assert "layout second, legend second" in result.stdout
    _, after = result.stdout.split("Land cover of 3 of 4 pairs\n")
    rows = [line.split() for line in after.splitlines()]
    assert rows[0][0] == "class"
    assert ["not", "known", "3,072", "25.00", "3,072", "25.00"] in rows
    cover = json.loads(scd("check", tmp_path / "set", "--json").stdout)["splits"]["train"]["cover"]
    assert (cover["pairs"], cover["pixels"]) == (3, 3 * 64 * 64)
    stacked = np.stack([drawn[name]["cover2"] for name in "acd"])
    counted = [each["after_pixels"] for each in cover["classes"]]
    assert counted == np.bincount(stacked.ravel(), minlength=256)[1:7].tolist()
    building = next(row for row in rows if row[:2] == ["5", "building"])
    assert building[-2] == f"{counted[4]:,}"


def test_a_set_without_land_cover_says_nothing_of_it(scd, second_tree):
    root = second_tree(pairs=3)
    assert "Land cover" not in scd("check", root).stdout
    assert json.loads(scd("check", root, "--json").stdout)["splits"]["train"]["cover"] is None


def test_problems_are_counted_listed_and_end_with_status_1(scd, second_tree):
    root = second_tree(pairs=15)
    for number in range(12):
        write_png(root / f"train/label1/{number:05d}.png", np.full((3, 64, 64), 9, np.uint8))
    (root / "train/label2/00014.png").unlink()
    result = scd("check", root)
    assert result.exit_code == 1
    assert "13 problems:" in result.stdout
    assert "label2/00014 is missing." in result.stdout
    assert result.stdout.count("#090909") == 9
    assert "- and 3 more" in result.stdout
    document = json.loads(scd("check", root, "--json").stdout)
    assert document["problem_count"] == len(document["problems"]) == 13


def test_training_stops_before_its_first_step(scd, second_tree, tmp_path):
    root = second_tree(pairs=4)
    (root / "train/label2/00002.png").unlink()
    write_png(root / "train/label1/00003.png", np.full((3, 64, 64), 9, np.uint8))
    result = scd("train", root, "-o", tmp_path / "run")
    assert result.exit_code == 1
    assert "cannot be trained on, 2 problems:\n- " in result.stderr
    assert "label2/00002 is missing" in result.stderr
    assert "#090909" in result.stderr
    assert not (tmp_path / "run").exists()


def test_numbers_without_a_legend_are_counted_and_a_problem(scd, second_tree):
    root = second_tree(pairs=2)
    for part, value in (("label1", 1), ("label2", 9)):
        for number in range(2):
            write_png(root / f"train/{part}/{number:05d}.png", np.full((64, 64), value, np.uint8))
    result = scd("check", root, "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["legend"] is None
    assert document["splits"]["train"]["transitions"] == {"109": 2 * 64 * 64}
    assert "holds indices, and copies of one set differ" in document["problems"][0]


def test_values_of_a_legend_file_are_read(scd, second_tree, tmp_path):
    root = second_tree(pairs=3, size=64)
    (tmp_path / "legend.toml").write_text(LEGEND)
    for part, value in (("label1", 110), ("label2", 20)):
        label = np.full((64, 64), value, np.uint8)
        label[:4] = 0
        for number in range(3):
            write_png(root / f"train/{part}/{number:05d}.png", label)
    result = scd("check", root, "--legend", tmp_path / "legend.toml", "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["splits"]["train"]["transitions"] == {"102": 3 * 60 * 64}
    quick = ("--width", "0.125", "--chip", "64", "--epochs", "1", "--batch", "2", "-q")
    command = ("train", root, "-o", tmp_path / "run", "--legend", tmp_path / "legend.toml")
    trained = scd(*command, *quick, "--val-share", "0.3")
    assert trained.exit_code == 0, trained.output
    described = json.loads(scd("models", tmp_path / "run/best.safetensors", "--json").stdout)
    assert described["legend"] == {
        "name": "parcels",
        "classes": [{"name": "field", "color": "#00FF00"}, {"name": "road", "color": "#808080"}],
        "replaceable": [],
    }


def test_a_set_to_score_only_is_said_to_be_one(scd, second_tree):
    result = scd("check", second_tree(pairs=2, splits=("test",)))
    assert result.exit_code == 1
    assert "has no train folder, only test: it can be scored only" in result.stdout


@pytest.mark.parametrize("gone", [("label1", "label2"), ("im1", "im2", "label1", "label2")])
def test_a_test_split_without_labels_is_a_note(scd, second_tree, gone):
    root = second_tree(pairs=2, splits=("train", "test"))
    for part in gone:
        rmtree(root / "test" / part)
    if "im1" in gone:
        (root / "test/here").mkdir()
        write_scene(root / "test/here/before.tif", noise((3, 64, 64)))
        write_scene(root / "test/here/after.tif", noise((3, 64, 64)))
    result = scd("check", root)
    assert result.exit_code == 0, result.output
    assert f"Note: {root / 'test'} has images and no labels" in result.stdout
    assert result.stdout.splitlines()[-1] == "No problems."
    assert list(json.loads(scd("check", root, "--json").stdout)["splits"]) == ["train"]
    if "im1" not in gone:
        (root / "test/label1").mkdir()
    else:
        write_scene(root / "test/here/from.tif", noise((3, 64, 64)))
    assert scd("check", root).exit_code == 1


@pytest.mark.parametrize("name", [".", "nowhere"])
def test_what_is_no_set_is_one_sentence(scd, tmp_path, name):
    result = scd("check", tmp_path / name)
    assert result.exit_code == 1
    assert "is not a labelled set: it has neither" in result.stderr


def test_scenes_with_polygons_train_with_the_bands_asked_for(scd, tmp_path):
    folder = tmp_path / "set/train/a"
    folder.mkdir(parents=True)
    for seed, name in enumerate(("before", "after")):
        write_scene(folder / f"{name}.tif", noise((4, 200, 150), "uint16", high=4000, seed=seed))
    write_layer(folder / "changes.gpkg", [shapely.box(500_010, 3_999_850, 500_090, 3_999_980)])
    root = tmp_path / "set"
    refused = scd("check", root)
    assert refused.exit_code == 1
    assert "holds polygons, whose numbers and names of classes need a legend" in refused.stdout
    chosen = ("--legend", "second", "--bands", "4,3,2,1")
    checked = scd("check", root, *chosen, "--json")
    assert checked.exit_code == 0, checked.output
    found = json.loads(checked.stdout)["splits"]["train"]
    assert found["transitions"] == {"305": 80 * 130}
    assert found["types"] == {"uint16": 1}
    assert found["crs"] == {"EPSG:32650": 1}
    quick = ("--width", "0.125", "--chip", "64", "--epochs", "1", "--batch", "2", "-q")
    trained = scd("train", root, "-o", tmp_path / "run", *chosen, *quick, "--chips-per-epoch", "4")
    assert trained.exit_code == 0, trained.output
    described = json.loads(scd("models", tmp_path / "run/best.safetensors", "--json").stdout)
    assert described["network"]["bands"] == 4
    assert described["training"]["bands"] == [4, 3, 2, 1]
    assert described["training"]["pairs"] == 4
