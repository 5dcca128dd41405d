"""``scd predict`` as an analyst runs it, bad input included."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from scenes import noise, write_scene
from standins import tiny_model

from scdcli.cli.predict import show_summary
from scdcli.prediction.profile import STAGES
from scdcli.prediction.tta import TTA

SMALL = ("-m", "model.safetensors", "--chip", "64", "--overlap", "0", "--vector", "none")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder with a pair of scenes and a tiny model in it."""
    monkeypatch.chdir(tmp_path)
    tiny_model(tmp_path / "model.safetensors")
    for number, name in enumerate(("before", "after")):
        write_scene(tmp_path / f"{name}.tif", noise((3, 60, 80), seed=number))
    return tmp_path


def failed(result, *words):
    """Exit 1, one sentence on stderr, no traceback, nothing on stdout."""
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit)
    lines = result.stderr.strip().splitlines()
    assert lines[-1].startswith("Error: ")
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    for word in words:
        assert word in result.stderr
    return lines[-1]


def listed(folder):
    return {path.name for path in folder.iterdir()}


def test_the_folder_is_named_after_both_images(scd, here):
    result = scd("predict", "before.tif", "after.tif", "-m", "model.safetensors")
    assert result.exit_code == 0, result.output
    assert result.stdout == "before__after\n"
    assert (here / "before__after/transition.tif").exists()
    assert "test-time augmentation none, on cpu" in result.stderr


def test_json_is_the_summary_and_nothing_else(scd, here):
    result = scd("predict", "before.tif", "after.tif", "-m", "model.safetensors", "--json", "-q")
    summary = json.loads(result.stdout)
    assert result.stderr == ""
    assert summary == json.loads((here / "before__after/summary.json").read_text())
    assert summary["settings"]["tta"] == "none"
    assert summary["model"]["sha256"]


def test_options_reach_the_result(scd, here):
    options = ["--tta", "flip", "--threshold", "0", "--vector", "geojson,fgb", "--land-cover"]
    result = scd("predict", "before.tif", "after.tif", "-m", "model.safetensors", *options)
    assert result.exit_code == 0, result.output
    assert {"changes.geojson", "changes.fgb", "after_cover.tif"} <= listed(here / "before__after")
    with rasterio.open(here / "before__after/from.tif") as dataset:
        assert (dataset.read(1) > 0).all()  # at threshold 0 everything has changed
        assert dataset.tags(ns="SCD")["TTA"] == "flip"


@pytest.mark.parametrize("quiet", [(), ("--profile", "-q")])
def test_adaptive_says_how_many_chips_were_looked_at_again(scd, here, quiet, monkeypatch):
    monkeypatch.setitem(TTA, "adaptive", TTA["flip"])  # quicker
    options = ("--tta", "adaptive", "--threshold", 0, "--no-report", *quiet)
    result = scd("predict", "before.tif", "after.tif", *SMALL, *options)
    assert result.exit_code == 0, result.output
    assert "2 of 2 chips were looked at again.\n" in result.stderr
    summary = json.loads((here / "before__after/summary.json").read_text())
    assert summary["settings"]["tta"] == "adaptive"
    assert summary["chips"] == {"predicted": 2, "looked_at_again": 2}


def test_options_without_effect_are_said(scd, here):
    call = ("predict", "before.tif", "after.tif", *SMALL)
    result = scd(*call, "--simplify", "5", "--bounds-crs", "EPSG:4326")
    assert "--simplify is for polygons" in result.stderr
    assert "--bounds-crs is not used" in result.stderr
    assert "for polygons" not in scd(*call, "--overwrite").stderr


def test_what_metadata_shows_is_said_before_a_network_is_loaded(here):
    write_scene("two.tif", noise((2, 60, 80)))
    write_scene("far.tif", noise((3, 60, 80)), Affine(1, 0, 7e5, 0, -1, 4e6))
    script = (
        "import sys\n"
        "from scdcli.cli import main\n"
        "try:\n    main(sys.argv[1:], prog_name='scd')\n"
        "except SystemExit as end:\n    print(end.code, 'torch' in sys.modules)"
    )
    for images, words in (
        (("two.tif", "two.tif"), "was trained on 3 bands, but the images have 2 in use"),
        (("before.tif", "two.tif"), "has 3 bands and two.tif has 2"),
        (("before.tif", "far.tif"), "do not overlap"),
        (("before.tif", "none.tif"), "does not exist"),
    ):
        call = [sys.executable, "-c", script, "predict", *images, "-m", "model.safetensors"]
        done = subprocess.run(call, capture_output=True, text=True, timeout=120)
        assert words in done.stderr
        assert done.stdout == "1 False\n"


