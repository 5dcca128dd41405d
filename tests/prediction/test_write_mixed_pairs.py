"""Pairs that match in nothing but the ground they show, from files to finished maps.

A world of fields of 12 m, six classes and a few that change, is looked at by cameras of all kinds;
the maps must show every field in its place.
"""

import json
import warnings
from contextlib import contextmanager

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
import torch
from affine import Affine
from pyproj import Transformer
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window
from scenes import NORTH_UP, UTM, write_scene
from standins import Thresholds, loaded

from scdcli.errors import InputError
from scdcli.legend import split_transition
from scdcli.prediction.chain import Predictor
from scdcli.prediction.settings import OutputSettings
from scdcli.prediction.tiling import Tiling
from scdcli.prediction.write import write_prediction
from scdcli.rasters import warp
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.pair.settings import PairSettings

FIELD = 12.0  # meters
SIZE = (150, 170)
RNG = np.random.default_rng(3)
FIELDS = RNG.integers(0, 6, (40, 40))
LATER = np.where(RNG.random((40, 40)) < 0.2, (FIELDS + RNG.integers(1, 6, (40, 40))) % 6, FIELDS)
LEFT, TOP = NORTH_UP.c - 150, NORTH_UP.f + 150


def classes_at(xs, ys, fields):
    """Class 0 to 5 at places in UTM, and the distance in meters to the side of the field."""
    across, down = (xs - LEFT) / FIELD, (TOP - ys) / FIELD
    inside = np.minimum.reduce([across % 1, 1 - across % 1, down % 1, 1 - down % 1]) * FIELD
    rows, cols = (np.clip(each, 0, 39).astype(int) for each in (down, across))
    return fields[rows, cols], inside


def look(place, fields, crs=UTM):
    """A picture, (3, H, W) uint8, of pixels that lie at ``place(col, row)`` in a CRS."""
    rows, cols = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    xs, ys = place(cols, rows)
    if crs != UTM:
        xs, ys = Transformer.from_crs(crs, UTM, always_xy=True).transform(xs, ys)
    return np.repeat((classes_at(xs, ys, fields)[0] * 40 + 20)[None], 3, axis=0).astype(np.uint8)


@contextmanager
def edited(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "r+") as dataset:
            yield dataset


def on_grid(transform, crs=UTM):
    def write(path, fields):
        return write_scene(path, look(lambda c, r: transform @ (c, r), fields, crs), transform, crs)

    return write


def by_points(transform, crs=UTM):
    def write(path, fields):
        place = lambda c, r: transform @ (c, r)  # noqa: E731
        path = write_scene(path, look(place, fields), crs=None)
        to_crs = Transformer.from_crs(UTM, crs, always_xy=True)
        points = [
            GroundControlPoint(row, col, *to_crs.transform(*place(col, row)))
            for row in np.linspace(0, SIZE[0], 4)
            for col in np.linspace(0, SIZE[1], 4)
        ]
        with edited(path) as dataset:
            dataset.gcps = (points, rasterio.CRS.from_string(crs))
        return path

    return write


def as_uint16(write):
    def converted(path, fields):
        path = write(path, fields)
        with rasterio.open(path) as dataset:
            pixels, transform, crs = dataset.read(), dataset.transform, dataset.crs
        path.unlink()
        return write_scene(path, pixels.astype(np.uint16) * 10, transform, crs)

    return converted


def in_order(write, order):
    """The bands in another order, and one more, with the colors said."""

    def reordered(path, fields):
        path = write(path, fields)
        with rasterio.open(path) as dataset:
            pixels, transform, crs = dataset.read(), dataset.transform, dataset.crs
        path.unlink()
        pixels = np.stack(
            [
                pixels[0] // 2 if name == "nir" else pixels[0] + "rgb".index(name[0])
                for name in order
            ]
        )
        write_scene(path, pixels, transform, crs, photometric="MINISBLACK", alpha="NO")
        with edited(path) as dataset:
            dataset.colorinterp = [ColorInterp[name] for name in order]
        return path

    return reordered


