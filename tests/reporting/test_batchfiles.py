"""What a batch leaves of all pairs together: a layer, a table, a list."""

import csv
import json
import shutil

import numpy as np
import pyogrio
import pytest
import shapely
from affine import Affine
from finished import draw_classes, predict_images, write_images

from scdcli.datasets.zonefile import ZoneFile, place_zones
from scdcli.reporting.batch import BATCH, TABLE, TOGETHER
from scdcli.reporting.batchfiles import finish_batch, renew_batch
from scdcli.reporting.finished import read_finished
from scdcli.reporting.report import add_zones

FORMATS = ("gpkg", "fgb", "geojson")
PLACES = {
    "a": ("EPSG:32650", Affine(2, 0, 500_000, 0, -2, 4_000_000)),
    "b": ("EPSG:32650", Affine(1, 0, 501_000, 0, -1, 4_000_000)),
    "far": ("EPSG:32601", Affine(1, 0, 166_050, 0, -1, 100_000)),  # across 180 degrees
    "nowhere": (None, None),
}


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    """One prediction per place; of ``b`` no file of polygons can be read."""
    folder, rng = tmp_path_factory.mktemp("batch"), np.random.default_rng(3)
    for name, (crs, transform) in PLACES.items():
        images = write_images(
            folder / f"images/{name}", draw_classes(rng, (8, 10)), crs=crs, transform=transform
        )
        formats = () if name == "b" else ("gpkg",)
        predict_images(images, folder / name, report=False, formats=formats)
    return folder


@pytest.fixture
def batch(maps, tmp_path):
    def make(*names):
        for name in names:
            shutil.copytree(maps / name, tmp_path / "all" / name)
        return tmp_path / "all"

    return make


def finish(folder, outputs=(), failed=(), formats=FORMATS, page=False):
    return finish_batch(folder, outputs, dict(failed), formats=formats, page=page)


def layer(path):
    about, _, outlines, columns = pyogrio.raw.read(path, layer="changes")
    return (
        about["crs"],
        shapely.from_wkb(outlines),
        dict(zip(about["fields"], columns, strict=True)),
    )


def summary(folder, name):
    return json.loads((folder / name / "summary.json").read_text())


def test_maps_of_one_crs_are_one_layer_in_it(batch):
    folder = batch("a", "b")
    assert finish(folder).notes == []
    crs, outlines, columns = layer(folder / "changes.gpkg")
    assert crs == "EPSG:32650"
    own = layer(folder / "a/changes.gpkg")[1]
    assert shapely.equals_exact(outlines[: len(own)], own).all()
    assert columns["id"].tolist() == [*range(1, len(outlines) + 1)]
    assert dict(zip(*np.unique(columns["pair"], return_counts=True), strict=True))["a"] == len(own)
    for name in ("a", "b"):
        area = columns["area_m2"][columns["pair"] == name].sum()
        assert area == pytest.approx(summary(folder, name)["changed"]["area_m2"], rel=1e-12)
    styles = pyogrio.raw.read(folder / "changes.gpkg", layer="layer_styles")[0]["fields"]
    assert "styleQML" in styles


def test_maps_of_several_crss_are_in_longitude_and_latitude(batch):
    folder = batch("a", "far")
    (note,) = finish(folder).notes
    assert "The maps have several CRSs, so changes.gpkg is in EPSG:4326" in note
    crs, outlines, columns = layer(folder / "changes.gpkg")
    assert crs == "EPSG:4326"
    assert shapely.is_valid(outlines).all()
    west, _, east, _ = shapely.bounds(outlines).T
    assert (east - west).max() < 0.01  # none goes round the Earth
    middle = shapely.bounds(outlines[columns["pair"] == "a"]).mean(axis=0)
    assert middle == pytest.approx([117, 36.1, 117, 36.1], abs=0.1)
    areas = columns["area_m2"][columns["pair"] == "far"].sum()
    assert areas == pytest.approx(summary(folder, "far")["changed"]["area_m2"], rel=1e-12)


def test_a_map_without_a_place_is_in_the_table_alone(batch):
    folder = batch("a", "nowhere")
    (note,) = finish(folder).notes
    assert "Not in changes.gpkg, since they have no CRS" in note
    assert note.endswith(": nowhere.")
    assert set(layer(folder / "changes.gpkg")[2]["pair"]) == {"a"}
    together = json.loads((folder / BATCH).read_text())
    assert together["changed"]["hectares"] is together["changed"]["percent"] is None
    assert together["changed"]["pixels"] == sum(
        summary(folder, name)["changed"]["pixels"] for name in ("a", "nowhere")
    )


def test_the_table_has_every_pair_and_their_sums(batch):
    folder = batch("a", "b")
    finish(folder)
    with (folder / TABLE).open(newline="") as file:
        rows = list(csv.DictReader(file))
    pairs, sums = ([row for row in rows if (row["pair"] == TOGETHER) == total] for total in (0, 1))
    *each, everything = sums
    changes = [row for name in ("a", "b") for row in summary(folder, name)["transitions"]]
    assert len(pairs) == len(changes)
    for row in each:
        mine = [own for own in changes if str(own["transition"]) == row["transition"]]
        assert float(row["area_m2"]) == pytest.approx(sum(own["area_m2"] for own in mine))
        assert int(row["pixels"]) == sum(own["pixels"] for own in mine)
    assert sum(float(row["hectares"]) for row in each) == pytest.approx(
        float(everything["hectares"])
    )
    valid = sum(summary(folder, name)["valid"]["area_m2"] for name in ("a", "b"))
    share = 100 * float(everything["area_m2"]) / valid
    assert float(everything["percent"]) == pytest.approx(share)
    assert (folder / "transitions.csvt").read_text().startswith('"String","Integer"')


