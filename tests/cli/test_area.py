"""``scd area``: the published example through files, and everything it refuses."""

import csv
import json

import numpy as np
import pyogrio
import pytest
from affine import Affine
from finished import draw_classes, predict_images, write_images
from judgements import confuse, judge, write_rows
from predictions import SITE, patches, write_map

from scdcli.legend import LandCover, Legend
from scdcli.sampling.changemap import open_map
from scdcli.sampling.design import SampleSettings, draw_sample

FOREST = Legend("forest", (LandCover("forest", (0, 99, 0)), LandCover("other", (99, 99, 0))))
# Deforestation, gain, stable forest, stable non-forest, as transitions of that legend.
CODES = (102, 201, 101, 0)
PIXELS = (200_000, 150_000, 3_200_000, 6_450_000)
COUNTS = ((66, 0, 5, 4), (0, 55, 8, 12), (1, 0, 153, 11), (2, 1, 9, 313))


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The map of Olofsson et al. (2014), 30 m pixels, with a table of another program."""
    folder = tmp_path_factory.mktemp("published")
    codes = np.repeat(np.array(CODES, np.uint16), PIXELS).reshape(2000, 5000)
    write_map(folder / "p", codes, legend=FOREST, transform=Affine.scale(30, -30), crs=SITE)
    rows = []
    for i, start in enumerate(np.cumsum([0, *PIXELS[:-1]])):
        judged = np.repeat(np.array(CODES), COUNTS[i]).tolist()
        for place, code in enumerate(judged):
            row, col = divmod(int(start) + place, 5000)
            x, y = 30 * col + 15, -30 * row - 15
            rows.append({"antes": code // 100, "despues": code % 100, "E": x, "N": y})
    write_rows(folder / "judged.csv", rows, ";")
    return folder


def test_the_published_example_comes_out_of_a_table_of_another_program(scd, published):
    out = published / "areas.csv"
    done = scd(
        *("area", published / "p", "--reference", published / "judged.csv", "-o", out, "--json"),
        *("--columns", "reference_from=antes,reference_to=despues,x=E", "--columns", "y=N"),
    )
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["overall_accuracy"]["value"] == pytest.approx(0.947, abs=5e-4)
    assert round(told["overall_accuracy"]["margin"], 2) == 0.02
    areas = {row["name"]: row for row in told["areas"] if row["kind"] != "from"}
    for name, counted, hectares, margin in (
        ("forest → other", 18_000, 21_158, 6_158),
        ("other → forest", 13_500, 11_686, 3_756),
        ("forest → forest", 288_000, 285_770, 15_510),
        ("unchanged", 580_500, 581_386, 16_282),
    ):
        assert areas[name]["mapped"]["hectares"] == pytest.approx(counted)
        assert round(areas[name]["adjusted"]["hectares"]) == hectares
        assert round(1.96 * areas[name]["standard_error"]["hectares"]) == margin
    assert told["error_matrix"]["counts"][0] == [313, 9, 2, 1]
    with out.open(encoding="utf-8") as file:
        written = {row["name"]: row for row in csv.DictReader(file)}
    assert float(written["forest → other"]["adjusted_hectares"]) == pytest.approx(21157.76)
    assert "names no strata" in done.stderr


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """A prediction with errors, its sample, and a table of what is true there."""
    folder = tmp_path_factory.mktemp("judged")
    truth = patches()
    write_map(folder / "p", confuse(truth, np.random.default_rng(1)))
    sample = draw_sample(open_map(folder / "p"), SampleSettings(size=90, minimum=20))
    return folder, judge(sample, truth), truth


def run(scd, judged, rows, tmp_path, *options):
    path = write_rows(tmp_path / "judged.csv", rows)
    return scd("area", judged[0] / "p", "--reference", path, *options)


def test_the_table_shows_the_count_beside_the_estimate(scd, judged, tmp_path):
    _, rows, truth = judged
    done = run(scd, judged, rows, tmp_path)
    assert done.exit_code == 0, done.output
    assert "overall accuracy 0." in done.stdout
    assert "building → water" in done.stdout
    assert "counted" in done.stdout
    told = json.loads(run(scd, judged, rows, tmp_path, "--json").stdout)
    changed = told["areas"][1]
    true = np.sum((truth != 0) & (truth != 65535)) / 100
    assert changed["low"]["hectares"] < true < changed["high"]["hectares"]
    total = sum(each["adjusted"]["m2"] for each in told["areas"][:2])
    assert total == pytest.approx(told["total"]["m2"])


def test_a_filled_in_geopackage_is_read_as_it_is(scd, judged, tmp_path):
    folder, rows, _ = judged
    drawn = folder / "points.gpkg"
    options = ("--size", 90, "--minimum", 20, "--overwrite", "-o", drawn)
    assert scd("sample", folder / "p", *options).exit_code == 0
    about, _, geometry, columns = pyogrio.raw.read(drawn, layer="points")
    fields = about["fields"].tolist()
    for name in ("reference_from", "reference_to"):
        columns[fields.index(name)] = np.array([row[name] for row in rows], dtype=np.int32)
    filled = tmp_path / "points.gpkg"
    pyogrio.raw.write(
        filled, geometry, columns, fields, layer="points", geometry_type="Point", crs=about["crs"]
    )
    done = scd("area", folder / "p", "--reference", filled, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == json.loads(run(scd, judged, rows, tmp_path, "--json").stdout)


def test_skipped_places_are_said_and_bounded(scd, judged, tmp_path):
    rows = [dict(row) for row in judged[1]]
    for row in rows[:6]:
        row["reference_from"] = row["reference_to"] = ""
    done = run(scd, judged, rows, tmp_path, "--json")
    assert "6 of 90 places were not judged" in done.stderr
    told = json.loads(done.stdout)
    assert sum(told["skipped"].values()) == 6
    for each in told["areas"]:
        least, most = (bound["m2"] for bound in each["if_skipped"])
        assert least <= each["adjusted"]["m2"] <= most
        assert most > least
    # and so where their rows are gone
    gone = json.loads(run(scd, judged, rows[6:], tmp_path, "--json").stdout)
    assert gone["skipped"] == told["skipped"]


def test_areas_that_rest_on_a_handful_of_places_are_pointed_out(scd, judged, tmp_path):
    places = iter(range(99))
    rows = [
        row | {"reference_from": 6, "reference_to": 1}
        if row["stratum"] == "unchanged" and next(places) < 2
        else row
        for row in judged[1]
    ]
    done = run(scd, judged, rows, tmp_path)
    assert "rest on fewer than 5 judged places" in done.stderr
    assert "playground → water" in done.stdout


def test_the_same_class_twice_is_unchanged(scd, judged, tmp_path):
    rows = [
        row | {"reference_from": 4, "reference_to": 4} if row["reference_from"] == 0 else row
        for row in judged[1]
    ]
    done = run(scd, judged, rows, tmp_path, "--json")
    assert "the same class before and after: taken as unchanged" in done.stderr
    plain = json.loads(run(scd, judged, judged[1], tmp_path, "--json").stdout)
    assert json.loads(done.stdout)["areas"] == plain["areas"]


def test_names_of_classes_will_do(scd, judged, tmp_path):
    names = ["unchanged", "water", "", "low vegetation", "", "Building", ""]
    rows = [
        row | {name: names[row[name]] for name in ("reference_from", "reference_to")}
        for row in judged[1]
    ]
    told = run(scd, judged, rows, tmp_path, "--json")
    plain = run(scd, judged, judged[1], tmp_path, "--json")
    assert json.loads(told.stdout) == json.loads(plain.stdout)


def test_another_map_is_assessed_only_when_asked(scd, judged, tmp_path):
    _, rows, truth = judged
    write_map(tmp_path / "other", truth)
    path = write_rows(tmp_path / "judged.csv", rows)
    refused = scd("area", tmp_path / "other", "--reference", path)
    assert refused.exit_code == 1
    assert "drawn from another map" in refused.stderr
    told = scd("area", tmp_path / "other", "--reference", path, "--other-map", "--json")
    assert json.loads(told.stdout)["overall_accuracy"]["value"] == 1
    own = run(scd, judged, rows, tmp_path, "--json")
    areas = [
        {row["name"]: row["adjusted"] for row in json.loads(each.stdout)["areas"]}
        for each in (told, own)
    ]
    assert areas[0] == areas[1]  # areas come from the judgements, not from the map


def changed(rows, number, **cells):
    return [row | cells if place == number else row for place, row in enumerate(rows)]


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda rows: changed(rows, 2, x=1.0), "judged.csv, line 4 lies at x 1, y "),
        (lambda rows: changed(rows, 2, x="500123,5"), "has x '500123,5', which is no number"),
        (lambda rows: changed(rows, 2, x=""), "line 4 has no x"),
        (
            lambda rows: changed(rows, 2, reference_from=9, reference_to=1),
            "line 4 has reference_from '9', which legend 'second' does not know; it has 0",
        ),
        (
            lambda rows: changed(rows, 2, reference_from="", reference_to=2),
            "line 4 has reference_to '2' but no reference_from",
        ),
        (
            lambda rows: changed(rows, 2, reference_from=0, reference_to=2),
            "line 4 has reference_to '2' but unchanged as reference_from",
        ),
        (lambda rows: [*rows, rows[0] | {"id": 1000}], "has the pixel (row"),
        (lambda rows: changed(rows, 2, id=rows[0]["id"]), "has the id 1 of line 2"),
        (
            lambda rows: changed(rows, 2, stratum_units=5),
            "has stratum_units 5, where stratum",
        ),
        (
            lambda rows: [
                row | {"reference_from": "", "reference_to": ""}
                if row["stratum"] == "unchanged"
                else row
                for row in rows
            ],
            "stratum 'unchanged' has 0 of",
        ),
        (
            lambda rows: [{"before": row["reference_from"], "x": 1, "y": 1} for row in rows],
            "has the columns before, x, y, but not reference_",
        ),
    ],
)
def test_bad_tables_are_refused_in_a_sentence(scd, judged, tmp_path, spoil, sentence):
    done = run(scd, judged, spoil(judged[1]), tmp_path)
    assert done.exit_code == 1, done.output
    assert sentence in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--columns", "longitude=x"), "--columns longitude is none of ours"),
        (("--columns", "x"), "'x' is not OURS=THEIRS"),
        (("--columns", "x=lon"), "but not lon"),
        (("-o", "areas.xlsx"), "ends in neither .csv nor .json"),
    ],
)
def test_bad_options_are_refused(scd, judged, tmp_path, options, sentence):
    done = run(scd, judged, judged[1], tmp_path, *options)
    assert done.exit_code in (1, 2)
    assert sentence in " ".join(done.stderr.split())


def test_the_areas_go_into_the_page(scd, tmp_path):
    images = write_images(tmp_path, draw_classes(np.random.default_rng(5), (8, 10)))
    predict_images(images, tmp_path / "out")
    change_map = open_map(tmp_path / "out")
    sample = draw_sample(change_map, SampleSettings(size=40, strata="change"))
    rows = [
        row | {"reference_from": 0, "reference_to": 0} for row in judge(sample, np.zeros((80, 100)))
    ]
    path = write_rows(tmp_path / "judged.csv", rows)
    page = tmp_path / "out/report.html"
    before = page.read_text(encoding="utf-8")
    assert "adjusted by a sample" not in before
    done = scd("area", tmp_path / "out", "--reference", path, "--report")
    assert done.exit_code == 0, done.output
    text = page.read_text(encoding="utf-8")
    assert "Areas adjusted by a sample" in text
    assert "People judged 40 random places" in text
    assert text.count("data:image/jpeg") == before.count("data:image/jpeg")
    # the images have gone: the page keeps them
    images[0].rename(tmp_path / "moved.tif")
    again = scd("area", tmp_path / "out", "--reference", path, "--report")
    assert "The page is left as it was: before.tif" in again.stderr
    assert "/out --before IMAGE --after IMAGE makes it with the areas" in again.stderr
    assert page.read_text(encoding="utf-8") == text
    (tmp_path / "out/areas.json").write_text("[]")
    moved = scd("report", tmp_path / "out", "--before", tmp_path / "moved.tif", "--overwrite")
    assert "does not hold areas of scd area" in moved.stderr