TURNED = NORTH_UP @ Affine.translation(-10, -60) @ Affine.rotation(20)
OTHER = NORTH_UP @ Affine.translation(-20, -75) @ Affine.rotation(31) @ Affine.scale(1.1)
SHEARED = NORTH_UP @ Affine.translation(-60, 0) @ Affine.shear(20, 0)
SOUTH = NORTH_UP @ Affine(1, 0, 0, 0, -1, 130)
CENTER = Transformer.from_crs(UTM, "EPSG:32651", always_xy=True).transform(
    NORTH_UP.c + 70, NORTH_UP.f - 65
)
NEXT = Affine(1, 0, CENTER[0] - 85, 0, -1, CENTER[1] + 75)
DEGREES = "EPSG:4326"
COLORS = (("red", "green", "blue"), ("nir", "blue", "green", "red"))

CASES = {
    "turned, points": (on_grid(TURNED), by_points(OTHER), {}),
    "sheared, points in degrees": (on_grid(SHEARED), by_points(TURNED, DEGREES), {}),
    "south-up, next zone": (on_grid(SOUTH), on_grid(NEXT, "EPSG:32651"), {}),
    "points, turned": (by_points(TURNED), on_grid(OTHER), {}),
    "next zone, points": (on_grid(NEXT, "EPSG:32651"), by_points(OTHER), {}),
    "uint16, turned": (
        as_uint16(on_grid(NORTH_UP)),
        as_uint16(on_grid(TURNED)),
        {"scale": (0, 2550)},
    ),
    "bands": (
        in_order(on_grid(NORTH_UP), COLORS[0]),
        in_order(on_grid(TURNED), COLORS[1]),
        {"count": 3},
    ),
    "moved": (
        on_grid(TURNED),
        on_grid(TURNED @ Affine.translation(5, -3)),  # said to lie where it does not
        {"shift": (3, -5)},
    ),
}


def predictor():
    return Predictor(loaded(Thresholds()), torch.device("cpu"), 0.5, tiling=Tiling(64, 16, 2))


def truth(grid):
    """Transition of every pixel, and where it is 2.5 m inside its field at least."""
    rows, cols = np.mgrid[: grid.height, : grid.width] + 0.5
    xs, ys = grid.transform @ (cols, rows)
    if str(grid.crs) != UTM:
        xs, ys = Transformer.from_crs(grid.crs.to_wkt(), UTM, always_xy=True).transform(xs, ys)
    before, inside = classes_at(xs, ys, FIELDS)
    after, _ = classes_at(xs, ys, LATER)
    changed = before != after
    return np.where(changed, before + 1, 0), np.where(changed, after + 1, 0), inside > 2.5


@pytest.mark.parametrize("case", CASES)
def test_every_field_is_found_in_its_place(tmp_path, case):
    first, second, settings = CASES[case]
    paths = first(tmp_path / "a.tif", FIELDS), second(tmp_path / "b.tif", LATER)
    if "shift" in settings:
        # What AFTER shows lies 5 columns right and 3 rows up of where its file says.
        with rasterio.open(paths[1], "r+") as dataset:
            dataset.transform = TURNED @ Affine.translation(5, -3) @ Affine.translation(5, -3)
    with open_pair(*paths, PairSettings(**settings)) as pair:
        grid = pair.grid
        summary = write_prediction(pair, predictor(), tmp_path / "out", OutputSettings(formats=()))
        _, _, valid = pair.read(Window(0, 0, grid.width, grid.height))
    with rasterio.open(tmp_path / "out/transition.tif") as dataset:
        assert dataset.transform == grid.transform
        from_class, to_class = split_transition(dataset.read(1))
    np.testing.assert_array_equal(from_class == 255, ~valid)
    expected_from, expected_to, inside = truth(grid)
    seen = inside & valid
    assert seen.sum() > 2000
    assert (expected_from[seen] > 0).mean() > 0.1
    np.testing.assert_array_equal(from_class[seen], expected_from[seen])
    np.testing.assert_array_equal(to_class[seen], expected_to[seen])
    assert json.loads(json.dumps(summary["inputs"])) == summary["inputs"]


