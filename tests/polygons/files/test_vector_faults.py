"""When polygons cannot be written or read, that is an error, and nothing half done is left."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
from vectors import TRANSFORM, UTM, write

from scdcli.errors import InputError, OutputError
from scdcli.legend import SECOND
from scdcli.polygons.area import measure_ground
from scdcli.polygons.files.vector import DRIVERS, write_polygons
from scdcli.polygons.strips import find_runs, read_strips
from scdcli.polygons.trace.trace import trace
from scdcli.rasters.grid import Grid

SMALL_DISK = """
import json, pathlib, resource, signal, sys
import numpy as np
from vectors import write
from scdcli.polygons.files import vector
from scdcli.errors import OutputError

def within(limit, call, *arguments):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        return call(*arguments)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)

codes = np.zeros((64, 64), dtype=np.uint16)
codes[::2, ::2] = 203
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
outcome = []
writers, gather = dict(vector.DRIVERS), vector._gather

def attempt(name, label, limit):
    folder = pathlib.Path(sys.argv[1], f"{label}{limit}")
    folder.mkdir()
    try:
        write(folder, codes, formats=[name], styles={"transitions": "<qgis/>"})
        said = "written"
    except OutputError as error:
        said = str(error)
    outcome.append([label, limit, said, len(list(folder.iterdir()))])

for limit in (2_000, 60_000, 10_000_000):
    for name, writer in writers.items():
        vector.DRIVERS[name] = lambda *a, writer=writer: within(limit, writer, *a)
        attempt(name, name, limit)
    vector.DRIVERS.update(writers)
    vector._gather = lambda *a: within(limit, gather, *a)
    attempt("gpkg", "gathered", limit)
    vector._gather = gather
json.dump(outcome, sys.stdout)
"""

KILLED = """
import os, signal, sys
import numpy as np
import vectors
from scdcli.polygons.files import features
from scdcli.polygons.files import shapefile
from scdcli.polygons.files import vector

features.CHUNK = 50
seen = []

def until_the_third(path, batch):
    seen.append(batch)
    if len(seen) == 3:
        os.kill(os.getpid(), signal.SIGKILL)

shapefile.require_room = until_the_third
codes = np.zeros((60, 60), dtype=np.uint16)
codes[::2, ::2] = 203
vectors.write(sys.argv[1], codes, height=4, formats=vector.DRIVERS)
"""


def child(script, folder):
    search = os.pathsep.join([str(Path(__file__).parents[2]), str(Path(__file__).parents[3])])
    return subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"PYTHONPATH": search},
    )


def test_a_full_disk_is_an_error_in_every_format_and_leaves_nothing(tmp_path):
    done = child(SMALL_DISK, tmp_path)
    assert done.returncode == 0, done.stderr
    said = {}
    for name, limit, text, files in json.loads(done.stdout):
        said.setdefault(name, []).append("written" if text == "written" else "refused")
        if text == "written":
            assert files >= 1
        else:
            assert files == 0, (name, limit)
            assert "see that the folder exists, may be written to and has room" in text
    assert said.keys() == {*DRIVERS, "gathered"}
    for name in said:
        assert said[name][0] == "refused", name
        assert said[name][-1] == "written", name
    refused = sum(text == "refused" for outcome in said.values() for text in outcome)
    assert refused > len(said)


def test_a_kill_leaves_no_file_of_the_final_name(tmp_path):
    assert child(KILLED, tmp_path).returncode == -9
    (beside,) = tmp_path.iterdir()
    assert beside.name.startswith(".changes.")
    assert {"changes.gpkg", "changes.shp"} <= {path.name for path in beside.iterdir()}


@pytest.mark.parametrize("name", ["fgb", "gpkg", "shp"])
def test_a_failing_writer_is_an_error_and_leaves_nothing(tmp_path, monkeypatch, name):
    def full_disk(*_, **__):
        raise pyogrio.errors.FeatureError("disk I/O error")

    monkeypatch.setattr(pyogrio.raw, "write_arrow", full_disk)
    with pytest.raises(OutputError, match="disk I/O error"):
        write(tmp_path, formats=["geojson", name])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", ["dbf", "shx"])
def test_a_file_cut_off_at_its_end_is_noticed(tmp_path, monkeypatch, suffix):
    def write_and_lose(features, path, **options):
        write_arrow(features, path, **options)
        if len(features):
            part = path.with_suffix(f".{suffix}")
            part.write_bytes(part.read_bytes()[:-60])

    write_arrow = pyogrio.raw.write_arrow
    monkeypatch.setattr(pyogrio.raw, "write_arrow", write_and_lose)
    with pytest.raises(OutputError, match="cannot be written"):
        write(tmp_path, formats=["shp"])
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_raster_is_an_error_and_not_a_layer_without_polygons(tmp_path):
    """GDAL's own polygons of a damaged band are none at all, without a word."""
    codes = np.kron(np.arange(101, 107), np.ones((256, 40))).astype(np.uint16)
    rasters = tmp_path / "t.tif", tmp_path / "p.tif"
    profile = {"driver": "GTiff", "count": 1, "tiled": True, "blockxsize": 64, "blockysize": 64}
    profile |= {"compress": "deflate", "height": 256, "width": codes.shape[1]}
    profile |= {"crs": UTM, "transform": TRANSFORM}
    for path, array in zip(rasters, (codes, np.full(codes.shape, 80, np.uint8)), strict=True):
        with rasterio.open(path, "w", dtype=array.dtype, **profile) as dataset:
            dataset.write(array, 1)
    out = tmp_path / "out"
    out.mkdir()
    assert vectorized(rasters, codes.shape, out) == [out / "changes.gpkg"]
    (out / "changes.gpkg").unlink()
    damage_a_block(rasters[0])
    with pytest.raises(InputError, match=r"t\.tif.* cannot be read"):
        vectorized(rasters, codes.shape, out)
    assert list(out.iterdir()) == []


def vectorized(rasters, shape, out):
    grid = Grid(*shape, TRANSFORM, UTM)
    ground = measure_ground(grid)
    polygons = trace(find_runs(read_strips(*rasters), ground), grid, ground)
    return write_polygons(out, polygons, grid, ground, SECOND)


def damage_a_block(path):
    """Overwrite one stored block in the middle; the file still opens."""
    with rasterio.open(path) as dataset:
        place = int(dataset.get_tag_item("BLOCK_OFFSET_1_2", "TIFF", bidx=1))
    content = bytearray(path.read_bytes())
    content[place : place + 16] = b"\xff" * 16
    path.write_bytes(content)
