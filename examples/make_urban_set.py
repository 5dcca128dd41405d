"""Make the labelled sets that the bundled model `urban` is trained, validated and tested on.

Usage: python examples/make_urban_set.py DATA OUT [--pairs N] [--seed S] [--workers N]

DATA holds single-date labelled images: `dubai/tile*/{images,masks}`, `monterey/{images,labels}`,
`banepa/{images,masks}`, and real pairs without change: `wv_naip/*-{old,new}.tif`. OUT gets

    sources/{train,val,test}   links to the images of each split; whole tiles, never parts of one
    composed/{train,val,test}  pairs that scd simulate composes from them
    world/train                pairs of the drawn world in the same classes
    real/train                 the first half of the real pairs, labelled as unchanged

The test pairs are composed once with other settings than the training pairs: less change, more
pairs without any. All that is made is done with commands of scd, which are printed.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

import numpy as np

from scdcli.labelled.indexpng import write_index_png
from scdcli.legend import URBAN
from scdcli.pairset import write_colors
from scdcli.rasters.scene import open_scene

# Tiles 1 and 3 show the same ground in part: they stay together.
DUBAI = {"train": (4, 5, 6, 7), "val": (1, 3), "test": (8,)}
# The strip of coast runs along y (pixels, in the names of the files).
MONTEREY = {"train": (0, 38_000), "val": (38_000, 43_000), "test": (43_000, 10**9)}
BANEPA = "train"
REAL = range(4)  # of eight; the others are measured only

SETTINGS = {
    "train": "--size 320 --pixel-size 0.5 1.4",
    "val": "--size 512 --pixel-size 0.6 1.2",
    "test": "--size 512 --pixel-size 0.6 1.2 --change 0.12 --unchanged 0.3 --strength 0.9",
}


def main() -> None:
    """Link, compose, convert."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pairs", type=int, default=2000, help="training pairs")
    parser.add_argument("--val-pairs", type=int, default=60)
    parser.add_argument("--test-pairs", type=int, default=120)
    parser.add_argument("--world-pairs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--splits", default="train,val,test")
    given = parser.parse_args()
    numbers = {"train": given.pairs, "val": given.val_pairs, "test": given.test_pairs}
    for split in given.splits.split(","):
        sources = link(given.data, given.out / "sources" / split, split)
        options = ["--pairs", numbers[split], *SETTINGS[split].split(), "--seed", given.seed]
        options += ["--split", split, "--workers", given.workers]
        if not (given.out / "composed" / split).exists():
            scd("simulate", given.out / "composed", "--legend", "urban", *sources, *options)
    if not (given.out / "world").exists():
        drawn = ["--pairs", given.world_pairs, "--size", 320, "--seed", given.seed + 1]
        workers = ["--workers", given.workers]
        scd("simulate", given.out / "world", "--legend", "urban", *drawn, *workers)
    if not (given.out / "real").exists():
        write_real(given.data / "wv_naip", given.out / "real" / "train")


def link(data: Path, out: Path, split: str) -> list[object]:
    """Folders of a split, made of links; the options of scd simulate that name them."""
    options: list[object] = []
    for tile in DUBAI[split]:
        options += ["--from-labels", data / "dubai" / f"tile{tile}", "--source", "dubai"]
    low, high = MONTEREY[split]
    for kind in ("images", "labels"):
        folder = out / "monterey" / kind
        folder.mkdir(parents=True, exist_ok=True)
        for file in sorted((data / "monterey" / kind).iterdir()):
            numbers = re.findall(r"\d+", file.stem)
            if low <= int(numbers[1]) < high and not (folder / file.name).exists():
                (folder / file.name).symlink_to(file.resolve())
    options += ["--from-labels", out / "monterey", "--source", "monterey"]
    if split == BANEPA:
        options += ["--from-labels", data / "banepa", "--source", "banepa"]
    return options


def write_real(pairs: Path, out: Path) -> None:
    """Real pairs in which nothing changed, as a labelled set; band 4 is near infrared."""
    for name in ("im1", "im2", "label1", "label2"):
        (out / name).mkdir(parents=True)
    olds = sorted(pairs.glob("*-old.tif"))
    for number in REAL:
        for name, suffix in (("1", "old"), ("2", "new")):
            file = olds[number].with_name(olds[number].name.replace("-old", f"-{suffix}"))
            with open_scene(file) as dataset:
                image = dataset.read([1, 2, 3])
            write_colors(out / f"im{name}" / f"{number}.png", image)
            nothing = np.zeros(image.shape[1:], dtype=np.uint8)
            write_index_png(out / f"label{name}" / f"{number}.png", nothing, URBAN)


def scd(*arguments: object) -> None:
    """Run a command of scd."""
    command = [str(argument) for argument in arguments]
    print("scd", *command, flush=True)
    subprocess.run([sys.executable, "-m", "scdcli", *command], check=True)


if __name__ == "__main__":
    main()
