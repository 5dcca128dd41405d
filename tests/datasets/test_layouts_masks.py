"""Masks of change: their layouts, the ways they are written, and labels that teach nothing."""

import json

import numpy as np
import pytest
from maps import draw, write_second
from masks import SIZE, draw_mask, write_masks
from PIL import Image
from scenes import noise, write_scene

from scdcli.datasets.classmap import read_label
from scdcli.datasets.layouts import LAYOUTS, layout_of
from scdcli.datasets.whole import check_set
from scdcli.errors import DatasetError
from scdcli.legend import CHANGE, NODATA, SECOND

CHANGED = draw_mask()


@pytest.mark.parametrize(
    "folders",
    [
        ("A", "B", "label"),
        ("A", "B", "OUT"),
        ("Image1", "Image2", "label"),
        ("time1", "time2", "label"),
        ("t1", "t2", "mask"),
        ("im1", "im2", "label"),
    ],
    ids="/".join,
)
def test_sets_of_binary_change_are_recognized(tmp_path, folders):
    root = write_masks(tmp_path, folders=folders)
    assert layout_of(root) == "masks"
    samples, problems = LAYOUTS["masks"](root)
    assert not problems
    assert [(each.name, each.mask) for each in samples] == [("a", True), ("b", True)]
    assert samples[0].from_label == samples[0].to_label == root / folders[2] / "a.png"
    found = read_label(samples[0].from_label, CHANGE)
    np.testing.assert_array_equal(found, CHANGED)


def test_labels_of_classes_go_before_masks(tmp_path):
    write_masks(tmp_path, folders=("im1", "im2", "label"))
    write_second(tmp_path, {name: draw(3, shape=SIZE) for name in "ab"})
    assert layout_of(tmp_path) == "second"


def test_labels_of_one_kind_each_beside_the_mask_do_not_matter(tmp_path):
    root = write_masks(tmp_path, folders=("Image1", "Image2", "label"))
    for name in ("label1", "label2"):  # as S2Looking has them: what was built, what was torn down
        (root / name).mkdir()
    assert layout_of(root) == "masks"


def test_what_is_missing_is_named(tmp_path):
    root = write_masks(tmp_path)
    (root / "B/a.png").unlink()
    (root / "label/b.png").rename(root / "label/b.gif")
    samples, problems = LAYOUTS["masks"](root)
    assert not samples
    assert problems[0] == f"{root}/B/a is missing"
    assert problems[1].startswith(f"{root}/label/b.gif is not read, only ")


def as_rgb(path):
    Image.fromarray(np.dstack([CHANGED.astype(np.uint8) * 255] * 3)).save(path)


def as_ones(path):
    Image.fromarray(CHANGED.astype(np.uint8)).save(path)


def as_bits(path):
    Image.fromarray(CHANGED).save(path)


def as_jpeg(path):
    Image.fromarray(CHANGED.astype(np.uint8) * 255).save(path.with_suffix(".jpg"), quality=60)


def as_geotiff(path):
    write_scene(path.with_suffix(".tif"), CHANGED[None].astype(np.uint16) * 255)


@pytest.mark.parametrize("way", [as_rgb, as_ones, as_bits, as_jpeg, as_geotiff])
def test_masks_are_read_however_they_are_written(tmp_path, way):
    root = write_masks(tmp_path, names="a")
    (root / "label/a.png").unlink()
    way(root / "label/a.png")
    (sample,) = LAYOUTS["masks"](root).samples
    np.testing.assert_array_equal(read_label(sample.from_label, CHANGE), CHANGED)


def test_nodata_of_a_mask_is_nodata(tmp_path):
    values = np.where(CHANGED, 255, 0).astype(np.uint8)
    values[:5] = 7
    path = write_scene(tmp_path / "a.tif", values[None], nodata=7)
    found = read_label(path, CHANGE)
    assert (found[:5] == NODATA).all()
    np.testing.assert_array_equal(found[5:], CHANGED[5:])


@pytest.mark.parametrize(
    ("pixels", "said"),
    [
        pytest.param(CHANGED[None] * 3, "the value 3 in 1024 pixels; a mask of", id="a class"),
        pytest.param(
            np.where(CHANGED, 1, 255)[None], "the value 255 beside 1 in 3072 pixels", id="both ways"
        ),
        pytest.param(
            np.stack([CHANGED * 255, CHANGED * 0, CHANGED * 0]), "colors in 1024 pix", id="colors"
        ),
    ],
)
def test_what_is_no_mask_is_refused(tmp_path, pixels, said):
    path = write_scene(tmp_path / "a.tif", pixels.astype(np.uint8))
    with pytest.raises(DatasetError, match=said) as error:
        read_label(path, CHANGE)
    assert "If these are classes, leave --binary out" in str(error.value)


