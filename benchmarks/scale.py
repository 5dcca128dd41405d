"""Time, memory and disk of `scd predict` by the size of the scene, stage by stage.

Usage: OMP_NUM_THREADS=1 python benchmarks/scale.py [--sides 2000,5000,10000,20000,30000]
       [--alike-from 20000] [--changed 0.02] [--model NAME] [--pair BEFORE AFTER]
       [--folder DIR] [--land-cover] [--keep]

A pair of pictures is drawn (or `--pair` repeated) over scenes of these sides, and predicted with
default settings by a stand-in for a network that costs next to nothing: what is left is all that
surrounds a network. `--model` takes a real one. The prediction with all its files and its page once
more, as by `scd report`, are processes of their own; polygons without writing any are what the
second traces. Seconds are of processor time, which other work on the machine changes least, but for
the columns that say wall; peaks are of resident memory. Start-up, which does not depend on the
scene, is left out.

The pictures repeat after a supertile, so that their files hold each block once, and most supertiles
of a large scene the same pixels. From `--alike-from` on these are predicted once, and their layers
taken again, which gives the same files; the time of read, network, blend and clean is not said
then. The outputs of 30 000 x 30 000 pixels take 2 GB of disk. Linux only: peaks come from /proc.
"""

import argparse
import json
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

from scdcli.prediction import write as writing
from scdcli.prediction.chain import MOST_STRIDES
from scdcli.prediction.profile import PAGE, STAGES, Profile
from scdcli.prediction.tiling import Tiling

PERIOD = Tiling().stride * MOST_STRIDES
"""Pixels after which the drawn pictures repeat: a supertile."""

BLOCK = Tiling().stride  # of the images
WIDTH, HEIGHT, OFFSETS, BYTES = 256, 257, 324, 325  # tags of TIFF
SHORT, LONG = 3, 4  # types of it
CLASSES = 6
STEP = 40  # of brightness, from one class to the next
PLACE = {"crs": "EPSG:32650", "transform": Affine(0.5, 0, 500_000, 0, -0.5, 4_000_000)}
BY_SUPERTILE = ("read", "network", "blend", "clean")
SHOWN = (*STAGES, PAGE, "all")


def texture(seed, scales):
    """Smooth random blobs of several sizes that repeat without a seam, (PERIOD, PERIOD) in 0..1."""
    noise = np.fft.rfft2(np.random.default_rng(seed).normal(size=(PERIOD, PERIOD)))
    waves = np.hypot(np.fft.fftfreq(PERIOD)[:, None], np.fft.rfftfreq(PERIOD))
    noise *= sum(each**1.5 * np.exp(-2 * (np.pi * waves * each) ** 2) for each in scales)
    blobs = np.fft.irfft2(noise, (PERIOD, PERIOD)).ravel()
    return blobs.argsort().argsort().reshape(PERIOD, PERIOD) / blobs.size


