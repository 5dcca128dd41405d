import numpy as np
import pytest
from maps import tag, write_png, write_tif
from rasterio.windows import Window
from scenes import noise, write_scene

from scdcli.datasets.classmap import label_windows, open_label, read_label
from scdcli.errors import DatasetError, InputError
from scdcli.legend import SECOND, LandCover, Legend

INDEX = np.array([[0, 1, 2], [6, 0, 5]], np.uint8)
TWO = Legend("two", (LandCover("dry", (1, 2, 3)), LandCover("wet", (3, 2, 1))))


def test_colors_are_read_as_the_classes_of_second_by_default(tmp_path):
    path = write_png(tmp_path / "a.png", INDEX, SECOND)
    np.testing.assert_array_equal(read_label(path), INDEX)


def test_colors_are_read_with_the_legend_given(tmp_path):
    path = write_png(tmp_path / "a.png", INDEX.clip(max=2), TWO)
    np.testing.assert_array_equal(read_label(path, TWO), INDEX.clip(max=2))


def test_indices_and_nodata_are_read_as_they_are(tmp_path):
    index = np.where(INDEX == 6, 255, INDEX).astype(np.uint8)
    np.testing.assert_array_equal(read_label(write_png(tmp_path / "a.png", index)), index)


def test_a_palette_is_decoration_and_its_values_are_indices(tmp_path):
    path = write_scene(tmp_path / "a.tif", INDEX[None], photometric="palette")
    np.testing.assert_array_equal(read_label(path), INDEX)


@pytest.mark.parametrize("kind", ["int16", "uint16", "int32"])
def test_wider_whole_numbers_are_read(tmp_path, kind):
    path = write_scene(tmp_path / "a.tif", INDEX[None].astype(kind))
    found = read_label(path)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, INDEX)


def test_a_declared_nodata_value_becomes_255(tmp_path):
    values = np.where(INDEX == 6, -9999, INDEX.astype("int16"))[None]
    path = write_scene(tmp_path / "a.tif", values, nodata=-9999)
    np.testing.assert_array_equal(read_label(path), np.where(INDEX == 6, 255, INDEX))


def test_masked_pixels_become_255_whatever_their_color(tmp_path):
    colors = SECOND.encode(INDEX)
    colors[:, 0, 0] = (9, 9, 9)
    mask = np.full(INDEX.shape, 255, np.uint8)
    mask[0, 0] = 0
    path = write_scene(tmp_path / "a.tif", colors, mask=mask)
    expected = INDEX.copy()
    expected[0, 0] = 255
    np.testing.assert_array_equal(read_label(path), expected)


def test_an_unknown_color_is_named(tmp_path):
    colors = SECOND.encode(INDEX)
    colors[:, 1, 2] = (1, 2, 3)
    path = write_scene(tmp_path / "odd.png", colors, None, None, driver="PNG")
    with pytest.raises(DatasetError, match=r"odd\.png holds the color #010203 .row 1, column 2"):
        read_label(path)


def test_an_unknown_color_far_down_is_named_with_where_counting_starts(tmp_path, monkeypatch):
    monkeypatch.setattr("scdcli.datasets.classmap.DECODED_PIXELS", 3)
    colors = SECOND.encode(INDEX)
    colors[:, 1, 2] = (1, 2, 3)
    path = write_scene(tmp_path / "odd.png", colors, None, None, driver="PNG")
    message = r"odd\.png, counted from row 1, column 0, holds the color #010203 .row 0, column 2"
    with pytest.raises(DatasetError, match=message):
        read_label(path)


def test_an_index_beyond_the_legend_is_named_with_its_pixels(tmp_path):
    index = np.array([[0, 7, 7]], np.uint8)
    path = write_png(tmp_path / "odd.png", index)
    message = r"odd\.png holds the value 7 in 2 pixels, but legend 'second' ends at 6"
    with pytest.raises(DatasetError, match=message):
        read_label(path, SECOND)


