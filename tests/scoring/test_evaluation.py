import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from maps import draw, score_maps, scored_pair

from scdcli.errors import DatasetError
from scdcli.legend import SECOND
from scdcli.scoring.counting import count_joint
from scdcli.scoring.metrics import scores

SOURCES = ("t/from.tif", "t/to.tif", "p/from.tif", "p/to.tif")
REQUIRED = [
    "pairs",
    "pixels",
    "nodata_pixels",
    "oa",
    "kappa",
    "miou",
    "iou_unchanged",
    "iou_changed",
    "sek_from_to",
    "sek_stacked",
    "fscd_from_to",
    "fscd_stacked",
    "score_from_to",
    "score_stacked",
    "categorical_sek_masked",
    "categorical_sek_unmasked",
    "undefined",
    "incomplete_pixels",
]


def pair(*windows):
    return scored_pair("x", SOURCES, *windows)


def pixel(*values):
    return tuple(np.array([[value]], np.uint8) for value in values)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 19))
def test_pairs_and_windows_make_one_matrix(seed, cut):
    maps = (*draw(seed), *draw(seed + 1))
    parts = [tuple(each[rows] for each in maps) for rows in (slice(cut), slice(cut, None))]
    whole = score_maps([pair(maps)], SECOND)
    assert score_maps([pair(*parts)], SECOND).scores == whole.scores
    by_pair = score_maps([pair(part) for part in parts], SECOND)
    assert (by_pair.scores, by_pair.pairs) == (whole.scores, 2)
    assert whole.scores == scores(count_joint(maps), 6)


def test_nodata_is_counted_and_left_out():
    maps = (*draw(1), *draw(2))
    clean = score_maps([pair(maps)], SECOND)
    spoiled = [pixel(*(255 if i == place else 0 for i in range(4))) for place in range(4)]
    found = score_maps([pair(maps, *spoiled)], SECOND)
    assert (found.pixels, found.nodata_pixels) == (600, 4)
    assert found.scores == clean.scores


def test_a_label_with_one_date_is_refused_with_its_count():
    half = [pixel(0, 3, 0, 0), pixel(2, 0, 0, 0), pixel(1, 2, 0, 0)]
    message = r"t/from.tif and t/to.tif label 2 pixels as changed at one date"
    with pytest.raises(DatasetError, match=message):
        score_maps([pair(*half)], SECOND)


def test_a_label_with_nodata_at_the_other_date_is_nodata():
    assert score_maps([pair(pixel(0, 255, 0, 0), pixel(3, 255, 1, 1))], SECOND).nodata_pixels == 2


def test_a_prediction_with_one_date_is_counted():
    found = score_maps([pair(pixel(1, 2, 1, 0), pixel(1, 2, 0, 255), pixel(1, 2, 1, 2))], SECOND)
    assert (found.incomplete_pixels, found.nodata_pixels) == (1, 1)


@pytest.mark.parametrize("place", range(4))
def test_an_index_beyond_the_legend_names_its_file(place):
    values = [1, 1, 1, 1]
    values[place] = 7
    message = rf"{SOURCES[place]} holds the value 7 in 1 pixel, but legend 'second' ends at 6"
    with pytest.raises(DatasetError, match=message):
        score_maps([pair(pixel(*values))], SECOND)


def test_without_a_legend_there_are_as_many_classes_as_the_largest_index():
    found = score_maps([pair(pixel(1, 2, 9, 255)), pair(pixel(0, 0, 0, 0))], None)
    assert found.classes == 9
    assert found.class_name(9) == "class 9"
    assert len(found.to_dict()["class_iou"]) == 9


def test_without_a_legend_an_index_above_99_is_refused():
    with pytest.raises(DatasetError, match="value 100 in 1 pixel, but class indices end at 99"):
        score_maps([pair(pixel(1, 1, 1, 100))], None)


def test_the_document_is_json_and_has_every_key():
    document = score_maps([pair((*draw(1), *draw(2)))], SECOND).to_dict()
    assert set(REQUIRED) <= document.keys()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["undefined"].keys() == {"categorical_sek_unmasked"}  # of maps that exist


def test_the_document_keys_transitions_by_their_code():
    document = score_maps([pair(pixel(3, 5, 3, 5), pixel(2, 1, 3, 5))], SECOND).to_dict()
    assert list(document["categorical_sek_masked"])[:2] == ["101", "102"]
    assert {row["transition"]: row for row in document["transitions"]} == {
        201: {
            "transition": 201,
            "from_name": "n.v.g. surface",
            "to_name": "water",
            "labelled_pixels": 1,
            "predicted_pixels": 0,
            "correct_pixels": 0,
        },
        305: {
            "transition": 305,
            "from_name": "low vegetation",
            "to_name": "building",
            "labelled_pixels": 1,
            "predicted_pixels": 2,
            "correct_pixels": 1,
        },
    }


@pytest.mark.parametrize("maps", [[], [pixel(0, 0, 0, 0)], [pixel(1, 2, 1, 2)]])
def test_what_is_undefined_is_null_and_has_a_reason(maps):
    document = score_maps([pair(*maps)], SECOND).to_dict()
    values = {name: document[name] for name in REQUIRED}
    for group in ("class_iou", "categorical_sek_masked"):
        values |= {f"{group}.{key}": value for key, value in document[group].items()}
    assert {name for name, value in values.items() if value is None} == set(document["undefined"])
    assert "sek_from_to" in document["undefined"]
    assert all(document["undefined"].values())
