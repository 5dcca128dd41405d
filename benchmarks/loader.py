"""Augmented training pairs per second on one core, and their cost against a plain PNG decode.

Usage: OMP_NUM_THREADS=1 python benchmarks/loader.py [FOLDER] [--pairs 40] [--profile]
FOLDER holds im1, im2, label1, label2, cover1 and cover2, as `scd simulate OUT --pairs 40` writes
them into OUT/train; without it such a set is drawn first. Processor time
counts, so that other work on the machine disturbs little.
"""

import argparse
import cProfile
import pstats
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import rasterio
import torch
from rasterio.errors import NotGeoreferencedWarning

from scdcli.datasets.augment import Augmentation
from scdcli.datasets.chips import Chips
from scdcli.datasets.layouts import list_samples
from scdcli.legend import SECOND
from scdcli.simulation.drawn import World
from scdcli.simulation.pairset import write_set

# Name: what is augmented, and whether the land cover of every pixel is read too.
PROTOCOLS = {
    "the paper's": (Augmentation(), False),
    "with dates swapped": (Augmentation(swap_dates=True), False),
    "with cover": (Augmentation(), True),
    "with jitter 0.5": (Augmentation(jitter=0.5), False),
    "with cover and jitter": (Augmentation(jitter=0.5), True),
}


def decode(samples, *, cover):
    """The same files, read as they are with rasterio and nothing else."""
    for sample in samples:
        paths = [sample.before, sample.after, sample.from_label, sample.to_label]
        paths += [sample.from_cover, sample.to_cover] if cover else []
        for path in paths:
            with rasterio.open(path, driver="PNG") as dataset:
                dataset.read()


def load(samples, augmentation, *, cover):
    chips = Chips(samples, SECOND, bands=3, cover=cover, augmentation=augmentation)
    for index in range(len(chips)):
        sample = chips[index]
        assert isinstance(sample, dict), sample


def pairs_per_second(count, task, repeats):
    task()  # the files are in the system's cache from here on
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        task()
        seconds.append(time.process_time() - start)
    return count / np.median(seconds)


def profiled(samples):
    with cProfile.Profile() as profile:
        load(samples, *PROTOCOLS["with cover and jitter"][:1], cover=True)
    pstats.Stats(profile).sort_stats("tottime").print_stats(18)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, help="a split folder; drawn without it")
    parser.add_argument("--pairs", type=int, default=40, help="pairs to read")
    parser.add_argument("--repeats", type=int, default=3, help="runs; the median counts")
    parser.add_argument("--profile", action="store_true", help="say where the time goes")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    with tempfile.TemporaryDirectory() as drawn:
        folder = options.folder
        if folder is None:
            folder = Path(drawn) / "train"
            write_set(Path(drawn), World(512), options.pairs)
        samples = list_samples(folder).samples[: options.pairs]
        print(f"{'protocol':<24}{'decode':>8}{'loader':>8}  pairs/s {'ratio of times':>16}")
        for name, (augmentation, cover) in PROTOCOLS.items():
            plain = pairs_per_second(
                len(samples), lambda c=cover: decode(samples, cover=c), options.repeats
            )
            ours = pairs_per_second(
                len(samples),
                lambda a=augmentation, c=cover: load(samples, a, cover=c),
                options.repeats,
            )
            print(f"{name:<24}{plain:8.1f}{ours:8.1f} {plain / ours:22.1f}x")
        if options.profile:
            profiled(samples)


if __name__ == "__main__":
    main()