def test_an_index_that_no_legend_can_have_is_named(tmp_path):
    path = write_png(tmp_path / "odd.png", np.array([[100]], np.uint8))
    with pytest.raises(DatasetError, match="value 100 in 1 pixel, but class indices end at 99"):
        read_label(path)


@pytest.mark.parametrize("value", [-1, 300])
def test_a_value_outside_uint8_is_named(tmp_path, value):
    path = write_scene(tmp_path / "odd.tif", np.array([[[0, value]]], "int16"))
    with pytest.raises(
        DatasetError, match=rf"odd\.tif holds the value {value} in 1 pixel, but .* 0 to 99"
    ):
        read_label(path)


@pytest.mark.parametrize(("bands", "kind"), [(2, "uint8"), (1, "float32"), (3, "uint16")])
def test_what_is_no_class_map_is_refused(tmp_path, bands, kind):
    path = write_scene(tmp_path / "a.tif", noise((bands, 4, 5), kind))
    with pytest.raises(DatasetError, match=f"a.tif holds {bands} x {kind}"):
        read_label(path)


def test_unchanged_declared_as_nodata_is_refused(tmp_path):
    path = write_scene(tmp_path / "a.tif", INDEX[None], nodata=0)
    with pytest.raises(DatasetError, match="declares 0 as nodata, but 0 means unchanged"):
        read_label(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="gone.png does not exist"):
        read_label(tmp_path / "gone.png")


@pytest.mark.parametrize(("namespace", "key"), [("SCD", "LEGEND"), (None, "SCD_LEGEND")])
def test_the_legend_in_the_tags_is_found(tmp_path, namespace, key):
    path = write_tif(tmp_path / "a.tif", INDEX)
    tag(path, namespace, **{key: SECOND.dumps()})
    with open_label(path) as label:
        assert label.carried == label.legend == SECOND


def test_a_legend_of_another_length_than_the_one_carried_is_refused(tmp_path):
    path = write_tif(tmp_path / "a.tif", INDEX, legend=SECOND)
    with (
        pytest.raises(DatasetError, match="'second' with 6 classes, but legend 'two' has 2"),
        open_label(path, TWO),
    ):
        pass


@pytest.mark.parametrize("text", ["{", "{}", '{"name": "x", "classes": [{"name": "y"}]}', "[1]"])
def test_a_tag_that_is_no_legend_is_refused(tmp_path, text):
    path = write_tif(tmp_path / "a.tif", INDEX)
    tag(path, "SCD", LEGEND=text)
    with pytest.raises(DatasetError, match="carries a legend that cannot be read"):
        read_label(path)


def test_indices_without_a_tag_have_no_legend(tmp_path):
    with open_label(write_png(tmp_path / "a.png", INDEX)) as label:
        assert label.legend is None


@pytest.mark.parametrize(
    "profile",
    [{}, {"tiled": True, "blockxsize": 16, "blockysize": 32}, {"blockysize": 7}],
    ids=["strips", "tiles", "odd strips"],
)
def test_windows_cover_a_map_once(tmp_path, profile, monkeypatch):
    monkeypatch.setattr("scdcli.datasets.classmap.WINDOW_PIXELS", 500)
    monkeypatch.setattr("scdcli.datasets.classmap.WIDEST_STRIP_PIXELS", 1000)
    monkeypatch.setattr("scdcli.datasets.classmap.WINDOW_COLUMNS", 16)
    path = write_scene(tmp_path / "a.tif", noise((1, 100, 70)), **profile)
    seen = np.zeros((100, 70), int)
    with open_label(path) as label:
        windows = list(label_windows([label, label]))
        for window in windows:
            seen[window.toslices()] += 1
    assert (seen == 1).all()
    assert len(windows) > 1


def test_a_window_holds_its_part_of_the_map(tmp_path):
    with open_label(write_png(tmp_path / "a.png", INDEX, SECOND)) as label:
        np.testing.assert_array_equal(label.read(Window(1, 0, 2, 1)), [[1, 2]])
