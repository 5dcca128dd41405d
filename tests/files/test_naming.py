import json
from pathlib import Path

import pyproj
import pytest
import rasterio
from scenes import noise, write_scene

from scdcli.errors import ScdError
from scdcli.files.naming import beside, crs_name, file_name, is_remote, name_of, without_secrets
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.pair.report import describe
from scdcli.rasters.pair.settings import PairSettings
from scdcli.rasters.scene import open_scene

# Nobody listens there, so that an error with the address comes back at once.
HOST = "127.0.0.1:1"
ADDRESSES = {
    "query": (f"https://{HOST}/a.tif?sig=SECRET", f"https://{HOST}/a.tif"),
    "signed": (
        f"https://{HOST}/a.tif?X-Amz-Credential=SECRET%2Fus&X-Amz-Signature=SECRET",
        f"https://{HOST}/a.tif",
    ),
    "fragment": (f"https://{HOST}/a.tif#SECRET", f"https://{HOST}/a.tif"),
    "account": (f"https://me:SECRET@{HOST}/a.tif", f"https://{HOST}/a.tif"),
    "user": (f"https://SECRET@{HOST}/a.tif", f"https://{HOST}/a.tif"),
    "ftp": (f"ftp://me:SECRET@{HOST}/a.tif", f"ftp://{HOST}/a.tif"),
    "vsicurl": (f"/vsicurl/https://{HOST}/a.tif?sig=SECRET", f"/vsicurl/https://{HOST}/a.tif"),
    "vsicurl account": (
        f"/vsicurl/https://me:SECRET@{HOST}/a.tif?x",
        f"/vsicurl/https://{HOST}/a.tif",
    ),
    "encoded": (
        f"/vsicurl?max_retry=0&url=https%3A%2F%2Fme%3ASECRET%40{HOST}%2Fa.tif%3Fsig%3DSECRET",
        f"/vsicurl/https://{HOST}/a.tif",
    ),
    "header": (
        f"/vsicurl?header.Authorization=Bearer SECRET&url=https%3A%2F%2F{HOST}%2Fa.tif",
        f"/vsicurl/https://{HOST}/a.tif",
    ),
    "header without address": ("/vsicurl?header.Cookie=SECRET", "/vsicurl"),
    "streaming": (
        f"/vsicurl_streaming/https://{HOST}/a.tif?SECRET",
        f"/vsicurl_streaming/https://{HOST}/a.tif",
    ),
    "in a zip": (
        f"/vsizip//vsicurl/https://{HOST}/b.zip?sig=SECRET/a.tif",
        f"/vsizip//vsicurl/https://{HOST}/b.zip",
    ),
    "in braces": (
        f"/vsizip/{{/vsicurl/https://{HOST}/b.zip?sig=SECRET}}/a.tif",
        f"/vsizip/{{/vsicurl/https://{HOST}/b.zip}}/a.tif",
    ),
}


@pytest.mark.parametrize("case", ADDRESSES)
def test_addresses_are_shown_without_secrets(case):
    path, expected = ADDRESSES[case]
    assert name_of(path) == expected
    assert "SECRET" not in file_name(path)
    said = without_secrets(f"HTTP 403 on '{path}', try again")
    assert "SECRET" not in said or case.startswith(("encoded", "header"))


@pytest.mark.parametrize("case", ADDRESSES)
def test_errors_of_addresses_keep_no_secret(case, monkeypatch):
    for name in ("GDAL_HTTP_MAX_RETRY", "GDAL_HTTP_RETRY_DELAY"):
        monkeypatch.setenv(name, "0")
    with pytest.raises(ScdError) as found:
        open_scene(ADDRESSES[case][0]).__enter__()
    assert "SECRET" not in str(found.value)
    with pytest.raises(ScdError) as found:
        open_pair("a.tif", ADDRESSES[case][0], PairSettings(aoi=ADDRESSES[case][0])).__enter__()
    assert "SECRET" not in str(found.value)


