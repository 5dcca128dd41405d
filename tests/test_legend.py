"""The index convention, colors and transitions."""

import json
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from scdcli.errors import DatasetError
from scdcli.legend import (
    CHANGE,
    NODATA,
    SECOND,
    TRANSITION_NODATA,
    URBAN,
    LandCover,
    Legend,
    split_transition,
    transition_code,
)

maps = arrays(
    np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.integers(0, 6)
)


def test_second_holds_the_published_colors_in_our_order():
    assert [(c.name, c.color) for c in SECOND.classes] == [
        ("water", (0, 0, 255)),
        ("n.v.g. surface", (128, 128, 128)),
        ("low vegetation", (0, 128, 0)),
        ("tree", (0, 255, 0)),
        ("building", (128, 0, 0)),
        ("playground", (255, 0, 0)),
    ]


@given(maps)
def test_colors_round_trip(index):
    assert (SECOND.decode(SECOND.encode(index), "label.png") == index).all()


def test_an_unknown_color_is_named_with_its_place():
    colors = SECOND.encode(np.zeros((3, 4), dtype=np.uint8))
    colors[:, 2, 1] = (1, 2, 255)
    with pytest.raises(DatasetError, match=r"label\.png.*#0102FF.*row 2, column 1.*#0000FF water"):
        SECOND.decode(colors, "label.png")


def test_labels_that_went_through_jpeg_are_said_to_be_blurred():
    index = np.zeros((64, 64), dtype=np.uint8)
    index[8:40, 8:40] = 5
    index[20:60, 30:62] = 3
    stored = BytesIO()
    Image.fromarray(np.moveaxis(SECOND.encode(index), 0, -1)).save(stored, "JPEG", quality=90)
    blurred = np.moveaxis(np.asarray(Image.open(stored)), -1, 0)
    with pytest.raises(DatasetError, match="as JPEG leaves them: take the labels as they were"):
        SECOND.decode(blurred, "label.png")
    foreign = SECOND.encode(index)
    foreign[:, 3, 3] = (250, 250, 250)  # one color is no blur
    foreign[:, 5, 5] = (200, 0, 90)
    with pytest.raises(DatasetError, match="with --legend"):
        SECOND.decode(foreign, "label.png")


@given(maps, st.data())
def test_transitions_round_trip(from_class, data):
    to_class = data.draw(arrays(np.uint8, from_class.shape, elements=st.integers(0, 99)))
    code = transition_code(from_class, to_class)
    assert code.dtype == np.uint16
    assert all(
        (a == b).all() for a, b in zip(split_transition(code), (from_class, to_class), strict=True)
    )


def test_nodata_at_either_date_is_nodata_of_the_transition():
    code = transition_code(
        np.array([[NODATA, 3, 5]], np.uint8), np.array([[1, NODATA, 6]], np.uint8)
    )
    assert code.tolist() == [[TRANSITION_NODATA, TRANSITION_NODATA, 506]]
    assert split_transition(code)[0].tolist() == [[NODATA, NODATA, 5]]


def test_a_legend_survives_json():
    assert Legend.from_dict(json.loads(SECOND.dumps())) == SECOND


def test_a_class_may_replace_itself_only_where_the_legend_says_so():
    three = tuple(LandCover(name, (n, 0, 0)) for n, name in enumerate("abc"))
    for legend in (SECOND, URBAN):
        assert [legend[index].name for index in legend.replaceable_indices()] == ["building"]
    assert Legend("x", three).replaceable_indices() == ()
    assert Legend("x", three, replaceable=("c", "a")).replaceable_indices() == (1, 3)
    assert CHANGE.replaceable_indices() == (1,)
    with pytest.raises(DatasetError, match=r"calls 'd' replaceable, but has the classes a, b, c"):
        Legend("x", three, replaceable=("d",))


def test_replaceable_classes_survive_json_and_are_usual_where_it_is_silent():
    described = SECOND.to_dict()
    assert Legend.from_dict(described | {"replaceable": ["tree"]}).replaceable == ("tree",)
    del described["replaceable"]
    assert Legend.from_dict(described) == SECOND
    assert Legend.from_dict(described | {"name": "own"}).replaceable == ()


def test_legends_that_cannot_be_told_apart_are_refused():
    with pytest.raises(DatasetError, match="uses a color twice"):
        Legend("x", (LandCover("a", (1, 2, 3)), LandCover("b", (1, 2, 3))))
    with pytest.raises(DatasetError, match="white is taken"):
        Legend("x", (LandCover("a", (255, 255, 255)),))
    with pytest.raises(DatasetError, match="has 0 classes; 1 to 99"):
        Legend("x", ())


def test_transition_names_read_from_to():
    assert SECOND.transition_name(3, 5) == "low vegetation → building"
