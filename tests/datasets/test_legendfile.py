"""Legends from files, and labels that write the classes in their own values and colors."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from maps import tag, write_png
from scenes import write_scene

from scdcli.datasets.classmap import open_label, read_label
from scdcli.datasets.legendfile import find_legend
from scdcli.errors import DatasetError, InputError, UnknownName
from scdcli.legend import NODATA, SECOND, Coding, Legend

CLASSES = [
    {"name": "water", "color": "#0000FF", "value": 111},
    {"name": "forest", "color": "#00FF00", "value": 30},
    {"name": "town", "color": "#800000", "value": 5},
]
INDEX = np.array([[0, 1, 2], [3, 255, 1]], np.uint8)


def without_values():
    return [{key: each[key] for key in ("name", "color")} for each in CLASSES]


@pytest.fixture
def write(tmp_path):
    """Write a legend as JSON, with what is given instead of the defaults; returns its path."""

    def write(**content):
        path = tmp_path / "legend.json"
        path.write_text(json.dumps({"name": "parcels", "classes": CLASSES} | content))
        return str(path)

    return write


def test_toml_and_json_of_the_same_content_are_the_same_legend(tmp_path, write):
    tables = [
        "[[classes]]\n" + "\n".join(f"{k} = {json.dumps(v)}" for k, v in each.items())
        for each in CLASSES
    ]
    path = tmp_path / "legend.toml"
    path.write_text('name = "parcels"\nnodata = [254, -1]\n' + "\n".join(tables))
    found, same = find_legend(str(path)), find_legend(write(nodata=[254, -1]))
    assert found == same
    assert found.coding == same.coding == Coding((111, 30, 5), 0, (254, -1))
    assert [cover.name for cover in found.classes] == ["water", "forest", "town"]
    assert found[3].color == (128, 0, 0)


def test_a_name_is_a_built_in_legend():
    assert find_legend("second") is SECOND
    with pytest.raises(UnknownName, match="no such file. named 'urbn'; choose one of: second"):
        find_legend("urbn")


def test_without_values_labels_hold_the_indices(write):
    assert find_legend(write(classes=without_values())).coding == Coding()


def test_replaceable_classes_are_listed_by_name(write):
    assert find_legend(write()).replaceable == ()
    assert find_legend(write(replaceable=["town"])).replaceable_indices() == (3,)


def test_the_coding_stays_with_the_labels(write):
    legend = find_legend(write())
    assert set(legend.to_dict()) == {"name", "classes", "replaceable"}
    copied = Legend.from_dict(legend.to_dict())
    assert copied == legend
    assert copied.coding == Coding()


def changed(number, **values):
    return [each | values if i == number else each for i, each in enumerate(CLASSES)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"classes": []}, "holds 0 classes; 1 to 99"),
        ({"classes": without_values() * 34}, "holds 102 classes; 1 to 99"),
        ({"classes": "water"}, r"no list of tables; write one \[\[classes\]\]"),
        ({"color": "#000000"}, "has 'color', which means nothing here; known are classes"),
        ({"classes": [{"name": "water"}]}, "class 1 has no color; add it"),
        ({"classes": changed(1, colour="#123456")}, "class 2 has 'colour'"),
        ({"classes": changed(1, color="green")}, "class 'forest' is 'green'; give .* #RRGGBB"),
        (
            {"classes": changed(2, color="#0000FF")},
            r"class 3 \(town\) has the color #0000FF of class 1 \(water\)",
        ),
        ({"classes": changed(2, color="#FFFFFF")}, "the color #FFFFFF of unchanged"),
        ({"classes": changed(2, name="water")}, r"the name 'water' of class 1 \(water\)"),
        ({"classes": changed(2, value=30)}, r"class 3 \(town\) has the value 30 of class 2"),
        ({"classes": changed(2, value=0)}, r"class 3 \(town\) has the value 0 of unchanged"),
        ({"classes": changed(2, value=255)}, "the value 255 of nodata"),
        ({"classes": changed(2, value="5")}, "value is '5'; give a whole number"),
        ({"classes": changed(2, value=None)}, "2 classes have a value and 1 have none, 'town'"),
        ({"nodata": 0}, "0 is both unchanged and nodata"),
        ({"unchanged_color": "#0000FF"}, r"class 1 \(water\) has the color #0000FF of unchanged"),
        ({"replaceable": "town"}, r"replaceable is 'town'; list names .* water, forest, town"),
        ({"replaceable": ["city"]}, r"replaceable is \['city'\]"),
        ({"nodata_color": "#FFFFFF"}, "#FFFFFF is both unchanged_color and nodata_color"),
    ],
)
def test_a_legend_that_cannot_be_read_with_is_refused_with_both_values(write, content, message):
    with pytest.raises(DatasetError, match=rf"legend\.json.*{message}"):
        find_legend(write(**content))


def test_a_file_that_is_no_legend_is_named(tmp_path):
    (tmp_path / "a.toml").write_text("name =")
    with pytest.raises(InputError, match=r"a\.toml is not TOML"):
        find_legend(str(tmp_path / "a.toml"))
    with pytest.raises(InputError, match=r"gone\.toml does not exist.* second"):
        find_legend(str(tmp_path / "gone.toml"))
    (tmp_path / "a.json").write_text("[1]")
    with pytest.raises(DatasetError, match="holds list, not name and classes"):
        find_legend(str(tmp_path / "a.json"))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_legend_may_come_from_a_windows_editor(tmp_path, encoding):
    text = "name = 'parcels'\r\n[[classes]]\r\nname = 'Wälder'\r\ncolor = '#00FF00'\r\n"
    (tmp_path / "a.toml").write_bytes(text.encode(encoding))
    assert find_legend(str(tmp_path / "a.toml")).classes[0].name == "Wälder"
    (tmp_path / "a.toml").write_bytes(text.encode("cp1252"))
    said = r"a\.toml is not UTF-8 text: byte 0xe4 at \d+, which Windows-1252 has for ä; save it as"
    with pytest.raises(InputError, match=said):
        find_legend(str(tmp_path / "a.toml"))


@given(
    st.sampled_from(["uint8", "int8", "uint16", "int16", "int32", "uint32"]),
    st.lists(st.integers(1, 100), min_size=1, max_size=9, unique=True),
    st.data(),
)
def test_decoding_undoes_writing_values_whatever_the_type(kind, values, data):
    coding = Coding(tuple(values), 0, (101,))
    index = np.array(data.draw(st.lists(st.sampled_from([0, NODATA, *range(1, len(values) + 1)]))))
    written = np.array([{0: 0, NODATA: 101}.get(i) or values[i - 1] if i else 0 for i in index])
    found, unknown = coding.decode(written.reshape(1, -1).astype(kind))
    assert found.dtype == np.uint8
    assert found[0].tolist() == index.tolist()
    assert not unknown


@pytest.mark.parametrize("kind", ["uint8", "int16", "int32"])
def test_values_of_labels_become_indices(tmp_path, write, kind):
    legend = find_legend(write())
    values = np.array([0, 111, 30, 5])[np.where(INDEX == NODATA, 0, INDEX)].astype(kind)
    values[INDEX == NODATA] = 99
    path = write_scene(tmp_path / "a.tif", values[None], nodata=99)
    np.testing.assert_array_equal(read_label(path, legend), INDEX)


@pytest.mark.parametrize("kind", ["uint8", "int32"])
def test_an_unknown_value_is_named_with_its_pixels(tmp_path, write, kind):
    path = write_scene(tmp_path / "odd.tif", np.array([[[0, 7, 7, 8, 30]]], kind))
    message = (
        r"odd\.tif holds the value 7 in 2 pixels \(and 1 other values\), which legend 'parcels' "
        r"does not know; it has 111 water, 30 forest, 5 town, 0 unchanged, 255 nodata"
    )
    with pytest.raises(DatasetError, match=message):
        read_label(path, find_legend(write()))


def test_a_file_that_carries_its_legend_holds_indices_whatever_the_coding(tmp_path, write):
    legend = find_legend(write())
    path = write_scene(tmp_path / "a.tif", INDEX[None], nodata=255)
    tag(path, "SCD", LEGEND=legend.dumps())
    np.testing.assert_array_equal(read_label(path, legend), INDEX)


def test_classes_carried_in_another_order_are_refused(tmp_path, write):
    path = write_scene(tmp_path / "a.tif", INDEX[None])
    tag(path, "SCD", LEGEND=find_legend(write(classes=CLASSES[::-1])).dumps())
    with (
        pytest.raises(
            DatasetError, match="town, forest, water in this order, but .* water, forest"
        ),
        open_label(path, find_legend(write())),
    ):
        pass


def test_unchanged_and_nodata_may_have_colors_of_their_own(tmp_path, write):
    legend = find_legend(write(unchanged_color="#000000", nodata_color="#FF00FF"))
    colors = legend.encode(INDEX)
    colors[:, INDEX == 0] = 0
    colors[:, INDEX == NODATA] = np.array([[255], [0], [255]])
    path = write_scene(tmp_path / "a.png", colors, None, None, driver="PNG")
    np.testing.assert_array_equal(read_label(path, legend), INDEX)
    with pytest.raises(DatasetError, match=r"#000000 \(row 0, column 0\) in 1 pixel, which"):
        read_label(path, find_legend(write()))


def test_a_palette_that_contradicts_the_legend_is_refused(tmp_path, write):
    import rasterio

    path = write_scene(tmp_path / "a.tif", INDEX[None], photometric="palette")
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, {1: (0, 255, 0), 2: (0, 0, 255), 3: (128, 0, 0)})
    plain = find_legend(write(classes=without_values()))
    message = r"shows the value 1 in the color of forest, which legend 'parcels' has as 2, and as 1"
    with pytest.raises(DatasetError, match=message):
        read_label(path, plain)
    values = [each | {"value": k} for each, k in zip(CLASSES, (2, 1, 3), strict=True)]
    swapped = read_label(path, find_legend(write(classes=values)))
    np.testing.assert_array_equal(swapped, np.array([[0, 2, 1], [3, 255, 2]]))


def test_a_palette_in_the_colors_of_the_legend_is_read(tmp_path):
    path = write_png(tmp_path / "a.png", INDEX)
    np.testing.assert_array_equal(read_label(path, SECOND), INDEX)
