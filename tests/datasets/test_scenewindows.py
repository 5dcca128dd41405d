"""Large scenes with labels: found, divided, read by windows on the grid of BEFORE."""

from dataclasses import replace

import numpy as np
import pytest
import rasterio
import shapely
import torch
from affine import Affine
from layers import write as write_layer
from maps import draw, write_tif
from scenes import NORTH_UP, UTM, noise, write_scene
from sets import find_samples

from scdcli.datasets.augment import Augmentation
from scdcli.datasets.chips import Batches, Chips
from scdcli.datasets.division import lattice, part_of, share_out, split_validation
from scdcli.datasets.layouts import LAYOUTS, find_split, list_samples
from scdcli.datasets.samples import Part
from scdcli.datasets.scan import scan
from scdcli.errors import DatasetError
from scdcli.legend import NODATA, SECOND
from scdcli.training.startweights import band_statistics

SHAPE = (200, 150)


@pytest.fixture
def write(tmp_path):
    """Write a scene folder: ``write(name, labels, bands=, kind=, **profile)``; returns the root."""

    def write(name="a", labels="rasters", shape=SHAPE, bands=3, kind="uint8", after=NORTH_UP):
        folder = tmp_path / "set" / name
        folder.mkdir(parents=True)
        write_scene(folder / "before.tif", noise((bands, *shape), kind, seed=1))
        write_scene(folder / "after.tif", noise((bands, *shape), kind, seed=2), after)
        if labels == "rasters":
            for part, index in zip(("from", "to"), draw(4, shape=shape), strict=True):
                write_tif(folder / f"{part}.tif", index)
        elif labels == "polygons":
            outline = shapely.box(500_010, 3_999_900, 500_060, 3_999_980)
            write_layer(folder / "changes.gpkg", [outline])
        return tmp_path / "set"

    return write


def items(samples, **options):
    chips = Chips(samples, SECOND, bands=3, cover=False, **options)
    return [chips[index] for index in range(len(chips))]


def test_bands_by_name_may_lie_in_another_order_in_each_scene(write):
    root = write("a")
    write("b")
    paths = [root / "b" / f"{date}.tif" for date in ("before", "after")]
    with rasterio.open(paths[1], "r+") as dataset:  # its bands the other way round
        dataset.write(dataset.read()[::-1])
    for folder in ("a", "b"):
        for date in ("before", "after"):
            with rasterio.open(root / folder / f"{date}.tif", "r+") as dataset:
                names = ("one", "two", "three")
                turned = folder == "b" and date == "after"
                dataset.descriptions = names[::-1] if turned else names
    samples = [replace(sample, bands=("three", "one")) for sample in find_samples(root)]
    assert scan(samples, SECOND).problems == []
    chips = Chips(samples, SECOND, bands=2, cover=False)
    first, second = chips[0], chips[1]
    assert torch.equal(first["before"], second["before"])
    assert torch.equal(first["after"], second["after"])


def test_a_folder_of_scenes_is_recognized(write):
    write("b")
    root = write("a", "polygons")
    samples = LAYOUTS["scenes"](root).samples
    assert [sample.name for sample in samples] == ["a", "b"]
    assert samples[0].from_label == samples[0].to_label == root / "a/changes.gpkg"
    assert samples[1].to_label == root / "b/to.tif"
    assert find_samples(root) == samples
    assert find_samples(root / "b") == [samples[1]]  # a single scene is a set too
    assert find_split(root, "train") == root


def test_a_table_lists_scenes_by_their_files(write):
    root = write("a")
    table = root / "pairs.csv"
    table.write_text(
        "\ufeffbefore,after,from,to\na/before.tif, a/after.tif,a/from.tif,a/to.tif\n\n"
        "a/after.tif,a/before.tif,a/to.tif,a/from.tif\n",
        encoding="utf-8",
    )
    first, second = LAYOUTS["pairs"](root).samples
    assert (first.name, second.name) == ("before__after", "after__before")
    assert second.from_label == root / "a/to.tif"
    table.write_text("name,before,after,changes\nx,a/before.tif,a/after.tif,a/gone.gpkg\n")
    assert list_samples(root).problems == [f"{table}, line 2: {root}/a/gone.gpkg is missing"]
    table.write_text("before,after,from\na/before.tif,a/after.tif,a/from.tif\n")
    with pytest.raises(DatasetError, match="line 2 has before, after, from; it needs"):
        find_samples(root)
    table.write_text("before,later\n")
    with pytest.raises(DatasetError, match="has the columns before, later; it needs before, after"):
        find_samples(root)


