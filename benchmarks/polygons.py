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

from scdcli.legend import SECOND
from scdcli.polygons.area import measure_ground
from scdcli.polygons.files.vector import write_polygons
from scdcli.polygons.strips import find_runs, is_change, read_strips
from scdcli.polygons.trace.trace import trace
from scdcli.rasters.grid import Grid

BLOCK = 512
DRAWN = 6000  # pixels a side that are drawn; larger maps are this one and its mirror images
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


def blobs(side, seed):
    """Smooth noise of several octaves."""
    rng = np.random.default_rng(seed)
    total = np.zeros((side, side), dtype=np.float32)
    for weight, cell in OCTAVES:
        nodes = rng.standard_normal((side // cell + 2,) * 2, dtype=np.float32)
        number, rest = np.divmod(np.arange(side), cell)
        share = (rest / cell).astype(np.float32)
        share = share * share * (3 - 2 * share)
        lines = nodes[number] * (1 - share[:, None]) + nodes[number + 1] * share[:, None]
        total += weight * (lines[:, number] * (1 - share) + lines[:, number + 1] * share)
    return total


def classes(side, seed):
    return (np.digitize(blobs(side, seed), np.linspace(-1.0, 1.0, 5)) + 1).astype(np.uint16)


def landcover(side):
    return 101 * classes(side, 1)


def change(side):
    before, after = classes(side, 3), classes(side, 4)
    changed = (blobs(side, 2) > CHANGED) & (before != after)
    return np.where(changed, before * 100 + after, 0).astype(np.uint16)


MAPS = {"landcover": landcover, "change": change}


def draw(folder, name, side):
    """Write the map and its probability, block rows at a time."""
    drawn = MAPS[name](min(side, DRAWN))
    place = np.arange(side) % (2 * len(drawn))
    place = np.minimum(place, 2 * len(drawn) - 1 - place)
    shape = {"height": side, "width": side}
    transition, probability = paths(folder, name)
    with (
        rasterio.open(transition, "w", dtype="uint16", **shape, **PROFILE) as codes,
        rasterio.open(probability, "w", dtype="uint8", **shape, **PROFILE) as chances,
    ):
        for top in range(0, side, BLOCK):
            height = min(BLOCK, side - top)
            strip = drawn[place[top : top + height]][:, place]
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
            f"{name:<10}{way:<11}{count:>10.0f}{seconds:>9.1f}{processor:>9.1f}"
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