def test_bands_are_chosen_by_number(scd, here):
    for number, name in enumerate(("b4", "a4")):
        write_scene(here / f"{name}.tif", noise((4, 60, 80), "uint16", seed=number))
    pair = ("predict", "b4.tif", "a4.tif", "-m", "model.safetensors", "-o", "out")
    failed(scd(*pair), "trained on 3 bands", "have 4 in use", "--bands 1,2,3")
    assert scd(*pair, "--bands", "4,3,2").exit_code == 0
    summary = json.loads((here / "out/summary.json").read_text())
    assert summary["inputs"]["bands"] == [4, 3, 2]


def test_a_warped_pair_is_said_and_strict_refuses_it(scd, here):
    write_scene(here / "far.tif", noise((3, 60, 80)), crs="EPSG:32649")
    shifted = write_scene(here / "shifted.tif", noise((3, 60, 80)))
    with rasterio.open(shifted, "r+") as dataset:
        dataset.transform = dataset.transform @ dataset.transform.translation(0.4, 0.3)
    pair = ("predict", "before.tif", "shifted.tif", "-m", "model.safetensors", "-o", "out")
    failed(scd(*pair, "--strict"), "before.tif", "shifted.tif")
    result = scd(*pair)
    assert result.exit_code == 0, result.output
    assert "warped onto the grid of" in result.stderr
    failed(scd("predict", "before.tif", "far.tif", "-m", "model.safetensors"), "overlap")


