"""Make the labelled sets that a bundled model is trained, validated and tested on.

Usage: python examples/make_bundled_sets.py DATA OUT [--legend urban|second] [--pairs N] [--seed S]

DATA holds single-date labelled images: `dubai/tile*/{images,masks}`, `monterey/{images,labels}`,
`banepa/{images,masks}`, and real pairs without change: `wv_naip/*-{old,new}.tif`. OUT gets

    sources/{train,val,test}   links to the images of each split; whole tiles, never parts of one
    composed/{train,val,test}  pairs that scd simulate composes from them
    mild/train                 more of them, whose dates differ half as much in what is no change
    world/train                pairs of the drawn world in the same classes
    real/train                 the first half of the real pairs, labelled as unchanged
    keys/                      what the labels of the sources mean, where scd has no name for it

The test pairs are composed once with other settings than the training pairs: less change, more
pairs without any. All that is made is done with commands of scd, which are printed.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

import numpy as np

from scdcli.datasets.indexpng import write_index_png
from scdcli.legend import LEGENDS, Legend
from scdcli.rasters.scene import open_scene
from scdcli.simulation.pairset import write_colors

# Tiles 1 and 3 show the same ground in part: they stay together.
DUBAI = {"train": (4, 5, 6, 7), "val": (1, 3), "test": (8,)}
# The strip of coast runs along y (pixels, in the names of the files).
MONTEREY = {"train": (0, 38_000), "val": (38_000, 43_000), "test": (43_000, 10**9)}
BANEPA = "train"
REAL = range(4)  # of eight; the others are measured only

# What the sources say in the classes of SECOND. Their vegetation is lawns and trees in one, so it
# is none of its classes; trees and playgrounds are known of the drawn world alone.
KEYS = {
    "urban": {},
    "second": {
        "dubai": """\
pixel_size = 0.8
unknown = ["#9B9B9B", "#000000", "#FEDD3A"]

[classes]
water = "#E2A929"
"n.v.g. surface" = ["#8429F6", "#6EC1E4"]
building = "#3C1098"
""",
        "monterey": """\
pixel_size = 0.36
unknown = [5, 7, 11]
nodata = [0]

[classes]
water = 1
"n.v.g. surface" = [4, 8, 10]
"low vegetation" = [2, 3, 6, 9]
""",
    },
}

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
    parser.add_argument("--legend", choices=KEYS, default="urban")
    parser.add_argument("--pairs", type=int, default=2400, help="training pairs")
    parser.add_argument("--mild-pairs", type=int, default=1200)
    parser.add_argument("--val-pairs", type=int, default=24)
    parser.add_argument("--test-pairs", type=int, default=120)
    parser.add_argument("--world-pairs", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--splits", default="train,val,test")
    given = parser.parse_args()
    classes = ["--legend", given.legend]
    numbers = {"train": given.pairs, "val": given.val_pairs, "test": given.test_pairs}
    for split in given.splits.split(","):
        sources = link(given.data, given.out, split, given.legend)
        common = [*classes, *sources, *SETTINGS[split].split()]
        common += ["--split", split, "--workers", given.workers]
        if not (given.out / "composed" / split).exists():
            options = ["--pairs", numbers[split], "--seed", given.seed]
            scd("simulate", given.out / "composed", *common, *options)
        if split == "train" and given.mild_pairs and not (given.out / "mild").exists():
            options = ["--pairs", given.mild_pairs, "--seed", given.seed + 2, "--strength", 0.5]
            scd("simulate", given.out / "mild", *common, *options)
    if not (given.out / "world").exists():
        drawn = ["--pairs", given.world_pairs, "--size", 320, "--seed", given.seed + 1]
        workers = ["--workers", given.workers]
        scd("simulate", given.out / "world", *classes, *drawn, *workers)
    if not (given.out / "real").exists():
        write_real(given.data / "wv_naip", given.out / "real" / "train", LEGENDS[given.legend])


def link(data: Path, out: Path, split: str, legend: str) -> list[object]:
    """Folders of a split, made of links; the options of scd simulate that name them."""
    options: list[object] = []
    for tile in DUBAI[split]:
        options += ["--from-labels", data / "dubai" / f"tile{tile}"]
        options += ["--source", key("dubai", out, legend)]
    low, high = MONTEREY[split]
    for kind in ("images", "labels"):
        folder = out / "sources" / split / "monterey" / kind
        folder.mkdir(parents=True, exist_ok=True)
        for file in sorted((data / "monterey" / kind).iterdir()):
            numbers = re.findall(r"\d+", file.stem)
            if low <= int(numbers[1]) < high and not (folder / file.name).exists():
                (folder / file.name).symlink_to(file.resolve())
    options += ["--from-labels", out / "sources" / split / "monterey"]
    options += ["--source", key("monterey", out, legend)]
    if split == BANEPA:
        options += ["--from-labels", data / "banepa", "--source", "banepa"]
    return options


def key(source: str, out: Path, legend: str) -> str | Path:
    """What says the meaning of a source's labels: its name, or a file that is written."""
    text = KEYS[legend].get(source)
    if text is None:
        return source
    path = out / "keys" / f"{source}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def write_real(pairs: Path, out: Path, legend: Legend) -> None:
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
            write_index_png(out / f"label{name}" / f"{number}.png", nothing, legend)


def scd(*arguments: object) -> None:
    """Run a command of scd."""
    command = [str(argument) for argument in arguments]
    print("scd", *command, flush=True)
    subprocess.run([sys.executable, "-m", "scdcli", *command], check=True)


if __name__ == "__main__":
    main()
