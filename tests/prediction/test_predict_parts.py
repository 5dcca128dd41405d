"""A part of a scene is mapped with the very pixels that it has in the whole."""

import json
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import torch
from scenes import NORTH_UP, noise, write_scene
from standins import loaded

from scdcli.models.networks.outputs import Logits
from scdcli.prediction.predict import predict
from scdcli.prediction.settings import InferenceSettings, OutputSettings
from scdcli.rasters.pair.settings import PairSettings

SHAPE = (150, 210)
ROWS, COLS = slice(37, 121), slice(75, 170)  # on no stride of the lattice
BOUNDS = (500_075.0, 3_999_879.0, 500_170.0, 3_999_963.0)
CHIPS = InferenceSettings(device="cpu", chip=64, overlap=16)
RASTERS = ("from", "to", "transition", "probability", "before_cover", "after_cover")
AREA = [(80.3, 40.1), (160.2, 55.5), (150.4, 118.7), (95.5, 100.2)]  # columns and rows


def picture(seed, dtype="uint8", scale=1.0, shape=SHAPE):
    """Blocks, noise, and ever brighter downwards, so that no two parts have equal statistics."""
    rng = np.random.default_rng(seed)
    blocks = np.kron(rng.integers(20, 120, (3, 22, 30)), np.ones((1, 10, 10)))
    bright = blocks[:, : shape[0], : shape[1]] + np.arange(shape[0])[:, None] * 0.8
    return ((bright + noise((3, *shape), low=0, high=9, seed=seed)) * scale).astype(dtype)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Pairs of two files by kind."""
    folder = tmp_path_factory.mktemp("pairs")

    def write(name, pixels, **profile):
        return write_scene(folder / f"{name}.tif", pixels, **profile)

    holes = picture(1)
    holes[:, 20:60, 90:100] = 0
    before = write("before", holes, nodata=0)
    deep = [write(f"deep{n}", picture(n, "uint16", 11.0)) for n in (1, 2)]
    finer = NORTH_UP @ NORTH_UP.translation(-7.3, -5.6) @ NORTH_UP.scale(0.8)
    moved = np.roll(holes, (3, -2), axis=(1, 2))
    return {
        "shifted": (before, write("moved", moved, nodata=0)),
        "plain": (before, write("after", picture(2))),
        "16 bits": tuple(deep),
        "warped": (before, write("finer", picture(2, shape=(220, 300)), transform=finer)),
    }


class Context(torch.nn.Module):
    """A stand-in whose answer at a pixel depends on all of the chip."""

    output = "branches"

    def forward(self, before, after):
        dates = [image + image.mean(dim=(2, 3), keepdim=True) / 2 for image in (before, after)]
        levels = torch.arange(6.0)[:, None, None] / 2 - 1
        first, second = (-((date.mean(dim=1, keepdim=True) - levels) ** 2) for date in dates)
        change = (dates[1] - dates[0]).abs().mean(dim=1, keepdim=True) * 2 - 1
        return Logits(first, second, torch.cat((-change, change), dim=1))


@pytest.fixture(scope="module")
def model():
    """A model that wants each date at a mean and spread."""
    made = loaded(Context())
    made.model.mean[:], made.model.std[:] = 100.0, 45.0
    return replace(made, header=replace(made.header, normalization="per-date"))


def area(folder):
    """A file with the area of interest, and where its pixels are on the whole."""
    corners = [list(NORTH_UP @ corner) for corner in (*AREA, AREA[0])]
    path = folder / "area.geojson"
    path.write_text(
        json.dumps(
            {
                "type": "FeatureCollection",
                "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32650"}},
                "features": [
                    {
                        "type": "Feature",
                        "properties": {},
                        "geometry": {"type": "Polygon", "coordinates": [corners]},
                    }
                ],
            }
        )
    )
    return path


@pytest.fixture(scope="module")
def mapped(pairs, model, tmp_path_factory):
    """A function that maps a pair; returns its rasters by name and the summary; each once."""
    folder = tmp_path_factory.mktemp("maps")
    known = {}

    def run(kind, coregister=False, **settings):
        key = (kind, coregister, *sorted(settings.items()))
        if key not in known:
            out = folder / str(len(known))
            output = OutputSettings(land_cover=True, formats=())
            summary = predict(
                *pairs[kind],
                out,
                model=model,
                inference=CHIPS,
                pair=PairSettings(**settings),
                coregister=coregister,
                output=output,
            )
            known[key] = {name: read(out / f"{name}.tif") for name in RASTERS}, summary
        return known[key]

    return run


def read(path):
    with rasterio.open(path) as raster:
        return raster.read(1)


CASES = [
    ("plain", {}),
    ("plain", {"normalize": "match"}),
    ("16 bits", {}),
    ("warped", {}),
]


@pytest.mark.parametrize(("kind", "settings"), CASES)
def test_bounds_give_the_pixels_of_the_whole(mapped, kind, settings):
    whole, _ = mapped(kind, **settings)
    part, _ = mapped(kind, bounds=BOUNDS, **settings)
    for name in RASTERS:
        assert part[name].shape == (84, 95)
        assert (part[name] == whole[name][ROWS, COLS]).all(), name
    assert len(np.unique(whole["probability"])) > 5


def test_an_area_gives_the_pixels_of_the_whole(mapped, tmp_path):
    whole, _ = mapped("plain")
    part, summary = mapped("plain", aoi=str(area(tmp_path)))
    left, top, width, height = 80, 40, 81, 79
    assert (summary["grid"]["width"], summary["grid"]["height"]) == (width, height)
    inside = part["probability"] != 255
    assert 0.3 < inside.mean() < 0.8
    for name in RASTERS:
        crop = whole[name][top : top + height, left : left + width]
        assert (part[name][inside] == crop[inside]).all(), name


def test_a_part_is_moved_by_the_shift_of_the_whole(mapped):
    whole, _ = mapped("shifted", coregister=True)
    part, summary = mapped("shifted", coregister=True, bounds=BOUNDS)
    assert summary["inputs"]["shift"] == [-3.0, 2.0]
    for name in RASTERS:
        assert (part[name] == whole[name][ROWS, COLS]).all(), name


@pytest.mark.parametrize("kind", ["plain", "16 bits"])
def test_statistics_may_come_from_the_part(mapped, kind):
    whole, of_whole = mapped(kind)
    part, of_part = mapped(kind, bounds=BOUNDS, statistics="part")
    assert (part["probability"] != whole["probability"][ROWS, COLS]).any()
    assert of_part["settings"]["statistics"] == "part"
    assert of_whole["settings"]["statistics"] == "whole"
    own = [s["inputs"]["normalization"]["per_date"]["before"]["mean"] for s in (of_whole, of_part)]
    assert own[0] != own[1]
    assert (kind == "plain") or of_part["inputs"]["stretch"] != of_whole["inputs"]["stretch"]