def bad_inputs(here):
    whole = (here / "after.tif").read_bytes()
    (here / "text.tif").write_text("not an image")
    (here / "cut.tif").write_bytes(whole[: len(whole) // 2])
    write_scene(here / "nocrs.tif", noise((3, 60, 80)), crs=None)
    write_scene(here / "four.tif", noise((5, 60, 80)))
    (here / "foreign.safetensors").write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00{}      ")


@pytest.mark.parametrize(
    ("after", "words"),
    [
        ("missing.tif", ["missing.tif"]),
        ("text.tif", ["text.tif"]),
        ("cut.tif", ["cut.tif"]),
        (".", ["."]),
        ("nocrs.tif", ["nocrs.tif", "CRS"]),
        ("four.tif", ["four.tif", "3", "5", "--bands"]),
    ],
)
def test_bad_images_are_one_sentence_and_leave_nothing(scd, here, after, words):
    bad_inputs(here)
    before = listed(here)
    failed(scd("predict", "before.tif", after, "-m", "model.safetensors", "-o", "out"), *words)
    assert listed(here) == before


def test_bad_models_are_one_sentence_and_leave_nothing(scd, here):
    bad_inputs(here)
    before = listed(here)
    failed(scd("predict", "before.tif", "after.tif", "-m", "foreign.safetensors"), "foreign")
    failed(scd("predict", "before.tif", "after.tif", "-m", "nothing"), "'nothing'", "second")
    assert listed(here) == before


def test_an_existing_result_is_refused_before_any_work(scd, here):
    (here / "out").mkdir()
    result = scd("predict", "before.tif", "missing.tif", "-m", "none", "-o", "out")
    failed(result, "out exists", "--overwrite")


@pytest.mark.parametrize(
    "options",
    [
        ["--bands", "1,x"],
        ["--threshold", "2"],
        ["--overlap", "-1"],
        ["--nonsense"],
        ["--scale", "a"],
        ["--scale", "1,2,3"],
        ["--scale", "0,inf"],
        ["--vector", "gpkg,none"],
    ],
)
def test_wrong_usage_is_exit_2(scd, here, options):
    assert scd("predict", "before.tif", "after.tif", *options).exit_code == 2


def test_unknown_names_are_refused(scd, here):
    pair = ("predict", "before.tif", "after.tif", "-m", "model.safetensors")
    failed(scd(*pair, "--tta", "flop"), "'flop'", "ms+flip")
    failed(scd(*pair, "--vector", "kml"), "'kml'", "gpkg")
    failed(scd(*pair, "--device", "tpu"), "'tpu'", "cuda")
    failed(scd(*pair, "--precision", "fp8"), "'fp8'", "bf16")
    failed(scd(*pair, "--engine", "tvm"), "no engine named 'tvm'", "onnxruntime")


def test_scale_is_one_stretch_for_both_dates(scd, here):
    for number, name in enumerate(("b16", "a16")):
        write_scene(here / f"{name}.tif", noise((3, 60, 80), "uint16", high=4000, seed=number))
    result = scd(
        "predict", "b16.tif", "a16.tif", "-m", "model.safetensors", "--scale", "0,4000", "--json"
    )
    summary = json.loads(result.stdout)
    assert np.allclose(summary["inputs"]["stretch"]["high"], 4000)
    assert summary["settings"]["scale"] == [0, 4000]


def test_overwrite_replaces_results_only(scd, here):
    pair = ("predict", "before.tif", "after.tif", "-m", "model.safetensors")
    (here / "photos").mkdir()
    (here / "photos/summer.jpg").write_text("dear")
    failed(scd(*pair, "-o", "photos", "--overwrite"), "photos", "not made by this command")
    failed(scd(*pair, "-o", ".", "--overwrite"), "not made by this command")
    assert scd(*pair, "-o", "out").exit_code == 0
    assert scd(*pair, "-o", "out", "--overwrite").exit_code == 0
    (here / "before.tif").rename(here / "out/before.tif")
    inside = ("predict", "out/before.tif", "after.tif", "-m", "model.safetensors", "-o", "out")
    failed(scd(*inside, "--overwrite"), "out/before.tif lies in out")
    assert (here / "out/before.tif").exists()


def test_options_come_from_a_file_or_the_environment_by_their_own_names(scd, here, monkeypatch):
    (here / "scd.toml").write_text('[predict]\nvector = "fgb"\njson = true\nmmu = 5\n')
    pair = ("before.tif", "after.tif", "-m", "model.safetensors")
    result = scd("--config", "scd.toml", "predict", *pair, "-q")
    assert json.loads(result.stdout)["settings"]["mmu"] == "5 m²"
    assert (here / "before__after/changes.fgb").exists()
    monkeypatch.setenv("SCD_PREDICT_VECTOR", "geojson")
    assert scd("predict", *pair, "-q", "-o", "env").exit_code == 0
    assert (here / "env/changes.geojson").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [("[predict]\nthresold = 1", "no option --thresold"), ("[predikt]\n", "[predikt] is not a")],
)
def test_a_mistake_in_the_file_is_exit_2(scd, here, text, words):
    (here / "scd.toml").write_text(text)
    result = scd("--config", "scd.toml", "models")
    assert result.exit_code == 2
    assert words in result.stderr


ODD_NAMES = ["two words Ωλ 变化 é", "line\nbreak 50% 'quoted'", "-dash a__b.c #[x]*"]


def test_odd_names_work_and_name_the_result(scd, here):
    (here / "later").mkdir()
    for name in ODD_NAMES:
        (here / f"{name}.tif").hardlink_to(here / "before.tif")
        (here / f"later/{name}.tif").hardlink_to(here / "after.tif")
        images = (here / f"{name}.tif", here / f"later/{name}.tif")
        result = scd("predict", *images, *SMALL, "--json", "-q")
        assert result.exit_code == 0, result.output
        folder = here / "{0}__{0}".format(name.replace("\n", "_"))
        assert json.loads(result.stdout) == json.loads((folder / "summary.json").read_text())
        with rasterio.open(folder / "from.tif") as dataset:
            assert dataset.shape == (60, 80)


def test_names_too_long_for_a_folder_are_cut(scd, here):
    names = ["x" * 200, "变" * 80]
    for name, source in zip(names, ("before.tif", "after.tif"), strict=True):
        (here / f"{name}.tif").hardlink_to(here / source)
    result = scd("predict", *(f"{name}.tif" for name in names), *SMALL)
    assert result.exit_code == 0, result.output
    (made,) = (path for path in here.iterdir() if path.is_dir())
    assert result.stdout == f"{made.name}\n"
    assert made.name.startswith("x" * 100)
    assert "__变变" in made.name


def test_a_folder_whose_name_is_too_long_is_refused(scd, here):
    pair = ("predict", "before.tif", "after.tif", *SMALL)
    failed(scd(*pair, "-o", "x" * 300), "x" * 50, "name")
    failed(scd("predict", "y" * 300 + ".tif", "after.tif", *SMALL), "yyy")


@pytest.mark.parametrize(
    "where", ["s3://bucket/map", "/vsis3/bucket/map", "https://host/map?sig=abc"]
)
def test_a_result_is_not_written_to_an_address(scd, here, where):
    before = {path.name for path in here.iterdir()}
    result = scd("predict", "before.tif", "after.tif", *SMALL, "-o", where)
    assert result.exit_code == 2
    assert f"{where.split('?')[0]} is an address" in result.stderr
    assert "sig=abc" not in result.stderr
    assert {path.name for path in here.iterdir()} == before


def test_without_images_the_usage_is_told(scd):
    result = scd("predict")
    assert result.exit_code == 2
    assert "Usage: scd predict [OPTIONS] [BEFORE AFTER]" in result.stderr.replace("main", "scd")
    assert "Give BEFORE and AFTER" in result.stderr
    assert "--pairs" in result.stderr


def extent(pixels):
    return {"pixels": pixels, "area_m2": 1.0 * pixels, "hectares": pixels / 1e4, "percent": 1.0}


@pytest.mark.parametrize(("count", "shown", "others"), [(6, 6, 0), (11, 11, 0), (25, 10, 15)])
def test_the_ten_largest_transitions_are_listed_and_the_rest_summed(count, shown, others, capsys):
    rows = [
        extent(1000 * (k + 1)) | {"from_name": f"from{k}", "to_name": f"to{k}"}
        for k in range(count)
    ]
    summary = {name: extent(9) for name in ("valid", "changed", "unchanged")}
    legend = {"name": "x", "classes": [{"name": "a", "color": "#010203"}]}
    show_summary(summary | {"transitions": rows, "model": {"legend": legend}})
    lines = capsys.readouterr().err.splitlines()
    names = [line.split()[0] for line in lines if line.strip().startswith("from")][1:]
    assert names == [f"from{k}" for k in reversed(range(count - shown, count))]
    rest = [line.split() for line in lines if " others " in line]
    total = sum(0.1 * (k + 1) for k in range(others))
    assert rest == ([[str(others), "others", f"{total:,.2f}", f"{others:.2f}"]] if others else [])


def test_what_to_open_first_is_said_unless_nobody_listens(scd, here):
    call = ("predict", "before.tif", "after.tif", "-m", "model.safetensors")
    result = scd(*call)
    assert f"Look at {Path('before__after/report.html')} in a browser first." in result.stderr
    assert "changes.qgz opens in QGIS" in result.stderr
    bare = scd(*call, "--no-report", "--vector", "none", "-o", "bare").stderr
    assert "Look at" not in bare


def test_the_time_of_every_stage_is_shown_and_kept(scd, here):
    asked = ("before.tif", "after.tif", "-m", "model.safetensors", "--profile", "-q")
    result = scd("predict", *asked)
    assert result.exit_code == 0, result.output
    shown = [line.split()[0] for line in result.stderr.splitlines()]
    assert shown == [*STAGES, "whole", "page"]
    assert "   0.00 s" not in result.stderr.splitlines()[-1]
    summary = json.loads((here / "before__after/summary.json").read_text())
    seconds = [stage["seconds"] for stage in summary["stages"].values()]
    assert len(seconds) == len(STAGES)
    assert min(seconds) > 0
    assert max(seconds) <= summary["seconds"] + 0.01


def test_a_shard_gives_the_bytes_of_the_whole_table(scd, here, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    rows = "before.tif,after.tif,one\nafter.tif,before.tif,two\n"
    (here / "pairs.csv").write_text(f"before,after,output\n{rows}")
    asked = ("--pairs", "pairs.csv", "-m", "model.safetensors", "--vector", "none", "--no-report")
    for folder, shard in (("all", ()), ("part", ("--shard", "2/2"))):
        assert scd("predict", *asked, "-o", folder, *shard).exit_code == 0
    assert "two" in listed(here / "part")
    assert "one" not in listed(here / "part")
    for name in ("from", "to", "transition", "probability"):
        rasters = [
            (here / folder / "two" / f"{name}.tif").read_bytes() for folder in ("all", "part")
        ]
        assert rasters[0] == rasters[1]