def draw_pair(share):
    """Two pictures (3, PERIOD, PERIOD) uint8 of one place, a share of which changed its class."""
    before = (texture(1, (4, 16, 64)) * CLASSES).astype(np.uint8)
    shift = (texture(2, (4, 16, 64)) * (CLASSES - 1)).astype(np.uint8) + 1
    changed = texture(3, (2, 8, 32)) >= 1 - share
    after = np.where(changed, (before + shift) % CLASSES, before)
    rng = np.random.default_rng(4)
    for classes in (before, after):
        grain = rng.integers(-4, 5, (3, PERIOD, PERIOD))
        yield (classes * STEP + STEP // 2 + grain).astype(np.uint8)


def read_pair(paths):
    """Two pictures from files."""
    for path in paths:
        with rasterio.open(path) as dataset:
            yield dataset.read((1, 2, 3))


def write_scene(path, picture, side):
    """The picture repeated over side × side pixels, as a tiled and compressed GeoTIFF."""
    down, across = (length // BLOCK for length in picture.shape[1:])
    picture = picture[:, : down * BLOCK, : across * BLOCK]
    profile = {"driver": "GTiff", "count": 3, "dtype": "uint8", "photometric": "RGB"}
    profile |= {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "compress": "DEFLATE"}
    with rasterio.open(
        path, "w", height=down * BLOCK, width=across * BLOCK, **profile, **PLACE
    ) as dataset:
        dataset.write(picture)
    places = np.arange(-(-side // BLOCK))
    repeat_blocks(path, side, places[:, None] % down * across + places % across)


def repeat_blocks(path, side, blocks):
    """Make a TIFF larger without one block more.

    Args:
        path: A TIFF of whole blocks, as GDAL writes it here: classic, first byte lowest.
        side: That it is to have.
        blocks: Which of its blocks stands at each place, (rows, cols).
    """
    content = bytearray(path.read_bytes())
    (at,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, at)
    tags = {}
    for place in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind, number, value = struct.unpack_from("<HHII", content, place)
        tags[tag] = (kind, number, value)
    for tag in (OFFSETS, BYTES):
        kind, number, value = tags[tag]
        listed = np.frombuffer(bytes(content), f"<u{2 if kind == SHORT else 4}", number, value)
        tags[tag] = (LONG, blocks.size, len(content))
        content += listed[blocks].astype("<u4").tobytes()
    tags[WIDTH] = tags[HEIGHT] = (LONG, 1, side)
    struct.pack_into("<I", content, 4, len(content))
    content += struct.pack("<H", len(tags))
    content += b"".join(struct.pack("<HHII", tag, *tags[tag]) for tag in sorted(tags))
    path.write_bytes(content + bytes(4))


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


class ProcessorProfile(Profile):
    """Processor seconds by stage, and the peak of memory before, in and after the polygons.

    Of the thread that a stage runs in: several run side by side.
    """

    def __init__(self):
        super().__init__()
        self.peaks = []

    @contextmanager
    def timing(self, stage):
        if stage == "polygons":
            self.peaks.append(peak_bytes(forget=True))
        begun = time.thread_time()
        yield
        self.seconds[stage] += time.thread_time() - begun
        if stage == "polygons":
            self.peaks.append(peak_bytes(forget=True))


class Alike:
    """In place of `compute_layers`: supertiles whose chips hold the same pixels only once."""

    def __init__(self, folder, compute):
        self.folder, self.compute = folder, compute

    def __call__(self, pair, tile, predictor, *, land_cover, **kept):
        """Their layers, from a file after the first time: memory is what is measured."""
        path = self.folder / f"{abs(hash(self._pixels_of(tile)))}.npz"
        if not path.exists():
            kept["store"] = None  # holds chips of neighbors, which are not predicted any more
            layers = self.compute(pair, tile, predictor, land_cover=land_cover, **kept)
            np.savez_compressed(path, **layers)
        with np.load(path) as stored:
            return dict(stored)

    def _pixels_of(self, tile):
        """What tells the pixels of a supertile and around it: the same for those that are alike."""
        top, left = tile.core.row_off, tile.core.col_off
        windows = (tile.core, tile.reach, *tile.chips)
        around = [(w.row_off - top, w.col_off - left, w.height, w.width) for w in windows]
        return top % PERIOD, left % PERIOD, *around


def write(folder, side, options):
    """Draw the pair; not measured, but in a process of its own to leave no memory behind."""
    pictures = read_pair(options.pair) if options.pair else draw_pair(options.changed)
    for name, picture in zip(("before", "after"), pictures, strict=True):
        write_scene(folder / f"{name}.tif", picture, side)
    return {}


def predict(folder, side, options):
    """The whole prediction, as `scd predict` makes it."""
    from dataclasses import replace

    from scdcli.prediction.predictor import make_predictor
    from scdcli.prediction.settings import InferenceSettings, OutputSettings
    from scdcli.rasters.pair.open import open_pair
    from scdcli.rasters.pair.settings import DEFAULTS

    if options.model:
        predictor = make_predictor(options.model)
    else:
        predictor = make_predictor(stand_in(), InferenceSettings(engine="torch"))
    profile = ProcessorProfile()
    predictor = replace(predictor, profile=profile)
    settings = OutputSettings(land_cover=options.land_cover)
    if side >= options.alike_from:
        writing.compute_layers = Alike(folder, writing.compute_layers)
    begun = time.process_time(), time.perf_counter()
    reading = predictor.loaded.reads(DEFAULTS)
    with open_pair(folder / "before.tif", folder / "after.tif", reading) as pair:
        summary = writing.write_prediction(pair, predictor, folder / "out", settings)
    now = time.process_time()
    stages = dict(profile.seconds)
    if side >= options.alike_from:
        stages = {name: seconds for name, seconds in stages.items() if name not in BY_SUPERTILE}
    else:
        stages["all"] = now - begun[0]
    return {
        "stages": {name: seconds / (side * side / 1e6) for name, seconds in stages.items()},
        "seconds": now - begun[0],
        "wall": time.perf_counter() - begun[1],
        "peaks": [*profile.peaks, peak_bytes()],
        "changed": summary["changed"]["percent"],
    }


def report(folder, side, options):
    """The page again, as `scd report` makes it, and its polygons by themselves."""
    from scdcli.reporting import report as reporting

    tracing = {}

    def trace(prediction):
        begun = time.process_time()
        changes = traced(prediction)
        tracing.update(seconds=time.process_time() - begun, polygons=changes.count)
        tracing["peak"] = peak_bytes(forget=True)
        return changes

    traced, reporting.trace_changes = reporting.trace_changes, trace
    begun = time.process_time(), time.perf_counter()
    page, missing = reporting.rebuild_report(folder / "out")
    assert not missing, missing
    return {
        "seconds": time.process_time() - begun[0],
        "wall": time.perf_counter() - begun[1],
        "peak": peak_bytes(),
        "bytes": page.stat().st_size,
        "traced": tracing,
    }


def peak_bytes(*, forget=False):
    """The most memory this process has had resident at once, since it was last forgotten."""
    status = Path("/proc/self/status").read_text()
    peak = next(int(ln.split()[1]) for ln in status.splitlines() if ln.startswith("VmHWM")) * 1024
    if forget:
        Path("/proc/self/clear_refs").write_text("5")
    return peak


JOBS = {job.__name__: job for job in (write, predict, report)}


def in_own_process(job, folder, side):
    """What a job says of itself."""
    command = [sys.executable, __file__, *sys.argv[1:], "--child", job, "--folder", str(folder)]
    done = subprocess.run(
        [*command, "--sides", str(side)], stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout)


def measure(side, folder):
    """Measure one size and print it; returns what is compared between sizes."""
    in_own_process("write", folder, side)
    whole, page = (in_own_process(job, folder, side) for job in ("predict", "report"))
    polygons = page["traced"]
    size = sum(each.stat().st_size for each in (folder / "out").iterdir())
    pixels = side * side / 1e6
    stages = "".join(
        f"{whole['stages'][name]:>9.3f}" if name in whole["stages"] else f"{'-':>9}"
        for name in SHOWN
    )
    peaks = "".join(f"{peak / 1e6:>9.0f}" for peak in whole["peaks"])
    print(
        f"{side:>6}{stages}{whole['seconds']:>9.0f}{whole['wall']:>9.0f}{peaks}"
        f"{size / 1e6:>9.0f}{whole['changed']:>9.2f}{polygons['polygons']:>11,}"
        f"{pixels / polygons['seconds']:>9.1f}{polygons['peak'] / 1e6:>9.0f}"
        f"{page['seconds']:>9.1f}{page['wall']:>9.1f}{page['peak'] / 1e6:>9.0f}"
        f"{page['bytes'] / 1e6:>9.2f}",
        flush=True,
    )
    return whole["stages"] | {
        "polygons alone": polygons["seconds"] / pixels,
        "peak": max(whole["peaks"]),
        "peak of polygons alone": polygons["peak"],
        "peak of scd report": page["peak"],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sides = "2000,5000,10000,20000,30000"
    parser.add_argument("--sides", default=sides, help="pixels of a side, comma-separated")
    parser.add_argument("--alike-from", type=int, default=20_000, metavar="SIDE")
    parser.add_argument("--changed", type=float, default=0.02, help="share of a drawn scene")
    parser.add_argument("--model", help="name or file; a stand-in that costs nothing if not said")
    parser.add_argument("--pair", nargs=2, type=Path, help="images to repeat over the scene")
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder if not said")
    parser.add_argument("--land-cover", action="store_true", help="six rasters instead of four")
    parser.add_argument("--keep", action="store_true", help="do not remove the files")
    parser.add_argument("--child", choices=JOBS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.model or options.pair:
        options.alike_from = sys.maxsize
    if options.child:
        print(json.dumps(JOBS[options.child](options.folder, int(options.sides), options)))
        return
    print(
        f"{'':6}{'s/Mpx':>{9 * len(SHOWN)}}{'':18}{'peak, MB':>27}{'':29}{'polygons alone':>18}"
        f"{'scd report':>36}\n{'side':>6}{''.join(f'{name:>9}' for name in SHOWN)}{'s':>9}"
        f"{'wall s':>9}{'maps':>9}{'polygons':>9}{'page':>9}{'out, MB':>9}{'chan. %':>9}"
        f"{'polygons':>11}{'Mpx/s':>9}{'MB':>9}{'s':>9}{'wall s':>9}{'MB':>9}{'page, MB':>9}",
        flush=True,
    )
    found = []
    for side in map(int, options.sides.split(",")):
        folder = Path(tempfile.mkdtemp(prefix=f"scale-{side}-", dir=options.folder))
        try:
            found.append(measure(side, folder))
        finally:
            if not options.keep:
                shutil.rmtree(folder)
    for name, first in found[0].items():
        last = next(each[name] for each in reversed(found) if name in each)
        print(f"{name}: the last size takes {last / first:.2f} times the first")


if __name__ == "__main__":
    main()
