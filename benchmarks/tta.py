"""What test-time augmentation costs and brings: none, flip, ms, ms+flip, adaptive.

Usage: OMP_NUM_THREADS=1 python benchmarks/tta.py SET [--pairs 20] [--first 0] [--model urban]
[--engine auto] [--keep FILE]. SET has the folders im1, im2, label1 and label2, as `scd simulate`
makes them, and pairs of one chip. All views of a pair are computed once, and timed scale by scale;
a prediction takes the time of its views, in seconds of processor time. With FILE, what is counted
of each pair is kept, and pairs that are in it are not computed again.

  again    chips that were looked at in more views than the plain one
  SeK      from-to, in brackets the middle 95 % of its difference from that of ms+flip when pairs
           are drawn anew
  changed  IoU of changed pixels
  s        a pair, and against none
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import rasterio
import torch

from scdcli.datasets.classmap import read_label
from scdcli.legend import UNCHANGED
from scdcli.prediction.cleaning import clean
from scdcli.prediction.decode import read
from scdcli.prediction.doubt import is_doubtful
from scdcli.prediction.predictor import make_predictor
from scdcli.prediction.settings import InferenceSettings
from scdcli.prediction.tta import ADAPTIVE, PLAIN, TTA, View
from scdcli.prediction.views import sum_views
from scdcli.scoring.counting import JointCounts, count_joint
from scdcli.scoring.metrics import scores

FULL = "ms+flip"
RESAMPLES = 1000


def read_date(path):
    """A picture as a batch of one, (1, 3, H, W) float32."""
    with rasterio.open(path) as picture:
        return torch.from_numpy(picture.read((1, 2, 3)).astype(np.float32))[None]


def looked(predictor, before, after):
    """Probabilities of each name in `TTA`, (P, H, W), and its seconds; and whether in doubt."""
    parts, seconds = {}, {}
    for group in (
        (PLAIN,),
        *((view,) for view in TTA["ms"] if view != PLAIN),
        *(
            tuple(View(scale, view.axes) for view in TTA["flip"] if view.axes)
            for scale in sorted({view.scale for view in TTA["ms"]})
        ),
    ):
        begun = time.process_time()
        found = sum_views(predictor.engine.forward, before, after, group, 1, fill=True)
        seconds[group], parts[group] = time.process_time() - begun, found[0].numpy()
    begun = time.process_time()
    reading = read(
        parts[PLAIN,], predictor.output, predictor.classes, temperature=predictor.temperature
    )
    again = is_doubtful(reading.change.ravel(), predictor.threshold)
    deciding = time.process_time() - begun
    means, times = {}, {}
    for name, views in TTA.items():
        chosen = [group for group in parts if set(group) <= set(views)]
        if name == ADAPTIVE and not again:
            chosen = [(PLAIN,)]
        means[name] = sum(parts[group] for group in chosen) / sum(map(len, chosen))
        times[name] = sum(seconds[group] for group in chosen) + deciding * (name == ADAPTIVE)
    return means, times, again


def mapped(predictor, probabilities):
    """From and to class, as they are written."""
    replaceable = predictor.loaded.header.legend.replaceable_indices()
    options = {"output": predictor.output, "classes": predictor.classes, "replaceable": replaceable}
    reading = read(
        probabilities,
        predictor.output,
        predictor.classes,
        temperature=predictor.temperature,
        replaceable=replaceable,
    )
    valid = np.ones(reading.change.shape, bool)
    unit = predictor.unit.pixels(None)
    cleaned = clean(probabilities, reading, valid, predictor.threshold, unit, **options)
    return cleaned.from_class, cleaned.to_class


def count_pair(predictor, folder, name):
    """What is kept of a pair, JSON-ready."""
    before, after = (read_date(folder / part / name) for part in ("im1", "im2"))
    truth = [read_label(folder / part / name) for part in ("label1", "label2")]
    with torch.inference_mode():
        means, times, again = looked(predictor, before, after)
    counted = {"again": again, "changed": bool((truth[0] != UNCHANGED).any()), "seconds": times}
    for tta, probabilities in means.items():
        joint = count_joint((*truth, *mapped(predictor, probabilities)))
        counted[tta] = {"codes": joint.codes.tolist(), "pixels": joint.pixels.tolist()}
    return counted


def joint_of(counted, tta):
    """The counts of a pair as they are scored."""
    kept = counted[tta]
    return JointCounts(np.array(kept["codes"], np.uint32), np.array(kept["pixels"], np.int64))


def sek_and_iou(joints, classes):
    """Both scores of a set in percent; NaN where there is none."""
    found = scores(sum(joints[1:], joints[0]), classes).from_to
    values = (found.sek, found.iou_changed)
    return [100 * value if isinstance(value, float) else np.nan for value in values]


def intervals(joints, classes, against):
    """The middle 95 % of the difference of SeK from that of another, by name."""
    random = np.random.default_rng(0)
    count, differences = len(joints[against]), {name: [] for name in joints}
    for _ in range(RESAMPLES):
        drawn = random.integers(0, count, count)
        sek = {
            name: sek_and_iou([each[n] for n in drawn], classes)[0] for name, each in joints.items()
        }
        for name in joints:
            differences[name].append(sek[name] - sek[against])
    return {name: np.nanpercentile(each, (2.5, 97.5)) for name, each in differences.items()}


def show(rows, classes):
    """Print the table of all pairs, and what it would be where a fifth of the chips changed."""
    joints = {name: [joint_of(row, name) for row in rows] for name in TTA}
    seconds = {name: np.mean([row["seconds"][name] for row in rows]) for name in TTA}
    spread = intervals(joints, classes, FULL)
    for name in TTA:
        sek, iou = sek_and_iou(joints[name], classes)
        again = {"none": 0, ADAPTIVE: sum(row["again"] for row in rows)}.get(name, len(rows))
        low, high = spread[name]
        print(
            f"{name:9s} again {again:3d} of {len(rows)}  SeK {sek:5.2f} ({low:+.2f} to {high:+.2f})"
            f"  changed {iou:5.2f}  {seconds[name]:6.2f} s  {seconds[name] / seconds['none']:5.2f}"
        )
    pair = {name: joints[name] for name in ("none", ADAPTIVE)}
    low, high = intervals(pair, classes, "none")[ADAPTIVE]
    print(f"SeK of adaptive against none: {low:+.2f} to {high:+.2f}")
    shares = [
        np.mean([row["again"] for row in rows if row["changed"] == changed] or [np.nan])
        for changed in (True, False)
    ]
    print("looked at again: {:.0%} of changed pairs, {:.0%} of others".format(*shares))
    doubtful = 0.2 * shares[0] + 0.8 * shares[1]
    taken = seconds["none"] + doubtful * (seconds[FULL] - seconds["none"])
    print(f"times faster than {FULL} where a fifth changed: {seconds[FULL] / taken:.1f}")


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("set", type=Path)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--model", default="urban")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    predictor = make_predictor(given.model, InferenceSettings(device="cpu", engine=given.engine))
    kept = {}
    if given.keep and given.keep.exists():
        kept = dict(json.loads(line) for line in given.keep.read_text().splitlines())
    files = sorted((given.set / "im1").iterdir())[given.first : given.first + given.pairs]
    for path in files:
        if path.name not in kept:
            kept[path.name] = count_pair(predictor, given.set, path.name)
            if given.keep:
                with given.keep.open("a") as stream:
                    stream.write(json.dumps([path.name, kept[path.name]]) + "\n")
    show([kept[path.name] for path in files], predictor.classes)


if __name__ == "__main__":
    main()
