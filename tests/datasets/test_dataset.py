"""Labelled sets on disk: pairing, splits, labels."""

import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from covers import write_covered
from sets import find_samples

from scdcli.datasets.augment import Augmentation
from scdcli.datasets.chips import Batches, Chips
from scdcli.datasets.dataset import change_map, read_pair
from scdcli.datasets.division import split_validation
from scdcli.datasets.indexpng import write_index_png
from scdcli.datasets.layouts import LAYOUTS, find_split
from scdcli.datasets.scan import scan
from scdcli.errors import DatasetError, InputError, PairError, TrainingError
from scdcli.legend import NODATA, SECOND
from scdcli.models.networks.losses import loss_totals
from scdcli.training.startweights import band_statistics


def test_every_layout_reads_its_own_tree(second_tree):
    root = second_tree(pairs=2)
    listing = LAYOUTS["second"](root / "train")
    assert [sample.name for sample in listing.samples] == ["00000", "00001"]
    assert not listing.problems


def test_covers_replace_the_labels_where_asked(second_tree):
    sample = find_samples(second_tree(pairs=1, covers=True) / "train")[0]
    masked, whole = (read_pair(sample, SECOND, cover=cover) for cover in (False, True))
    assert (masked.from_label == 0).any()
    assert (whole.from_label > 0).all()
    changed = masked.changed == 1
    assert (masked.from_label[changed] == whole.from_label[changed]).all()
    assert (masked.changed == whole.changed).all()


def test_where_the_land_cover_is_not_known_the_change_still_counts(tmp_path):
    drawn = write_covered(tmp_path, "a", unknown=slice(0, 20))["a"]
    pair = read_pair(find_samples(tmp_path)[0], SECOND, cover=True)
    for label, truth in ((pair.from_label, drawn["cover1"]), (pair.to_label, drawn["cover2"])):
        assert (label[:20] == NODATA).all()
        np.testing.assert_array_equal(label, truth)
    np.testing.assert_array_equal(pair.changed, drawn["label1"] > 0)
    assert pair.changed[:20].any()


@pytest.mark.parametrize("value", [0, NODATA])
def test_unknown_land_cover_is_out_of_the_semantic_terms_and_only_of_them(tmp_path, value):
    drawn = write_covered(tmp_path, "a")["a"]
    for cover in ("cover1", "cover2"):
        index = drawn[cover].copy()
        index[:20] = value
        write_index_png(tmp_path / cover / "a.png", index, SECOND)
    pair = read_pair(find_samples(tmp_path)[0], SECOND, cover=True)
    labels = [x.long()[None] for x in pair.maps()]
    found = loss_totals("branches", len(SECOND), (labels[0], labels[1], labels[2]))
    assert found.tolist() == [44 * 64, 44 * 64, 64 * 64]


def test_land_cover_without_a_label_counts_nowhere(tmp_path):
    drawn = write_covered(tmp_path, "a")["a"]
    label = drawn["label1"].copy()
    label[:20] = NODATA
    write_index_png(tmp_path / "label1/a.png", label, SECOND)
    pair = read_pair(find_samples(tmp_path)[0], SECOND, cover=True)
    for each in pair.maps():
        assert (each[:20] == NODATA).all()
        assert (each[20:] != NODATA).all()


def test_pairs_without_land_cover_have_their_labels_beside_pairs_with_it(tmp_path):
    drawn = write_covered(tmp_path, "ab", without="b")
    first, second = (read_pair(s, SECOND, cover=True) for s in find_samples(tmp_path))
    np.testing.assert_array_equal(first.from_label, drawn["a"]["cover1"])
    np.testing.assert_array_equal(second.from_label, drawn["b"]["label1"])
    np.testing.assert_array_equal(second.to_label, drawn["b"]["label2"])


@pytest.mark.parametrize("gone", ["cover1", "cover2"])
def test_land_cover_of_one_date_alone_is_a_gap(tmp_path, gone):
    write_covered(tmp_path, "ab")
    (tmp_path / gone / "b.png").unlink()
    samples, problems = LAYOUTS["second"](tmp_path)
    assert [sample.name for sample in samples] == ["a"]
    assert problems == [f"{tmp_path / gone / 'b'} is missing"]


def test_land_cover_of_a_pair_that_is_not_there_is_a_gap(tmp_path):
    write_covered(tmp_path, "ab")
    for part in ("im1", "im2", "label1", "label2"):
        (tmp_path / part / "b.png").rename(tmp_path / part / "c.png")
    samples, problems = LAYOUTS["second"](tmp_path)
    assert [sample.name for sample in samples] == ["a", "c"]
    assert problems == [
        f"{tmp_path / p / 'b'} is missing" for p in ("im1", "im2", "label1", "label2")
    ]


