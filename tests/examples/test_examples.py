"""The examples run as their first lines say."""

import importlib
import json
import os
import runpy
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import rasterio
from scenes import noise, write_scene
from standins import tiny_model

from scdcli.legend import LEGENDS, NODATA, SECOND
from scdcli.models.checkpoint import ModelHeader, save_model
from scdcli.models.networks import NetworkSettings, build
from scdcli.models.networks.model import ChangeModel
from scdcli.simulation.sources import IMAGE_NODATA, find_source

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def pairs(tmp_path):
    """Two folders with two scenes of equal names; the second pair does not overlap."""
    for number, folder in enumerate(("before", "after")):
        (tmp_path / folder).mkdir()
        write_scene(tmp_path / folder / "good.tif", noise((3, 64, 64), seed=number))
        crs = "EPSG:32650" if folder == "before" else "EPSG:32610"
        write_scene(tmp_path / folder / "bad.tif", noise((3, 64, 64), seed=number), crs=crs)
    return tmp_path


def run(*command, cwd):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = os.environ | {"PATH": path, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


def test_predict_from_python_and_show_the_result(pairs):
    images = ("before/good.tif", "after/good.tif")
    result = run(sys.executable, EXAMPLES / "predict_from_python.py", *images, "out", cwd=pairs)
    assert result.returncode == 0, result.stderr
    assert (pairs / "out/summary.json").exists()
    shown = run(
        sys.executable,
        EXAMPLES / "show_prediction.py",
        *images,
        "out",
        "shown.png",
        0,
        0,
        32,
        cwd=pairs,
    )
    assert shown.returncode == 0, shown.stderr
    assert (pairs / "shown.png").read_bytes().startswith(b"\x89PNG")


def test_a_part_of_a_scene_is_shown_in_its_place(pairs):
    tiny_model(pairs / "tiny.safetensors")
    images = ("before/good.tif", "after/good.tif")
    bounds = "500003,3999979,500021,3999990"
    options = ("-m", "tiny.safetensors", "--bounds", bounds, "-o", "part", "-q")
    result = run(sys.executable, "-m", "scdcli", "predict", *images, *options, cwd=pairs)
    assert result.returncode == 0, result.stderr
    show = runpy.run_path(str(EXAMPLES / "show_prediction.py"))["read_colors"]
    with rasterio.open(pairs / "part/from.tif") as grid, rasterio.open(pairs / images[0]) as image:
        shown = show(str(pairs / images[0]), grid, None)
        assert (shown == np.moveaxis(image.read()[:, 10:21, 3:21], 0, -1)).all()


def save_tiny(path, network):
    settings = NetworkSettings(network, width=0.125)
    save_model(
        path, ChangeModel(build(settings), [0.0] * 3, [1.0] * 3), ModelHeader(settings, SECOND)
    )


def test_feature_maps_are_drawn_or_refused_in_one_sentence(pairs):
    save_tiny(pairs / "asn.safetensors", "asn")
    save_tiny(pairs / "plain.safetensors", "hrscd-str4")
    command = (sys.executable, EXAMPLES / "feature_maps.py")
    images = ("before/good.tif", "after/good.tif")
    drawn = run(*command, "asn.safetensors", *images, "-o", "maps", "--square", 8, 0, 40, cwd=pairs)
    assert drawn.returncode == 0, drawn.stderr
    names = {path.name for path in (pairs / "maps").iterdir()}
    assert names == {"asp-16.png", "asp-32.png", "asp-64.png", "arp.png"}
    refused = run(*command, "plain.safetensors", *images, "-o", "none", cwd=pairs)
    assert refused.returncode == 1
    assert (
        "plain.safetensors is a model of hrscd-str4, which does not link the pyramids"
        in refused.stderr
    )
    assert "Traceback" not in refused.stderr
    assert not (pairs / "none").exists()
    outside = run(*command, "asn.safetensors", *images, "-o", "o", "--square", 40, 0, 40, cwd=pairs)
    assert "40 0 40 is not inside the scene of 64 x 64" in outside.stderr


def test_map_many_goes_on_after_a_failure(pairs):
    result = run("sh", EXAMPLES / "map_many.sh", "before", "after", "out", cwd=pairs)
    assert result.returncode == 3
    assert "Error: stdin, line 2: " in result.stderr  # bad
    assert result.stdout == "out/good\n"
    assert (pairs / "out/good/transition.tif").exists()
    assert not (pairs / "out/bad").exists()


def test_the_script_of_the_page_says_what_failed_and_goes_on(pairs):
    tiny_model(pairs / "tiny.safetensors")
    page = Path(__file__).parents[2] / "docs/how-to/write-a-batch-script.md"
    code = page.read_text(encoding="utf-8").split("```bash\n")[1].split("```")[0]
    script = code.replace("scd predict", f"{sys.executable} -m scdcli predict -m tiny.safetensors")
    (pairs / "map_all.sh").write_text(script, encoding="utf-8")
    for pages in ("Some pairs failed, the others are mapped:\nError: ", "All pairs are mapped: "):
        done = run("bash", "map_all.sh", "before", "after", "out", cwd=pairs)
        assert done.stdout.startswith(pages)
        assert done.returncode == (0 if "All" in pages else 3)
        assert (pairs / "out/good/transition.tif").exists()
        for folder in ("before", "after"):
            (pairs / folder / "bad.tif").unlink(missing_ok=True)
    assert len((pairs / "out.ndjson").read_text(encoding="utf-8").splitlines()) == 1


def test_systems_are_compared_and_finished_runs_kept(tmp_path):
    small = ("--pairs", 2, "--test-pairs", 1, "--size", 128, "--width", 0.125, "--chip", 64)
    command = (sys.executable, EXAMPLES / "compare_systems.py", "out", *small, "--epochs", 1)
    first = run(*command, "--systems", "asn-atl", "--seeds", "3", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    for name in ("asn-3", "asn-atl-3"):
        assert (tmp_path / f"out/runs/{name}/test.json").exists()
    table = (tmp_path / "out/table.md").read_text(encoding="utf-8").splitlines()
    assert [line.split(" |")[0] for line in table[2:]] == ["| `asn`", "| `asn-atl`"]
    assert len((tmp_path / "out/scores.csv").read_text(encoding="utf-8").splitlines()) == 3
    again = run(*command, "--systems", "asn-atl", "--seeds", "3", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert not [line for line in again.stdout.splitlines() if line.startswith("scd ")]
    scored = tmp_path / "out/runs/asn-3/test.json"
    undefined = json.loads(scored.read_text(encoding="utf-8")) | {"sek_from_to": None}
    scored.write_text(json.dumps(undefined), encoding="utf-8")
    again = run(*command, "--systems", "asn", "--seeds", "3", cwd=tmp_path)
    assert "| `asn` | nan |" in again.stdout
    strange = run(*command, "--systems", "asm", cwd=tmp_path)
    assert "'asm'; choose among" in strange.stderr


def test_the_sets_of_bundled_models_hold_out_whole_places(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    sets = importlib.import_module("make_bundled_sets")
    tiles = [tile for split in sets.DUBAI.values() for tile in split]
    assert len(tiles) == len(set(tiles))
    spans = sorted(sets.MONTEREY.values())
    assert all(last == first for (_, last), (first, _) in pairwise(spans))
    for kind in ("images", "labels"):
        folder = tmp_path / "monterey" / kind
        folder.mkdir(parents=True)
        for y in (100, 40_000, 50_000):
            (folder / f"tile_7_{y}.png").touch()
    linked = set()
    for split in sets.DUBAI:
        sets.link(tmp_path, tmp_path / "out", split, "urban")
        found = {p.name for p in (tmp_path / "out/sources" / split / "monterey/images").iterdir()}
        assert found
        assert not found & linked
        linked |= found


@pytest.mark.parametrize("legend", ["urban", "second"])
def test_the_sources_of_bundled_models_have_a_key_in_each_legend(legend, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    sets = importlib.import_module("make_bundled_sets")
    for source in ("dubai", "monterey", "banepa"):
        key = find_source(str(sets.key(source, tmp_path, legend)), LEGENDS[legend])
        assert key.codes
        assert max(set(key.codes.values()) - {NODATA, IMAGE_NODATA}) <= len(LEGENDS[legend])
