"""``scd sample``."""

import json

import pyogrio
import pytest
from predictions import patches, write_map


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_map(tmp_path_factory.mktemp("map") / "p", patches())


def test_the_sample_lies_beside_the_prediction(scd, folder):
    done = scd("sample", folder, "--size", 60, "--minimum", 10)
    assert done.exit_code == 0, done.output
    out = folder.with_name("p-points.gpkg")
    assert done.stdout == f"{out}\n"
    assert "low vegetation → building" in done.stderr
    assert pyogrio.read_info(out, layer="points")["features"] == 60
    assert "exists" in scd("sample", folder).stderr


def test_the_working_directory_can_be_sampled(scd, folder, monkeypatch):
    monkeypatch.chdir(folder)
    done = scd("sample", ".", "--size", 60, "--minimum", 10, "--overwrite")
    assert done.stdout.strip() == str(folder.resolve().with_name("p-points.gpkg")), done.output


def test_json_says_what_was_drawn(scd, folder, tmp_path):
    done = scd(
        *("sample", folder, "-o", tmp_path / "a.gpkg", "--target-error", 0.05, "--json"),
        *("--expect", "ua=0.7", "--expect", "unchanged=0.9", "--allocation", "neyman"),
    )
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["size"] == sum(each["drawn"] for each in told["strata"])
    assert {each["name"] for each in told["strata"]} >= {"unchanged"}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--size", 50, "--target-error", 0.1), "Give --size or --target-error, not both"),
        (("--expect", "ua=70"), "'ua=70' is not a name and a share of 0 to 1"),
        (("--expect", "forest=0.7"), "no stratum is named 'forest'"),
        (("--size", 3), "3 units are too few for 3 strata"),
        (("-o", "points.shp"), "not called .gpkg"),
    ],
)
def test_what_makes_no_sense_is_refused(scd, folder, tmp_path, options, sentence):
    done = scd(
        "sample", folder, *(() if "-o" in options else ("-o", tmp_path / "x.gpkg")), *options
    )
    assert done.exit_code in (1, 2)
    assert sentence in " ".join(done.stderr.split())