def test_polygons_of_interest_bound_the_result(tmp_path):
    paths = on_grid(TURNED)(tmp_path / "a.tif", FIELDS), by_points(OTHER)(tmp_path / "b.tif", LATER)
    area = shapely.Point(TURNED @ (80, 70)).buffer(40)
    pyogrio.raw.write(
        tmp_path / "aoi.gpkg", shapely.to_wkb([area]), [], [], crs=UTM, geometry_type="Polygon"
    )
    settings = PairSettings(aoi=str(tmp_path / "aoi.gpkg"))
    with open_pair(*paths, settings) as pair:
        summary = write_prediction(pair, predictor(), tmp_path / "out", OutputSettings())
    rows, cols = np.mgrid[: pair.grid.height, : pair.grid.width] + 0.5
    inside = shapely.contains_xy(area, *pair.grid.transform @ (cols, rows))
    with rasterio.open(tmp_path / "out/from.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(1) != 255, inside)
    assert summary["valid"]["pixels"] == inside.sum()
    assert summary["valid"]["hectares"] == pytest.approx(np.pi * 0.16, rel=0.02)
    assert summary["inputs"]["aoi"]["name"] == "aoi.gpkg"
    assert pair.grid.shape < SIZE


@pytest.mark.parametrize("case", ["turned, points", "next zone, points", "uint16, turned", "moved"])
def test_pixels_do_not_depend_on_the_windows_asked_for(tmp_path, monkeypatch, case):
    monkeypatch.setattr(warp, "BLOCK", 48)
    first, second, settings = CASES[case]
    paths = first(tmp_path / "a.tif", FIELDS), second(tmp_path / "b.tif", LATER)
    settings = PairSettings(**settings | {"shift": (0.37, -1.21)})
    with open_pair(*paths, settings) as pair:
        height, width = pair.grid.shape
        whole = pair.read(Window(0, 0, width, height))
    rng = np.random.default_rng(1)
    with open_pair(*paths, settings) as pair:
        for row, col in rng.integers(0, (height - 1, width - 1), (10, 2)).tolist():
            window = Window(col, row, min(70, width - col), min(60, height - row))
            rows, cols = window.toslices()
            for got, expected in zip(pair.read(window), whole, strict=True):
                np.testing.assert_array_equal(got, expected[..., rows, cols])


HOLE = (slice(None), slice(60, 80), slice(50, 90))


def holed(path, kind, dtype="uint8"):
    """A scene of which a part is no measurement, said in one of the ways there are."""
    pixels = look(lambda c, r: NORTH_UP @ (c, r), FIELDS)[:1].astype(dtype)
    mask = np.full(SIZE, 255, np.uint8)
    mask[HOLE[1:]] = 0
    profile = {}
    if kind == "nodata":
        profile["nodata"] = 255 if dtype in ("uint8", "uint16") else -9999
        pixels[HOLE] = profile["nodata"]
    elif kind in ("nan", "inf"):
        pixels[HOLE] = np.nan if kind == "nan" else np.inf
    elif kind == "alpha":
        pixels, profile = np.concatenate([pixels, mask[None].astype(dtype)]), {"alpha": "YES"}
    elif kind == "mask":
        profile = {"mask": mask}
    write_scene(path, pixels, **profile)
    if kind == "sidecar":
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(path, "r+") as dataset:
            dataset.write_mask(mask)
        assert path.with_name(f"{path.name}.msk").exists()
    return path


KINDS = [
    *((kind, "uint8") for kind in ("nodata", "mask", "sidecar", "alpha")),
    *(("nodata", dtype) for dtype in ("uint16", "int16", "float32", "float64")),
    *((kind, "float32") for kind in ("nan", "inf", "mask")),
]


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.0, 0.5)], ids=["on", "half"])
@pytest.mark.parametrize("date", ["before", "after"])
@pytest.mark.parametrize(("kind", "dtype"), KINDS)
def test_no_measurement_of_either_date_is_nodata(tmp_path, kind, dtype, date, shift):
    whole, part = holed(tmp_path / "a.tif", "none", dtype), holed(tmp_path / "b.tif", kind, dtype)
    paths = (part, whole) if date == "before" else (whole, part)
    with open_pair(*paths, PairSettings(scale=(0, 255), shift=shift)) as pair:
        before, after, valid = pair.read(Window(20, 20, 120, 110))
    expected = np.ones((110, 120), dtype=bool)
    expected[40:60, 30:70] = False
    wrong = valid != expected
    if date == "after" and any(shift):
        wrong[38:64, 28:73] = wrong[42:58, 33:67].any()  # the side of the hole may differ by one
    assert not wrong.any()
    assert not before[:, ~valid].any()
    assert not after[:, ~valid].any()
    assert np.isfinite(before).all()
    assert np.isfinite(after).all()


