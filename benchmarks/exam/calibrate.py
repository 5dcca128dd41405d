"""Fit temperature and threshold of a model to the validation city of the exam.

Usage: python benchmarks/exam/calibrate.py CALIFORNIA_DIR MODEL OUT.safetensors

The temperature is that of the least mean cross-entropy over the judged pixels; the threshold then
the lowest multiple of 0.05 at which their IoU of change is within `CLOSE` of its best: a change
that is not found is lost, one too many can be looked at. OUT carries the record: the expected
calibration error (ten bins of equal width) before and after, and the scores of both cities.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from exam import load_exam, read_prediction, score, summary

from scdcli.models.checkpoint import calibrate_model, load_model

CLOSE = 0.02
THRESHOLDS = np.arange(1, 20) / 20
TEMPERATURES = np.exp(np.linspace(np.log(0.3), np.log(4), 60))
KEPT = ("false_built", "found", "named", "points_right")


def main() -> None:
    """Predict, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("california", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    places = load_exam()
    with tempfile.TemporaryDirectory() as folder:
        here = Path(__file__).parent
        command = [sys.executable, here / "predict.py", given.california, given.model, folder]
        subprocess.run([str(part) for part in command], check=True)
        predictions = {p.name: read_prediction(Path(folder) / f"{p.name}.npz") for p in places}
    before = load_model(str(given.model)).header.temperature
    scores, changed = [], []
    for place in (place for place in places if place.validation):
        judged = ~place.ignore
        likely = predictions[place.name][0][judged].astype(np.float64).clip(1e-6, 1 - 1e-6)
        scores.append(np.log(likely / (1 - likely)) * before)
        changed.append(place.changed[judged])
    score_, truth = np.concatenate(scores), np.concatenate(changed)
    temperature = min(TEMPERATURES, key=lambda t: cross_entropy(score_ / t, truth))
    likely = 1 / (1 + np.exp(-score_ / temperature))
    overlaps = {t: iou(likely >= t, truth) for t in THRESHOLDS}
    threshold = min(t for t in THRESHOLDS if overlaps[t] >= max(overlaps.values()) - CLOSE)
    errors = [
        calibration_error(1 / (1 + np.exp(-score_ / t)), truth) for t in (before, temperature)
    ]
    record = {"city": "claremont", "pixels": len(truth), "iou": iou(likely >= threshold, truth)}
    record |= {"ece_before": errors[0], "ece_after": errors[1]}
    for city in ("chico", "claremont"):
        found = [
            score(place, again(probability, before / temperature), *maps, threshold)
            for place in places
            if place.name.startswith(city)
            for probability, *maps in [predictions[place.name]]
        ]
        shares = summary(found)
        record[city] = {name: shares[name]["by_area"] for name in KEPT}
        judged = sum(one.changed + one.unchanged for one in found)
        wrong = sum(one.false_alarms + one.changed - one.found for one in found)
        hits = sum(one.found for one in found)
        record[city] |= {"iou": hits / (hits + wrong), "judged": judged}
    settings = {"threshold": float(threshold), "temperature": float(temperature)}
    calibrate_model(given.model, given.out, **settings, record=record)
    print(settings, record)


def again(probability: np.ndarray, factor: float) -> np.ndarray:
    """Probabilities whose logit is multiplied."""
    likely = probability.astype(np.float64).clip(1e-6, 1 - 1e-6)
    return 1 / (1 + np.exp(-np.log(likely / (1 - likely)) * factor))


def cross_entropy(score_: np.ndarray, truth: np.ndarray) -> float:
    """Of logits, a mean."""
    return float(np.mean(np.logaddexp(0, score_) - score_ * truth))


def iou(called: np.ndarray, truth: np.ndarray) -> float:
    """Of changed pixels."""
    return float((called & truth).sum() / max((called | truth).sum(), 1))


def calibration_error(likely: np.ndarray, truth: np.ndarray) -> float:
    """How far shares of changed pixels are from probabilities, a mean over the pixels."""
    bins = np.minimum((likely * 10).astype(int), 9)
    total = np.bincount(bins, minlength=10)
    apart = np.abs(np.bincount(bins, likely, 10) - np.bincount(bins, truth, 10))
    return float(apart.sum() / total.sum())


if __name__ == "__main__":
    main()
