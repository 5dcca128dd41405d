"""Memory and time of `scd predict` on a pair of any size, and that memory does not grow with it.

Usage: python benchmarks/scale.py [--sides 10000,30000] [--folder DIR] [--land-cover] [--keep]
A pair of pictures is drawn and written, then predicted by a stand-in for a trained network that
costs almost nothing: what is left is all that surrounds a network. Two processes are measured, each
by the peak of its resident memory and its processor time: the whole prediction, with all its
rasters, polygons and tables, and the polygons alone, traced again from the finished rasters. A pair
of 30 000 × 30 000 pixels takes 7 GB of disk. Linux only: peaks are read from /proc.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.windows import Window

PERIOD = 2500  # pixels after which the drawn texture repeats: no multiple of any block
CLASSES = 6
STEP = 40  # of brightness, from one class to the next
PLACE = {"crs": "EPSG:32650", "transform": Affine(0.5, 0, 500_000, 0, -0.5, 4_000_000)}


def texture(seed, scales):
    """Smooth random blobs of several sizes that repeat without a seam, (PERIOD, PERIOD) in 0..1."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    total = np.zeros((PERIOD, PERIOD))
    for scale in scales:
        blobs = gaussian_filter(rng.normal(size=total.shape), scale, mode="wrap")
        total += blobs / blobs.std() * scale**0.5
    return total.ravel().argsort().argsort().reshape(total.shape) / total.size