def test_the_origin_of_an_error_keeps_no_secret(scd, tmp_path, monkeypatch):
    def broken(*args, **kwargs):
        raise rasterio.errors.RasterioIOError(f"HTTP 403 on {ADDRESSES['signed'][0]}")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("rasterio.open", broken)
    result = scd("predict", ADDRESSES["signed"][0], "b.tif", "-o", "out", "-v", "-m", "second")
    assert result.exit_code == 1
    assert f"HTTP 403 on https://{HOST}/a.tif" in result.stderr
    assert "Traceback" in result.stderr
    assert "SECRET" not in result.output


def test_an_area_of_interest_by_address_keeps_no_secret(tmp_path):
    path = write_scene(tmp_path / "a.tif", noise((1, 30, 40)))
    for address, _ in ADDRESSES.values():
        with pytest.raises(ScdError, match="--aoi .* is an address; download") as found:
            open_pair(path, path, PairSettings(aoi=address)).__enter__()
        assert "SECRET" not in str(found.value)


@pytest.mark.parametrize("form", ["file://{}?sig=SECRET", "/vsicurl/file://{}?sig=SECRET"])
def test_records_of_addresses_keep_no_secret(tmp_path, form):
    scene = write_scene(tmp_path / "a.tif", noise((1, 30, 40)))
    with open_scene(scene) as dataset:
        facts = describe(dataset, form.format(scene))
    assert facts["name"] == "a.tif"
    assert "SECRET" not in json.dumps(facts)
    assert str(tmp_path) not in json.dumps(facts)


@pytest.mark.parametrize(
    "path", ["what?.tif", "a@b:c.tif", "C:/scenes/a.tif", "50%.tif", "a#b.tif"]
)
def test_files_keep_their_names(path):
    assert not is_remote(path)
    assert name_of(path) == path


def test_xml_with_an_address_in_it_is_no_address():
    assert not is_remote("<VRTDataset><SourceFilename>https://host/a.tif</SourceFilename>")


@pytest.mark.parametrize(
    "path", ["https://h/p@th/a.tif", "https://h:8080/p@th/a.tif", "/vsis3/bucket/a@b.tif"]
)
def test_an_at_sign_behind_the_host_is_no_account(path):
    assert name_of(path) == path


def test_names_are_one_short_line():
    assert name_of("a\nb\tc.tif") == "a\\nb\\tc.tif"
    assert len(name_of("x" * 5000)) == 400
    assert name_of("Ärger 空.tif") == "Ärger 空.tif"


def test_a_crs_without_authority_is_named():
    local = 'LOCAL_CS["site grid",UNIT["metre",1]]'
    assert crs_name(rasterio.CRS.from_wkt(local)) == "site grid"
    assert crs_name(None) is None


@pytest.mark.parametrize(
    "terms", ["+proj=utm +zone=50 +ellps=WGS84 +units=m", "+proj=longlat +ellps=bessel"]
)
def test_a_crs_without_datum_is_called_by_its_terms_not_by_one_that_is_like_it(terms):
    assert crs_name(rasterio.CRS.from_string(f"{terms} +no_defs")) == terms


@pytest.mark.parametrize("code", ["EPSG:32650", "EPSG:2154", "EPSG:4326", "EPSG:3857", "EPSG:3003"])
def test_a_crs_written_without_its_number_is_called_by_it(code):
    esri = pyproj.CRS(code).to_wkt("WKT1_ESRI")
    assert crs_name(rasterio.CRS.from_wkt(esri)) == code


@pytest.mark.parametrize("folder", [".", "..", "../maps", "../maps/", "sub/.."])
def test_a_neighbor_is_called_like_its_folder(tmp_path, monkeypatch, folder):
    (tmp_path / "maps/sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "maps" / ("sub" if folder == ".." else ""))
    assert beside(Path(folder), "-revised").resolve() == tmp_path.resolve() / "maps-revised"
