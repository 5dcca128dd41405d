"""Labelled images of one date: which files, what their labels mean, block by block."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import rasterio
from affine import Affine
from labelledimages import labelled_images
from pictures import write_png

from scdcli.errors import DatasetError, InputError, UnknownName
from scdcli.legend import SECOND, URBAN
from scdcli.simulation import sources
from scdcli.simulation.sources import (
    IMAGE_NODATA,
    SOURCES,
    Blocks,
    Source,
    find_blocks,
    find_source,
    read_block,
)


def key_file(tmp_path, text):
    path = tmp_path / "key.toml"
    path.write_text(text)
    return str(path)


def test_a_key_gives_values_and_colors_their_class(tmp_path):
    key = find_source(
        key_file(tmp_path, "unknown = 9\nnodata = [0]\n[classes]\nwater = 7\nroad = [3, 4]"), URBAN
    )
    values = np.array([[[7, 3, 4, 9, 0]]], dtype=np.uint8)
    assert key.decode(values, "x.png").tolist() == [[1, 3, 3, 255, IMAGE_NODATA]]
    assert key.pixel_size is None


def test_a_key_of_colors(tmp_path):
    key = find_source(key_file(tmp_path, 'unknown = "#000000"\n[classes]\nwater="#0102FF"'), URBAN)
    colors = np.array([[[1, 0]], [[2, 0]], [[255, 0]]], dtype=np.uint8)
    assert key.decode(colors, "x.png").tolist() == [[1, 255]]
    with pytest.raises(DatasetError, match=r"x\.png holds the color #010203 \(row 0, column 0\)"):
        key.decode(np.array([[[1]], [[2]], [[3]]], dtype=np.uint8), "x.png")


@pytest.mark.parametrize("name", SOURCES)
def test_the_known_sources_fit_the_urban_legend(name):
    key = find_source(name, URBAN)
    assert key.pixel_size > 0
    assert {index for index in key.codes.values() if index < IMAGE_NODATA} <= set(URBAN.indices())


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("[classes]\nlake = 1", "names the class 'lake', which legend 'urban' does not have"),
        ("size = 1\n[classes]\nwater = 1", "has 'size', which means nothing here"),
        ("pixel_size = 1", r"has no \[classes\]"),
        ("pixel_size = -1\n[classes]\nwater = 1", "pixel_size is -1; give meters"),
        ('[classes]\nwater = 1\nroad = "#FFFFFF"', "names both colors and values"),
        ("[classes]\nwater = 1\nroad = [1]", "1 of 'road' is named twice"),
        ("[classes]\nwater = 300", "is 300; give a value from 0 to 255"),
    ],
)
def test_a_key_that_cannot_be_used_says_why(tmp_path, text, match):
    with pytest.raises(DatasetError, match=match):
        find_source(key_file(tmp_path, text), URBAN)


def test_a_key_that_is_no_file_or_no_toml(tmp_path):
    with pytest.raises(UnknownName, match="dubai"):
        find_source("dubay", URBAN)
    with pytest.raises(InputError, match="cannot be read"):
        find_source(str(tmp_path / "none.toml"), URBAN)
    with pytest.raises(InputError, match="is not TOML"):
        find_source(key_file(tmp_path, "water ="), URBAN)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_key_may_come_from_a_windows_editor(tmp_path, encoding):
    text = "# Schlüssel\r\n[classes]\r\nwater = 7\r\n"
    (tmp_path / "key.toml").write_bytes(text.encode(encoding))
    key = find_source(str(tmp_path / "key.toml"), URBAN)
    assert key.decode(np.array([[[7]]], dtype=np.uint8), "x.png").tolist() == [[1]]


def test_images_are_found_in_a_folder_and_in_the_folders_of_it(tmp_path):
    key = find_source(str(labelled_images(tmp_path / "a", count=1, size=128)), URBAN)
    labelled_images(tmp_path / "b", count=2, size=128)
    assert len(find_blocks(Source(tmp_path / "a", key))) == 1
    assert len(find_blocks(Source(tmp_path, key))) == 3


def test_what_nobody_labelled_is_unknown_and_what_shows_nothing_unseen(tmp_path):
    key = find_source(str(labelled_images(tmp_path, count=1, size=128)), URBAN)
    (block,) = find_blocks(Source(tmp_path, key))
    found = read_block(block, URBAN)
    assert found.pixel_size == 0.5
    assert (found.cover[:8, :8] == 255).all()
    assert found.valid.all()
    unseen = find_source(
        key_file(tmp_path, (tmp_path / "key.toml").read_text().replace("unknown", "nodata")), URBAN
    )
    (block,) = find_blocks(Source(tmp_path, unseen))
    assert not read_block(block, URBAN).valid[:8, :8].any()


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_palette_is_read_as_its_colors(tmp_path):
    labelled_images(tmp_path, count=1, size=128)
    label = np.full((128, 128), 3, dtype=np.uint8)
    profile = {"driver": "PNG", "count": 1, "dtype": "uint8", "height": 128, "width": 128}
    with rasterio.open(tmp_path / "masks/0.png", "w", **profile) as target:
        target.write(label, 1)
        target.write_colormap(1, {3: (31, 120, 180)})
    (block,) = find_blocks(Source(tmp_path, find_source(str(tmp_path / "key.toml"), URBAN)))
    assert (read_block(block, URBAN).cover == 1).all()


def test_a_mosaic_is_read_in_blocks_that_cover_it_once(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "BLOCK", 100)
    key = find_source(str(labelled_images(tmp_path, count=1, size=256)), URBAN)
    blocks = find_blocks(Source(tmp_path, key))
    assert len(blocks) == 9
    (tmp_path / "one").mkdir()
    monkeypatch.setattr(sources, "BLOCK", 1000)
    whole = read_block(find_blocks(Source(tmp_path, key))[0], URBAN)
    for block in blocks:
        found, window = read_block(block, URBAN), block.window
        part = (
            slice(window.row_off, window.row_off + window.height),
            slice(window.col_off, window.col_off + window.width),
        )
        np.testing.assert_array_equal(found.cover, whole.cover[part])
        np.testing.assert_array_equal(found.image, whole.image[:, *part])


def test_georeferenced_images_need_no_key(tmp_path):
    index = np.tile(np.arange(7, dtype=np.uint8), (64, 10))[:, :64]
    place = {"crs": "EPSG:32632", "transform": Affine(0.3, 0, 5e5, 0, -0.3, 5e6)}
    profile = {"driver": "GTiff", "height": 64, "width": 64, "dtype": "uint8"}
    for folder, count in (("images", 3), ("labels", 1)):
        (tmp_path / folder).mkdir()
        with rasterio.open(tmp_path / folder / "x.tif", "w", count=count, **profile, **place) as t:
            t.write(np.stack([index] * count))
    (block,) = find_blocks(Source(tmp_path))
    assert block.pixel_size == pytest.approx(0.3, rel=1e-3)
    cover = read_block(block, SECOND).cover
    assert (cover[index == 0] == 255).all()
    assert (cover[index > 0] == index[index > 0]).all()


def test_blocks_are_kept_while_there_is_room(tmp_path):
    key = find_source(str(labelled_images(tmp_path, count=3, size=128)), URBAN)
    blocks = find_blocks(Source(tmp_path, key))
    roomy, narrow = Blocks(blocks, URBAN), Blocks(blocks, URBAN, room=1)
    for kept in (roomy, narrow):
        for index in (0, 1, 2):
            np.testing.assert_array_equal(kept[index].image, read_block(blocks[index], URBAN).image)
    assert roomy[0] is roomy[0]
    first = narrow[0]
    assert narrow[1] is not None
    assert narrow[0] is not first


def test_what_cannot_be_used_is_said(tmp_path):
    with pytest.raises(DatasetError, match="holds no labelled images"):
        find_blocks(Source(tmp_path))
    key = find_source(str(labelled_images(tmp_path, count=1, size=128)), URBAN)
    write_png(tmp_path / "images/more.png", np.zeros((3, 8, 8), np.uint8))
    with pytest.raises(DatasetError, match=r"more\.png has no label of the same name"):
        find_blocks(Source(tmp_path, key))
    write_png(tmp_path / "masks/more.png", np.zeros((3, 8, 9), np.uint8))
    with pytest.raises(DatasetError, match="9 x 8 pixels .* 8 x 8 pixels"):
        find_blocks(Source(tmp_path, key))
    write_png(tmp_path / "masks/more.png", np.zeros((3, 8, 8), np.uint8))
    with pytest.raises(DatasetError, match="does not say the size of its pixels"):
        find_blocks(Source(tmp_path, replace(key, pixel_size=None)))
    write_png(tmp_path / "images/0.png", np.zeros((1, 128, 128), np.uint8))
    with pytest.raises(DatasetError, match="have three bands of uint8"):
        read_block(find_blocks(Source(tmp_path, key))[0], URBAN)


def single_band(path, values, **profile):
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = values.shape
    known = {"driver": "GTiff", "count": 1, "dtype": values.dtype.name}
    known["transform"] = Affine(0.5, 0, 0, 0, -0.5, 0)
    with rasterio.open(path, "w", height=height, width=width, **known, **profile) as target:
        target.write(values, 1)


@pytest.fixture
def town(tmp_path):
    """A folder with one image whose label is to be written."""
    write_png(tmp_path / "images" / "a.png", np.full((3, 16, 16), 90, np.uint8))
    return tmp_path


def test_a_value_beyond_the_legend_is_refused(town):
    values = np.full((16, 16), 5, np.uint8)
    values[:2] = 6
    single_band(town / "labels" / "a.tif", values)
    key = replace(find_source("monterey", URBAN), codes={1: 1})
    (block,) = find_blocks(Source(town, key))
    with pytest.raises(DatasetError, match=r"a\.tif holds the value 6 in 32 pixels"):
        read_block(replace(block, key=None), URBAN)


def test_labels_of_floating_point_numbers_are_refused(town):
    values = np.full((16, 16), 1, np.float32)
    values[0] = np.nan
    single_band(town / "labels" / "a.tif", values)
    (block,) = find_blocks(Source(town, find_source("monterey", URBAN)))
    with pytest.raises(DatasetError, match="values of type float32; labels are whole numbers"):
        read_block(block, URBAN)


@pytest.mark.parametrize(("dtype", "nothing"), [("int16", -9999), ("uint16", 65535)])
def test_nodata_of_a_label_need_not_be_in_the_key(town, dtype, nothing):
    values = np.full((16, 16), 1, dtype)
    values[0] = nothing
    single_band(town / "labels" / "a.tif", values, nodata=nothing)
    (block,) = find_blocks(Source(town, find_source("monterey", URBAN)))
    found = read_block(block, URBAN)
    assert (found.cover[0] == 255).all()
    assert (found.cover[1:] == 1).all()
    assert found.valid.all()


def test_a_block_shows_as_much_as_a_pair_needs(town, monkeypatch):
    monkeypatch.setattr(sources, "BLOCK", 4)
    monkeypatch.setattr(sources, "LARGEST_BLOCK", 8)
    single_band(town / "labels" / "a.tif", np.ones((16, 16), np.uint8))
    key = replace(find_source("monterey", URBAN), pixel_size=0.5)
    sides = [len(find_blocks(Source(town, key), side)) for side in (0, 2, 3.5, 1000)]
    assert sides == [16, 16, 9, 4]


def test_processes_are_sent_no_images(tmp_path):
    key = find_source(str(labelled_images(tmp_path)), URBAN)
    blocks = Blocks(find_blocks(Source(tmp_path, key)), URBAN)
    list(blocks)
    sent = pickle.dumps(blocks)
    assert len(sent) < 10_000
    np.testing.assert_array_equal(pickle.loads(sent)[0].image, blocks[0].image)
