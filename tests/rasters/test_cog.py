import json
import os
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window
from rio_cogeo import cog_validate
from scenes import NORTH_UP, ROTATED, noise

from scdcli.errors import OutputError
from scdcli.files.folder import timestamp
from scdcli.legend import SECOND, Legend
from scdcli.rasters.cog import PROBABILITY_MAP, TRANSITION_MAP, class_map, cog_writer
from scdcli.rasters.grid import Grid

GRID = Grid(1100, 1300, NORTH_UP, CRS.from_epsg(32650))
FROM_MAP = class_map(SECOND, "from class")


def windows(height, width, size):
    for row in range(0, height, size):
        for col in range(0, width, size):
            yield Window(col, row, min(size, width - col), min(size, height - row))


def write(path, pixels, kind=FROM_MAP, grid=GRID, size=700, tags=None):
    with cog_writer(path, grid, kind, tags) as write_window:
        for window in windows(grid.height, grid.width, size):
            write_window(pixels[window.toslices()], window)
    return path


def classes(seed=0):
    """Blocks of classes 0..6, 50 pixels wide, with a hole of nodata, (1100, 1300) uint8."""
    coarse = np.random.default_rng(seed).integers(0, 7, (22, 26)).astype(np.uint8)
    pixels = np.kron(coarse, np.ones((50, 50), np.uint8))
    pixels[300:420, 100:150] = 255
    return pixels


@pytest.mark.parametrize(
    ("kind", "pixels"),
    [
        (FROM_MAP, classes()),
        (TRANSITION_MAP, classes().astype(np.uint16) * 101),
        (PROBABILITY_MAP, noise((1100, 1300), high=101)),
    ],
    ids=["classes", "transition", "probability"],
)
def test_a_valid_cog_holds_what_was_written(tmp_path, kind, pixels):
    path = write(tmp_path / "map.tif", pixels, kind)
    valid, errors, remarks = cog_validate(path, strict=True, quiet=True)
    assert (valid, errors, remarks) == (True, [], [])
    with rasterio.open(path) as dataset:
        np.testing.assert_array_equal(dataset.read(1), pixels)
        assert (dataset.transform, dataset.crs) == (GRID.transform, GRID.crs)
        assert (dataset.dtypes[0], dataset.nodata) == (kind.dtype, kind.nodata)
        assert dataset.descriptions == (kind.description,)
        assert dataset.block_shapes == [(512, 512)]
    assert [file.name for file in tmp_path.iterdir()] == ["map.tif"]


def overview(path):
    with rasterio.open(path, overview_level=0) as dataset:
        return dataset.read(1)


def test_overviews_of_classes_hold_no_class_in_between(tmp_path):
    stripes = np.tile(np.array([1, 1, 1, 5, 5, 5, 1, 5, 1, 5], np.uint8), (1100, 130))
    assert np.unique(overview(write(tmp_path / "a.tif", stripes))).tolist() == [1, 5]


def test_overviews_of_probability_average_what_was_measured(tmp_path):
    pixels = np.tile(np.array([[20, 40], [255, 60]], np.uint8), (550, 650))
    averaged = overview(write(tmp_path / "a.tif", pixels, PROBABILITY_MAP))
    assert np.unique(averaged).tolist() == [40]


def test_colors_and_tags_survive(tmp_path):
    tags = {"LEGEND": SECOND.dumps(), "MODEL": "urban é → <&>"}
    path = write(tmp_path / "a.tif", classes(), tags=tags)
    with rasterio.open(path) as dataset:
        colors = dataset.colormap(1)
        own, common = dataset.tags(ns="SCD"), dataset.tags()
    assert own == tags
    assert [colors[index][:3] for index in SECOND.indices()] == [c.color for c in SECOND.classes]
    assert colors[0][:3] == (255, 255, 255)
    assert common["TIFFTAG_SOFTWARE"].startswith("scd ")
    assert len(common["TIFFTAG_DATETIME"]) == 19


def test_what_is_never_written_is_nodata(tmp_path):
    with cog_writer(tmp_path / "a.tif", GRID, FROM_MAP) as write_window:
        write_window(np.full((10, 20), 3, np.uint8), Window(600, 700, 20, 10))
    with rasterio.open(tmp_path / "a.tif") as dataset:
        pixels = dataset.read(1)
    assert (pixels[700:710, 600:620] == 3).all()
    assert (pixels != 255).sum() == 200


