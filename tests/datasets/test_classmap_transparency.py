"""Transparent pixels of labels mean one thing, whatever makes them transparent, and are counted."""

import json

import numpy as np
import pytest
from maps import draw
from PIL import Image
from scenes import noise, write_scene

from scdcli.datasets.classmap import read_label
from scdcli.datasets.indexpng import write_index_png
from scdcli.datasets.legendfile import find_legend
from scdcli.errors import DatasetError
from scdcli.legend import NODATA, SECOND, UNCHANGED

SIZE = (48, 64)
MAPS = draw(5, shape=SIZE)


def as_rgba(index, path):
    """Colors with an alpha band; what is beneath the transparent pixels is black."""
    colors = np.moveaxis(SECOND.encode(index), 0, -1)
    colors[index == 0] = 0
    alpha = np.where(index > 0, 255, 0).astype(np.uint8)
    Image.fromarray(np.dstack([colors, alpha])).save(path)


def as_color(index, path):
    """Colors of which one, white, is transparent."""
    Image.fromarray(np.moveaxis(SECOND.encode(index), 0, -1)).save(path, transparency=(255,) * 3)


def as_palette(index, path, transparency=0):
    """Values with a palette of which some entries are transparent."""
    image = Image.fromarray(index, "P")
    palette = np.zeros((256, 3), np.uint8)
    for value in SECOND.indices():
        palette[value] = SECOND[value].color
    image.putpalette(palette.tobytes())
    image.save(path, transparency=transparency)


def as_palette_twice(index, path):
    """The same, with an entry that no pixel has: GDAL then knows of no nodata value."""
    opaque = bytearray([255] * 256)
    opaque[0] = opaque[99] = 0
    as_palette(index, path, bytes(opaque))


def as_gray(index, path):
    """Values without a palette, one of which is transparent."""
    Image.fromarray(index).save(path, transparency=0)


def as_geotiff(index, path):
    """A GeoTIFF of colors with an alpha band."""
    alpha = np.where(index > 0, 255, 0).astype(np.uint8)
    colors = np.concatenate([SECOND.encode(index), alpha[None]])
    write_scene(path.with_suffix(".tif"), colors, photometric="rgb", alpha="yes")


WAYS = [as_rgba, as_color, as_palette, as_palette_twice, as_gray, as_geotiff]
each_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)


def write(way, folder, index=MAPS[0], name="a"):
    folder.mkdir(parents=True, exist_ok=True)
    way(index, folder / f"{name}.png")
    (path,) = folder.glob(f"{name}.*")
    return path


@pytest.fixture
def legend_file(tmp_path):
    """SECOND with a word for what transparent pixels mean."""

    def make(word):
        path = tmp_path / "own.json"
        path.write_text(json.dumps(SECOND.to_dict() | {"transparent": word}))
        return path

    return make


@each_way
def test_transparent_pixels_are_nodata_however_they_are_written(tmp_path, way):
    found = read_label(write(way, tmp_path), SECOND)
    np.testing.assert_array_equal(found, np.where(MAPS[0] == UNCHANGED, NODATA, MAPS[0]))


@each_way
def test_a_legend_file_may_call_them_unchanged(tmp_path, way, legend_file):
    legend = find_legend(str(legend_file("unchanged")))
    np.testing.assert_array_equal(read_label(write(way, tmp_path / "maps"), legend), MAPS[0])


def test_another_word_is_refused(legend_file):
    with pytest.raises(DatasetError, match=r"""transparent is 'water'; write "nodata" or"""):
        find_legend(str(legend_file("water")))


def test_a_nodata_value_of_a_geotiff_is_no_transparency(tmp_path, legend_file):
    legend = find_legend(str(legend_file("unchanged")))
    path = write_scene(tmp_path / "a.tif", MAPS[0][None], nodata=3)
    found = read_label(path, legend)
    np.testing.assert_array_equal(found, np.where(MAPS[0] == 3, NODATA, MAPS[0]))


def labelled(root, way):
    """A set of one pair with labels of a kind."""
    for number, part in enumerate(("im1", "im2")):
        (root / part).mkdir(parents=True)
        write_scene(root / part / "a.png", noise((3, *SIZE), seed=number), None, None, driver="PNG")
    for part, index in zip(("label1", "label2"), MAPS, strict=True):
        write(way, root / part, index)
    return root


@each_way
def test_they_are_said_and_counted(scd, tmp_path, way, legend_file):
    root = labelled(tmp_path / "set", way)
    hidden = int((MAPS[0] == UNCHANGED).sum())
    counted = f"{hidden:,} pixels ({100 * hidden / MAPS[0].size:.1f} %) of the labels are trans"
    checked = scd("check", root, "--legend", "second")
    assert f"Note: {counted}parent, which counts as nodata. If it means unchanged" in checked.stdout
    checked = json.loads(scd("check", root, "--legend", legend_file("unchanged"), "--json").stdout)
    assert checked["notes"] == [f"{counted}parent, which counts as unchanged, as the legend says."]
    assert checked["splits"]["train"]["unchanged"] == hidden


def test_training_and_scoring_say_it_too(scd, tmp_path):
    root = labelled(tmp_path / "set", as_rgba)
    tiny = ("--network", "fc-siam-diff", "--width", "0.1", "--chip", "64", "--epochs", "1")
    trained = scd("train", root, "-o", tmp_path / "run", "--val-share", "0", "--batch", "1", *tiny)
    assert "of the labels are transparent, which counts as nodata" in trained.stderr
    scored = scd("evaluate", root, "--pred", root)
    assert "1 of 1 labels have transparent pixels, which count as nodata" in scored.stderr


def test_a_nodata_entry_of_the_palette_is_nothing_to_say(scd, tmp_path):
    def as_our_own(index, path):
        write_index_png(path, np.where(index == 0, NODATA, index).astype(np.uint8), SECOND)

    root = labelled(tmp_path / "set", as_our_own)
    checked = json.loads(scd("check", root, "--json").stdout)
    assert checked["notes"] == []
    assert checked["splits"]["train"]["nodata"] == int((MAPS[0] == UNCHANGED).sum())
