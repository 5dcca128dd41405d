"""When two CRS place pixels alike, and what helps when nothing leads from one to the other."""

import json
import re

import numpy as np
import pyogrio
import pytest
import shapely
from affine import Affine
from rasterio.crs import CRS
from rasterio.windows import Window
from scenes import NORTH_UP, UTM, noise, write_scene

from scdcli.datasets.drawn import burn_area
from scdcli.errors import DatasetError, InputError, PairError
from scdcli.polygons.area import measure_ground
from scdcli.rasters.alignment import align
from scdcli.rasters.grid import Grid
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.pair.settings import PairSettings

PLACE = Affine(0.2, 0, 500_000, 0, -0.2, 5_500_000)  # meters, in zone 32
SAME = Affine.identity()
DEGREES = Affine(1e-5, 0, 9, 0, -1e-5, 50)
SITE = 'LOCAL_CS["site grid",UNIT["metre",1],AXIS["Easting",EAST],AXIS["Northing",NORTH]]'
ESRI_UTM = (
    'PROJCS["ETRS_1989_UTM_Zone_32N",GEOGCS["GCS_ETRS_1989",DATUM["D_ETRS_1989",SPHEROID['
    '"GRS_1980",6378137.0,298.257222101]],PRIMEM["Greenwich",0.0],UNIT["Degree",'
    '0.0174532925199433]],PROJECTION["Transverse_Mercator"],PARAMETER["False_Easting",500000.0],'
    'PARAMETER["False_Northing",0.0],PARAMETER["Central_Meridian",9.0],PARAMETER["Scale_Factor",'
    '0.9996],PARAMETER["Latitude_Of_Origin",0.0],UNIT["Meter",1.0]]'
)
GOOGLE = (
    "+proj=merc +a=6378137 +b=6378137 +lat_ts=0 +lon_0=0 +x_0=0 +y_0=0 +k=1 +units=m "
    "+nadgrids=@null +wktext +no_defs"
)
UNNAMED = "+proj=utm +zone=32 +ellps=GRS80 +units=m +no_defs"
BESSEL = "+proj=utm +zone=32 +ellps=bessel +towgs84={},73.7,418.2,0.202,0.045,-2.455,6.7"


def aligned(first, second, transform=PLACE):
    grids = [Grid(200, 300, transform, CRS.from_user_input(crs)) for crs in (first, second)]
    return align(*grids, ("a.tif", "b.tif"))


@pytest.mark.parametrize(
    ("first", "second", "transform"),
    [
        ("EPSG:25832", "EPSG:25832+7837", PLACE),
        ("EPSG:5555", "EPSG:25832", PLACE),
        ("EPSG:4326", "EPSG:4979", DEGREES),
        ("EPSG:4326", "OGC:CRS84", DEGREES),
        ("EPSG:25832", ESRI_UTM, PLACE),
        ("EPSG:3857", GOOGLE, Affine(1, 0, 1e6, 0, -1, 6e6)),
        ("EPSG:32632", "+proj=tmerc +lon_0=9 +k=0.9996 +x_0=500000 +datum=WGS84", PLACE),
        ("EPSG:25832", UNNAMED, PLACE),
        (UNNAMED.replace(" +units", " +towgs84=0,0,0,0,0,0,0 +units"), "EPSG:25832", PLACE),
        ("EPSG:32632", "+proj=utm +zone=32 +ellps=WGS84", PLACE),
        (
            "EPSG:2180",
            "+proj=tmerc +lon_0=19 +k=0.9993 +x_0=500000 +y_0=-5300000 +ellps=GRS80",
            Affine(1, 0, 4e5, 0, -1, 5e5),
        ),
        (SITE, SITE.replace("site grid", "other site"), PLACE),
    ],
    ids=lambda value: str(value)[:34] if isinstance(value, str) else "",
)
def test_what_moves_no_pixel_is_no_difference(first, second, transform):
    for grids in ((first, second), (second, first)):
        found = aligned(*grids, transform)
        assert found.differences == ()
        assert found.offset == (0, 0)


@pytest.mark.parametrize(
    ("first", "second", "transform", "scale"),
    [
        ("EPSG:25832", "EPSG:32632", PLACE, SAME),  # two datums by name, a meter apart at most
        ("EPSG:4267", "EPSG:4269", DEGREES, SAME),  # PROJ may know no way between the two
        ("EPSG:4326", "+proj=longlat +ellps=bessel", DEGREES, SAME),
        ("EPSG:32118", "EPSG:2263", Affine(1, 0, 3e5, 0, -1, 6e4), Affine.scale(3937 / 1200)),
        (BESSEL.format(598.1), BESSEL.format(596.1), PLACE, SAME),
    ],
    ids=["two datums", "no grid", "ellipsoids", "feet", "two shifts"],
)
def test_what_may_move_a_pixel_is_a_difference(first, second, transform, scale):
    alignment = align(
        Grid(200, 300, transform, CRS.from_user_input(first)),
        Grid(200, 300, scale @ transform, CRS.from_user_input(second)),
        ("a.tif", "b.tif"),
    )
    assert any("CRS is" in difference for difference in alignment.differences)
    assert alignment.offset is None


def opened(folder, first, second, **settings):
    """Notes and pixels of a pair that differs in its CRS only."""
    paths = [
        write_scene(folder / name, noise((1, 30, 40)), PLACE, crs)
        for name, crs in (("a.tif", first), ("b.tif", second))
    ]
    with open_pair(*paths, PairSettings(**settings)) as pair:
        return pair.notes, pair.read_after(Window(0, 0, 40, 30)), pair.provenance


