"""Small change maps, drawn and random, and their polygons by strips and by GDAL at once."""

import numpy as np
import shapely
from affine import Affine
from rasterio import features
from rasterio.crs import CRS
from scipy.ndimage import gaussian_filter

from scdcli.polygons.area import measure_ground
from scdcli.polygons.strips import Strip, find_runs
from scdcli.polygons.trace.trace import Polygons, trace
from scdcli.rasters.grid import Grid

NODATA = 65535
PIXEL_GRID = Affine.identity()
UTM = CRS.from_epsg(32632)


def polygons_of(transition, height, *, probability=None, transform=PIXEL_GRID, crs=None, **options):
    transition = np.asarray(transition, dtype=np.uint16)
    if probability is None:
        probability = np.full(transition.shape, 50, dtype=np.uint8)
    grid = Grid(*transition.shape, transform, crs)
    ground = measure_ground(grid)
    strips = (
        Strip(row, transition[row : row + height], probability[row : row + height])
        for row in range(0, len(transition), height)
    )
    batches = list(trace(find_runs(strips, ground), grid, ground, **options))
    if not batches:
        return Polygons(*(np.empty(0, dtype=object) for _ in Polygons._fields))
    return Polygons(*(np.concatenate(field) for field in zip(*batches, strict=True)))


def traced_whole(transition):
    """The same by GDAL, from the whole map at once: sorted (WKB, transition)."""
    transition = np.asarray(transition, dtype=np.int32)
    changed = (transition != 0) & (transition != NODATA)
    shapes = list(features.shapes(transition, mask=changed))
    outlines = shapely.normalize([shapely.geometry.shape(shape) for shape, _ in shapes])
    return sorted(zip(shapely.to_wkb(outlines), (int(code) for _, code in shapes), strict=True))


def canonical(polygons):
    outlines = shapely.normalize(polygons.outline)
    return sorted(zip(shapely.to_wkb(outlines), map(int, polygons.transition), strict=True))


def spiral(size):
    """One long arm of 101 that winds inwards, with unchanged ground between."""
    drawn = np.zeros((size, size), dtype=np.uint16)
    row, col, step, turned = 0, 0, (0, 1), 0
    drawn[0, 0] = 101
    while turned < 2:
        ahead = [(row + k * step[0], col + k * step[1]) for k in (1, 2)]
        inside = [0 <= r < size and 0 <= c < size for r, c in ahead]
        if not inside[0] or (inside[1] and drawn[ahead[1]]):
            step, turned = (step[1], -step[0]), turned + 1
        else:
            row, col = ahead[0]
            drawn[row, col] = 101
            turned = 0
    return drawn


def donut(size, margin):
    drawn = np.zeros((size, size), dtype=np.uint16)
    drawn[margin:-margin, margin:-margin] = 203
    drawn[margin + 2 : -margin - 2, margin + 2 : -margin - 2] = 0
    drawn[size // 2, size // 2] = 203
    return drawn


def nested(size, *codes):
    """Donuts in each other, one pixel wide, in turn of these codes."""
    row, col = np.indices((size, size))
    depth = np.minimum.reduce([row, col, size - 1 - row, size - 1 - col])
    return np.array(codes, dtype=np.uint16)[depth % len(codes)]


def checkerboard(size, other):
    drawn = np.full((size, size), other, dtype=np.uint16)
    drawn[::2, ::2] = drawn[1::2, 1::2] = 101
    return drawn


def touching_itself():
    """A ring closed only by two pixels that touch at a corner: hole and outside meet there."""
    return [
        [101, 101, 101, 101],
        [101, 0, 0, 101],
        [101, 0, 101, 0],
        [101, 101, 0, 0],
        [0, 101, 101, 0],
    ]


MAPS = {
    "one pixel": [[101]],
    "one unchanged pixel": [[0]],
    "one nodata pixel": [[NODATA]],
    "one row": [[101, 101, 203, 0, 203, NODATA, 203]],
    "one column": [[101], [101], [203], [0], [203], [NODATA], [203]],
    "all one class": np.full((9, 7), 506),
    "all unchanged": np.zeros((9, 7)),
    "checkerboard of unchanged": checkerboard(9, 0),
    "checkerboard of two": checkerboard(10, 203),
    "donut": donut(13, 1),
    "donuts in donuts": nested(17, 203, 0),
    "donuts of two classes in each other": nested(16, 203, 101),
    "donuts with nodata and unchanged between": nested(19, 203, NODATA, 101, 0),
    "spiral": spiral(17),
    "spiral in another class": np.where(spiral(17) == 101, 101, 506),
    "nodata hole": np.where(donut(13, 1) == 0, NODATA, 203),
    "touching itself": touching_itself(),
    "comb": [*np.tile([[101, 0, 101, 0, 101]], (6, 1)).tolist(), [101] * 5],
    "comb upside down": [[101] * 5, *np.tile([[101, 0, 101, 0, 101]], (6, 1)).tolist()],
}


def random_map(rng):
    """5 to 40 pixels a side, two or three classes or less, unchanged and nodata; noise or blobs."""
    shape = rng.integers(5, 41, 2)
    codes = rng.permutation([101, 203, 506, 0, NODATA])[: rng.integers(2, 5)].astype(np.uint16)
    if rng.random() < 0.5:
        return rng.choice(codes, size=shape, p=rng.dirichlet(np.ones(len(codes))))
    fields = [gaussian_filter(rng.standard_normal(shape), rng.uniform(0.5, 3)) for _ in codes]
    return codes[np.argmax(fields, axis=0)]
