"""Several sets as one: names, classes, bands, what validates, how often pairs come."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from pictures import write_png
from scenes import noise, write_scene

from scdcli.datasets.division import share_out
from scdcli.datasets.union import (
    divide_by_file,
    find_members,
    hold_out,
    set_names,
    union_legend,
    with_shared_bands,
)
from scdcli.errors import DatasetError
from scdcli.legend import SECOND, URBAN, Legend
from scdcli.models.checkpoint import load_model

QUICK = ["--width", "0.125", "--chip", "64", "--epochs", "1", "--batch", "2"]


@pytest.fixture
def sets(second_tree, tmp_path):
    """A function that writes sets by name: ``sets(mine={"pairs": 3}, drawn={"covers": True})``."""

    def write(**wanted):
        roots = []
        for name, options in wanted.items():
            roots.append(second_tree(**options).rename(tmp_path / name))
        return roots

    return write


def scene(folder, bands=3):
    """A scene of 64 x 96 pixels with class maps."""
    folder.mkdir(parents=True)
    for name, seed in (("before.tif", 0), ("after.tif", 1)):
        write_scene(folder / name, noise((bands, 64, 96), seed=seed))
    labels = np.zeros((1, 64, 96), np.uint8)
    labels[:, :40, :40] = 3
    write_scene(folder / "from.tif", labels)
    write_scene(folder / "to.tif", labels + (labels > 0))
    return folder


def names(samples):
    return [sample.name for sample in samples]


def test_a_name_is_as_long_as_it_takes_to_be_the_only_one(tmp_path):
    roots = [Path("a/world"), Path("b/world"), Path("b/mine")]
    assert set_names(roots) == ["a/world", "b/world", "mine"]
    assert set_names([Path("a/b"), Path("b")]) == ["a/b", f"{Path.cwd().name}/b"]
    assert set_names([tmp_path]) == [tmp_path.name]
    with pytest.raises(DatasetError, match=r"a/../a is given twice.*--repeat"):
        set_names([Path("a"), Path("b"), Path("a/../a")])


def test_pairs_of_several_sets_keep_apart_by_the_sets_name(sets):
    mine, drawn = sets(mine={"pairs": 2}, drawn={"pairs": 1})
    (alone,) = find_members([mine])
    assert names(alone.train) == ["00000", "00001"]
    both = find_members([mine, drawn])
    assert [name for each in both for name in names(each.train)] == [
        *("mine/00000", "mine/00001", "drawn/00000")
    ]


def test_val_folders_alone_validate_where_there_are_any(sets):
    mine, drawn = find_members(
        sets(mine={"pairs": 2, "splits": ("train", "val")}, drawn={"pairs": 4})
    )
    first, second = hold_out([mine, drawn], 0.5, seed=0)
    assert (first, second) == (mine, drawn)
    assert (len(first.validation), len(second.validation)) == (2, 0)


def test_each_set_holds_out_its_share_where_none_has_a_val_folder(sets):
    roots = sets(mine={"pairs": 4}, drawn={"pairs": 8})
    held = hold_out(find_members(roots), 0.25, seed=0)
    assert [(len(each.train), len(each.validation)) for each in held] == [(3, 1), (6, 2)]
    assert not set(held[0].train) & set(held[0].validation)
    with pytest.raises(DatasetError, match=r"^tiny: the set has 1 pairs, 1 of them would be held"):
        hold_out(find_members([roots[0], *sets(tiny={"pairs": 1})]), 0.25, seed=0)


def test_a_split_file_names_pairs_with_their_set(sets, tmp_path):
    members = find_members(sets(mine={"pairs": 2}, drawn={"pairs": 2}), val=False)
    split = tmp_path / "split.csv"
    split.write_text("name,split\nmine/00001,val\ndrawn/00000.png,train\n", encoding="utf-8")
    (mine, drawn), unnamed = divide_by_file(members, split)
    assert (names(mine.train), names(mine.validation)) == ([], ["mine/00001"])
    assert (names(drawn.train), names(drawn.validation)) == (["drawn/00000"], [])
    assert unnamed == 2
    split.write_text("name,split\n00001,train\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="not among the 4 .* 00001"):
        divide_by_file(members, split)


def test_sets_with_other_classes_show_both_lists(sets):
    mine, drawn = sets(mine={"pairs": 1}, drawn={"pairs": 1})
    assert union_legend(find_members([mine, drawn]), None) == SECOND
    (drawn / "train/label1/00000.png").unlink()
    turned = write_scene(drawn / "train/label1/00000.tif", np.zeros((1, 64, 64), np.uint8))
    with rasterio.open(turned, "r+") as dataset:
        dataset.update_tags(SCD_LEGEND=Legend("turned", tuple(reversed(SECOND.classes))).dumps())
    told = r"mine has the classes water, n\.v\.g\. surface, .* and drawn has playground, building, "
    with pytest.raises(DatasetError, match=told):
        union_legend(find_members([mine, drawn]), None)
    assert union_legend(find_members([mine, drawn]), "urban") == URBAN


def test_sets_with_other_numbers_of_bands_show_both(sets, tmp_path):
    (mine,) = sets(mine={"pairs": 1})
    scene(tmp_path / "five/north", bands=5)
    members = find_members([mine, tmp_path / "five"])
    with pytest.raises(DatasetError, match=r"mine has 3 bands and five has 5; .*--bands 1,2,3\."):
        with_shared_bands(members, None)
    chosen = with_shared_bands(members, (3, 1))
    assert {sample.bands for member in chosen for sample in member.train} == {(3, 1)}


def test_scenes_are_shared_out_beside_pairs_that_stay_as_they_are(sets, tmp_path):
    (mine,) = sets(mine={"pairs": 2})
    scene(tmp_path / "large/north")
    pairs, scenes = (each.train for each in find_members([mine, tmp_path / "large"]))
    shared = share_out([*scenes * 2, *pairs * 3], 32)
    assert names(shared) == names(pairs) * 3 + ["large/north"] * 12
    assert names(share_out([*scenes * 2, *pairs], 32, 5)) == names(pairs) + ["large/north"] * 5
    assert share_out(pairs, 32, 5) == pairs


def test_sets_train_together_and_the_model_names_them(scd, sets, tmp_path):
    mine, drawn = sets(
        mine={"pairs": 2, "splits": ("train", "val")}, drawn={"pairs": 3, "covers": True}
    )
    scene(tmp_path / "large/north")
    command = ["train", mine, drawn, tmp_path / "large", "-o", tmp_path / "run", *QUICK]
    command += ["--legend", "second", "--repeat", "3,1,2"]
    result = scd(*command)
    assert result.exit_code == 0, result.output
    assert "mine: 2 training pairs, 3 times in an epoch, and 2 validation pairs." in result.stderr
    assert "drawn: 3 training pairs and 0 validation pairs." in result.stderr
    # 2 x 3 and 3 pairs, and 64 x 96 pixels twice in chips of 64.
    told = "12 training and 2 validation pairs of 3 sets; classes learnt on every pixel of 3 pairs,"
    assert told in result.stderr
    header = load_model(str(tmp_path / "run/best.safetensors")).header
    assert header.land_cover
    assert header.training["data"] == "mine, drawn, large"
    given = {"pairs": 2, "validation_pairs": 2, "repeat": 3}
    assert header.training["sets"]["mine"] == given
    settings = json.loads((tmp_path / "run/settings.json").read_text())
    assert settings["sets"]["large"] == {"pairs": 1, "validation_pairs": 0, "repeat": 2}
    others = [mine, tmp_path / "large", drawn]
    refused = scd("train", *others, *command[4:], "--resume")
    assert refused.exit_code == 1
    assert "with other settings: " in refused.stderr
    assert "sets was {'mine': " in refused.stderr
    assert scd(*command, "--resume").exit_code == 0


def test_an_epoch_draws_repeated_pairs_each_time_differently(sets):
    from scdcli.datasets.augment import Augmentation
    from scdcli.datasets.chips import Chips

    (mine,) = sets(mine={"pairs": 1})
    (member,) = find_members([mine])
    samples = [replace(sample, bands=(1, 2, 3)) for sample in member.train * 2]
    chips = Chips(samples, SECOND, bands=3, cover=False, augmentation=Augmentation(chip=32))
    assert not chips[0]["before"].equal(chips[1]["before"])


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--repeat", "3"], 2, "--repeat has 1 number for 2 sets"),
        (["--repeat", "3,0"], 2, "'3,0' is not whole numbers from 1, for example 3,1"),
        (["--cover"], 1, "drawn: no cover1 and cover2 there"),
        (["--legend", "urban"], 1, "which legend 'urban' does not know"),
    ],
)
def test_what_cannot_work_is_one_sentence(scd, sets, tmp_path, options, code, words):
    mine, drawn = sets(mine={"pairs": 1}, drawn={"pairs": 1})
    command = ["train", mine, drawn, "-o", tmp_path / "run", *QUICK, "-q"]
    result = scd(*command, *options)
    assert result.exit_code == code
    assert words in result.stderr
    assert not (tmp_path / "run").exists()


def test_problems_of_any_set_are_told(scd, sets, tmp_path):
    mine, drawn = sets(mine={"pairs": 2}, drawn={"pairs": 2})
    (drawn / "train/label2/00001.png").unlink()
    write_png(mine / "train/label1/00000.png", np.full((3, 64, 64), 7, np.uint8))
    result = scd("train", mine, drawn, "-o", tmp_path / "run", *QUICK, "-q")
    assert result.exit_code == 1
    assert f"{mine} and {drawn} cannot be trained on, 2 problems" in result.stderr
    assert "drawn/train/label2/00001 is missing" in result.stderr
    assert "00000.png holds the color #070707" in result.stderr
