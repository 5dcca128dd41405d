import csv
import json
from pathlib import Path

import numpy as np
import pytest
from maps import draw, score_maps, scored_pair

from scdcli.errors import OutputError
from scdcli.files.whole import write_csv
from scdcli.legend import SECOND
from scdcli.scoring.comparison import Run, bootstrap
from scdcli.scoring.counting import count_joint
from scdcli.scoring.metrics import HEADLINE, known, scores
from scdcli.scoring.scorefiles import (
    SCORE_SUFFIXES,
    TABLE_SUFFIXES,
    document,
    dumps,
    matrix_rows,
    pair_rows,
    require_writable,
    score_rows,
    write_scores,
)

ORIGIN = {"predictions": "maps", "model": None, "settings": None}


def run(system="a", tta=None, seed=1, pairs=3, share=0.4):
    maps = {f"p{n}": (*draw(n, share=share), *draw(100 * seed + n)) for n in range(pairs)}
    found = [scored_pair(name, ("t", "t", "p", "p"), each) for name, each in maps.items()]
    return Run(system, tta, score_maps(found, SECOND), ORIGIN)


RUNS = [run("asn", "none"), run("asn", "ms", 2), run("fc", "none", 3)]


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_document_of_one_run_is_flat():
    one = run()
    whole = document("truth", [one], None)
    assert whole == {
        "truth": "truth",
        "system": "a",
        "tta": None,
        **ORIGIN,
        **one.evaluation.to_dict(),
    }


def test_the_document_of_one_run_has_its_intervals_beside_the_scores():
    one = run()
    drawn = bootstrap([one], 150, 4)
    whole = document("truth", [one], drawn)
    assert whole["bootstrap"] == {
        "resamples": 150,
        "seed": 4,
        "confidence": 0.95,
        "undefined": None,
    }
    sek = drawn.intervals[0]["sek_from_to"]
    assert whole["intervals"]["sek_from_to"] == {"low": sek.low, "high": sek.high, "undefined": 0}
    assert whole["sek_from_to"] == one.evaluation.to_dict()["sek_from_to"]
    assert "differences" not in whole


def test_the_document_of_several_runs_lists_them():
    drawn = bootstrap(RUNS, 100, 0)
    whole = document("truth", RUNS, drawn)
    assert (whole["truth"], whole["pairs"], whole["classes"]) == ("truth", 3, 6)
    assert [(each["system"], each["tta"]) for each in whole["systems"]] == [
        ("asn", "none"),
        ("asn", "ms"),
        ("fc", "none"),
    ]
    first, second, third = whole["systems"]
    assert "against" not in first
    assert second["against"] == {"system": "asn", "tta": "none"}
    told, meant = third["differences"]["miou"], drawn.differences[2]["miou"]
    assert told["value"] == meant.value == pytest.approx(third["miou"] - first["miou"])
    assert (told["low"], told["not_better"]) == (meant.interval.low, meant.not_better)
    assert json.loads(dumps(whole)) == whole


def test_the_document_of_one_pair_says_why_there_is_no_interval():
    one = run(pairs=1)
    whole = document("truth", [one], bootstrap([one], 100, 0))
    assert "the set has one pair" in whole["bootstrap"]["undefined"]
    assert "intervals" not in whole


def test_a_row_per_run_has_every_headline_score(tmp_path):
    write_csv(tmp_path / "s.csv", score_rows(RUNS, None))
    rows = read(tmp_path / "s.csv")
    assert [(row["system"], row["tta"]) for row in rows] == [
        ("asn", "none"),
        ("asn", "ms"),
        ("fc", "none"),
    ]
    for row, each in zip(rows, RUNS, strict=True):
        values = each.evaluation.scores.headline()
        assert {name: float(row[name]) for name in HEADLINE} == values
    assert not [name for name in rows[0] if name.endswith("_low")]


def test_rows_have_bounds_and_differences_after_a_bootstrap(tmp_path):
    drawn = bootstrap(RUNS, 100, 0)
    write_csv(tmp_path / "s.csv", score_rows(RUNS, drawn))
    first, _, third = read(tmp_path / "s.csv")
    assert float(first["miou_low"]) == drawn.intervals[0]["miou"].low
    assert first["miou_difference"] == first["against_system"] == ""
    assert (third["against_system"], third["against_tta"]) == ("asn", "none")
    difference = drawn.differences[2]["sek_stacked"]
    assert float(third["sek_stacked_difference"]) == difference.value
    assert float(third["sek_stacked_difference_high"]) == difference.interval.high
    assert float(third["sek_stacked_not_better"]) == difference.not_better


