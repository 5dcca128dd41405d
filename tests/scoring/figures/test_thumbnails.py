import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from maps import draw, write_png, write_tif
from rasterio.windows import Window
from scenes import UTM, noise, ramp, write_scene

from scdcli.datasets.samples import Sample
from scdcli.legend import SECOND
from scdcli.scoring.figures.thumbnails import (
    ClassThumbnail,
    class_thumbnail,
    image_thumbnails,
    scene_thumbnails,
    step,
)


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 600))
def test_no_side_is_longer_than_asked(height, width, side):
    small = ClassThumbnail(height, width, side).index
    assert max(small.shape) <= side


def test_what_is_small_enough_stays_as_it_is():
    assert step(512, 300, 512) == 1
    assert step(513, 300, 512) == 2


@settings(max_examples=60)
@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.integers(1, 20),
    st.tuples(st.integers(1, 17), st.integers(1, 17)),
)
def test_any_windows_give_every_nth_pixel(shape, side, window):
    classes = np.random.default_rng(0).integers(0, 200, shape, dtype=np.uint8)
    small = ClassThumbnail(*shape, side)
    for top in range(0, shape[0], window[0]):
        for left in range(0, shape[1], window[1]):
            part = classes[top : top + window[0], left : left + window[1]]
            small.add(Window(left, top, part.shape[1], part.shape[0]), part)
    nth = step(*shape, side)
    np.testing.assert_array_equal(small.index, classes[::nth, ::nth])


def test_what_no_window_covers_is_nodata():
    small = ClassThumbnail(4, 4, 4)
    small.add(Window(0, 0, 4, 2), np.ones((2, 4), np.uint8))
    assert small.index.tolist() == [[1] * 4, [1] * 4, [255] * 4, [255] * 4]


def test_a_map_on_disk_is_read_in_colors_and_as_indices(tmp_path):
    index, _ = draw(1, shape=(33, 50))
    write_png(tmp_path / "c.png", index, SECOND)
    write_tif(tmp_path / "i.tif", index)
    for name in ("c.png", "i.tif"):
        small = class_thumbnail(tmp_path / name, SECOND, 25)
        np.testing.assert_array_equal(small, index[::2, ::2])


def test_the_labels_of_a_scene_come_in_the_order_of_the_dates(tmp_path):
    labels = draw(1, shape=(33, 50))
    paths = [tmp_path / f"{name}.tif" for name in ("before", "after", "from", "to")]
    for path, index in zip(paths[2:], labels, strict=True):
        write_tif(path, index)
    for path in paths[:2]:
        write_scene(path, noise((3, 33, 50)))
    for small, index in zip(scene_thumbnails(Sample("a", *paths), SECOND, 25), labels, strict=True):
        np.testing.assert_array_equal(small, index[::2, ::2])


def test_an_image_pixel_is_the_mean_of_those_it_stands_for(tmp_path):
    before, after = noise((3, 40, 60), seed=1), noise((3, 40, 60), seed=2)
    for name, pixels in (("b", before), ("a", after)):
        write_scene(tmp_path / f"{name}.tif", pixels)
    found = image_thumbnails(tmp_path / "b.tif", tmp_path / "a.tif", 15)
    for picture, pixels in zip(found, (before, after), strict=True):
        assert picture.shape == (10, 15, 3)
        expected = pixels[:, 4:8, 8:12].mean(axis=(1, 2))
        assert np.abs(picture[1, 2] - expected).max() <= 0.5


def test_strips_do_not_show(tmp_path, monkeypatch):
    for name, seed in (("b", 1), ("a", 2)):
        write_scene(tmp_path / f"{name}.tif", noise((3, 50, 30), seed=seed))
    paths = tmp_path / "b.tif", tmp_path / "a.tif"
    whole = image_thumbnails(*paths, 20)
    monkeypatch.setattr("scdcli.scoring.figures.thumbnails.STRIP_PIXELS", 100)
    for picture, expected in zip(image_thumbnails(*paths, 20), whole, strict=True):
        np.testing.assert_array_equal(picture, expected)
    assert whole[0].shape == (17, 10, 3)


def test_one_band_is_gray_and_other_types_are_stretched(tmp_path):
    for name in ("b", "a"):
        write_scene(tmp_path / f"{name}.tif", (ramp(30, 40) * 100).astype(np.uint16), crs=UTM)
    before, _ = image_thumbnails(tmp_path / "b.tif", tmp_path / "a.tif", 100)
    assert (before[..., 0] == before[..., 2]).all()
    assert before[0, 0, 0] < 10
    assert before[-1, -1, 0] > 245
