"""Whether windows chosen by a model teach it more than as many windows drawn at random.

Usage: OMP_NUM_THREADS=1 python benchmarks/labelling.py OUT [--seeds 5] [--windows 16]
[--region 1536] [--side 128] [--epochs 6] [--model urban] [--test-pairs 6]. For every seed a region
of the drawn world is mapped with the model, windows of it are chosen, the model is fine-tuned on
their true labels, and scored on pairs of other drawn places. OUT keeps what is done; the same call
goes on. Ways of choosing:

  random   every window as likely as any other
  unsure   the highest mean entropy of the change probability, 1 at the threshold of the model
  diverse  of four times as many of these, those that look least like each other (k-center)

Printed are means over the seeds, and of the difference from random on the same seed the mean and
its 95 % interval by Student's t.
"""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window, transform
from scipy.stats import t as student

SCORES = ("iou_changed", "miou", "sek_from_to")
POOL = 4  # times as many unsure windows as are wanted, of which the diverse ones are taken
EVERY = 1000  # seeds apart


def entropy(share, threshold):
    """Of a changed and an unchanged pixel by the probability of change, 1 at the threshold."""
    p = np.clip(share, 0.005, 0.995)
    odds = p / (1 - p) * (1 - threshold) / threshold
    q = odds / (1 + odds)
    return -(q * np.log2(q) + (1 - q) * np.log2(1 - q))


def candidates(region, side):
    """Windows on a lattice: corners, uncertainty, looks (means and spreads of bands, N x F)."""
    with rasterio.open(region / "map/probability.tif") as dataset:
        threshold = float(dataset.tags(ns="SCD")["THRESHOLD"])
        percent = dataset.read(1)
    dates = []
    for name in ("before", "after"):
        with rasterio.open(region / f"scene/{name}.tif") as dataset:
            dates.append(dataset.read().astype(np.float32))
    dates.append(dates[1] - dates[0])
    unsure = entropy(percent / 100, threshold)
    unsure[percent == 255] = 0
    corners = [
        (row, col)
        for row in range(0, percent.shape[0] - side + 1, side)
        for col in range(0, percent.shape[1] - side + 1, side)
    ]
    parts = [np.s_[row : row + side, col : col + side] for row, col in corners]
    looks = [
        [moment for image in dates for band in image for moment in moments(band[part])]
        for part in parts
    ]
    return corners, np.array([unsure[part].mean() for part in parts]), np.array(looks)


def moments(values):
    return float(values.mean()), float(values.std())


def k_center(looks, first, count):
    """Places of ``count`` rows, each the farthest from all before; the first is given."""
    scaled = (looks - looks.mean(axis=0)) / np.maximum(looks.std(axis=0), 1e-6)
    chosen = [first]
    near = np.linalg.norm(scaled - scaled[first], axis=1)
    while len(chosen) < count:
        chosen.append(int(near.argmax()))
        near = np.minimum(near, np.linalg.norm(scaled - scaled[chosen[-1]], axis=1))
    return chosen


def choose(way, unsure, looks, count, seed):
    if way == "random":
        return np.random.default_rng(seed).choice(len(unsure), count, replace=False)
    ranked = np.argsort(-unsure, kind="stable")
    if way == "unsure":
        return ranked[:count]
    pool = ranked[: POOL * count]
    return pool[k_center(looks[pool], 0, count)]


WAYS = ("random", "unsure", "diverse")


def scd(*words):
    from scdcli.cli import main as command

    command([*map(str, words), "--quiet"], standalone_mode=False)


def cut(region, corners, side, out):
    """The windows as scenes of a labelled set, with the truth as labels."""
    for row, col in corners:
        for name in ("before.tif", "after.tif", "truth/from.tif", "truth/to.tif"):
            path = out / f"train/{row}-{col}" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with rasterio.open(region / "scene" / name) as dataset:
                window = Window(col, row, side, side)
                profile = dataset.profile | {
                    "width": side,
                    "height": side,
                    "transform": transform(window, dataset.transform),
                }
                with rasterio.open(path, "w", **profile) as target:
                    target.write(dataset.read(window=window))
                    target.update_tags(ns="SCD", **dataset.tags(ns="SCD"))


