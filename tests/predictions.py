"""Finished predictions, as far as samples and areas need them."""

import json

import numpy as np
from affine import Affine
from rasterio.crs import CRS
from rasterio.windows import Window
from scipy.ndimage import gaussian_filter

from scdcli.legend import SECOND, UNCHANGED
from scdcli.rasters.cog import TRANSITION_MAP, cog_writer
from scdcli.rasters.grid import Grid

UTM = CRS.from_epsg(32632)
TRANSFORM = Affine(10, 0, 5e5, 0, -10, 5e6)
SITE = CRS.from_wkt('LOCAL_CS["site",UNIT["metre",1],AXIS["x",EAST],AXIS["y",NORTH]]')


def write_map(folder, codes, *, legend=SECOND, transform=TRANSFORM, crs=UTM):
    """The folder of a prediction with its transitions; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    codes = np.asarray(codes, dtype=np.uint16)
    grid = Grid(*codes.shape, transform, crs)
    tags = {"LEGEND": legend.dumps()}
    with cog_writer(folder / "transition.tif", grid, TRANSITION_MAP, tags) as write:
        write(codes, Window(0, 0, codes.shape[1], codes.shape[0]))
    summary = {"model": {"name": "m", "legend": legend.to_dict()}, "inputs": {}}
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    return folder


def patches(shape=(90, 120), codes=(305, 501), share=0.1, nodata=0.02, seed=0):
    """A map with patches of change and of nodata, (H, W) uint16."""
    rng = np.random.default_rng(seed)
    drawn = np.full(shape, UNCHANGED, dtype=np.uint16)
    for code, part in (*((code, share / len(codes)) for code in codes), (65535, nodata)):
        field = gaussian_filter(rng.standard_normal(shape), 3)
        drawn[field >= np.quantile(field, 1 - part)] = code
    return drawn
