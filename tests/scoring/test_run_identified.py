"""SeK of transitions from the class of every pixel, whatever the map of changes says."""

import math

import numpy as np
import pytest
from maps import write_prediction, write_second, write_tif
from rasterio.windows import Window

import scdcli
from scdcli.legend import SECOND
from scdcli.scoring.mappairs import Prediction, ScoredWindow
from scdcli.scoring.run import IdentifiedTally

BUILDING = 5
# Six pixels: two changed from 3 to 5, two rebuilt (5 to 5), two unchanged. The map of changes has
# one of each kind of change and nothing rebuilt; the classes of every pixel are all right but one.
LABELS = ([3, 3, 5, 5, 0, 0], [5, 5, 5, 5, 0, 0])
MAPS = ([3, 0, 0, 0, 3, 0], [5, 0, 0, 0, 5, 0])
COVERS = ([3, 3, 5, 3, 3, 5], [5, 5, 5, 5, 5, 5])


def index(rows):
    return tuple(np.array([row], np.uint8) for row in rows)


def window(covers=COVERS, labels=LABELS):
    place = Window(0, 0, 6, 1)
    prediction = Prediction(place, index(MAPS), covers and index(covers))
    return ScoredWindow("x", (1, 6), index(labels), prediction)


def tallied(*windows):
    tally = IdentifiedTally()
    for each in windows:
        tally.add(each)
    return tally.result()


def test_only_pixels_labelled_as_changed_count():
    found = tallied(window())
    rows = {
        tuple(row): int(n) for row, n in zip(found.classes.T.tolist(), found.pixels, strict=True)
    }
    assert rows == {(3, 5, 3, 5): 2, (5, 5, 5, 5): 1, (5, 5, 3, 5): 1}
    unknown = tallied(window(labels=([255, 3, 5, 5, 0, 0], LABELS[1])))
    assert unknown.total == 3
    assert tallied(window(), window()).total == 8


def test_windows_without_the_class_of_every_pixel_leave_no_counts():
    assert tallied(window(), window(covers=None)) is None


@pytest.fixture
def folders(tmp_path):
    truth = write_second(tmp_path / "truth", {"x": index(LABELS)})
    maps = write_prediction(tmp_path / "maps" / "x", index(MAPS), legend=SECOND)
    return truth, maps.parent, maps


def scored(truth, maps):
    (run,) = scdcli.evaluate(truth, predictions=[maps])
    return run.evaluation.to_dict()


def test_a_rebuilt_building_counts_where_both_dates_are_mapped(folders):
    truth, maps, folder = folders
    for name, cover in zip(("before_cover", "after_cover"), index(COVERS), strict=True):
        write_tif(folder / f"{name}.tif", cover, legend=SECOND)
    found = scored(truth, maps)
    # Labelled: 305 twice, 505 twice; given: 305 three times, 505 once. ρ = 3/4, η = (6 + 2)/16,
    # κ = 1/2 for both. IoU_changed = 1/5: one pixel changed in both, five in either.
    expected = {"305": math.exp(1 / 5 - 1) / 2, "505": math.exp(1 / 5 - 1) / 2}
    assert found["categorical_sek_masked"]["505"] == 0
    known = {k: v for k, v in found["categorical_sek_unmasked"].items() if v is not None}
    assert known == pytest.approx(expected)
    assert "occurs neither" in found["undefined"]["categorical_sek_unmasked.101"]


def test_maps_of_changes_alone_have_no_unmasked_score_and_say_why(folders):
    truth, maps, _ = folders
    found = scored(truth, maps)
    assert found["categorical_sek_unmasked"] is None
    assert "scd predict --land-cover" in found["undefined"]["categorical_sek_unmasked"]
    assert found["categorical_sek_masked"]["305"] is not None