def region_of(given, seed):
    """A drawn region, and its map by the model."""
    region = given.out / f"region-{seed}"
    if not (region / "map").exists():
        scd("simulate", region / "scene", "--size", given.region, "--seed", seed, "--overwrite")
        dates = [region / f"scene/{name}.tif" for name in ("before", "after")]
        scd("predict", *dates, "--model", given.model, "--no-report", "-o", region / "map")
    return region


def measure(given, number, way):
    """Scores of the model fine-tuned on the windows that one way chooses."""
    kept = given.out / f"{way}-{number}.json"
    if kept.exists():
        return json.loads(kept.read_text())
    region = region_of(given, EVERY * (number + 1))
    corners, unsure, looks = candidates(region, given.side)
    chosen = choose(way, unsure, looks, given.windows, number)
    folder = given.out / f"{way}-{number}"
    shutil.rmtree(folder, ignore_errors=True)
    cut(region, [corners[place] for place in chosen], given.side, folder / "set")
    options = "--freeze encoder --chip 128 --optimizer adamw --lr 0.002 --scale 0.8 1.25"
    scd(
        *("train", folder / "set", "--init", given.model, "--legend", "urban"),
        *(*options.split(), "--class-weights", "sqrt", "--no-calibrate", "--val-share", 0),
        *("--epochs", given.epochs, "--seed", number, "-o", folder / "run"),
        *("--chips-per-epoch", 2 * given.windows * (given.side // 128) ** 2),
    )
    found = scores_of(given, folder / "run/best.safetensors")
    found["changed share"] = changed_share(folder / "set")
    kept.write_text(json.dumps(found))
    return found


def changed_share(folder):
    maps = []
    for path in folder.glob("train/*/truth/to.tif"):
        with rasterio.open(path) as dataset:
            maps.append(dataset.read(1))
    return float(np.isin(np.stack(maps), (0, 255), invert=True).mean())


def scores_of(given, model):
    import scdcli

    (run,) = scdcli.evaluate(
        given.out / "places", models=[model], inference=scdcli.InferenceSettings(chip=512)
    )
    return {name: float(run.headline()[name]) for name in SCORES}


def interval(differences):
    """Mean of paired differences, and half of its 95 % interval."""
    values = np.array(differences)
    error = values.std(ddof=1) / len(values) ** 0.5
    return values.mean(), student.ppf(0.975, len(values) - 1) * error


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--windows", type=int, default=16)
    parser.add_argument("--region", type=int, default=1536, help="pixels a side")
    parser.add_argument("--side", type=int, default=128, help="of a window, pixels")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--model", default="urban")
    parser.add_argument(
        "--ways", default=",".join(WAYS), help="random, and others of " + ", ".join(WAYS[1:])
    )
    parser.add_argument("--test-pairs", type=int, default=6)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if not (given.out / "places").exists():
        places = given.out / "places"
        pairs = ("--pairs", given.test_pairs, "--size", 512, "--split", "test")
        scd("simulate", places, "--legend", "urban", *pairs)
    print("as it comes:", scores_of(given, given.model), flush=True)
    ways, found = given.ways.split(","), {}
    for number in range(given.seeds):
        for way in ways:
            found[way, number] = measure(given, number, way)
            print(number, way, found[way, number], flush=True)
    for name in (*SCORES, "changed share"):
        for way in ways:
            values = [found[way, number][name] for number in range(given.seeds)]
            differences = [
                found[way, number][name] - found["random", number][name]
                for number in range(given.seeds)
            ]
            more, half = interval(differences)
            print(f"{name:14} {way:8} {100 * np.mean(values):6.2f}", end="")
            print("" if way == "random" else f"  {100 * more:+6.2f} ± {100 * half:.2f}")


if __name__ == "__main__":
    main()