def test_undefined_scores_are_empty_cells(tmp_path):
    unchanged = np.zeros((2, 2), np.uint8)
    found = score_maps([scored_pair("x", ("",) * 4, (unchanged,) * 4)], SECOND)
    runs = [Run("a", None, found, ORIGIN)]
    for name, rows in (("s", score_rows(runs, None)), ("p", pair_rows(runs))):
        write_csv(tmp_path / f"{name}.csv", rows)
        (row,) = read(tmp_path / f"{name}.csv")
        assert (row["sek_from_to"], row["miou"], row["oa"]) == ("", "", "1.0")
    write_csv(tmp_path / "m.csv", matrix_rows(runs))
    assert {row["5 building"] for row in read(tmp_path / "m.csv")} == {""}


def test_the_matrix_has_a_row_per_class_before(tmp_path):
    write_csv(tmp_path / "m.csv", matrix_rows(RUNS))
    rows = read(tmp_path / "m.csv")
    assert len(rows) == 3 * 6
    document = RUNS[1].evaluation.to_dict()
    row = rows[6 + 2]
    assert (row["system"], row["tta"], row["from"]) == ("asn", "ms", "3 low vegetation")
    assert row["score"] == "categorical_sek_masked"
    assert float(row["5 building"]) == document["categorical_sek_masked"]["305"]
    assert float(row["iou_changed"]) == document["iou_changed"]


def test_a_row_per_pair_scores_it_alone():
    truth, prediction = draw(1), draw(2)
    prediction[0][0, :3] = 255
    found = score_maps(
        [scored_pair(n, ("",) * 4, (*truth, *prediction)) for n in ("x", "y")], SECOND
    )
    row, other = pair_rows([Run("a", "ms", found, ORIGIN)])
    assert (row["system"], row["tta"], row["name"], other["name"]) == ("a", "ms", "x", "y")
    assert (row["pixels"], row["nodata_pixels"]) == (597, 3)
    valid = prediction[0] != 255
    for side, maps in (("truth", truth), ("prediction", prediction)):
        share = np.count_nonzero(maps[0][valid]) / 597
        assert row[f"changed_share_{side}"] == pytest.approx(share)
    alone = scores(count_joint((*truth, *prediction)), 6).headline()
    for name in ("oa", "kappa", "miou", "iou_changed", "sek_from_to", "sek_stacked"):
        assert row[name] == known(alone[name])


def test_a_pair_without_a_valid_pixel_has_no_share():
    nodata = np.full((2, 2), 255, np.uint8)
    found = score_maps([scored_pair("x", ("",) * 4, (nodata,) * 4)], SECOND)
    (row,) = pair_rows([Run("a", None, found, ORIGIN)])
    assert (row["pixels"], row["changed_share_truth"], row["oa"]) == (0, None, None)


def test_scores_are_written_by_suffix(tmp_path):
    whole = document("truth", RUNS, None)
    write_scores(tmp_path / "s.JSON", whole, RUNS, None)
    assert json.loads((tmp_path / "s.JSON").read_text()) == whole
    write_scores(tmp_path / "s.csv", whole, RUNS, None)
    assert len(read(tmp_path / "s.csv")) == 3
    assert {path.name for path in tmp_path.iterdir()} == {"s.JSON", "s.csv"}


@pytest.mark.parametrize(
    ("name", "suffixes", "message"),
    [
        ("s.txt", SCORE_SUFFIXES, r"s.txt: there is no format for '.txt'; use .json or .csv."),
        ("s", SCORE_SUFFIXES, r"s: there is no format without a suffix; use .json or .csv."),
        ("s.json", TABLE_SUFFIXES, r"s.json: there is no format for '.json'; use .csv."),
        ("none/s.csv", TABLE_SUFFIXES, r"none is no folder; name a file"),
        ("folder.csv", TABLE_SUFFIXES, r"folder.csv is a folder; name a file"),
        ("there.csv", TABLE_SUFFIXES, r"there.csv exists; replace it with --overwrite"),
    ],
)
def test_what_cannot_be_written_is_refused_before(tmp_path, name, suffixes, message):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "there.csv").touch()
    with pytest.raises(OutputError, match=message):
        require_writable([tmp_path / name], suffixes, overwrite=False)


def test_a_file_may_be_replaced_when_asked(tmp_path):
    (tmp_path / "there.csv").touch()
    require_writable([tmp_path / "there.csv"], TABLE_SUFFIXES, overwrite=True)


def test_a_failed_write_leaves_nothing(tmp_path):
    with pytest.raises(OutputError, match="none/s.csv cannot be written: No such file"):
        write_csv(tmp_path / Path("none/s.csv"), [{"a": 1}])
    assert list(tmp_path.iterdir()) == []
