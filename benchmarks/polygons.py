"""Polygons from strips against the whole raster at once: Mpx/s, ratio and memory, in one run.

Usage: OMP_NUM_THREADS=1 python benchmarks/polygons.py [--side 10000] [--maps landcover change]
       [--ways strips whole gpkg] [--repeats 3] [--folder DIR]

Draws a map of six classes everywhere (landcover) and one that is a sixth changed (change), stores
them as GeoTIFFs, and traces each in a process of its own, so that peak memory is its own. The ways
take turns; Mpx/s and the ratio to the first way are of processor time, which other work on the
machine changes least. `strips` is what `scd predict` does, without writing; `simplified` the same
with --simplify 1 (two pixels); `whole` reads the raster into an array for
`rasterio.features.shapes`; a vector format (gpkg, geojson, ...) is `strips` written to such a file.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio import features
from rasterio.windows import Window

from scdcli.changes.area import measure_ground
from scdcli.changes.strips import find_runs, is_change, read_strips
from scdcli.changes.trace import trace
from scdcli.changes.vector import write_polygons
from scdcli.grid import Grid
from scdcli.legend import SECOND

BLOCK = 512
OCTAVES = ((1.0, 256), (0.5, 96), (0.25, 32), (0.12, 10), (0.07, 4))  # weight, pixels per cell
CHANGED = 0.95  # above this many deviations: about a sixth
PROFILE = {
    "driver": "GTiff",
    "count": 1,
    "tiled": True,
    "blockxsize": BLOCK,
    "blockysize": BLOCK,
    "compress": "deflate",
    "zlevel": 1,
    "crs": "EPSG:32632",
    "transform": Affine(0.5, 0, 5e5, 0, -0.5, 5e6),
    "BIGTIFF": "IF_SAFER",
}


class Blobs:
    """Smooth noise of several octaves, the same wherever its rows are cut."""

    def __init__(self, side, seed):
        rng = np.random.default_rng(seed)
        self.side = side
        self.cells = [
            rng.standard_normal((side // cell + 2, side // cell + 2), dtype=np.float32)
            for _, cell in OCTAVES
        ]

    def rows(self, top, height):
        total = np.zeros((height, self.side), dtype=np.float32)
        for (weight, cell), nodes in zip(OCTAVES, self.cells, strict=True):
            row, y = _position(np.arange(top, top + height), cell)
            col, x = _position(np.arange(self.side), cell)
            lines = nodes[row] * (1 - y[:, None]) + nodes[row + 1] * y[:, None]
            total += weight * (lines[:, col] * (1 - x) + lines[:, col + 1] * x)
        return total


def _position(pixel, cell):
    number, rest = np.divmod(pixel, cell)
    share = (rest / cell).astype(np.float32)
    return number, share * share * (3 - 2 * share)


def landcover(side):
    field = Blobs(side, 1)
    edges = np.linspace(-1.0, 1.0, 5)
    return lambda top, height: 101 * (np.digitize(field.rows(top, height), edges) + 1)


def change(side):
    where, before, after = (Blobs(side, seed) for seed in (2, 3, 4))
    edges = np.linspace(-1.0, 1.0, 5)

    def rows(top, height):
        first, second = (np.digitize(f.rows(top, height), edges) + 1 for f in (before, after))
        changed = (where.rows(top, height) > CHANGED) & (first != second)
        return np.where(changed, first * 100 + second, 0)

    return rows


MAPS = {"landcover": landcover, "change": change}


def draw(folder, name, side):
    """Write the map and its probability, block rows at a time."""
    rows = MAPS[name](side)
    shape = {"height": side, "width": side}
    transition, probability = paths(folder, name)
    with (
        rasterio.open(transition, "w", dtype="uint16", **shape, **PROFILE) as codes,
        rasterio.open(probability, "w", dtype="uint8", **shape, **PROFILE) as chances,
    ):
        for top in range(0, side, BLOCK):
            height = min(BLOCK, side - top)
            strip = rows(top, height).astype(np.uint16)
            window = Window(0, top, side, height)
            codes.write(strip, 1, window=window)
            chance = np.where(strip > 0, 50 + (np.arange(side) // 64) % 50, 7)
            chances.write(chance.astype(np.uint8), 1, window=window)


def paths(folder, name):
    return folder / f"{name}.tif", folder / f"{name}_probability.tif"


def polygons_by_strips(folder, name, tolerance=0.0):
    with rasterio.open(paths(folder, name)[0]) as dataset:
        grid = Grid(dataset.height, dataset.width, dataset.transform, dataset.crs)
    ground = measure_ground(grid)
    runs = find_runs(read_strips(*paths(folder, name)), ground)
    return trace(runs, grid, ground, tolerance=tolerance), grid, ground


def strips(folder, name, tolerance=0.0):
    return sum(len(batch.outline) for batch in polygons_by_strips(folder, name, tolerance)[0])


def simplified(folder, name):
    return strips(folder, name, 1.0)


def whole(folder, name):
    with rasterio.open(paths(folder, name)[0]) as dataset:
        transition, transform = dataset.read(1), dataset.transform
    return sum(1 for _ in features.shapes(transition, is_change(transition), transform=transform))


def written(folder, name, vector_format):
    polygons, grid, ground = polygons_by_strips(folder, name)
    count = 0

    def counted():
        nonlocal count
        for batch in polygons:
            count += len(batch.outline)
            yield batch

    with tempfile.TemporaryDirectory(dir=folder) as out:
        write_polygons(Path(out), counted(), grid, ground, SECOND, formats=[vector_format])
    return count


def measure(folder, name, way):
    """Do one thing in this process and print what it took as JSON."""
    if way == "draw":
        draw(folder, name, int(sys.argv[5]))
        return
    start = time.perf_counter(), time.process_time()
    ways = {"strips": strips, "simplified": simplified, "whole": whole}
    count = ways[way](folder, name) if way in ways else written(folder, name, way)
    seconds, processor = time.perf_counter() - start[0], time.process_time() - start[1]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps([count, seconds, processor, peak]))


def child(*arguments):
    command = [sys.executable, __file__, "--child", *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout) if done.stdout else []


def compare(folder, name, options):
    child(folder, name, "draw", options.side)
    runs = {way: [] for way in options.ways}
    for _ in range(options.repeats):
        for way in options.ways:
            runs[way].append(child(folder, name, way))
    reference = None
    for way, done in runs.items():
        count, seconds, processor = (
            statistics.median(column) for column in [*zip(*done, strict=True)][:3]
        )
        reference = reference or processor
        print(
            f"{name:<10}{way:<11}{count:>10}{seconds:>9.1f}{processor:>9.1f}"
            f"{options.side**2 / processor / 1e6:>8.1f}{processor / reference:>8.2f}"
            f"{max(run[3] for run in done):>8.0f}",
            flush=True,
        )
    for path in paths(folder, name):
        path.unlink()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=10_000, help="pixels of a side")
    parser.add_argument("--maps", nargs="+", choices=MAPS, default=list(MAPS))
    parser.add_argument("--ways", nargs="+", default=["strips", "whole"])
    parser.add_argument("--repeats", type=int, default=3, help="runs; the median counts")
    parser.add_argument("--folder", type=Path, help="where the maps are stored for a while")
    options = parser.parse_args()
    print("map       way          polygons  seconds   cpu s   Mpx/s   ratio      MB")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for name in options.maps:
            compare(Path(folder), name, options)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        measure(Path(sys.argv[2]), sys.argv[3], sys.argv[4])
    else:
        main()
