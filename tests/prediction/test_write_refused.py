"""What cannot be written is found before the first chip; what fails later loses no part."""

import numpy as np
import pytest
import torch
from affine import Affine
from scenes import NORTH_UP, UTM, write_scene
from standins import Thresholds, loaded

from scdcli.errors import InputError, OutputError
from scdcli.polygons.files.vector import DRIVERS
from scdcli.prediction import write
from scdcli.prediction.chain import Predictor
from scdcli.prediction.settings import OutputSettings
from scdcli.prediction.tiling import Tiling
from scdcli.prediction.write import write_prediction
from scdcli.rasters.pair.open import open_pair

MARS = (
    'PROJCS["Mars eqc",GEOGCS["Mars 2000",DATUM["Mars_2000_Sphere",SPHEROID["Mars_2000_Sphere",'
    '3396190,0]],PRIMEM["Reference_Meridian",0],UNIT["Degree",0.0174532925199433]],'
    'PROJECTION["Equirectangular"],PARAMETER["standard_parallel_1",0],UNIT["metre",1]]'
)
SITE = 'LOCAL_CS["site grid",UNIT["metre",1],AXIS["Easting",EAST],AXIS["Northing",NORTH]]'
FULL_DISK = "+proj=geos +h=35786000 +lon_0=0 +sweep=y +datum=WGS84"
EARTH = 5_430_000.0  # meters from the middle of the full disk to where the Earth ends


class Counting(Thresholds):
    """Counts the chips it is shown."""

    def __init__(self):
        super().__init__()
        self.seen = 0

    def forward(self, before, after):
        self.seen += 1
        return super().forward(before, after)


def scenes(folder, crs=UTM, transform=NORTH_UP):
    """BEFORE and AFTER of 64 × 96 pixels, all of it changed in fields of 8 pixels."""
    blocks = np.random.default_rng(5).integers(0, 5, (8, 12))
    return [
        write_scene(
            folder / f"{date}.tif",
            np.kron(np.stack([(blocks + later) * 40 + 20] * 3), np.ones((1, 8, 8))).astype("uint8"),
            transform,
            crs,
        )
        for later, date in enumerate(("before", "after"))
    ]


def run(pair, out, network=None, **settings):
    network = network or Counting()
    predictor = Predictor(loaded(network), torch.device("cpu"), 0.5, tiling=Tiling(64, 16, 1))
    with open_pair(*pair) as opened:
        return write_prediction(opened, predictor, out, OutputSettings(**settings))


def left(folder):
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".tif")


@pytest.mark.parametrize(
    ("crs", "name"), [(MARS, "Mars eqc"), (SITE, "site grid")], ids=["another planet", "a site"]
)
def test_geojson_without_a_way_to_the_earth_is_refused_before_the_first_chip(tmp_path, crs, name):
    network = Counting()
    with pytest.raises(OutputError) as refused:
        run(scenes(tmp_path, crs), tmp_path / "out", network, formats=("gpkg", "geojson"))
    assert name in str(refused.value)
    assert "--vector" in str(refused.value)
    assert "roj" not in str(refused.value)  # PROJ's own words are of no use here
    assert network.seen == 0
    assert left(tmp_path) == []


def test_geojson_of_what_lies_off_the_earth_is_refused_before_the_first_chip(tmp_path):
    network, beside = Counting(), Affine(100, 0, 6e6, 0, -100, 6e6)
    with pytest.raises((OutputError, InputError), match="on the Earth"):
        run(scenes(tmp_path, FULL_DISK, beside), tmp_path / "out", network, formats=("geojson",))
    assert network.seen == 0
    assert left(tmp_path) == []


@pytest.mark.parametrize("crs", [MARS, SITE], ids=["another planet", "a site"])
def test_every_other_format_is_written_in_any_crs(tmp_path, crs):
    formats = tuple(name for name in DRIVERS if name != "geojson")
    summary = run(scenes(tmp_path, crs), tmp_path / "out", formats=formats)
    assert summary["changed"]["pixels"] > 0
    assert {f"changes.{name}" for name in formats} <= set(left(tmp_path / "out"))


def test_a_time_that_is_none_is_refused_before_the_first_chip(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    network = Counting()
    with pytest.raises(OutputError, match="SOURCE_DATE_EPOCH is 'yesterday'"):
        run(scenes(tmp_path), tmp_path / "out", network)
    assert network.seen == 0


def fails_late(pair, out, monkeypatch, step, error, expected):
    """A prediction of which a step after the rasters fails, then --resume."""

    def fail(*args, **kwargs):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(write, step, fail)
        with pytest.raises(expected):
            run(pair, out)
    assert left(out.parent) == [".out.partial"]
    network = Counting()
    assert run(pair, out, network, resume=True)["supertiles_resumed"] > 0
    assert network.seen == 0


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError("a bug"), RuntimeError),
        (MemoryError(), MemoryError),
        (InputError("transition.tif (rows 0-63) cannot be read: bad."), OutputError),
    ],
    ids=["a bug", "memory", "a bad disk"],
)
def test_a_failure_after_the_prediction_keeps_what_is_predicted(
    tmp_path, monkeypatch, error, expected
):
    fails_late(scenes(tmp_path), tmp_path / "out", monkeypatch, "write_polygons", error, expected)


def test_a_failing_table_keeps_what_is_predicted(tmp_path, monkeypatch):
    error = OSError(5, "Input/output error")
    out = tmp_path / "out"
    fails_late(scenes(tmp_path), out, monkeypatch, "write_transitions", error, OutputError)


def test_a_polygon_that_reaches_off_the_earth_keeps_what_is_predicted(tmp_path):
    """Whether one does is known only once there are polygons."""
    over_the_edge = Affine(10_000, 0, EARTH - 500_000, 0, -10_000, 300_000)
    pair = scenes(tmp_path, FULL_DISK, over_the_edge)
    with pytest.raises(OutputError, match="reaches beyond the Earth"):
        run(pair, tmp_path / "out", formats=("geojson",))
    assert left(tmp_path) == [".out.partial"]
    network = Counting()
    run(pair, tmp_path / "out", network, resume=True, formats=("gpkg",))
    assert network.seen == 0
