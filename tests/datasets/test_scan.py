"""A look through a labelled set: counts, and everything that would stop a training."""

import numpy as np
import pytest
from covers import write_covered
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pictures import write_png
from scenes import NORTH_UP, UTM, noise, write_scene
from sets import find_samples

from scdcli.datasets.classmap import read_label
from scdcli.datasets.scan import DatasetCounts, count_classes, scan
from scdcli.legend import NODATA, SECOND

maps = arrays(np.uint8, (4, 5), elements=st.sampled_from([0, 1, 2, 3, NODATA]))


@given(maps, maps)
def test_every_pixel_is_counted_once(first, second):
    counts, half = count_classes(first, second, 3)
    assert counts.total + half == 20
    assert counts.changed == counts.from_pixels.sum() == counts.to_pixels.sum()
    for a in range(3):
        for b in range(3):
            expected = ((first == a + 1) & (second == b + 1)).sum()
            assert counts.transitions[a, b] == expected
    nodata = (first == NODATA) | (second == NODATA)
    assert counts.nodata == nodata.sum()
    assert half == (((first == 0) != (second == 0)) & ~nodata).sum()


@given(maps, maps)
def test_counts_add_up_over_parts(first, second):
    whole, _ = count_classes(first, second, 3)
    parts = DatasetCounts.empty(3)
    for rows in (slice(0, 1), slice(1, 4)):
        parts += count_classes(first[rows], second[rows], 3)[0]
    assert parts.transitions.tolist() == whole.transitions.tolist()
    assert (parts.unchanged, parts.changed, parts.nodata) == (
        (whole.unchanged, whole.changed, whole.nodata)
    )


def test_a_sound_set_is_counted(second_tree):
    samples = find_samples(second_tree(pairs=3) / "train")
    done = []
    found = scan(samples, SECOND, progress=lambda *each: done.append(each))
    assert not found.problems
    assert done == [(1, 3), (2, 3), (3, 3)]
    assert found.pairs == 3
    assert found.sizes == {(64, 64): 3}
    assert found.bands == {3: 3}
    assert found.types == {"uint8": 3}
    stacked = [np.stack([read_label(s.from_label, SECOND) for s in samples])]
    stacked += [np.stack([read_label(s.to_label, SECOND) for s in samples])]
    for counted, index in zip(
        (found.counts.from_pixels, found.counts.to_pixels), stacked, strict=True
    ):
        assert counted.tolist() == np.bincount(index.ravel(), minlength=7)[1:].tolist()


def test_land_cover_is_counted_beside_the_changed_pixels(tmp_path):
    drawn = write_covered(tmp_path, "abc", without="b", unknown=slice(0, 10))
    found = scan(find_samples(tmp_path), SECOND).counts
    covered = [drawn["a"], drawn["c"]]
    assert (found.cover.pairs, found.cover.pixels) == (2, 2 * 64 * 64)
    for counted, part in ((found.cover.before, "cover1"), (found.cover.after, "cover2")):
        stacked = np.stack([each[part] for each in covered])
        assert counted.tolist() == np.bincount(stacked.ravel(), minlength=256)[1:7].tolist()
    labels = np.stack([each["label1"] for each in drawn.values()])
    assert found.from_pixels.tolist() == np.bincount(labels.ravel(), minlength=7)[1:].tolist()


def test_a_sample_that_is_there_twice_is_looked_at_once(second_tree):
    samples = find_samples(second_tree(pairs=1) / "train")
    assert scan(samples * 5, SECOND).pairs == 1


def wrong_size(folder):
    write_png(folder / "im1/00001.png", np.zeros((3, 32, 64), np.uint8))


def unknown_color(folder):
    write_png(folder / "label1/00001.png", np.full((3, 64, 64), 9, np.uint8))


def unknown_index(folder):
    write_png(folder / "label2/00001.png", np.full((64, 64), 77, np.uint8))


def half_changed(folder):
    write_png(folder / "label1/00001.png", SECOND.encode(np.full((64, 64), 2, np.uint8)))
    write_png(folder / "label2/00001.png", SECOND.encode(np.zeros((64, 64), np.uint8)))


def no_image(folder):
    (folder / "im2/00001.png").write_bytes(b"no image")


def other_bands(folder):
    write_png(folder / "im2/00001.png", np.zeros((64, 64), np.uint8))


def other_type(folder):
    (folder / "im2/00001.png").unlink()
    write_scene(folder / "im2/00001.tif", noise((3, 64, 64), "uint16"), crs=None)


def other_place(folder):
    for number, part in enumerate(("im1", "im2")):
        (folder / part / "00001.png").unlink()
        moved = NORTH_UP.translation(500_000 + 3 * number, 0)
        write_scene(folder / part / "00001.tif", noise((3, 64, 64)), moved, UTM)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (wrong_size, r"im1/00001.png 64 x 32, \S+im2/00001.png 64 x 64, .* make them equal"),
        (unknown_color, r"label1/00001.png holds the color #090909 .* in 4096 pixels"),
        (unknown_index, r"label2/00001.png holds the value 77 in 4096 pixels, but legend"),
        (half_changed, r"00001: 4096 pixels have a class at one date"),
        (no_image, r"im2/00001.png is not an image that can be read"),
        (other_bands, r"im1/00001.png has 3 bands and \S+im2/00001.png has 1"),
        (other_type, r"im1/00001.png is uint8 and \S+im2/00001.tif is uint16; convert one"),
        (other_place, r"not on the same grid: offset: .* 3 columns and 0 rows apart"),
    ],
)
def test_what_would_stop_a_training_is_a_problem_with_file_and_value(second_tree, spoil, message):
    import re

    root = second_tree(pairs=3)
    spoil(root / "train")
    (problem,) = scan(find_samples(root / "train"), SECOND).problems
    assert re.search(message, problem), problem
