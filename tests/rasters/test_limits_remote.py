"""Images in archives and across a network: equal results, few bytes, no long wait, no secret."""

import zipfile

import numpy as np
import pytest
import rasterio.shutil
import torch
from affine import Affine
from rasterio.env import get_gdal_config
from rasterio.windows import Window
from scenes import NORTH_UP, noise, write_scene
from standins import Thresholds, loaded, tiny_model
from webserver import serving

from scdcli.errors import InputError
from scdcli.prediction.chain import Predictor
from scdcli.prediction.settings import OutputSettings
from scdcli.prediction.tiling import Tiling
from scdcli.prediction.write import write_prediction
from scdcli.rasters.limits import waiting
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.scene import open_scene

SECRET = "kEeP-tHiS-sEcReT"
SIGNED = f"?X-Amz-Credential=AKIA{SECRET}&X-Amz-Signature={SECRET}"
SCENES = ("before.tif", "after.tif")
QUICK = ("--tta", "none", "--chip", 128, "--overlap", 0)


def draw(rng, height, width):
    """Blocks of color with some noise, (3, H, W) uint8."""
    classes = np.kron(rng.integers(0, 6, (height // 20, width // 20)), np.ones((20, 20), int))
    return (classes * 40 + 10 + rng.integers(0, 20, (3, height, width))).astype(np.uint8)


def predict(scenes, out):
    predictor = Predictor(loaded(Thresholds()), torch.device("cpu"), 0.5, tiling=Tiling(128, 32, 2))
    with open_pair(*scenes) as pair:
        write_prediction(pair, predictor, out, OutputSettings())


TELLING = ("summary.json", "report.html", "changes.qgz")


def contents(folder):
    """Every file of a prediction but those that tell where the images lie."""
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name not in TELLING}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A COG pair, AFTER on another grid, archives of it, and a file of 2 MB."""
    root, rng = tmp_path_factory.mktemp("site"), np.random.default_rng(5)
    coarser = NORTH_UP @ Affine.translation(5, 3) @ Affine.scale(1.25)
    for name, transform, shape in zip(
        SCENES, (NORTH_UP, coarser), ((200, 240), (160, 180)), strict=True
    ):
        draft = write_scene(root / "draft.tif", draw(rng, *shape), transform)
        rasterio.shutil.copy(draft, root / name, driver="COG", blocksize=128, compress="DEFLATE")
    draft.unlink()
    with zipfile.ZipFile(root / "pair.zip", "w") as archive:
        for name in SCENES:
            archive.write(root / name, f"inner/{name}")
    with zipfile.ZipFile(root / "nest.zip", "w") as archive:
        archive.write(root / "pair.zip", "pair.zip")
    tiles = {"tiled": True, "blockxsize": 128, "blockysize": 128}
    write_scene(root / "large.tif", noise((3, 800, 800)), **tiles)
    return root


@pytest.fixture(scope="module")
def site(folder, tmp_path_factory):
    with serving(folder, tmp_path_factory.mktemp("log") / "requests") as server:
        yield server


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Try again at once, at a time that is always the same."""
    monkeypatch.setenv("GDAL_HTTP_RETRY_DELAY", "0.01")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


@pytest.fixture(scope="module")
def local(folder, tmp_path_factory):
    """What the pair gives when it is read from the disk."""
    out = tmp_path_factory.mktemp("local") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", "1700000000")
        predict([folder / name for name in SCENES], out)
    return contents(out)


PLACES = {
    "archive, relative": lambda folder, site, name: f"/vsizip/pair.zip/inner/{name}",
    "archive, absolute": lambda folder, site, name: f"/vsizip/{folder}/pair.zip/inner/{name}",
    "archive, as address": lambda folder, site, name: f"zip://{folder}/pair.zip!inner/{name}",
    "archive in archive": lambda folder, site, name: (
        f"/vsizip/{{/vsizip/{{{folder}/nest.zip}}/pair.zip}}/inner/{name}"
    ),
    "address": lambda folder, site, name: site.address(f"range/{name}"),
    "GDAL's address": lambda folder, site, name: f"/vsicurl/{site.address(f'range/{name}')}",
    "signed address": lambda folder, site, name: site.address(f"range/{name}{SIGNED}"),
    "bucket": lambda folder, site, name: f"s3://range/{name}",
    "GDAL's bucket": lambda folder, site, name: f"/vsis3/range/{name}",
    "archive across a network": lambda folder, site, name: (
        f"/vsizip//vsicurl/{site.address('range/pair.zip')}/inner/{name}"
    ),
    "a server that is busy at first": lambda folder, site, name: site.address(f"busy/{name}"),
}


@pytest.fixture
def at(folder, site, monkeypatch):
    """Both files at one of `PLACES`."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("AWS_S3_ENDPOINT", f"127.0.0.1:{site.port}")
    for name, value in {"HTTPS": "NO", "NO_SIGN_REQUEST": "YES", "VIRTUAL_HOSTING": "NO"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    return lambda place: [PLACES[place](folder, site, name) for name in SCENES]


@pytest.mark.parametrize("place", PLACES)
def test_a_pair_reads_the_same_wherever_it_lies(place, at, folder):
    whole = Window(0, 0, 240, 200)
    with open_pair(*(folder / name for name in SCENES)) as pair:
        expected = pair.read(whole)
    with open_pair(*at(place)) as pair:
        found = pair.read(whole)
    assert all((one == other).all() for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("place", ["archive, relative", "address", "bucket"])
def test_a_prediction_is_the_same_wherever_the_pair_lies(place, at, local, tmp_path):
    predict(at(place), tmp_path / "out")
    found = contents(tmp_path / "out")
    assert found.keys() == local.keys()
    assert [name for name in found if found[name] != local[name]] == []


def test_a_corner_costs_a_part_of_the_file_and_no_look_around(folder, site):
    window = Window(500, 600, 100, 120)
    with open_scene(folder / "large.tif") as scene:
        expected = scene.read(window=window)
    site.forget()
    with open_pair(site.address("range/large.tif"), site.address("range/large.tif")) as pair:
        before, after, valid = pair.read(window)
    requests = site.requests()
    assert (before == expected).all()
    assert (after == expected).all()
    assert valid.all()
    assert sum(request["sent"] for request in requests) < (folder / "large.tif").stat().st_size / 4
    assert {request["path"] for request in requests} == {"/range/large.tif"}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("403", "HTTP response code: 403"),
        ("404", "HTTP response code: 404"),
        ("500", "HTTP response code: 500"),
        ("whole", "Range downloading not supported by this server"),
        ("hang", "Operation too slow"),
    ],
)
def test_a_server_that_does_not_serve_is_one_sentence(answer, said, site, monkeypatch):
    monkeypatch.setenv("GDAL_HTTP_MAX_RETRY", "0")
    monkeypatch.setenv("GDAL_HTTP_LOW_SPEED_TIME", "1")
    address = site.address(f"{answer}/large.tif")
    with pytest.raises(InputError) as caught, open_scene(address + SIGNED):
        pass
    assert str(caught.value).startswith(f"{address} cannot be opened: ")
    assert said in str(caught.value)
    assert str(caught.value).endswith("or download the file first.")


def test_nobody_there_is_one_sentence():
    said = r"^https://127\.0\.0\.1:1/a\.tif cannot be opened: CURL"
    with (
        pytest.raises(InputError, match=said),
        open_scene(f"https://me:{SECRET}@127.0.0.1:1/a.tif"),
    ):
        pass


def test_a_server_that_fails_midway_ends_the_prediction_and_leaves_nothing(site, tmp_path):
    address = site.address("half/large.tif")
    with pytest.raises(InputError, match=r"half/large\.tif \(rows \d+-\d+, .* cannot be read"):
        predict((address, address), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_missing_member_of_an_archive_is_one_sentence(folder):
    path = f"/vsizip/{folder}/pair.zip/inner/none.tif"
    with pytest.raises(InputError, match=r"none\.tif.*(not|No such)"), open_scene(path):
        pass


def test_reading_across_a_network_gives_up_on_silence(site, monkeypatch):
    def limit():
        return get_gdal_config("GDAL_HTTP_LOW_SPEED_TIME")

    with open_scene(site.address("range/before.tif")):
        assert limit() == 30
        assert get_gdal_config("GDAL_DISABLE_READDIR_ON_OPEN") is None  # others may see neighbors
    assert limit() is None
    assert "GDAL_HTTP_MAX_RETRY" in waiting("/vsizip//vsicurl/https://host/a.zip/a.tif")
    monkeypatch.setenv("GDAL_HTTP_MAX_RETRY", "9")
    assert "GDAL_HTTP_MAX_RETRY" not in waiting("https://host/a.tif")
    assert waiting("/data/https/a.tif") == {}


def test_a_mask_beside_a_local_image_is_still_seen(folder, site, tmp_path):
    """Only an image across a network is read without what lies beside it."""
    mask = np.full((200, 240), 255, np.uint8)
    mask[:, :100] = 0
    path = write_scene(tmp_path / "a.tif", noise((3, 200, 240)))
    write_scene(tmp_path / "a.tif.msk", mask[None])
    with rasterio.open(tmp_path / "a.tif.msk", "r+") as dataset:
        dataset.update_tags(INTERNAL_MASK_FLAGS_1="2")
    with open_pair(site.address("range/before.tif"), path) as pair:
        *_, valid = pair.read(Window(0, 0, 240, 200))
    assert (valid == (mask > 0)).all()


def no_secret_in(result, root):
    texts = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    said = {"stdout": result.stdout.encode(), "stderr": result.stderr.encode()}
    return not [name for name, text in (texts | said).items() if SECRET.encode() in text]


@pytest.mark.parametrize("form", ["{}", "/vsicurl/{}"])
def test_no_signature_is_written_or_said(form, site, scd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = tiny_model(tmp_path / "model.safetensors")
    scenes = [form.format(site.address(f"range/{name}{SIGNED}")) for name in SCENES]
    result = scd("predict", *scenes, "--model", model, *QUICK, "--json")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "before__after/summary.json").is_file()
    assert no_secret_in(result, tmp_path)


@pytest.mark.parametrize(
    "arguments",
    [
        ("predict", "a.tif", "b.tif", "--model", f"https://host/m.safetensors{SIGNED}"),
        ("predict", "a.tif", "b.tif", "--output", f"https://host/out{SIGNED}"),
    ],
    ids=lambda arguments: " ".join(arguments[:1] + arguments[3:-1]),
)
def test_no_signature_is_said_of_a_mistake(arguments, scd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = scd(*arguments)
    assert result.exit_code in (1, 2), result.output
    assert "https://host/" in result.output
    assert no_secret_in(result, tmp_path)


@pytest.mark.parametrize("answer", ["403", "half", "whole"])
@pytest.mark.parametrize("command", ["predict", "check"])
def test_no_signature_is_said_when_it_fails(
    command, answer, site, scd, tmp_path, monkeypatch, caplog
):
    monkeypatch.chdir(tmp_path)
    model = tiny_model(tmp_path / "model.safetensors")
    scenes = [site.address(f"{manner}/large.tif{SIGNED}") for manner in ("range", answer)]
    options = ("--model", model, "--tta", "none") if command == "predict" else ()
    result = scd(command, *scenes, *options)
    assert result.exit_code == 1, result.output
    assert f"{answer}/large.tif" in result.output
    assert no_secret_in(result, tmp_path)
    assert SECRET not in caplog.text  # rio, and programs that import scd, print what GDAL says
