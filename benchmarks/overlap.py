"""What the overlap and the size of chips cost in time, and what they bring in quality and seams.

Usage: OMP_NUM_THREADS=1 python benchmarks/overlap.py SET [--side 4] [--first 0]
[--chips 512,768,1024] [--overlaps 0,32,64,96,128] [--model urban]. SET has the folders im1, im2,
label1 and label2, as `scd simulate` makes them. Its pictures become one pair of `side` by `side`,
cut so that only the last chips begin at their borders. Rows are compared to the first, processor
time to that of the last: the first has all of the pair as one chip, without any seam.

  per pixel  how often a pixel is computed
  time       of the network and all around it, against that of the last row
  SeK        where the labels are of the model's classes
  differ     % of the pixels that are changed in one map and not in that of one chip
  off        mean distance of the change probability from that of one chip, percent
  seam       step of the probability across borders of chips against that elsewhere: 1 is no seam
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from scdcli.datasets.classmap import read_label
from scdcli.legend import UNCHANGED
from scdcli.prediction.chain import read_windows
from scdcli.prediction.predictor import make_predictor
from scdcli.prediction.settings import InferenceSettings
from scdcli.prediction.tiling import Tiling, lattice
from scdcli.rasters.pair.arrays import pair_of_arrays
from scdcli.rasters.pair.settings import DEFAULTS
from scdcli.scoring.counting import count_joint
from scdcli.scoring.metrics import known, scores

CUT = 200  # pixels from above and left


def read_picture(path):
    """A picture, (3, H, W) uint8."""
    import rasterio

    with rasterio.open(path) as picture:
        return picture.read((1, 2, 3))


def mosaic(folder, part, side, first, read):
    """``side`` by ``side`` pictures or labels from the ``first`` on in one, cut."""
    files = sorted((folder / part).iterdir())[first : first + side * side]
    rows = [
        np.concatenate([read(path) for path in files[row * side : (row + 1) * side]], axis=-1)
        for row in range(side)
    ]
    return np.concatenate(rows, axis=-2)[..., CUT:, CUT:]


def predicted(pair, predictor):
    """Change probability and both class maps of a pair, and the processor time it took."""
    change = np.empty(pair.grid.shape, np.float32)
    maps = np.empty((2, *pair.grid.shape), np.uint8)
    begun = time.process_time()
    for window, reading, _ in read_windows(pair, predictor):
        change[window.toslices()] = reading.change
        decoded = reading.at(predictor.threshold)
        maps[(slice(None), *window.toslices())] = decoded.from_class, decoded.to_class
    return change, maps, time.process_time() - begun


def seam(change, tiling):
    """Mean step across borders of chips, against that of all rows and columns."""
    ratios = []
    for axis in (0, 1):
        steps = np.abs(np.diff(change, axis=axis)).mean(axis=1 - axis)
        starts = lattice(change.shape[axis], tiling)
        borders = set(starts) | {start + tiling.chip for start in starts}
        at = [border - 1 for border in borders if 0 < border < change.shape[axis]]
        ratios += (steps[at] / steps.mean()).tolist()
    return float(np.mean(ratios)) if ratios else 1.0


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("set", type=Path)
    parser.add_argument("--side", type=int, default=4)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--chips", default="512,768,1024")
    parser.add_argument("--overlaps", default="0,32,64,96,128")
    parser.add_argument("--model", default="urban")
    given = parser.parse_args()
    pictures = given.side, given.first
    before, after = (mosaic(given.set, part, *pictures, read_picture) for part in ("im1", "im2"))
    truth = [mosaic(given.set, part, *pictures, read_label) for part in ("label1", "label2")]
    base = make_predictor(given.model, InferenceSettings(device="cpu"))
    labelled = max(label[label < 255].max() for label in truth) <= base.classes
    pair = pair_of_arrays(before, after, base.loaded.reads(DEFAULTS))
    height, width = pair.grid.shape
    whole = -(-max(height, width) // 32) * 32
    chips, overlaps = ([int(n) for n in each.split(",")] for each in (given.chips, given.overlaps))
    runs = [(whole, 0), *((chip, overlap) for chip in chips for overlap in overlaps)]
    runs = [*(run for run in runs if run != (512, 128)), (512, 128)]
    print(f"{width} x {height} pixels of {given.set.name}, {given.model}")
    rows = []
    for chip, overlap in runs:
        predictor = replace(base, tiling=Tiling(chip, overlap, base.tiling.supertile))
        change, maps, seconds = predicted(pair, predictor)
        if not rows:
            alone = change, maps[0] != UNCHANGED
        count = len(lattice(height, predictor.tiling)) * len(lattice(width, predictor.tiling))
        sek = np.nan
        if labelled:
            sek = known(scores(count_joint((*truth, *maps)), base.classes).from_to.sek)
        rows.append((chip, overlap, count * chip**2 / (height * width), seconds))
        differ = 100 * ((maps[0] != UNCHANGED) != alone[1]).mean()
        off = 100 * np.abs(change - alone[0]).mean()
        print(
            f"chip {chip:5d}  overlap {overlap:4d}  per pixel {rows[-1][2]:5.2f}  "
            f"{seconds:7.1f} s  SeK {100 * sek:6.2f}  "
            f"differ {differ:5.2f}  off {off:5.2f}  seam {seam(change, predictor.tiling):5.2f}",
            flush=True,
        )
    print("time against the last:", [(c, o, round(s / rows[-1][3], 2)) for c, o, _, s in rows])


if __name__ == "__main__":
    main()