@pytest.mark.parametrize("command", ["check", "train"])
def test_a_table_without_pairs_is_one_sentence(scd, tmp_path, command):
    (tmp_path / "pairs.csv").write_text("before,after,from,to\n")
    result = scd(command, tmp_path, *(("-o", tmp_path / "run") if command == "train" else ()))
    assert result.exit_code == 1
    assert "pairs.csv lists no pairs; give a line" in result.stderr


def test_a_name_too_long_for_any_file_is_a_missing_one(write):
    root = write("a")
    long = "2" * 300
    (root / "pairs.csv").write_text(f"before,after,from,to\n{long},a/after.tif,a/b.tif,a/to.tif\n")
    with pytest.raises(DatasetError, match=f"line 2: .*{long} is missing"):
        find_samples(root)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("head", ["", "sep=;\r\n"], ids=["plain", "sep"])
def test_a_table_of_scenes_may_come_from_a_spreadsheet(write, encoding, head):
    root = write("Wälder")
    files = ";".join(f"Wälder/{part}.tif" for part in ("before", "after", "from", "to"))
    text = f"{head}name;before;after;from;to\r\n;{files}\r\n"
    (root / "pairs.csv").write_bytes(text.encode(encoding))
    (sample,) = find_samples(root)
    assert sample.before == root / "Wälder/before.tif"


def test_a_guessed_encoding_is_named_where_a_file_is_missing(write):
    root = write("a")
    text = "before;after;from;to\ná/b.tif;a/after.tif;a/from.tif;a/to.tif\n"
    (root / "pairs.csv").write_bytes(text.encode("cp1252"))
    with pytest.raises(DatasetError, match=r"not UTF-8, read as Windows-1252\), line 2: .*missing"):
        find_samples(root)


def test_incomplete_scenes_are_listed(write):
    root = write("a")
    write("b", "none")
    write("c")
    write("d")
    write("e", "polygons")
    (root / "a/to.tif").unlink()
    (root / "c/after.tif").unlink()
    write_layer(root / "d/changes.fgb")
    listing = list_samples(root)
    assert [sample.name for sample in listing.samples] == ["e"]
    assert [text.replace(f"{root}/", "") for text in listing.problems] == [
        "a/to.tif is missing beside from.tif",
        "b has no labels: neither from.tif and to.tif nor changes.gpkg",
        "c/after.tif is missing",
        "d has changes.fgb and d/from.tif: labels of two kinds",
    ]


def test_scenes_come_in_proportion_to_their_area(write):
    root = write("a", shape=(100, 100))
    write("b", shape=(300, 100))
    samples = find_samples(root)
    assert [sample.name for sample in share_out(samples, 50)] == ["a"] * 4 + ["b"] * 12
    assert [sample.name for sample in share_out(samples, 50, 8)] == ["a"] * 2 + ["b"] * 6
    assert [sample.name for sample in share_out(samples, 512)] == ["b"]


def test_a_lattice_covers_every_pixel_once(write):
    (sample,) = find_samples(write())
    seen = np.zeros(SHAPE, int)
    for each in lattice([replace(sample, part=Part(10, 0, 180, 150))], 64):
        top, left, height, width = each.part
        assert 32 <= min(height, width) <= max(height, width) <= 64
        seen[top : top + height, left : left + width] += 1
    assert (seen[10:190] == 1).all()
    assert seen.sum() == 180 * 150


def test_few_scenes_hold_out_rows_and_many_hold_out_scenes(write):
    root = write("a")
    train, validation = split_validation(find_samples(root), 0.05, 0)
    assert train[0].part == Part(0, 0, 136, 150)
    assert validation[0].part == Part(136, 0, 64, 150)
    assert part_of(find_samples(root)[0]) == Part(0, 0, *SHAPE)
    for name in "bcd":
        write(name)
    train, validation = split_validation(find_samples(root), 0.25, 0)
    assert (len(train), len(validation)) == (3, 1)
    assert train[0].part is None
    write("flat/x", shape=(100, 150))
    with pytest.raises(DatasetError, match=r"has 100 rows, of which 64 would be held out"):
        split_validation(find_samples(root / "flat"), 0.05, 0)


