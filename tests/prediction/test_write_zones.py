"""Areas by zone with a prediction, and added to one that is finished."""

import json

import numpy as np
import pyogrio
import pytest
import shapely
from finished import draw_classes, predict_images, write_images

from scdcli.errors import InputError, OutputError


@pytest.fixture
def images(tmp_path, rng):
    return write_images(tmp_path, draw_classes(rng))


def write_zones(path, *outlines):
    """Zones named 1, 2, … in the CRS of the images, of which the map has 200 m by 160 m."""
    path.unlink(missing_ok=True)
    names = np.array([str(n) for n in range(1, len(outlines) + 1)], dtype=object)
    wkb = shapely.to_wkb(np.array(outlines, dtype=object))
    options = {"geometry_type": "Polygon", "crs": "EPSG:32650", "layer": "parts"}
    pyogrio.raw.write(path, wkb, [names], ["name"], **options)
    return str(path)


def box(left, right):
    return shapely.box(500_000 + left, 3_900_000, 500_000 + right, 4_100_000)


def test_table_summary_and_page_have_the_areas_by_zone(images, tmp_path):
    said = []
    zones = write_zones(tmp_path / "z.gpkg", box(0, 50.5), box(50.5, 120))
    summary = predict_images(images, tmp_path / "out", zones=f"{zones}:parts", say=said.append)
    found = summary["zones"]
    assert [zone["name"] for zone in found["zones"]] == ["1", "2"]
    assert (found["file"], found["layer"], found["count"]) == (zones, "parts", 2)
    for name in ("changed", "unchanged", "valid"):
        parts = [zone[name]["area_m2"] for zone in (*found["zones"], found["outside"])]
        assert sum(parts) == pytest.approx(summary[name]["area_m2"], rel=1e-12)
        assert min(parts) > 0
    assert (tmp_path / "out/zones.csv").is_file()
    page = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert "<h2>By zone</h2>" in page
    assert "outside all zones" in page
    assert not any("zone" in line for line in said)
    without = predict_images(images, tmp_path / "plain")
    assert "zones" not in without
    assert "By zone" not in (tmp_path / "plain/report.html").read_text(encoding="utf-8")


def test_what_is_wrong_with_the_zones_is_said_and_kept(images, tmp_path):
    said = []
    zones = write_zones(tmp_path / "z.gpkg", box(0, 60), box(40, 120))
    summary = predict_images(images, tmp_path / "out", zones=zones, say=said.append)
    (told,) = [line for line in said if line.startswith("Warning: Zones of")]
    assert told.removeprefix("Warning: ") in summary["warnings"]
    zones = write_zones(tmp_path / "far.gpkg", box(5000, 6000))
    summary = predict_images(images, tmp_path / "more", zones=zones, say=said.append)
    assert any(line.startswith("Warning: No zone of") for line in said)
    assert summary["zones"]["outside"]["changed"]["pixels"] == summary["changed"]["pixels"]
    with pytest.raises(InputError, match="has no field"):
        predict_images(images, tmp_path / "none", zones=zones, zone_names="district")
    assert not (tmp_path / "none").exists()


def test_the_same_zones_are_finished_and_others_are_not(images, tmp_path):
    zones = write_zones(tmp_path / "z.gpkg", box(0, 50))
    first = predict_images(images, tmp_path / "out", zones=zones)
    assert predict_images(images, tmp_path / "out", zones=zones, resume=True) == first
    write_zones(tmp_path / "z.gpkg", box(0, 51))
    with pytest.raises(OutputError, match="zones_sha256 was"):
        predict_images(images, tmp_path / "out", zones=zones, resume=True)


def test_report_adds_to_a_finished_prediction_what_predict_would_have_written(
    scd, images, tmp_path
):
    zones = write_zones(tmp_path / "z.gpkg", box(0, 50.5), box(50.5, 120))
    made = predict_images(images, tmp_path / "with", zones=zones)
    predict_images(images, tmp_path / "out")
    result = scd("report", tmp_path / "out", "--zones", zones)
    assert result.exit_code == 0, result.output
    added = json.loads((tmp_path / "out/summary.json").read_text())
    assert added["zones"] == made["zones"]
    assert added["settings"] == made["settings"]
    assert "By zone" in (tmp_path / "out/report.html").read_text(encoding="utf-8")
    for name in ("zones.csv", "zones.csvt"):
        assert (tmp_path / "out" / name).read_text() == (tmp_path / "with" / name).read_text()
    result = scd("report", "--pairs", tmp_path, "--zones", zones)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "zones.csv").is_file()
    assert scd("report", tmp_path / "out", "--zone-names", "name").exit_code == 2
