"""The files of a sweep over the thresholds: two tables and a picture."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from scdcli.files.whole import write_csv, write_whole
from scdcli.scoring.calibration import reliability
from scdcli.scoring.figures.scorefigures import STYLE, png
from scdcli.scoring.fitting import ThresholdSweep
from scdcli.scoring.metrics import known
from scdcli.scoring.scorefiles import Row, prepare_folder

FILES = ("sweep.csv", "reliability.csv", "sweep.png")
# Labels and colors of the lines, by column of sweep.csv. The colors are distinct in hue and in
# lightness (Okabe and Ito), so also without color vision.
LINES = {
    "precision": ("precision", "#0072B2"),
    "recall": ("recall", "#E69F00"),
    "iou_changed": ("IoU changed", "#009E73"),
    "sek_from_to": ("SeK (from-to)", "#D55E00"),
    "sek_stacked": ("SeK (stacked)", "#CC79A7"),
}
NAMES = {"sek_from_to": LINES["sek_from_to"][0], "f1": "F1"}
BEFORE, AFTER = "#999999", "#0072B2"
ROW_HEIGHT, WIDTH = 3.6, 12.0  # inches


def sweep_files(folder: Path, *, overwrite: bool) -> list[Path]:
    """The files of a sweep in a folder, which is made.

    Raises:
        OutputError: The folder cannot be made, or a file in it exists.
    """
    files = [folder / name for name in FILES]
    prepare_folder(folder, files, overwrite=overwrite)
    return files


def write_sweeps(folder: Path, runs: Sequence[ThresholdSweep]) -> None:
    """The tables and the picture.

    Raises:
        OutputError: They cannot be written.
    """
    scores, reliabilities, picture = sweep_files(folder, overwrite=True)
    write_csv(scores, [row for run in runs for row in _score_rows(run)])
    write_csv(reliabilities, [row for run in runs for row in _reliability_rows(run)])
    write_whole(picture, draw_sweeps(runs))


def _score_rows(run: ThresholdSweep) -> list[Row]:
    return [
        {
            "system": run.system,
            "tta": run.tta,
            "threshold": row.threshold,
            "precision": known(row.precision),
            "recall": known(row.recall),
            "f1": known(row.f1),
            "iou_changed": known(row.from_to.iou_changed),
            "miou": known(row.from_to.miou),
            "sek_from_to": known(row.from_to.sek),
            "sek_stacked": known(row.stacked.sek),
        }
        for row in run.rows
    ]


def _reliability_rows(run: ThresholdSweep) -> list[Row]:
    fitted = run.best_fit.temperature
    return [
        {
            "system": run.system,
            "tta": run.tta,
            "temperature": temperature,
            **asdict(row),
        }
        for temperature in dict.fromkeys((run.temperature, fitted))
        for row in reliability(run.confidence.histogram, temperature / run.temperature)
    ]


def draw_sweeps(runs: Sequence[ThresholdSweep]) -> bytes:
    """Scores over the threshold and the reliability diagram, a row per run, as a PNG."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, ROW_HEIGHT * len(runs)), layout="constrained")
        grid = figure.subplots(len(runs), 2, squeeze=False, width_ratios=(1.7, 1))
        for run, (left, right) in zip(runs, grid, strict=True):
            _draw_scores(left, run)
            _draw_reliability(right, run)
        return png(figure)


def _draw_scores(axis: Any, run: ThresholdSweep) -> None:  # noqa: ANN401  of matplotlib
    rows = _score_rows(run)
    thresholds = [row["threshold"] for row in rows]
    for column, (label, color) in LINES.items():
        points = np.array([row[column] for row in rows], float)  # None becomes nan
        if not np.isnan(points).all():
            axis.plot(thresholds, points, color=color, label=label, linewidth=1.6)
    now = f"threshold {run.threshold:g}"
    axis.axvline(run.threshold, color="black", linewidth=1.2, label=now)
    if run.best:
        name = NAMES[run.best.score]
        axis.axvspan(run.best.low, run.best.high, color=LINES["sek_from_to"][1], alpha=0.12)
        best = f"best {name}: {100 * run.best.best:.1f} % at {run.best.middle:.2f}"
        axis.axvline(run.best.middle, color="black", linewidth=1.2, linestyle="--", label=best)
    axis.set(title=run.title, xlabel="threshold", xlim=(0, 1), ylim=(min(0, axis.get_ylim()[0]), 1))
    axis.grid(alpha=0.3)
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8, frameon=False)


def _draw_reliability(axis: Any, run: ThresholdSweep) -> None:  # noqa: ANN401  of matplotlib
    axis.plot((0, 1), (0, 1), color="black", linewidth=0.8, linestyle=":")
    fitted, histogram = run.best_fit, run.confidence.histogram
    series = {f"T = {run.temperature:g}": (fitted.ece_before, 1.0, BEFORE)}
    factor = fitted.temperature / run.temperature
    series.setdefault(f"T = {fitted.temperature:g}", (fitted.ece_after, factor, AFTER))
    for label, (error, temperature, color) in series.items():
        present = [row for row in reliability(histogram, temperature) if row.pixels]
        axis.plot(
            [row.probability for row in present],
            [row.frequency for row in present],
            color=color,
            marker="o",
            markersize=4,
            label=f"{label}: ECE {100 * error:.2f} %",
        )
    axis.set(
        title="reliability", xlabel="probability of change", ylabel="share labelled as changed"
    )
    axis.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