def test_a_lattice_reads_images_and_labels_where_they_lie(write):
    root = write()
    samples = lattice(find_samples(root), 80)
    first, second = draw(4, shape=SHAPE)
    image = noise((3, *SHAPE), seed=1)
    for sample, item in zip(samples, items(samples), strict=True):
        top, left, height, width = sample.part
        rows = slice(top, top + height), slice(left, left + width)
        np.testing.assert_array_equal(item["before"], image[(slice(None), *rows)])
        np.testing.assert_array_equal(item["from_label"], first[rows])
        np.testing.assert_array_equal(item["to_label"], second[rows])
        np.testing.assert_array_equal(item["changed"], first[rows] > 0)


def test_chips_depend_on_seed_epoch_and_index_and_stay_in_their_part(write):
    (sample,) = find_samples(write())
    left_out = replace(sample, part=Part(0, 0, 100, 150))
    plain = Augmentation(chip=64, scale=(1.0, 1.0), flip=False)
    chips = Chips([left_out] * 6, SECOND, bands=3, cover=False, augmentation=plain, seed=3)
    again = Chips([left_out] * 6, SECOND, bands=3, cover=False, augmentation=plain, seed=3)
    image = noise((3, *SHAPE), seed=1)[:, :100]
    windows = np.lib.stride_tricks.sliding_window_view(image[0], (64, 64))
    places = set()
    for index in range(6):
        item = chips[index]
        assert (item["before"] == again[index]["before"]).all()
        (place,) = np.argwhere((windows == item["before"][0].numpy()).all(axis=(2, 3)))
        places.add(tuple(place))
    assert len(places) == 6
    assert not (chips[0]["before"] == again[6]["before"]).all()  # the first of the next epoch


@pytest.mark.parametrize("scale", [(0.5, 0.5), (2.0, 2.0)])
def test_a_scale_reads_larger_or_smaller_windows(write, scale):
    """Blocks of 8 pixels become blocks of 4 or 16."""
    root = write()
    blocks = np.kron(noise((1, 25, 19), seed=5), np.ones((1, 8, 8), np.uint8))[:, :, :150]
    write_scene(root / "a/before.tif", np.repeat(blocks, 3, axis=0))
    plain = Augmentation(chip=64, scale=scale, flip=False)
    (item,) = items(find_samples(root), augmentation=plain)
    edges = np.flatnonzero((np.diff(item["before"][0].numpy(), axis=1) != 0).any(axis=0))
    assert item["before"].shape == (3, 64, 64)
    spread = 64 / (64 / scale[0] / 8)
    assert len(np.unique((edges / spread).round())) == pytest.approx(64 / spread, abs=2)


def test_a_scene_smaller_than_the_window_is_mirrored_and_counts_only_inside(write):
    root = write(shape=(40, 50))
    (item,) = items(
        find_samples(root), augmentation=Augmentation(chip=64, scale=(1.0, 1.0), flip=False)
    )
    assert item["before"].shape == (3, 64, 64)
    assert int((item["changed"] != NODATA).sum()) == 40 * 50


def test_polygons_label_a_scene_and_outside_of_them_nothing_changed(write):
    root = write(labels="polygons")
    (item,) = items(find_samples(root))
    expected = np.zeros(SHAPE, int)
    expected[20:100, 10:60] = 1
    np.testing.assert_array_equal(item["from_label"], 3 * expected)
    np.testing.assert_array_equal(item["to_label"], 5 * expected)
    np.testing.assert_array_equal(item["changed"], expected)


@pytest.mark.parametrize("labels", ["rasters", "polygons"])
def test_outside_the_area_of_interest_nothing_counts(write, labels):
    root = write(labels=labels)
    area = shapely.box(500_000, 3_999_850, 500_150, 4_000_000)
    write_layer(root / "a/aoi.geojson", [area], layer="aoi", id=[1])
    (item,) = items(find_samples(root))
    for name in ("from_label", "to_label", "changed"):
        assert (item[name][150:] == NODATA).all()
        assert (item[name][:150] != NODATA).all()


def test_after_is_brought_onto_the_grid_of_before(write):
    root = write(after=NORTH_UP @ Affine.translation(10, 20))
    (item,) = items(find_samples(root))
    image = noise((3, *SHAPE), seed=2)
    np.testing.assert_array_equal(item["after"][:, 20:, 10:], image[:, :-20, :-10])
    assert (item["changed"][:20] == NODATA).all()
    assert (item["changed"][20:, 10:] != NODATA).all()


