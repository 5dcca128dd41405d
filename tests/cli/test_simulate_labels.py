"""``scd simulate --from-labels``: one labelled mosaic becomes a set to train and score on."""

import json

import numpy as np
import pytest
import rasterio
from labelledimages import labelled_images
from pictures import write_png
from sets import find_samples

from scdcli.legend import URBAN

MAPS = ("label1", "label2", "cover1", "cover2")


@pytest.fixture(scope="module")
def mosaic(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labelled") / "mosaic"
    labelled_images(folder)
    return folder


def composed(scd, tmp_path, mosaic, *more, pairs=3):
    return scd(
        *("simulate", tmp_path / "set", "--from-labels", mosaic),
        *("--source", mosaic / "key.toml", "--pairs", pairs, "--size", 128),
        *("--pixel-size", 0.5, 0.8, "--seed", 4, "-q", *more),
    )


def everything(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.png"))
    }


def test_a_set_that_can_be_checked(scd, tmp_path, mosaic):
    result = composed(scd, tmp_path, mosaic)
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(tmp_path / "set/train")
    assert len(find_samples(tmp_path / "set/train")) == 3
    record = json.loads((tmp_path / "set/train/simulation.json").read_text())
    assert record["pixel_size"] == [0.5, 0.8]
    assert record["from_labels"] == [{"folder": "mosaic", "source": "key"}]
    assert record["legend"]["name"] == "urban"
    checked = scd("check", tmp_path / "set", "--json")
    found = json.loads(checked.stdout)
    assert found["problems"] == []
    assert found["legend"]["name"] == "urban"
    assert found["splits"]["train"]["changed"] > 0


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_labels_say_their_legend_and_what_is_not_known(scd, tmp_path, mosaic):
    assert composed(scd, tmp_path, mosaic).exit_code == 0
    values = set()
    for path in (tmp_path / "set/train/cover1").iterdir():
        with rasterio.open(path) as dataset:
            assert json.loads(dataset.tags()["SCD_LEGEND"])["name"] == "urban"
            values |= set(np.unique(dataset.read(1)).tolist())
    assert values <= {1, 2, 3, 4, 5, 255}
    assert len(values) > 3


def test_other_processes_make_the_same_pairs(scd, tmp_path, mosaic):
    assert composed(scd, tmp_path, mosaic).exit_code == 0
    alone = everything(tmp_path / "set")
    assert composed(scd, tmp_path, mosaic, "--workers", 2, "--overwrite").exit_code == 0
    assert everything(tmp_path / "set") == alone
    assert composed(scd, tmp_path, mosaic, "--overwrite", pairs=2).exit_code == 0
    assert everything(tmp_path / "set").items() <= alone.items()


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["--pairs", 2, "--strength", 0.5], "--strength is for pairs made from labels"),
        (["--pairs", 2, "--source", "dubai"], "--source is for pairs made from labels"),
        (["--pairs", 2, "--unchanged", 0], "--unchanged is for pairs made from labels"),
        (["--from-labels", "."], "--from-labels needs --pairs"),
    ],
)
def test_options_that_do_not_go_together(scd, tmp_path, arguments, match):
    result = scd("simulate", tmp_path / "set", *arguments)
    assert result.exit_code == 2
    assert match in result.stderr


def test_as_many_keys_as_folders(scd, tmp_path, mosaic):
    result = composed(scd, tmp_path, mosaic, "--source", "dubai")
    assert result.exit_code == 2
    assert "1 folders with --from-labels and 2 --source" in result.stderr


def test_a_label_that_the_key_does_not_explain(scd, tmp_path):
    mosaic = tmp_path / "mosaic"
    key = labelled_images(mosaic, count=1, size=128)
    key.write_text(key.read_text().replace('unknown = ["#000000"]', ""))
    result = composed(scd, tmp_path, mosaic)
    assert result.exit_code == 1
    assert "the color #000000 (row 0, column 0), which the source key does not name" in (
        result.stderr
    )
    assert not (tmp_path / "set").exists()


def test_pixels_are_given_finest_first(scd, tmp_path, mosaic):
    result = composed(scd, tmp_path, mosaic, "--pixel-size", 1.2, 0.5)
    assert result.exit_code == 2
    assert "1.2 0.5: give the finer pixels first" in result.stderr


def test_images_smaller_than_a_pair_are_a_warning(scd, tmp_path, mosaic):
    """They show 128 m: so much that pairs of 64 to 102 m fit, and none of 512 to 819 m."""
    made = ("simulate", "--from-labels", mosaic, "--source", mosaic / "key.toml", "--pairs", 1)
    sizes = {"fit": (128, 0.5, 0.8), "empty": (1024, 0.5, 0.8), "blurred": (128, 0.1, 0.3)}
    said = {
        name: scd(*made, tmp_path / name, "--size", size, "--pixel-size", *fine).stderr
        for name, (size, *fine) in sizes.items()
    }
    assert "Warning" not in said["fit"]
    assert "(128 m square are usual, and pairs 512 to 819 m wide): much of" in said["empty"]
    assert "pixels of 0.5 m or more, and the pairs of 0.1 to 0.3 m" in said["blurred"]


def test_far_less_change_than_was_asked_for_is_a_warning(scd, tmp_path):
    """Nothing is built on water, and there is nothing else to put."""
    town = tmp_path / "town"
    cover = np.full((192, 192), 1, np.uint8)
    cover[90:100, 90:100] = 4
    write_png(town / "images" / "a.png", np.repeat(cover[None] * 40, 3, axis=0))
    write_png(town / "labels" / "a.png", URBAN.encode(cover))
    key = labelled_images(tmp_path / "other", count=1, size=128)
    made = ("simulate", "--from-labels", town, "--source", key, "--size", 128)
    made += ("--pixel-size", 0.5, 0.6, "--change", 0.6)
    said = scd(*made, tmp_path / "set", "--pairs", 8).stderr
    assert "of the pixels changed, and 48.0% was aimed at: hardly anything fitted" in said
    assert "aimed" not in scd(*made, tmp_path / "few", "--pairs", 2).stderr


def test_one_class_alone_cannot_change(scd, tmp_path, mosaic):
    only = tmp_path / "only.toml"
    lines = (mosaic / "key.toml").read_text().replace("[classes]", "").splitlines()
    colors = [line.split("= ")[1] for line in lines if "#" in line and "building" not in line]
    unknown = ", ".join(each.strip("[]") for each in colors)
    only.write_text(f'pixel_size = 0.5\nunknown = [{unknown}]\n[classes]\nbuilding = "#C0392B"\n')
    result = scd(
        *("simulate", tmp_path / "set", "--from-labels", mosaic, "--source", only, "--pairs", 1)
    )
    assert result.exit_code == 1
    assert "is 'building'; nothing can change into another class" in result.stderr


def test_classes_that_the_legend_does_not_have(scd, tmp_path, mosaic):
    result = composed(scd, tmp_path, mosaic, "--legend", "second")
    assert result.exit_code == 1
    assert "which legend 'second' does not have" in result.stderr


def test_the_drawn_world_in_urban_classes(scd, tmp_path):
    drawn = ("simulate", tmp_path / "set", "--pairs", 2, "--size", 128, "-q")
    assert scd(*drawn, "--legend", "urban").exit_code == 0
    found = json.loads(scd("check", tmp_path / "set", "--json").stdout)
    assert found["legend"]["name"] == "urban"
    assert found["problems"] == []
    result = scd(*drawn, "--legend", "parcels")
    assert result.exit_code == 1
    assert "parcels" in result.stderr
    assert "second, urban" in result.stderr