def test_missing_partners_are_listed(second_tree):
    root = second_tree(pairs=3)
    (root / "train/label2/00001.png").unlink()
    (root / "train/im1/00002.png").unlink()
    with pytest.raises(
        DatasetError,
        match=r"2 problems:\n- \S+label2/00001 is missing;\n- \S+im1/00002 is missing\.",
    ):
        find_samples(root / "train")


def test_a_folder_that_is_no_set_says_what_a_set_has(tmp_path):
    with pytest.raises(DatasetError, match=r"neither a train folder, nor im1, im2, label1, label2"):
        find_samples(tmp_path)
    (tmp_path / "im1").mkdir()
    with pytest.raises(DatasetError, match=r"has no im2, label1, label2; a labelled set"):
        find_samples(tmp_path)


def test_a_pixel_changed_at_one_date_only_is_refused():
    with pytest.raises(DatasetError, match=r"pair 7: 1 pixels have a class at one date"):
        change_map(np.array([[1, 0]], np.uint8), np.array([[2, 3]], np.uint8), "pair 7")


def test_nodata_does_not_count_as_change():
    changed = change_map(np.array([[NODATA, 4, 0]], np.uint8), np.array([[2, 4, 0]], np.uint8), "x")
    assert changed.tolist() == [[NODATA, 1, 0]]


def test_splits_are_folders_or_the_set_itself(second_tree):
    root = second_tree(splits=("train", "test"))
    assert find_split(root, "test") == root / "test"
    assert find_split(root, "val") is None
    assert find_split(root / "test", "train") == root / "test"


def test_validation_is_held_out_and_the_same_for_the_same_seed(second_tree):
    samples = find_samples(second_tree(pairs=10, size=32) / "train")
    train, validation = split_validation(samples, 0.2, seed=1)
    assert (len(train), len(validation)) == (8, 2)
    assert not set(train) & set(validation)
    assert split_validation(samples, 0.2, seed=1) == (train, validation)
    assert split_validation(samples, 0.0, seed=1) == (samples, [])
    with pytest.raises(DatasetError, match="10 pairs, 10 of them"):
        split_validation(samples, 0.99, seed=1)


def test_band_statistics_are_those_of_both_dates(second_tree):
    samples = find_samples(second_tree(pairs=2, size=32) / "train")
    pairs = [read_pair(sample, SECOND, cover=False) for sample in samples]
    pixels = np.concatenate(
        [x.numpy().reshape(3, -1) for p in pairs for x in (p.before, p.after)], 1
    )
    mean, std = band_statistics(samples)
    np.testing.assert_allclose(mean, pixels.mean(axis=1), rtol=1e-6)
    np.testing.assert_allclose(std, pixels.std(axis=1), rtol=1e-5)


def test_a_chip_depends_on_seed_epoch_and_index_only(second_tree):
    samples = find_samples(second_tree(pairs=2) / "train")
    chips = Chips(samples, SECOND, bands=3, cover=False, augmentation=Augmentation(chip=32), seed=3)
    again = Chips(samples, SECOND, bands=3, cover=False, augmentation=Augmentation(chip=32), seed=3)
    again[4]
    assert (chips[5]["before"] == again[5]["before"]).all()  # of two pairs the second, epoch 2
    assert not (chips[5]["before"] == again[7]["before"]).all()


def test_other_types_get_the_stretch_of_prediction(second_tree):
    """One stretch for both dates, found as `open_pair` finds it."""
    from rasterio.windows import Window
    from scenes import noise, write_scene

    from scdcli.rasters.pair.open import open_pair
    from scdcli.rasters.pair.settings import PairSettings

    root = second_tree(pairs=1)
    for seed, part in enumerate(("im1", "im2")):
        (root / "train" / part / "00000.png").unlink()
        pixels = noise((4, 64, 64), "uint16", high=3000 * (seed + 1), seed=seed)
        write_scene(root / "train" / part / "00000.tif", pixels)
    sample = replace(find_samples(root / "train")[0], bands=(4, 2))
    pair = read_pair(sample, SECOND, cover=False)
    with open_pair(sample.before, sample.after, PairSettings(bands=(4, 2))) as opened:
        before, after, _ = opened.read(Window(0, 0, 64, 64))
    assert (pair.before.numpy() == before).all()
    assert (pair.after.numpy() == after).all()
    assert pair.before.mean() < 0.7 * pair.after.mean()
    mean, _ = band_statistics([sample])
    np.testing.assert_allclose(mean, (before.mean((1, 2)) + after.mean((1, 2))) / 2, rtol=1e-5)


def test_bands_are_read_in_the_order_asked_for(second_tree):
    sample = find_samples(second_tree(pairs=1) / "train")[0]
    whole = read_pair(sample, SECOND, cover=False)
    some = read_pair(replace(sample, bands=(3, 1)), SECOND, cover=False)
    assert (some.before == whole.before[[2, 0]]).all()