@pytest.mark.parametrize(
    "grid",
    [
        Grid(30, 40, Affine.identity(), None),
        Grid(30, 40, NORTH_UP, None),
        Grid(30, 40, ROTATED, CRS.from_epsg(32650)),
        Grid(1, 1, NORTH_UP, CRS.from_epsg(32650)),
    ],
    ids=["pixel grid", "transform without CRS", "rotated", "one pixel"],
)
def test_every_grid_can_be_written(tmp_path, grid):
    pixels = noise(grid.shape, high=7)
    path = write(tmp_path / "a.tif", pixels, grid=grid)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path) as dataset:
            np.testing.assert_array_equal(dataset.read(1), pixels)
            assert (dataset.crs, dataset.transform) == (grid.crs, grid.transform)


def test_bytes_are_equal_under_source_date_epoch(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    tags = {"LEGEND": SECOND.dumps()}
    first = write(tmp_path / "a.tif", classes(), tags=tags)
    second = write(tmp_path / "b.tif", classes(), size=512, tags=tags)
    assert first.read_bytes() == second.read_bytes()
    with rasterio.open(first) as dataset:
        assert dataset.tags()["TIFFTAG_DATETIME"] == "2023:11:14 22:13:20"


def test_a_strange_source_date_epoch_is_refused(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(OutputError, match="SOURCE_DATE_EPOCH is 'yesterday'"):
        timestamp()


@pytest.mark.parametrize("stop", [RuntimeError, KeyboardInterrupt])
def test_an_interruption_leaves_the_older_file_and_nothing_else(tmp_path, stop):
    path = tmp_path / "a.tif"
    path.write_text("older")

    def write_half():
        with cog_writer(path, GRID, FROM_MAP) as write_window:
            write_window(classes()[:512, :512], Window(0, 0, 512, 512))
            raise stop

    with pytest.raises(stop):
        write_half()
    assert [file.name for file in tmp_path.iterdir()] == ["a.tif"]
    assert path.read_text() == "older"


def test_an_older_file_is_replaced(tmp_path):
    path = write(tmp_path / "a.tif", classes(1))
    write(path, classes(2))
    with rasterio.open(path) as dataset:
        np.testing.assert_array_equal(dataset.read(1), classes(2))


def test_a_missing_folder_is_named(tmp_path):
    path = tmp_path / "gone" / "a.tif"
    message = r"a\.tif cannot be written: .*The folder .*gone does not exist; create it"
    with pytest.raises(OutputError, match=message), cog_writer(path, GRID, FROM_MAP):
        pass


FULL_DISK = """
    import resource, signal, sys
    import numpy as np
    from affine import Affine
    from rasterio.windows import Window
    from scdcli.rasters.cog import cog_writer
    from scdcli.errors import OutputError
    from scdcli.rasters.grid import Grid
    from scdcli.rasters.cog import PROBABILITY_MAP

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    grid = Grid(1024, 1024, Affine(1, 0, 5, 0, -1, 5), None)
    pixels = np.random.default_rng(0).integers(0, 100, (1024, 1024)).astype(np.uint8)
    for size in sys.argv[2:]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), resource.RLIM_INFINITY))
        try:
            with cog_writer(sys.argv[1], grid, PROBABILITY_MAP) as write:
                write(pixels, Window(0, 0, 1024, 1024))
            print("written")
        except OutputError as error:
            print("refused", "map.tif cannot be written" in str(error), "MiB free" in str(error))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_full_disk_is_an_error_at_every_stage(tmp_path):
    """GDAL stays silent when the disk fills up while the COG is closed."""
    done = write(
        tmp_path / "size.tif",
        np.random.default_rng(0).integers(0, 100, (1024, 1024)).astype(np.uint8),
        PROBABILITY_MAP,
        Grid(1024, 1024, Affine(1, 0, 5, 0, -1, 5), None),
    )
    whole = done.stat().st_size
    done.unlink()
    sizes = [str(whole + change) for change in (-whole + 900, -whole // 2, -9000, -400, -1)]
    script = textwrap.dedent(FULL_DISK)
    command = [sys.executable, "-c", script, str(tmp_path / "map.tif"), *sizes]
    run = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=True)
    assert run.stdout.splitlines() == ["refused True True"] * len(sizes)
    assert list(tmp_path.iterdir()) == []


def test_the_legend_can_be_read_from_the_file(tmp_path):
    path = write(tmp_path / "a.tif", classes(), tags={"LEGEND": SECOND.dumps()})
    with rasterio.open(path) as dataset:
        legend = Legend.from_dict(json.loads(dataset.tags(ns="SCD")["LEGEND"]))
    assert legend == SECOND