@pytest.mark.parametrize("swap", [False, True])
def test_a_height_changes_no_pixel_and_is_not_worth_a_word(tmp_path, swap):
    systems = ("EPSG:25832", "EPSG:25832+7837")
    said, pixels, record = opened(tmp_path, *systems[:: -1 if swap else 1], strict=True)
    assert said == ()
    np.testing.assert_array_equal(pixels, noise((1, 30, 40)))
    assert record["alignment"] == "pixel on pixel"


def test_a_datum_that_is_not_named_is_said(tmp_path):
    (said,), pixels, _ = opened(tmp_path, "EPSG:25832", UNNAMED, strict=True)
    assert re.search(
        r"The CRS of \S+b\.tif names the ellipsoid only \(.*GRS.?1980.*\); the datum is taken to "
        r"be that of \S+a\.tif \(European Terrestrial Reference System 1989\)",
        said,
    )
    np.testing.assert_array_equal(pixels, noise((1, 30, 40)))


def test_two_site_grids_of_other_names_are_taken_for_one_and_said(tmp_path):
    (said,), _, _ = opened(tmp_path, SITE, SITE.replace("site grid", "other"), strict=True)
    assert "'site grid'" in said
    assert "'other'" in said
    assert opened(tmp_path, SITE, SITE)[0] == ()


def test_areas_are_those_of_the_horizontal_part():
    plane = Grid(20, 30, PLACE, CRS.from_epsg(25832))
    high = Grid(20, 30, PLACE, CRS.from_user_input("EPSG:25832+7837"))
    assert measure_ground(high).area == pytest.approx(measure_ground(plane).area)


@pytest.mark.parametrize("swap", [False, True])
def test_a_local_crs_by_a_real_name_is_to_be_assigned_not_warped(swap):
    local = SITE.replace("site grid", "RGF93 v1 / Lambert-93")
    names = ("a b.tif", "b.tif")
    grids = [Grid(20, 30, PLACE, CRS.from_user_input(crs)) for crs in ("EPSG:2154", local)]
    with pytest.raises(PairError) as refused:
        align(*grids[:: -1 if swap else 1], names)
    text = str(refused.value)
    assert "'RGF93 v1 / Lambert-93' is a local CRS there" in text
    assert "gdal_edit.py -a_srs EPSG:2154 " + ("'a b.tif'" if swap else "b.tif") in text
    assert "gdalwarp" not in text
    assert ".." not in text
    assert "Transformer" not in text


def test_two_planets_are_one_wrong_crs():
    with pytest.raises(PairError) as refused:
        aligned("EPSG:3857", "IAU_2015:49910", Affine(1, 0, 0, 0, -1, 0))
    text = str(refused.value)
    assert "one of the two is wrong" in text
    assert "gdal_edit.py -a_srs EPSG:3857 b.tif" in text
    assert "PROJ_" not in text


def test_an_assumed_crs_without_effect_is_said_where_the_pair_is_refused(tmp_path):
    with pytest.raises(PairError, match=r"\(--assume-crs is not used: no image has a position"):
        opened(tmp_path, "EPSG:25832", SITE, assume_crs="EPSG:25832")


def test_bounds_crs_without_bounds_is_said(tmp_path):
    said, _, _ = opened(tmp_path, "EPSG:25832", "EPSG:25832", bounds_crs="EPSG:4326")
    assert said == ("--bounds-crs is not used: there are no --bounds.",)


def test_meters_said_to_be_degrees_cannot_be_measured_and_are_to_be_assigned():
    with pytest.raises(InputError, match=r"nothing of \(500000, .* in the CRS EPSG:4326.*-a_srs"):
        measure_ground(Grid(20, 30, PLACE, CRS.from_epsg(4326)))


def projected_geojson(path):
    """GeoJSON in the CRS of the scene that does not say so."""
    ring = [[500_005, 3_999_990], [500_020, 3_999_990], [500_020, 3_999_980], [500_005, 3_999_990]]
    polygon = {"type": "Polygon", "coordinates": [ring]}
    feature = {"type": "Feature", "properties": {}, "geometry": polygon}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    return path


@pytest.mark.parametrize("crs", [UTM, "EPSG:4326"])
def test_geojson_in_meters_is_to_be_assigned_a_crs(tmp_path, crs):
    area = projected_geojson(tmp_path / "area.geojson")
    transform = NORTH_UP if crs == UTM else DEGREES
    scene = write_scene(tmp_path / "a.tif", noise((1, 30, 40)), transform, crs)
    with (
        pytest.raises(PairError, match=r"longitude and latitude, but covers \(500005, ") as refused,
        open_pair(scene, scene, PairSettings(aoi=str(area))),
    ):
        pass
    given = crs if crs == UTM else "CRS"
    assert f"ogr2ogr -a_srs {given} right.gpkg {area}" in str(refused.value)


def test_labels_drawn_in_meters_are_to_be_assigned_a_crs(tmp_path):
    area = projected_geojson(tmp_path / "area.geojson")
    with pytest.raises(DatasetError, match=rf"ogr2ogr -a_srs {UTM} right\.gpkg"):
        burn_area(area, "aoi", Grid(30, 40, NORTH_UP, CRS.from_user_input(UTM)), "a.tif")


def test_polygons_of_a_site_grid_are_to_be_assigned_a_crs(tmp_path):
    box = shapely.to_wkb(np.array([shapely.box(500_005, 3_999_980, 500_020, 3_999_990)]))
    area = tmp_path / "area.gpkg"
    pyogrio.raw.write(area, box, [], [], geometry_type="Polygon", crs=SITE, driver="GPKG")
    scene = write_scene(tmp_path / "a.tif", noise((1, 30, 40)))
    with (
        pytest.raises(PairError, match=r"is a local CRS there.*ogr2ogr -a_srs EPSG:32650 right"),
        open_pair(scene, scene, PairSettings(aoi=str(area))),
    ):
        pass