def test_check_describes_masks(scd, tmp_path):
    root = tmp_path / "set"
    for split in ("train", "val", "test"):
        write_masks(root / split)
    result = scd("check", root)
    assert result.exit_code == 0
    assert "layout masks, masks of change" in result.stdout
    assert "No problems." in result.stdout
    assert "pixels before" not in result.stdout
    described = json.loads(scd("check", root, "--json").stdout)
    changed = sum(int(draw_mask(seed).sum()) for seed in (0, 1))
    assert {each["changed"] for each in described["splits"].values()} == {changed}


def test_masks_have_no_legend(scd, tmp_path):
    root = write_masks(tmp_path)
    assert (
        "is a mask of change, which has no classes"
        in scd("check", root, "--legend", "second").stderr
    )
    both = scd("check", root, "--legend", "second", "--binary")
    assert both.exit_code == 2
    assert "--binary reads labels without classes" in both.stderr


def labelled(root, first, second=None):
    """A set in the layout of SECOND, two pairs alike with values as labels."""
    second = first if second is None else second
    pixels = {"im1": noise((3, *SIZE), seed=1), "im2": noise((3, *SIZE), seed=2)}
    pixels |= {"label1": first[None].astype(np.uint8), "label2": second[None].astype(np.uint8)}
    for part, values in pixels.items():
        (root / part).mkdir(parents=True)
        for name in ("a.png", "b.png"):
            write_scene(root / part / name, values, None, None, driver="PNG")
    return root


NOTHING = [
    pytest.param(
        np.where(CHANGED, 255, 0),
        "no pixel is labelled as changed, and 25.00 % of the pixels are nodata, as which 255 "
        "counts. Are these masks of change (0 and 255, or 0 and 1)? Give --binary",
        id="masks of 255",
    ),
    pytest.param(
        CHANGED * 1,
        "all that changed is of one class before and after, 1 water. Are these masks of change",
        id="masks of 1",
    ),
    pytest.param(CHANGED * 0, "no pixel is labelled as changed.", id="nothing changed"),
    pytest.param(
        np.where(CHANGED, 5, 255),
        "no pixel is labelled as unchanged, and 75.00 %",
        id="all changed",
    ),
]


@pytest.mark.parametrize(("values", "said"), NOTHING)
def test_labels_that_teach_nothing_are_a_problem(scd, tmp_path, values, said):
    root = labelled(tmp_path / "set", values)
    result = scd("check", root, "--legend", "second")
    assert result.exit_code == 1
    assert f"- {root}: {said}" in result.stdout
    trained = scd("train", root, "--legend", "second", "-o", tmp_path / "run", "--val-share", "0")
    assert trained.exit_code == 1
    assert said in trained.stderr
    assert not (tmp_path / "run").exists()


def test_masks_as_labels_of_both_dates_are_read_with_binary(tmp_path):
    for number, values in enumerate((CHANGED * 255, CHANGED * 1)):
        root = labelled(tmp_path / str(number), values)
        report = check_set(root, binary=True)
        assert not report.problems
        assert report.total.counts.changed == 2 * int(CHANGED.sum())


def test_black_masks_are_a_problem(tmp_path):
    root = labelled(tmp_path / "set", CHANGED * 0)
    assert check_set(root, binary=True).problems == [
        f"{root}: no pixel is labelled as changed: the masks are black everywhere."
    ]


def test_one_kind_of_change_between_two_classes_is_no_problem(tmp_path):
    root = labelled(tmp_path / "set", CHANGED * 4, CHANGED * 5)
    assert not check_set(root, "second").problems


def test_labels_that_are_mostly_nodata_are_said(tmp_path):
    first = np.full(SIZE, NODATA)
    first[:2], first[2:4] = 0, 4
    report = check_set(labelled(tmp_path / "set", first, np.where(first == 4, 5, first)), "second")
    assert not report.problems
    assert report.notes == [
        "93.8 % of the pixels of the labels are nodata; nothing is learnt from these."
    ]


def test_unchanged_pairs_train_beside_others(scd, tmp_path):
    calm = labelled(tmp_path / "calm", CHANGED * 0)
    mine = labelled(tmp_path / "mine", CHANGED * 4, CHANGED * 5)
    assert SECOND[4].name == "tree"
    tiny = ("--network", "fc-siam-diff", "--width", "0.1", "--chip", "64", "--epochs", "1")
    both = ("train", mine, calm, "--legend", "second", "-o", tmp_path / "run", "--val-share", "0")
    assert scd(*both, "--batch", "1", *tiny).exit_code == 0