def test_pixels_without_a_measurement_count_nowhere(second_tree):
    from scenes import write_scene

    root = second_tree(pairs=1, covers=True)
    old = root / "train/im2/00000.png"
    image = np.full((3, 64, 64), 90, np.uint8)
    image[:, :20] = 0
    write_scene(old.with_suffix(".tif"), image, nodata=0)
    old.unlink()
    pair = read_pair(find_samples(root / "train")[0], SECOND, cover=True)
    for label in pair.maps():
        assert (label[:20] == NODATA).all()
        assert (label[20:] != NODATA).all()
    assert (pair.after == 90).all()  # filled with the mean of what was measured
    mean, _ = band_statistics(find_samples(root / "train"))
    measured = pair.before.float().mean((1, 2))
    np.testing.assert_allclose(mean, (measured.numpy() + 90) / 2, rtol=1e-5)


def test_nodata_at_one_date_counts_at_neither(second_tree):
    from pictures import write_png
    from scenes import write_scene

    root = second_tree(pairs=1)
    label = np.full((1, 64, 64), 5, np.uint8)
    write_png(root / "train/label1/00000.png", label)
    label = np.full((1, 64, 64), 3, np.uint8)
    label[:, :, :10] = NODATA
    (root / "train/label2/00000.png").unlink()
    write_scene(root / "train/label2/00000.tif", label, crs=None)
    pair = read_pair(find_samples(root / "train")[0], SECOND, cover=False)
    for each in pair.maps():
        assert (each[:, :10] == NODATA).all()
        assert (each[:, 10:] != NODATA).all()


class Deadly(Chips):
    """Its process is killed at the second sample, as the kernel does when memory runs out."""

    def __getitem__(self, index):
        if index == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(index)


def test_a_killed_worker_is_one_sentence(second_tree):
    samples = find_samples(second_tree(pairs=2) / "train")
    chips = Deadly(samples, SECOND, bands=3, cover=False)
    with pytest.raises(TrainingError, match="one of the 1 processes that prepare data was killed"):
        list(Batches(chips, 1).of([[0], [1]]))


class Signed(Chips):
    """Chips that say which process prepared them."""

    def __getitem__(self, number):
        return super().__getitem__(number) | {"process": torch.tensor(os.getpid())}


def test_workers_stay_from_one_epoch_to_the_next(second_tree):
    samples = find_samples(second_tree(pairs=2) / "train")
    settings = {"bands": 3, "cover": False, "augmentation": Augmentation(chip=32)}
    loader = Batches(Signed(samples, SECOND, **settings), 1)
    first, second = (list(loader.of([[2 * epoch], [2 * epoch + 1]])) for epoch in (1, 2))
    processes = {int(batch["process"]) for batch in first + second}
    assert len(processes) == 1
    assert processes != {os.getpid()}
    alone = Chips(samples, SECOND, **settings)
    for number, batch in enumerate(first + second, start=2):
        assert torch.equal(batch["before"][0], alone[number]["before"])


@pytest.mark.parametrize("workers", [0, 1])
def test_a_bad_file_is_the_same_sentence_with_and_without_workers(second_tree, workers):
    root = second_tree(pairs=2)
    (root / "train/im2/00001.png").write_bytes(b"not an image")
    chips = Chips(find_samples(root / "train"), SECOND, bands=3, cover=False)
    with pytest.raises(InputError, match=r"im2/00001\.png") as caught:
        list(Batches(chips, workers).of([[0], [1]]))
    assert "Traceback" not in str(caught.value)


def test_bands_are_chosen_by_name_in_each_image(second_tree):
    sample = find_samples(second_tree(pairs=1) / "train")[0]
    named = read_pair(replace(sample, bands=("Blue", "red")), SECOND, cover=False)
    numbered = read_pair(replace(sample, bands=(3, 1)), SECOND, cover=False)
    assert torch.equal(named.before, numbered.before)
    assert scan([replace(sample, bands=("blue", "red"))], SECOND).problems == []
    with pytest.raises(PairError, match="asks for nir, but .* has no band named so"):
        read_pair(replace(sample, bands=("nir",)), SECOND, cover=False)


def test_images_of_other_bands_are_named(second_tree):
    from pictures import write_png

    root = second_tree(pairs=2)
    for part in ("im1", "im2"):
        write_png(root / "train" / part / "00001.png", np.zeros((64, 64), np.uint8))
    samples = find_samples(root / "train")
    with pytest.raises(DatasetError, match=r"00001.* has 1 bands, the training reads 3"):
        band_statistics(samples)
    with pytest.raises(DatasetError, match=r"00001.* has 1 bands, the training reads 3"):
        list(Batches(Chips(samples, SECOND, bands=3, cover=False), 0).of([[0], [1]]))
