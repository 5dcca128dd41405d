"""The exam by eye: labels read from files made here, scored against predictions made here."""

import csv
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

FILE = Path(__file__).parents[2] / "benchmarks" / "exam" / "exam.py"


@pytest.fixture(scope="module")
def exam():
    spec = importlib.util.spec_from_file_location("exam", FILE)
    module = importlib.util.module_from_spec(spec)
    sys.modules["exam"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["exam"]


def feature(place, corners, **about):
    about = {"from": None, "to": None, "sure": True, "ignore": False} | about
    return {
        "type": "Feature",
        "properties": {"place": place, "before": 2016, "after": 2020} | about,
        "geometry": {"type": "Polygon", "coordinates": [[*corners, corners[0]]]},
    }


def square(left, top, right, bottom):
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def write_csv(path, *rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


@pytest.fixture
def folder(tmp_path):
    new_house = {"from": "ground", "to": "building"}
    features = [
        feature("town_1", square(0, 0, 100, 100), ignore=True),
        feature("town_1", square(20, 20, 30, 40), **new_house),
        feature("town_1", square(200, 200, 210, 210), **new_house),
        feature("town_1", square(120, 0, 140, 10), **new_house, sure=False),
        feature("town_2", square(0, 0, 256, 128), ignore=True),
    ]
    collection = {"type": "FeatureCollection", "features": features}
    (tmp_path / "places.geojson").write_text(json.dumps(collection))
    write_csv(
        tmp_path / "unchanged.csv",
        ["place", "before", "after", "kind", "note"],
        ["town_2", 2016, 2020, "built", ""],
        ["town_3", 2016, 2020, "open", ""],
    )
    write_csv(
        tmp_path / "points.csv",
        ["place", "year", "x", "y", "class"],
        ["town_2", 2016, 3, 4, "road"],
        ["town_2", 2020, 3, 4, "water"],
    )
    return tmp_path


def test_pixels_count_by_their_centres(exam):
    assert exam.rasterise([[1, 1], [3, 1], [3, 2], [1, 2]], 4).tolist() == [
        [False] * 4,
        [False, True, True, False],
        [False] * 4,
        [False] * 4,
    ]
    triangle = exam.rasterise([[0, 0], [3.9, 0], [0, 3.9]], 4)
    assert triangle.sum(axis=1).tolist() == [3, 2, 1, 0]


def test_labels_become_masks(exam, folder):
    places = {place.name: place for place in exam.load_exam(folder)}
    assert [place.kind for place in places.values()] == ["built", "open", "changed"]
    town = places["town_1"]
    assert town.changed.sum() == 200 + 100
    assert not (town.changed & town.ignore).any()
    assert town.ignore[50, 50]
    assert town.ignore[198, 198]
    assert not town.ignore[197, 197]
    assert town.ignore[5, 130]
    assert town.from_map[5, 130] == exam.UNLABELLED
    assert town.from_map[25, 25] == exam.CLASSES.index("ground")
    assert town.to_map[25, 25] == exam.CLASSES.index("building")
    assert places["town_2"].ignore.sum() == 256 * 128
    disputed = {place.name: place for place in exam.load_exam(folder, unsure=True)}["town_1"]
    assert disputed.changed.sum() == 200 + 100 + 200


def test_scores_count_what_they_say(exam, folder):
    scores = []
    for place in exam.load_exam(folder):
        probability = np.zeros((256, 256))
        before = np.full((256, 256), exam.CLASSES.index("road"))
        after = np.full((256, 256), exam.CLASSES.index("building"))
        if place.name == "town_1":
            probability[20:28, 20:30] = 0.9  # 40 % of one polygon, none of the other
            before[20:24] = exam.CLASSES.index("ground")
        else:
            probability[255] = 0.9
        scores.append(exam.score(place, probability, before, after, 0.5))
    shares = exam.summary(scores)
    assert shares["false_built"] == {"by_area": 1 / 128, "by_place": 1 / 128}
    assert shares["false_unchanged"]["by_area"] == 2 / 384
    assert shares["false_unchanged"]["by_place"] == (1 / 128 + 1 / 256) / 2
    assert shares["false_beside_change"]["by_area"] == 0
    assert shares["found"]["by_area"] == 80 / 300
    assert shares["polygons_found"]["by_area"] == 0.5
    assert shares["named"]["by_area"] == shares["from_right"]["by_area"] == 0.5
    assert shares["to_right"]["by_area"] == 1
    assert shares["points_right"]["by_area"] == 0.5


def test_nothing_found_has_no_share_of_names(exam, folder):
    places = exam.load_exam(folder)
    nothing = np.zeros((256, 256))
    shares = exam.summary([exam.score(place, nothing, nothing, nothing) for place in places])
    assert shares["named"] == {"by_area": None, "by_place": None}


def test_classes_of_a_prediction_are_matched_by_name(exam, tmp_path):
    labels = np.array([[0, 1], [2, 2]])
    np.savez(
        tmp_path / "town_1.npz",
        **{"probability": np.zeros((2, 2)), "from": labels, "to": labels},
        classes=np.array(["building", "water", "snow"]),
    )
    _, before, _ = exam.read_prediction(tmp_path / "town_1.npz")
    assert before.tolist() == [[3, 0], [exam.UNLABELLED, exam.UNLABELLED]]


def test_the_command_scores_a_folder(exam, tmp_path, capsys):
    places = exam.load_exam()
    (tmp_path / "images").mkdir()
    zeros = np.zeros((256, 256), dtype=np.uint8)
    for place in places:
        city, number = place.name.rsplit("_", 1)
        for year in (place.before, place.after):
            (tmp_path / "images" / f"{city}_{year}_{number}.tif").touch()
        one = {"probability": zeros + 1, "from": zeros, "to": zeros}
        np.savez(tmp_path / f"{place.name}.npz", **one)
    exam.main([str(tmp_path), "--pred", str(tmp_path), "--json"])
    shares = json.loads(capsys.readouterr().out)
    assert shares["found"] == {"by_area": 1, "by_place": 1}
    assert shares["false_unchanged"] == {"by_area": 1, "by_place": 1}
    exam.main([str(tmp_path), "--pred", str(tmp_path)])
    of_exam = capsys.readouterr().out
    exam.main([str(tmp_path), "--pred", str(tmp_path), "--validation"])
    of_validation = capsys.readouterr().out
    validation = sum(place.validation for place in places)
    assert of_exam.startswith(f"{len(places) - validation} places")
    assert of_validation.startswith(f"{validation} places")
    assert "100.0%" in of_exam


def test_a_wrong_folder_of_images_is_refused(exam, tmp_path, capsys):
    with pytest.raises(SystemExit):
        exam.main([str(tmp_path), "--pred", str(tmp_path)])
    assert "is missing" in capsys.readouterr().err


def test_the_labels_fit_the_chips(exam):
    for place in exam.load_exam(unsure=True):
        assert place.changed.any() == (place.kind == "changed"), place.name
        assert place.kind in {"built", "open", "wood", "mixed", "changed"}
        same = place.changed & (place.from_map == place.to_map)
        assert not same.any(), place.name
        assert all(0 <= point.x < 256 and 0 <= point.y < 256 for point in place.points)
        assert all(point.year in (place.before, place.after) for point in place.points)
