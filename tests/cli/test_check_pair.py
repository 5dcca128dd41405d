"""``scd check`` on two images, and what ``scd predict`` says and does about their shift."""

import json
from dataclasses import replace

import numpy as np
import pytest
import rasterio
from affine import Affine
from scenes import noise, write_scene
from shifts import ground, off, seen
from standins import loaded, tiny_model

from scdcli.models.checkpoint import save_model

UNLIKE = ("before.tif has 3 bands and", "four.tif has 4")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with BEFORE, an AFTER that fits, one that is shifted, and one of other bands."""
    monkeypatch.chdir(tmp_path)
    texture = ground(200, 240)
    for name, shift in (("before", (0, 0)), ("after", (0, 0)), ("shifted", (2.4, -1.7))):
        values = seen(texture, *shift).clip(1, 254).round().astype("uint8")
        write_scene(tmp_path / f"{name}.tif", np.stack([values] * 3))
    write_scene(tmp_path / "four.tif", noise((4, 200, 240), "uint16"))
    return tmp_path


def test_a_pair_fits_one_screen_and_ends_with_the_verdict(scd, here):
    result = scd("check", "before.tif", "after.tif")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 80
    assert lines[-1] == "Verdict: comparable."
    cells = {line[:23].strip(): line[23:].split() for line in lines}
    assert cells["size"] == ["240", "x", "200"] * 2
    assert cells["CRS"] == ["EPSG:32650"] * 2
    assert cells["grids"] == ["equal"]
    assert cells["shift of after"][:2] == ["0.0", "pixels"]
    assert cells["to map"][:2] == ["48,000", "pixels,"]


def test_json_holds_all_of_it(scd, here):
    result = scd("check", "before.tif", "shifted.tif", "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["verdict"] == "comparable with warnings"
    assert len(found["warnings"]) == 1
    shift = found["registration"]["estimated_shift"]
    assert off((shift["rows"], shift["cols"]), 2.4, -1.7) < 0.1
    assert found["registration"]["remaining_shift"] is None
    assert found["before"]["name"] == "before.tif"
    assert found["match"]["bands"] == [1, 2, 3]
    assert len(found["values"]["before"]["bands"]) == 3


def test_what_coregister_would_do_is_shown(scd, here):
    result = scd("check", "before.tif", "shifted.tif", "--coregister")
    assert "after moving it back" in result.stdout
    assert "shifted.tif is moved by -2." in result.stdout
    assert result.stdout.endswith("Verdict: comparable.\n")


def test_a_pair_that_predict_refuses_is_status_1_with_the_same_sentence(scd, here):
    result = scd("check", "before.tif", "four.tif")
    assert result.exit_code == 1
    assert result.stdout.endswith("Verdict: not comparable.\n")
    sentence = next(line for line in result.stdout.splitlines() if line.startswith("- "))[2:]
    assert all(words in sentence for words in UNLIKE)
    assert "2 problems:" in result.stdout
    tiny_model(here / "model.safetensors")
    refused = scd("predict", "before.tif", "four.tif", "-m", "model.safetensors")
    assert refused.stderr.splitlines()[-1] == f"Error: {sentence}"
    document = json.loads(scd("check", "before.tif", "four.tif", "--json").stdout)
    assert document["problems"][0] == sentence
    assert document["match"] is None


def test_options_of_a_pair_are_those_of_predict(scd, here):
    options = ("--bands", "1,2,3", "--scale", "0,4000")
    result = scd("check", "before.tif", "four.tif", *options, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)["match"]
    assert found["bands"] == [1, 2, 3]
    assert found["stretch"]["high"] == [4000, 4000, 4000]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "two images or one labelled set, not 0"),
        (["before.tif", "after.tif", "four.tif"], "not 3 paths"),
        (["before.tif", "after.tif", "--legend", "second"], "--legend is for one labelled set"),
        ([".", "--strict"], "--strict is for two images"),
        ([".", "--coregister"], "--coregister is for two images"),
    ],
    ids=["none", "three", "legend", "strict", "coregister"],
)
def test_other_calls_are_wrong_usage(scd, here, arguments, words):
    result = scd("check", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr


def test_predict_tells_of_the_shift_and_coregister_mends_it(scd, here):
    model = tiny_model(here / "model.safetensors")
    pair = ("predict", "before.tif", "shifted.tif", "-m", model, "--chip", "128", "--overlap", "0")
    told = scd(*pair, "-o", "told")
    assert told.exit_code == 0, told.output
    assert "shifted.tif lies 2.9 pixels (2.4 rows down, 1.7 columns left)" in told.stderr
    assert "--coregister moves it back." in told.stderr
    summary = json.loads((here / "told/summary.json").read_text())
    assert any("--coregister" in note for note in summary["notes"])
    assert summary["inputs"]["shift"] == [0, 0]
    assert summary["settings"]["coregister"] is False
    assert scd(*pair, "-o", "mended", "--coregister").exit_code == 0
    summary = json.loads((here / "mended/summary.json").read_text())
    assert summary["settings"]["coregister"] is True
    assert off(summary["inputs"]["shift"], -2.4, 1.7) < 0.1
    found = summary["inputs"]["estimated_shift"]
    assert off((found["rows"], found["cols"]), 2.4, -1.7) < 0.1
    assert summary["inputs"]["remaining_shift"]["rows"] == pytest.approx(0, abs=0.1)


def known_sizes(path, *sizes):
    """A model file that says for which pixels it is."""
    made = loaded()
    save_model(path, made.model, replace(made.header, pixel_size=sizes))
    return path


def test_check_and_predict_warn_alike_of_pixels_that_the_model_does_not_know(scd, here):
    model = known_sizes(here / "fine.safetensors", 0.2, 0.5)
    said = "The pixels are 1 m; the model fine.safetensors was trained for 0.2 to 0.5 m: expect"
    report = scd("check", "before.tif", "after.tif", "--model", model)
    assert report.exit_code == 0, report.output
    assert f"- {said}" in report.stdout
    assert "a pixel on the ground" in report.stdout
    assert report.stdout.endswith("Verdict: comparable with warnings.\n")
    options = ("-m", model, "--chip", "128", "--overlap", "0", "--vector", "none", "-o", "out")
    result = scd("predict", "before.tif", "after.tif", *options)
    assert result.exit_code == 0, result.output
    assert f"Warning: {said}" in result.stderr
    summary = json.loads((here / "out/summary.json").read_text())
    (warning,) = summary["warnings"]
    assert warning.startswith(said)
    assert warning in summary["notes"]
    assert summary["warnings"] == json.loads(
        scd("check", "before.tif", "after.tif", "-m", model, "--json").stdout
    )["warnings"]  # fmt: skip


def test_without_a_model_check_speaks_of_the_pixels_that_the_default_one_knows(scd, here):
    for name in ("before", "after"):
        write_scene(f"{name}10.tif", noise((3, 60, 80)), Affine(10, 0, 5e5, 0, -10, 4e6))
    said = "The pixels are 10 m; the model urban (the default) was trained for 0.3 to 1.7 m: expect"
    assert said in scd("check", "before10.tif", "after10.tif").stdout
    assert "was trained for" not in scd("check", "before.tif", "after.tif").stdout


def test_predict_has_nothing_to_warn_of_where_the_model_knows_the_pixels(scd, here):
    model = known_sizes(here / "fits.safetensors", 0.5, 1.0)
    options = ("-m", model, "--chip", "128", "--overlap", "0", "--vector", "none", "-o", "out")
    result = scd("predict", "before.tif", "after.tif", *options)
    assert "Warning" not in result.stderr
    assert json.loads((here / "out/summary.json").read_text())["warnings"] == []


def test_a_shift_is_a_warning_in_the_summary(scd, here):
    model = tiny_model(here / "model.safetensors")
    options = ("-m", model, "--chip", "128", "--overlap", "0", "--vector", "none", "-o", "out")
    result = scd("predict", "before.tif", "shifted.tif", *options)
    (warning,) = json.loads((here / "out/summary.json").read_text())["warnings"]
    assert "shifted.tif lies 2.9 pixels" in warning
    assert f"Warning: {warning}" in result.stderr


def test_bands_of_the_model_named_decide(scd, here):
    own = tiny_model(here / "own.safetensors", bands=4)
    assert scd("check", "four.tif", "four.tif", "-m", own).exit_code == 0
    other = scd("check", "four.tif", "four.tif", "-m", tiny_model(here / "rgb.safetensors"))
    assert other.exit_code == 1
    assert "the model rgb.safetensors was trained on 3 bands" in other.stdout
    assert scd("check", ".", "-m", own).exit_code == 2
    with rasterio.open(here / "four.tif", "r+") as dataset:
        dataset.descriptions = ("infrared", "red", "green", "blue")
    named = scd("check", "four.tif", "four.tif", "-m", "rgb.safetensors", "--json")
    found = json.loads(named.stdout)
    assert found["match"]["bands"] == [2, 3, 4]
    assert found["warnings"][0].startswith("Of 4 bands red, green and blue are used: 2, 3, 4")


def test_a_batch_warns_pair_by_pair(scd, here):
    model = known_sizes(here / "fine.safetensors", 0.2, 0.5)
    for name in ("plain", "other"):
        write_scene(here / f"{name}.tif", noise((3, 100, 120), seed=len(name)), crs=None)
    table = "before,after\nbefore.tif,after.tif\nplain.tif,other.tif\n"
    (here / "pairs.csv").write_text(table)
    options = ("-m", model, "--chip", "128", "--overlap", "0", "--vector", "none", "-o", "maps")
    result = scd("predict", "--pairs", "pairs.csv", "--json", *options)
    assert result.exit_code == 0, result.output
    placed, plain = (json.loads(line)["summary"] for line in result.stdout.splitlines())
    assert placed["warnings"][0].startswith("The pixels are 1 m; the model fine.safetensors")
    assert plain["warnings"] == []
    assert "cannot be told without a CRS" in plain["notes"][-1]
    assert result.stderr.count("Warning: ") == 1


def test_statistics_of_a_pair_map_it_as_without_them(scd, here):
    tiny_model(here / "m.safetensors")
    result = scd("check", "before.tif", "shifted.tif", "--normalize", "match", "--statistics", "s")
    assert result.exit_code == 0, result.output
    assert "s has the statistics of 1 pair; use them with scd predict --statistics s" in (
        result.stderr
    )
    options = ("-m", "m.safetensors", "--vector", "none", "--normalize", "match", "--chip", "256")
    maps = []
    for name, more in (("own", ()), ("kept", ("--statistics", "s"))):
        result = scd("predict", "before.tif", "shifted.tif", *options, "-o", name, *more)
        assert result.exit_code == 0, result.output
        with rasterio.open(here / name / "probability.tif") as raster:
            maps.append(raster.read())
    assert (maps[0] == maps[1]).all()
    again = ("predict", "before.tif", "shifted.tif", *options, "-o", "own", "--resume")
    refused = scd(*again, "--statistics", "s")
    assert refused.exit_code == 1
    assert 'settings statistics was "whole" and is "s"' in refused.stderr


def test_one_file_holds_for_all_pairs_of_a_table(scd, here):
    (here / "tiles.csv").write_text("before,after\nbefore.tif,after.tif\nafter.tif,shifted.tif\n")
    result = scd("check", "--pairs", "tiles.csv", "--statistics", "tiles.json")
    assert result.exit_code == 0, result.output
    assert json.loads((here / "tiles.json").read_text())["pairs"] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--pairs", "t.csv"), "--pairs is for --statistics FILE"),
        (("a.tif", "b.tif", "--pairs", "t.csv", "--statistics", "s"), "not both"),
        (("folder", "--statistics", "s"), "--statistics is for two images"),
    ],
)
def test_statistics_of_what_has_none_are_a_wrong_call(scd, here, arguments, message):
    result = scd("check", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_statistics_of_other_bands_are_refused_before_the_model_is_loaded(scd, here):
    tiny_model(here / "m.safetensors", bands=1)
    assert scd("check", "before.tif", "after.tif", "--statistics", "s").exit_code == 0
    asked = ("--bands", "1", "-m", "m.safetensors", "--statistics", "s")
    result = scd("predict", "before.tif", "after.tif", *asked)
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "s has statistics of pairs with the bands 1,2,3, and before.tif and" in result.stderr
