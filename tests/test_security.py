"""What SECURITY.md promises, each with what an attacker would hand over."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine
from rasterio.warp import transform_bounds
from rasterio.windows import Window
from scenes import noise, write_scene
from standins import tiny_model
from webserver import serving

import scdcli
from scdcli.datasets.drawn import has_layer, read_layer
from scdcli.errors import InputError
from scdcli.rasters.scene import open_scene, read_window, valid_window

VRT = """<VRTDataset rasterXSize="80" rasterYSize="64">
  <Metadata><MDI key="INTERNAL_MASK_FLAGS_1">2</MDI></Metadata>
  <VRTRasterBand dataType="Byte" band="1"><SimpleSource>
    <SourceFilename>{source}</SourceFilename><SourceBand>1</SourceBand>
  </SimpleSource></VRTRasterBand></VRTDataset>"""

RUNNING = """<VRTDataset rasterXSize="80" rasterYSize="64">
  <VRTRasterBand dataType="Byte" band="1" subClass="VRTDerivedRasterBand">
    <PixelFunctionType>run</PixelFunctionType>
    <PixelFunctionLanguage>Python</PixelFunctionLanguage>
    <PixelFunctionCode>
def run(inputs, out, *arguments, **more):
    open({ran!r}, "w").close()
    </PixelFunctionCode>
    <SimpleSource><SourceFilename>{source}</SourceFilename><SourceBand>1</SourceBand></SimpleSource>
  </VRTRasterBand></VRTDataset>"""


@pytest.fixture
def site(tmp_path):
    (tmp_path / "served").mkdir()
    with serving(tmp_path / "served", tmp_path / "requests") as site:
        yield site


@pytest.fixture
def scene(tmp_path):
    return write_scene(tmp_path / "a.tif", noise((1, 64, 80)))


def look(path, **settings):
    """Open an image and ask it for pixels, mask and overviews."""
    with open_scene(path, **settings) as dataset:
        read_window(dataset, Window(0, 0, 80, 64), (1,), path)
        valid_window(dataset, Window(0, 0, 80, 64), path)
        dataset.overviews(1)


def program(*arguments, **environment):
    command = [sys.executable, "-m", "scdcli", *map(str, arguments)]
    variables = {**os.environ, **environment}
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("form", ["/vsicurl/{}", "/etc/passwd", ":::BASE:::../a.tif", "../a.tif"])
def test_an_image_names_no_file_elsewhere_as_its_overviews(scene, site, form):
    with rasterio.open(scene, "r+") as dataset:
        named = form.format(site.address("range/evil.tif"))
        dataset.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=named)
    with pytest.raises(InputError, match=r"a\.tif names .* as its overviews"):
        look(scene)
    assert not site.requests()


@pytest.mark.parametrize("suffix", [".msk", ".MSK", ".Msk", ".ovr", ".OVR"])
def test_what_lies_beside_an_image_reaches_for_nothing(scene, site, suffix):
    beside = Path(f"{scene}{suffix}")
    beside.write_text(VRT.format(source=f"/vsicurl/{site.address('range/evil.tif')}"))
    if suffix == ".Msk":
        look(scene)  # another spelling is another file
    else:
        with pytest.raises(InputError, match=rf"a\.tif\{suffix} belongs to .* --allow-vrt"):
            look(scene)
    assert not site.requests()


def test_masks_and_overviews_of_gdal_s_own_are_read(scene):
    mask = np.zeros((64, 80), np.uint8)
    mask[:30] = 255
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(scene, "r+") as dataset:
        dataset.write_mask(mask)
    with rasterio.Env(TIFF_USE_OVR=True), rasterio.open(scene, "r+") as dataset:
        dataset.build_overviews([2])
    assert Path(f"{scene}.msk").is_file()
    assert Path(f"{scene}.ovr").is_file()
    with open_scene(scene) as dataset:
        assert (valid_window(dataset, Window(0, 0, 80, 64), scene) == (mask > 0)).all()


def test_a_trusted_vrt_runs_no_code_whatever_the_environment_says(scene, tmp_path, monkeypatch):
    monkeypatch.setenv("GDAL_VRT_ENABLE_PYTHON", "YES")
    ran, vrt = tmp_path / "ran", tmp_path / "a.vrt"
    vrt.write_text(RUNNING.format(ran=str(ran), source=scene))
    with pytest.raises(InputError, match="explicitly disabled"):
        look(vrt, allow_vrt=True)
    assert not ran.exists()


def test_a_layer_of_labels_is_no_vrt(tmp_path):
    outline = shapely.to_wkb([shapely.box(0, 0, 1, 1)])
    real = tmp_path / "real.gpkg"
    settings = {"layer": "changes", "crs": "EPSG:32650", "geometry_type": "Polygon"}
    pyogrio.raw.write(real, np.array(outline), [np.array([1])], ["to_class"], **settings)
    label = tmp_path / "changes.gpkg"
    layers = "".join(
        f'<OGRVRTLayer name="{name}"><SrcDataSource>{real}</SrcDataSource>'
        "<SrcLayer>changes</SrcLayer></OGRVRTLayer>"
        for name in ("changes", "aoi")
    )
    label.write_text(f"<OGRVRTDataSource>{layers}</OGRVRTDataSource>")
    with pytest.raises(InputError, match=r"changes\.gpkg is a VRT"):
        read_layer(label, "changes")
    assert not has_layer(label, "aoi")


def test_proj_fetches_nothing(site, tmp_path):
    """Between these two lies a grid that PROJ would fetch."""
    place = {"crs": "EPSG:27700", "transform": Affine(10, 0, 400_000, 0, -10, 300_000)}
    britain = write_scene(tmp_path / "a.tif", noise((3, 60, 60)), **place)
    left, _, _, top = transform_bounds("EPSG:27700", "EPSG:32630", 4e5, 299_400, 400_600, 3e5)
    place = {"crs": "EPSG:32630", "transform": Affine(10, 0, left, 0, -10, top)}
    utm = write_scene(tmp_path / "b.tif", noise((3, 60, 60), seed=1), **place)
    done = program(
        *("check", britain, utm),
        PROJ_NETWORK="ON",
        PROJ_NETWORK_ENDPOINT=site.address("range"),
        PROJ_USER_WRITABLE_DIRECTORY=str(tmp_path / "grids"),
    )
    assert "Verdict: comparable" in done.stdout, done.stderr
    assert not site.requests()


USE_OF_ONNXRUNTIME = """
import scdcli
import onnxruntime
from onnx import TensorProto, helper