def by_zone(folder, *names):
    """Two zones over the maps ``a`` and ``b``, of which the second lies on both."""
    outlines = [shapely.box(500_000, 3e6, 500_033, 5e6), shapely.box(500_033, 3e6, 501_041, 5e6)]
    zones = ZoneFile("z.gpkg", "z", "name", ["left", "right"], np.array(outlines), "EPSG:32650")
    for name in names:
        grid = read_finished(folder / name).grid
        assert add_zones(folder / name, place_zones(zones, grid, name)) == []


def test_areas_by_zone_are_summed_over_the_maps(batch):
    folder = batch("a", "b")
    by_zone(folder, "a", "b")
    assert finish(folder, page=True).notes == []
    zones = json.loads((folder / BATCH).read_text())["zones"]
    each = {zone["name"]: zone for zone in (*zones["zones"], zones["outside"])}
    assert list(each) == ["left", "right", "outside all zones"]
    own = [summary(folder, name)["zones"] for name in ("a", "b")]
    rights = [zone for found in own for zone in found["zones"] if zone["name"] == "right"]
    assert len(rights) == 2
    total = sum(zone["changed"]["area_m2"] for zone in rights)
    assert each["right"]["changed"]["area_m2"] == pytest.approx(total)
    changed = sum(zone["changed"]["area_m2"] for zone in each.values())
    whole = sum(summary(folder, name)["changed"]["area_m2"] for name in ("a", "b"))
    assert changed == pytest.approx(whole, rel=1e-12)
    with (folder / "zones.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == "changed"]
    assert sum(float(row["area_m2"]) for row in rows) == pytest.approx(whole)
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert "<h2>By zone</h2>" in page
    assert 'href="zones.csv"' in page


def test_maps_without_zones_leave_no_sums_by_zone(batch):
    folder = batch("a", "b")
    by_zone(folder, "a", "b")
    finish(folder)
    (folder / "b/summary.json").write_text(
        json.dumps({k: v for k, v in summary(folder, "b").items() if k != "zones"})
    )
    (note,) = finish(folder).notes
    assert note.startswith("1 of 2 maps have areas by zone, and not all by the same zones")
    assert not (folder / "zones.csv").exists()
    assert json.loads((folder / BATCH).read_text())["zones"] is None


def test_what_is_not_finished_or_failed_is_listed_until_it_is_done(batch, maps):
    folder = batch("a")
    outputs = [folder / name for name in ("a", "b", "c")]
    found = finish(folder, outputs, {folder / "b": "b.tif is broken."}, page=True)
    assert [each.status for each in found.members] == ["done", "failed", "waiting"]
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert "Failed: b.tif is broken." in page
    assert "1 of 3 pairs is not finished yet." in page
    # another shard, which knows nothing of it
    found = finish(folder, outputs)
    assert [each.error for each in found.members] == [None, "b.tif is broken.", None]
    shutil.copytree(maps / "b", folder / "b")
    assert [each.status for each in finish(folder).members] == ["done", "done", "waiting"]


def test_the_formats_are_those_of_this_run(batch):
    folder = batch("a")
    finish(folder, formats=("shp", "gpkg"))
    (folder / "changes.txt").touch()
    finish(folder, formats=("parquet",))
    left = sorted(path.name for path in folder.glob("changes.*"))
    assert left == ["changes.parquet", "changes.qml", "changes.txt"]


def test_nothing_is_left_of_a_batch_in_which_all_fail(tmp_path):
    finish(tmp_path / "all", [tmp_path / "all/a"], {tmp_path / "all/a": "No."})
    assert not list(tmp_path.glob("all/*"))


def test_made_again_the_files_have_what_is_finished_by_now(batch, maps):
    folder = batch("a")
    finish(folder, formats=("gpkg",))
    batch("b")
    renew_batch(folder)
    assert set(layer(folder / "changes.gpkg")[2]["pair"]) == {"a", "b"}
    assert not (folder / "changes.fgb").exists()
    with (folder / TABLE).open(encoding="utf-8") as file:
        assert {row["pair"] for row in csv.DictReader(file)} == {"a", "b", TOGETHER}
    assert (folder / "index.html").exists()
    shutil.rmtree(folder / "a")
    renew_batch(folder)
    assert set(layer(folder / "changes.gpkg")[2]["pair"]) == {"b"}


def test_a_layer_of_the_same_predictions_is_left_as_it_is(batch):
    folder = batch("a", "nowhere")
    notes = finish(folder, formats=("gpkg",)).notes
    (folder / "changes.gpkg").write_bytes(b"as it was")
    (folder / TABLE).unlink()
    assert renew_batch(folder).notes == notes != []
    assert (folder / "changes.gpkg").read_bytes() == b"as it was"
    assert (folder / TABLE).exists()
    assert json.loads((folder / BATCH).read_text())["notes"] == notes