@pytest.mark.parametrize("place", ["on", "warped", "points"])
def test_nodata_in_one_band_is_a_measurement_read_or_warped(tmp_path, place):
    """The value of nodata is nodata where all bands hold it, as GDAL's masks have it."""
    pixels = RNG.integers(1, 250, (2, *SIZE)).astype(np.uint8)
    pixels[0, 50:70, 50:70] = pixels[:, 90:110, 50:70] = 0
    transform = NORTH_UP @ Affine.translation(0 if place == "on" else 0.5, 0)
    path = write_scene(tmp_path / "b.tif", pixels, transform, nodata=0)
    if place == "points":
        path = write_scene(tmp_path / "b.tif", pixels, crs=None, nodata=0)
        corners = [(row, col) for row in (0, SIZE[0]) for col in (0, SIZE[1])]
        with edited(path) as dataset:
            points = [GroundControlPoint(row, col, *transform @ (col, row)) for row, col in corners]
            dataset.gcps = (points, rasterio.CRS.from_string(UTM))
    before = write_scene(tmp_path / "a.tif", np.maximum(pixels, 1))
    with open_pair(before, path) as pair:
        valid = pair.read(Window(30, 30, 60, 100))[2]
    assert valid[22:38, 22:38].all()
    assert not valid[62:78, 22:38].any()


def test_an_image_without_a_measurement_gives_nodata_only(tmp_path):
    empty = write_scene(tmp_path / "a.tif", np.zeros((3, 50, 40), np.uint8), nodata=0)
    full = write_scene(tmp_path / "b.tif", np.full((3, 50, 40), 99, np.uint8), nodata=0)
    with open_pair(empty, full) as pair:
        summary = write_prediction(pair, predictor(), tmp_path / "out", OutputSettings())
    assert summary["valid"]["pixels"] == 0
    assert summary["transitions"] == []
    with rasterio.open(tmp_path / "out/from.tif") as dataset:
        assert (dataset.read(1) == 255).all()


def test_damage_in_the_middle_names_file_window_and_cause(tmp_path):
    paths = [on_grid(NORTH_UP)(tmp_path / "a.tif", FIELDS)]
    pixels = RNG.integers(0, 255, (3, *SIZE)).astype(np.uint8)
    for name, transform in (("b.tif", NORTH_UP), ("c.tif", TURNED)):
        options = {"compress": "deflate", "tiled": True, "blockxsize": 64, "blockysize": 64}
        paths.append(write_scene(tmp_path / name, pixels, transform, **options))
        content = bytearray(paths[-1].read_bytes())
        content[len(content) // 2 : len(content) // 2 + 2000] = bytes(2000)
        paths[-1].write_bytes(content)
    for path, place in zip(
        paths[1:], (r"rows \d+-\d+, columns \d+-\d+\)", "of the BEFORE grid"), strict=True
    ):
        with (
            open_pair(paths[0], path) as pair,
            pytest.raises(
                InputError, match=rf"{path.name} \(.*{place}.* cannot be read: .*(Read|ZIP)"
            ),
        ):
            write_prediction(pair, predictor(), tmp_path / "out", OutputSettings())
        assert {found.name for found in tmp_path.iterdir()} <= {"a.tif", "b.tif", "c.tif"}