x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")
graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "graph", [x], [y])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
onnxruntime.InferenceSession(model.SerializeToString(), None, ["CPUExecutionProvider"])
"""


def test_onnx_runtime_reports_nothing_and_keeps_no_identifier(tmp_path):
    pytest.importorskip("onnxruntime")
    # Where it takes itself to be under test, it would report nothing anyway.
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    place = Path(scdcli.__file__).parents[1]
    subprocess.run(
        [sys.executable, "-c", USE_OF_ONNXRUNTIME],
        env={"PYTHONPATH": str(place), **kept, "HOME": str(tmp_path), "OMP_NUM_THREADS": "1"},
        check=True,
    )
    assert not list(tmp_path.iterdir())


RISKY = re.compile(
    r"\b(urllib\.request|http\.client|socket|requests|httpx|ssl|torch\.hub)\b"
    r"|(?<![\w.])(eval|exec|compile)\(|\bos\.system|\bsubprocess\.(?!list2cmdline)\w"
    r"|\bpickle\.loads?\b|\btorch\.load\((?!.*weights_only=True)"
    r"|\bnp\.load\((?!.*allow_pickle=False)"
)


def test_nothing_of_ours_opens_a_connection_runs_a_program_or_a_pickle():
    """Only GDAL reads addresses; of a pickle of weights only tensors are read.

    The plugin of QGIS, which is no part of a running scd, starts scd.
    """
    found = [
        f"{path.name}: {line.strip()}"
        for path in Path(scdcli.__file__).parent.rglob("*.py")
        if path.parts[-3:] != ("qgis", "plugin", "program.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if RISKY.search(line.partition("#")[0])
    ]
    assert not found


def test_inputs_are_left_as_they_are_and_nothing_appears_beside_them(scene, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    pair = [write_scene(folder / f"{n}.tif", noise((3, 64, 80), seed=n)) for n in (1, 2)]
    model = tiny_model(folder / "model.safetensors")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    out = tmp_path / "out"
    done = program("predict", *pair, "-m", model, "--chip", "64", "-o", out, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    made = {path.name for path in tmp_path.iterdir()}
    assert made == {"in", "out", "a.tif"}