def draw_pair():
    """Two pictures (3, PERIOD, PERIOD) uint8 of one place; a sixth of it has changed its class."""
    before = (texture(1, (4, 16, 64)) * CLASSES).astype(np.uint8)
    shift = (texture(2, (4, 16, 64)) * (CLASSES - 1)).astype(np.uint8) + 1
    changed = texture(3, (2, 8, 32)) > 5 / 6
    after = np.where(changed, (before + shift) % CLASSES, before)
    rng = np.random.default_rng(4)
    for classes in (before, after):
        grain = rng.integers(-4, 5, (3, PERIOD, PERIOD))
        yield (classes * STEP + STEP // 2 + grain).astype(np.uint8)


def write_scene(path, picture, side):
    """The picture repeated over side × side pixels, as a tiled and compressed GeoTIFF."""
    profile = {"driver": "GTiff", "count": 3, "height": side, "width": side, "dtype": "uint8"}
    profile |= {"tiled": True, "blockxsize": 512, "blockysize": 512, "photometric": "RGB"}
    profile |= {"compress": "DEFLATE", "zlevel": 1, "bigtiff": "IF_SAFER"} | PLACE
    with rasterio.open(path, "w", **profile) as dataset:
        for top in range(0, side, 512):
            rows = np.arange(top, min(top + 512, side)) % PERIOD
            strip = picture[:, rows][:, :, np.arange(side) % PERIOD]
            dataset.write(strip, window=Window(0, top, side, len(rows)))


def stand_in():
    """A model that tells classes by the red band, and change by the difference of the dates."""
    import torch

    from scdcli.legend import SECOND
    from scdcli.models.checkpoint import LoadedModel, ModelHeader
    from scdcli.models.networks import Logits, NetworkSettings
    from scdcli.models.networks.model import ChangeModel

    class Thresholds(torch.nn.Module):
        output = "branches"

        def forward(self, before, after):
            changed = ((before - after).abs().sum(1, keepdim=True) > STEP).float()
            change = torch.cat((1 - changed, changed), 1) * 20
            return Logits(self._classes(before), self._classes(after), change)

        def _classes(self, image):
            level = (image[:, :1] / STEP).floor()
            return 20.0 * (level == torch.arange(float(CLASSES))[:, None, None])

    model = ChangeModel(Thresholds(), [0.0] * 3, [1.0] * 3).eval()
    return LoadedModel("stand-in", model, ModelHeader(NetworkSettings(), SECOND), "0" * 64)


def write(folder, side, land_cover):
    """Draw the pair; not measured, but in a process of its own to leave no memory behind."""
    for name, picture in zip(("before", "after"), draw_pair(), strict=True):
        write_scene(folder / f"{name}.tif", picture, side)
    return {}


def predict(folder, side, land_cover):
    """The whole prediction, as `scd predict` makes it."""
    import torch

    from scdcli.prediction.chain import Predictor
    from scdcli.prediction.settings import OutputSettings
    from scdcli.prediction.write import write_prediction
    from scdcli.rasters.pair.open import open_pair

    predictor = Predictor(stand_in(), torch.device("cpu"), 0.5)
    settings = OutputSettings(land_cover=land_cover)
    half = {}

    def progress(share):
        if share >= 1:
            half.update(predicted=peak_bytes(), predicting=time.process_time() - start)

    start = time.process_time()
    with open_pair(folder / "before.tif", folder / "after.tif") as pair:
        summary = write_prediction(pair, predictor, folder / "out", settings, progress=progress)
    return half | {"changed": summary["changed"]["percent"]}


def trace(folder, side, land_cover):
    """The polygons alone, from the finished rasters."""
    from scdcli.legend import SECOND
    from scdcli.polygons.area import measure_ground
    from scdcli.polygons.files.vector import write_polygons
    from scdcli.polygons.strips import find_runs, read_strips
    from scdcli.polygons.trace.trace import trace
    from scdcli.rasters.grid import Grid

    transition, probability = (folder / f"out/{n}.tif" for n in ("transition", "probability"))
    with rasterio.open(transition) as dataset:
        grid = Grid(*dataset.shape, dataset.transform, dataset.crs)
    ground = measure_ground(grid)
    count = 0

    def counted(batches):
        nonlocal count
        for polygons in batches:
            count += len(polygons.outline)
            yield polygons

    runs = find_runs(read_strips(transition, probability), ground)
    write_polygons(folder, counted(trace(runs, grid, ground)), grid, ground, SECOND)
    return {"polygons": count, "vectors": (folder / "changes.gpkg").stat().st_size}


def peak_bytes():
    """The most memory this process has had resident at once."""
    status = Path("/proc/self/status").read_text()
    return next(int(ln.split()[1]) for ln in status.splitlines() if ln.startswith("VmHWM")) * 1024


JOBS = {job.__name__: job for job in (write, predict, trace)}


def in_own_process(job, folder, side, land_cover):
    """What a job says of itself, with its peak of memory and its seconds."""
    command = [sys.executable, __file__, "--child", job, "--folder", str(folder)]
    command += ["--sides", str(side)] + ["--land-cover"] * land_cover
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def measured(options):
    """A job in this process."""
    start = time.process_time()
    side = int(options.sides)
    said = JOBS[options.child](options.folder, side, options.land_cover)
    return said | {"peak": peak_bytes(), "seconds": time.process_time() - start}


def row(side, folder, land_cover):
    """Measure one size and print it."""
    in_own_process("write", folder, side, land_cover)
    whole, polygons = (in_own_process(j, folder, side, land_cover) for j in ("predict", "trace"))
    size = sum(each.stat().st_size for each in (folder / "out").iterdir())
    pixels = side * side / 1e6
    print(
        f"{side:>7}{whole['peak'] / 1e6:>9.0f} MB{polygons['peak'] / 1e6:>9.0f} MB"
        f"{whole['predicting'] / pixels:>9.3f}{whole['seconds'] / pixels:>9.3f}"
        f"{polygons['seconds'] / pixels:>9.3f}{polygons['polygons']:>11,}{size / 1e6:>9.0f} MB"
        f"{whole['changed']:>9.2f} %",
        flush=True,
    )
    return whole["peak"], polygons["peak"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sides", default="10000,30000", help="pixels of a side, comma-separated")
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder if not said")
    parser.add_argument("--land-cover", action="store_true", help="six rasters instead of four")
    parser.add_argument("--keep", action="store_true", help="do not remove the files")
    parser.add_argument("--child", choices=JOBS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measured(options)))
        return
    print(
        f"{'':>7}{'peak of':>12}{'peak of':>12}{'CPU s/Mpx':>27}"
        f"{'':>11}{'size of':>12}\n"
        f"{'side':>7}{'all':>12}{'polygons':>12}{'parts':>9}{'all':>9}{'polygons':>9}"
        f"{'polygons':>11}{'outputs':>12}{'changed':>11}",
        flush=True,
    )
    peaks = []
    for side in map(int, options.sides.split(",")):
        folder = Path(tempfile.mkdtemp(prefix=f"scale-{side}-", dir=options.folder))
        try:
            peaks.append(row(side, folder, options.land_cover))
        finally:
            if not options.keep:
                shutil.rmtree(folder)
    for name, peak in zip(("all", "polygons"), zip(*peaks, strict=True), strict=True):
        print(f"{name}: the last size takes {peak[-1] / peak[0]:.2f} times the memory of the first")


if __name__ == "__main__":
    main()
