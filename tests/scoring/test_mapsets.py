from shutil import copytree

import numpy as np
import pytest
from maps import draw, write_png, write_prediction, write_second

from scdcli.datasets.union import find_members
from scdcli.errors import DatasetError
from scdcli.scoring.mapsets import find_images, find_predictions, find_truth, match

PAIRS = {name: draw(number, shape=(2, 3)) for number, name in enumerate(("b", "a", "c"))}


def test_label_folders_are_matched_by_name_without_suffix(tmp_path):
    root = write_second(tmp_path / "set", PAIRS)
    (root / "label1/a.png").rename(root / "label1/a.tif")
    found = find_truth(root)
    assert list(found.maps) == ["a", "b", "c"]
    assert found.maps["a"] == (root / "label1/a.tif", root / "label2/a.png")
    assert found.note is None


@pytest.mark.parametrize("find", [find_truth, find_predictions])
def test_of_a_set_with_splits_test_is_used_and_said(tmp_path, find):
    root = tmp_path / "set"
    write_second(root / "train", PAIRS)
    write_second(root / "test", {"x": PAIRS["a"]})
    found = find(root)
    assert list(found.maps) == ["x"]
    assert "set/test is used" in found.note


def test_a_set_without_a_test_split_asks_which_one(tmp_path):
    write_second(tmp_path / "train", PAIRS)
    write_second(tmp_path / "val", PAIRS)
    with pytest.raises(DatasetError, match="no test split, only train and val; name the split"):
        find_truth(tmp_path)


@pytest.mark.parametrize(
    ("train", "test", "given"),
    [
        ("SECOND/train", "SECOND/test", ("SECOND", "SECOND")),
        ("SECOND_train_set", "SECOND_test_set", ("SECOND_train_set", "SECOND_test_set")),
        ("SECOND", "SECOND/test", ("SECOND", "SECOND")),
    ],
)
def test_both_archives_of_a_set_may_lie_in_any_folders(tmp_path, train, test, given):
    for folder, names in ((train, "ab"), (test, "x")):
        root = write_second(tmp_path / folder, dict.fromkeys(names, PAIRS["a"]))
        for part in ("im1", "im2"):
            copytree(root / "label1", root / part)
    to_train, to_score = (tmp_path / each for each in given)
    assert [sample.name for sample in find_members([to_train])[0].train] == ["a", "b"]
    assert list(find_truth(to_score).maps) == ["x"]


def test_a_test_split_without_labels_is_no_missing_one(tmp_path):
    write_second(tmp_path / "train", PAIRS)
    for part in ("im1", "im2"):
        (tmp_path / "test" / part).mkdir(parents=True)
    with pytest.raises(DatasetError, match="test has images and no labels.*for example .*train"):
        find_truth(tmp_path)


def test_maps_at_one_date_only_are_listed(tmp_path):
    root = write_second(tmp_path, PAIRS)
    (root / "label2/b.png").unlink()
    with pytest.raises(DatasetError, match=r"1 maps exist in label1 or label2 only \(b\)"):
        find_truth(root)


def test_two_files_of_one_name_are_refused(tmp_path):
    root = write_second(tmp_path, PAIRS)
    write_png(root / "label1/a.tif", PAIRS["a"][0])
    with pytest.raises(DatasetError, match=r"a\.png and .*a\.tif have the same name"):
        find_truth(root)


def test_a_prediction_folder_is_one_pair(tmp_path):
    found = find_predictions(write_prediction(tmp_path / "x__y", PAIRS["a"]))
    assert found.single
    assert list(found.maps) == ["x__y"]


def test_a_demo_scene_is_scored_against_its_truth_not_against_itself(tmp_path):
    write_prediction(tmp_path / "demo", PAIRS["a"])
    write_prediction(tmp_path / "demo/truth", PAIRS["b"])
    (labels,) = find_truth(tmp_path / "demo").maps.values()
    (maps,) = find_predictions(tmp_path / "demo").maps.values()
    assert labels[0] == tmp_path / "demo/truth/from.tif"
    assert maps[0] == tmp_path / "demo/from.tif"


def test_folders_of_predictions_are_named_by_folder_and_hidden_ones_left_out(tmp_path):
    for name in ("one", "two", ".three.partial"):
        write_prediction(tmp_path / name, PAIRS["a"])
    (tmp_path / "empty").mkdir()
    assert list(find_predictions(tmp_path).maps) == ["one", "two"]


def test_half_a_prediction_is_refused(tmp_path):
    write_prediction(tmp_path / "x", PAIRS["a"])
    (tmp_path / "x/to.tif").unlink()
    with pytest.raises(DatasetError, match="x has from.tif only; a pair is from.tif and to.tif"):
        find_predictions(tmp_path / "x")


def test_a_folder_without_maps_says_what_was_looked_for(tmp_path):
    with pytest.raises(DatasetError, match=r"no class maps; looked for label1 and label2"):
        find_truth(tmp_path)
    with pytest.raises(DatasetError, match="gone is not a folder"):
        find_predictions(tmp_path / "gone")


def test_single_pairs_match_whatever_they_are_called(tmp_path):
    truth = find_truth(write_prediction(tmp_path / "t", PAIRS["a"]))
    predictions = find_predictions(write_prediction(tmp_path / "p", PAIRS["b"]))
    ((labels, maps),) = match(truth, predictions).values()
    assert (labels[0].parent.name, maps[0].parent.name) == ("t", "p")


def test_prediction_folders_match_labels_by_name(tmp_path):
    truth = find_truth(write_second(tmp_path / "t", PAIRS))
    for name, maps in PAIRS.items():
        write_prediction(tmp_path / "p" / name, maps)
    matched = match(truth, find_predictions(tmp_path / "p"))
    assert {name: maps[0].parent.name for name, (_, maps) in matched.items()} == {
        name: name for name in PAIRS
    }


def test_names_on_one_side_only_are_listed_up_to_ten(tmp_path):
    many = {f"{number:02}": (np.zeros((1, 1), np.uint8),) * 2 for number in range(12)}
    truth = find_truth(write_second(tmp_path / "t", many))
    predictions = find_predictions(write_second(tmp_path / "p", {"extra": many["00"]}))
    message = r"12 without prediction \(00, 01, .*, 09 and 2 more\), 1 without labels \(extra\)"
    with pytest.raises(DatasetError, match=message):
        match(truth, predictions)


def test_images_lie_in_im1_and_im2_or_beside_the_maps(tmp_path):
    root = write_second(tmp_path / "set", {"a": PAIRS["a"]})
    demo = write_prediction(tmp_path / "demo/truth", PAIRS["a"]).parent
    for file in (root / "im1/a.png", root / "im2/a.png", demo / "before.tif", demo / "after.tif"):
        write_png(file, PAIRS["a"][0])
    assert find_images(find_truth(root)) == {"a": (root / "im1/a.png", root / "im2/a.png")}
    assert find_images(find_truth(demo)) == {"demo": (demo / "before.tif", demo / "after.tif")}


def test_labels_without_images_cannot_be_predicted(tmp_path):
    truth = find_truth(write_second(tmp_path, PAIRS))
    with pytest.raises(DatasetError, match=r"no images to predict from for a, b, c;.*--pred"):
        find_images(truth)
