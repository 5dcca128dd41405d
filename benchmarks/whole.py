"""The whole of `scd predict`, compared to the passes of the network alone.

Usage: OMP_NUM_THREADS=1 python benchmarks/whole.py BEFORE AFTER [--rounds 3] [--warped]
       scd simulate scene --size 4544 draws a pair of 100 chips.
Half of the passes that the pair takes, all of them within the command, the other half, and so on:
what else the machine does falls on both alike. The passes are those of the engine that the command
picks, on chips of random pixels, without anything around them; the command is a process of its own,
from its start to its end. Printed are wall-clock and processor seconds and their ratios, by round
and as medians. Beside the processor seconds of the whole command stand those of its path: of all
threads until the first chip, of the network's from there on, and of all after the last chip. That
is what the command takes where every thread has a core for itself, also on a machine that has none
to spare. --warped gives AFTER half a pixel off, so that it is warped as it is read.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import rasterio
import torch
from affine import Affine

from scdcli.prediction.predictor import make_predictor
from scdcli.prediction.tiling import lattice, side


def pair_of_chips(predictor, shape):
    """How many chips a scene takes, and two of their size, (1, 3, height, width)."""
    tiling = predictor.tiling
    count = len(lattice(shape[0], tiling)) * len(lattice(shape[1], tiling))
    chip = [side(length, tiling) for length in shape]
    return count, *(torch.rand(2, 1, 3, *chip) * 255)


@torch.inference_mode()
def passes(predictor, count, before, after):
    """Wall-clock and processor seconds of passes."""
    wall, processor = time.perf_counter(), time.process_time()
    for _ in range(count):
        predictor.engine.forward(before, after)
    processor = time.process_time() - processor
    return time.perf_counter() - wall, processor, processor


def command(*arguments):
    """Wall-clock and processor seconds of `scd predict` with these arguments, and of its path."""
    with tempfile.TemporaryDirectory() as folder:
        call = [sys.executable, __file__, "--child", folder, *arguments]
        before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(call, check=True, stdout=subprocess.DEVNULL)
        wall, after = time.perf_counter() - wall, resource.getrusage(resource.RUSAGE_CHILDREN)
        path = json.loads(Path(folder, "path.json").read_text())
    print("path: {:.2f} to the first chip, {:.2f}, {:.2f} after the last".format(*path))
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, sum(path)


def predict(before, after, folder):
    """The command in this process; leaves the processor seconds of its path in a file."""
    from scdcli.cli import main as scd
    from scdcli.prediction import chain

    marks = []
    attempt = chain._attempt

    def marking(*given):
        marks.append((time.process_time(), time.thread_time()))
        found = attempt(*given)
        marks.append((time.process_time(), time.thread_time()))
        return found

    chain._attempt = marking
    scd(["predict", before, after, "-q", "-o", f"{folder}/out"], standalone_mode=False)
    (begun, own), (done, last) = marks[0], marks[-1]
    path = begun, last - own, time.process_time() - done
    Path(folder, "path.json").write_text(json.dumps(path))


def move(path, folder):
    """A copy of an image that lies half a pixel off."""
    copy = Path(folder, "moved.tif")
    copy.write_bytes(Path(path).read_bytes())
    with rasterio.open(copy, "r+") as dataset:
        dataset.transform = dataset.transform @ Affine.translation(0.5, 0.5)
    return copy


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--warped", action="store_true", help="AFTER half a pixel off")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        predict(str(options.before), str(options.after), options.child)
        return
    predictor = make_predictor()
    with rasterio.open(options.before) as dataset:
        count, *chips = pair_of_chips(predictor, dataset.shape)
    threads = torch.get_num_threads()
    print(f"{count} chips, {predictor.where}, {threads} threads, {os.cpu_count()} processors")
    with tempfile.TemporaryDirectory() as folder:
        images = [options.before, options.after]
        if options.warped:
            images[1] = move(images[1], folder)
        passes(predictor, 1, *chips)
        ratios = []
        for _ in range(options.rounds):
            first = passes(predictor, count - count // 2, *chips)
            whole = command(*map(str, images))
            second = passes(predictor, count // 2, *chips)
            bare = [sum(each) for each in zip(first, second, strict=True)]
            ratios.append([all_of_it / alone for all_of_it, alone in zip(whole, bare, strict=True)])
            show("passes", bare)
            show("command", whole)
            show("ratio", ratios[-1])
    show("median", [statistics.median(each) for each in zip(*ratios, strict=True)])


def show(name, values):
    wall, processor, path = values
    print(f"{name:<8}{wall:8.2f} wall{processor:8.2f} processor{path:8.2f} path", flush=True)


if __name__ == "__main__":
    main()