def test_label_rasters_shifted_by_whole_pixels_are_placed_and_others_refused(write):
    root = write()
    index, _ = draw(4, shape=SHAPE)
    moved = NORTH_UP @ Affine.translation(5, -3)
    for part in ("from", "to"):
        write_tif(root / f"a/{part}.tif", index, transform=moved)
    (item,) = items(find_samples(root))
    np.testing.assert_array_equal(item["from_label"][:-3, 5:], index[3:, :-5])
    assert (item["from_label"][-3:] == NODATA).all()
    write_tif(root / "a/to.tif", index, transform=NORTH_UP @ Affine.scale(0.5))
    (problem,) = scan(find_samples(root), SECOND).problems
    assert "before.tif" in problem
    assert "to.tif are not on the same grid: pixel size is 1 x 1 and 0.5 x 0.5" in problem
    write_tif(root / "a/to.tif", index[:50], crs=None)
    (problem,) = scan(find_samples(root), SECOND).problems
    assert "to.tif has no CRS" in problem


def test_other_types_and_bands_get_one_stretch_per_scene(write):
    (sample,) = find_samples(write(bands=4, kind="uint16"))
    samples = [replace(sample, bands=(4, 1, 2))]
    (item,) = items(samples)
    first = noise((4, *SHAPE), "uint16", seed=1)[[3, 0, 1]].astype(float)
    low, high = np.percentile(
        np.concatenate([first, noise((4, *SHAPE), "uint16", seed=2)[[3, 0, 1]]], 1), (2, 98), (1, 2)
    )
    expected = ((first - low[:, None, None]) * (255 / (high - low))[:, None, None]).clip(0, 255)
    np.testing.assert_allclose(item["before"], expected, atol=0.01)
    mean, std = band_statistics(samples)
    np.testing.assert_allclose(mean, expected.mean((1, 2)), rtol=0.05)
    np.testing.assert_allclose(std, expected.std((1, 2)), rtol=0.05)


def test_the_statistics_of_a_part_leave_the_rest_out(write):
    root = write()
    image = noise((3, *SHAPE), seed=1)
    image[:, 100:] = 255
    write_scene(root / "a/before.tif", image)
    write_scene(root / "a/after.tif", image)
    (sample,) = find_samples(root)
    mean, _ = band_statistics([replace(sample, part=Part(0, 0, 100, 150))])
    np.testing.assert_allclose(mean, image[:, :100].mean((1, 2)), rtol=0.02)


def test_a_scan_counts_what_lies_on_the_ground(write):
    root = write()
    write("b", "polygons")
    found = scan(find_samples(root), SECOND)
    assert not found.problems
    first, second = draw(4, shape=SHAPE)
    for counted, index, drawn in (
        (found.counts.from_pixels, first, 3),
        (found.counts.to_pixels, second, 5),
    ):
        expected = np.bincount(index.ravel(), minlength=7)[1:]
        expected[drawn - 1] += 80 * 50
        assert counted.tolist() == expected.tolist()
    assert found.counts.changed == np.count_nonzero(first) + 80 * 50
    assert found.counts.total == 2 * SHAPE[0] * SHAPE[1]
    assert found.systems == {UTM: 2}


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_of_scenes_are_the_same_in_other_processes(write, workers):
    root = write(labels="polygons", kind="uint16")
    samples = share_out(find_samples(root), 64, 4)
    chips = Chips(samples, SECOND, bands=3, cover=False, augmentation=Augmentation(chip=64))
    (batch,) = Batches(chips, workers).of([range(4)])
    expected = [chips[index]["before"] for index in range(4)]
    assert all((a == b).all() for a, b in zip(batch["before"], expected, strict=True))


def test_a_file_cut_off_is_a_problem_of_the_scan_and_an_item_of_its_chips(write):
    root = write()
    path = root / "a/from.tif"
    path.write_bytes(path.read_bytes()[:5000])
    samples = find_samples(root)
    (problem,) = scan(samples, SECOND).problems
    assert "from.tif" in problem
    assert "cannot be read" in problem
    (item,) = items(samples)
    assert isinstance(item, Exception)
