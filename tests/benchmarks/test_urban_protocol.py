"""The protocol on tiny stand-ins: what a cell holds, which rows there are, what is kept."""

import csv
import importlib
import json
from pathlib import Path

import numpy as np
import pytest
from maps import write_second
from pictures import write_png
from scenes import write_scene
from standins import loaded

from scdcli.models.checkpoint import save_model

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SIDE = 48
PATCH = (slice(8, 24), slice(10, 30))


@pytest.fixture
def protocol(monkeypatch):
    """The script as a module, beside those it is made of."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("urban_protocol")


def blocks(seed, bands=3):
    """Ground in squares of 8 pixels, (bands, SIDE, SIDE) uint8."""
    squares = np.random.default_rng(seed).integers(40, 200, (bands, SIDE // 8, SIDE // 8))
    return np.kron(squares, np.ones((8, 8), int)).astype(np.uint8)


def changed_pair(seed):
    before = blocks(seed)
    after = before.copy()
    after[(slice(None), *PATCH)] = 255
    label = np.zeros((SIDE, SIDE), np.uint8)
    label[PATCH] = 1
    return before, after, label


@pytest.fixture
def data(tmp_path):
    root = tmp_path / "data"
    (root / "wv_naip").mkdir(parents=True)
    for name in ("a", "b"):
        pixels = blocks(ord(name), bands=4)
        for date in ("old", "new"):
            write_scene(root / "wv_naip" / f"{name}-{date}.tif", pixels, crs=None)
    # An alarm in 64 pixels of 2304.
    pixels[:, :8, :8] = 255
    write_scene(root / "wv_naip" / "b-new.tif", pixels, crs=None)
    for seed in (1, 2):
        before, after, label = changed_pair(seed)
        parts = {"A": before, "B": after, "label": label * 255}
        for folder, array in parts.items():
            write_png(root / "real_pairs" / folder / f"{seed}.png", array)
    return root


@pytest.fixture
def labelled(tmp_path):
    """A labelled set in which class 1 became class 5."""
    root = tmp_path / "labelled"
    before, after, label = changed_pair(3)
    write_png(root / "im1" / "3.png", before)
    write_png(root / "im2" / "3.png", after)
    return write_second(root, {"3": (label, label * np.uint8(5))})


@pytest.fixture
def model(tmp_path):
    """An untrained model, which says nothing of worth but says it quickly."""
    made = loaded()
    folder = tmp_path / "runs" / "stand-in"
    folder.mkdir(parents=True)
    save_model(folder / "best.safetensors", made.model, made.header)
    return folder / "best.safetensors"


def rows(out):
    with (out / "table.csv").open(newline="") as stream:
        return {row.pop("system"): row for row in csv.DictReader(stream)}


def test_baselines_get_the_scores_they_earn(protocol, data, labelled, tmp_path):
    out = tmp_path / "out"
    given = ["--models", "", "--synthetic", str(labelled), "--part"]
    parts = "synthetic,unchanged,unchanged-as-is,real"
    text = protocol.run(protocol.options([str(data), str(out), *given, parts]))
    found = rows(out)
    assert list(found) == ["nothing", "difference", "ir-mad"]
    nothing, difference = found["nothing"], found["difference"]
    assert float(nothing["real.iou"]) == 0
    assert float(nothing["real.recall"]) == 0
    assert nothing["real.precision"] == ""  # nothing was predicted
    assert float(nothing["unchanged.share"]) == 0
    assert float(nothing["synthetic.iou_changed"]) == 0
    assert float(difference["real.iou"]) > 0.6
    assert float(difference["synthetic.iou_changed"]) > 0.6
    assert float(difference["unchanged-as-is.a.share"]) == 0
    alarm = float(difference["unchanged-as-is.b.share"])
    assert 64 / SIDE**2 <= alarm < 0.5
    assert float(difference["unchanged-as-is.share"]) == pytest.approx(alarm / 2)
    # Maps without classes have no scores of classes.
    assert difference["synthetic.sek_from_to"] == ""
    head, _, first = text.splitlines()[:3]
    assert first.split("|")[1:3] == [" `nothing` ", " \N{EN DASH} "]
    assert [cell.strip() for cell in head.split("|")][2:4] == ["SeK", "SeK stacked"]


def test_a_model_is_measured_once(protocol, data, labelled, model, tmp_path, monkeypatch):
    small = ("--tta", "none", "--chip", "64", "--overlap", "0")
    monkeypatch.setattr(importlib.import_module("protocol_systems"), "RUNNING", small)
    out = tmp_path / "out"
    arguments = [str(data), str(out), "--models", str(model), "--part", "synthetic,real"]
    given = protocol.options([*arguments, "--synthetic", str(labelled), "--device", "cpu"])
    protocol.run(given)
    row = rows(out)["stand-in"]
    assert 0 <= float(row["real.iou"]) <= 1
    assert row["synthetic.miou"]
    scored = json.loads((out / "table.json").read_text())["stand-in"]["synthetic"]
    assert scored["legend"]["name"] == "second"
    assert len(scored["class_iou"]) == 6

    def fail(*given, **more):
        raise AssertionError("measured again")

    monkeypatch.setattr(protocol.parts, "measure_real", fail)
    monkeypatch.setattr(protocol.parts, "measure_synthetic", fail)
    protocol.run(given)
    write_png(data / "real_pairs" / "label" / "1.png", changed_pair(1)[2] * 0)
    with pytest.raises(AssertionError, match="measured again"):
        protocol.run(given)


def test_pictures_show_every_system(protocol, data, tmp_path):
    out = tmp_path / "out"
    given = protocol.options([str(data), str(out), "--models", "", "--part", "real", "--pictures"])
    protocol.run(given)
    sheets = sorted(path.name for path in (out / "pictures").iterdir())
    assert sheets == ["real-1.png", "unchanged-1.png"]


def test_a_part_that_does_not_exist_is_refused(protocol, data, tmp_path):
    given = protocol.options([str(data), str(tmp_path), "--part", "real,beauty"])
    with pytest.raises(SystemExit, match="beauty"):
        protocol.run(given)


def test_land_cover_is_told_by_the_names_of_its_classes(protocol):
    table = importlib.import_module("protocol_table")
    legend = {"name": "two", "classes": [{"name": "water"}, {"name": "road"}]}
    scored = {"legend": legend, "landcover_iou": {"1": 0.5, "2": None}, "landcover_miou": 0.5}
    row = table.columns({"synthetic": scored})
    assert row["synthetic.landcover_miou"] == 0.5
    assert row["synthetic.landcover_iou.water"] == 0.5
    assert row["synthetic.landcover_iou.road"] is None
    lines = table.class_table({"one": {"synthetic": scored}, "other": {"synthetic": {}}})
    assert lines[0] == "| land-cover IoU | water | road |"
    assert lines[2] == "| `one` | 50.0 | \N{EN DASH} |"
    assert not [line for line in lines if "other" in line]


def test_each_normalization_has_a_row_of_its_own(
    protocol, data, model, tmp_path, monkeypatch, capsys
):
    small = ("--tta", "none", "--chip", "64", "--overlap", "0")
    monkeypatch.setattr(importlib.import_module("protocol_systems"), "RUNNING", small)
    out = tmp_path / "out"
    flat = np.full((3, SIDE, SIDE), 90, np.uint8)
    flat[:, ::7] = np.arange(3)[:, None, None] * 60
    noisy = np.random.default_rng(0).integers(0, 255, flat.shape).astype(np.uint8)
    write_png(data / "real_pairs" / "A" / "1.png", flat)
    write_png(data / "real_pairs" / "B" / "1.png", noisy)
    given = ["--models", str(model), "--part", "real", "--normalize", "none,pif"]
    protocol.run(protocol.options([str(data), str(out), *given, "--device", "cpu"]))
    found = rows(out)
    assert {"stand-in", "stand-in, pif"} <= found.keys()
    assert found["stand-in"]["real.1.iou"] != ""
    assert "real 1: refused" in capsys.readouterr().out
    assert found["stand-in, pif"].get("real.1.iou", "") == ""
    assert found["stand-in, pif"]["real.2.iou"] != ""
