"""The drawing of a sweep: scores over the threshold, and the reliability diagram beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from scdcli.scoring.calibration import Reliability
from scdcli.scoring.fitting import Plateau
from scdcli.scoring.metrics import Value, known
from scdcli.scoring.sweep import ThresholdScores

STYLE: Any = {"font.family": "DejaVu Sans", "font.size": 9, "text.parse_math": False}
NAMES = {"sek_from_to": "SeK (from-to)", "f1": "F1"}
# Distinct in hue and in lightness (Okabe and Ito), so also without color vision.
LINES = {
    "precision": "#0072B2",
    "recall": "#E69F00",
    "IoU changed": "#009E73",
    "SeK (from-to)": "#D55E00",
    "SeK (stacked)": "#CC79A7",
}
BEFORE, AFTER = "#999999", "#0072B2"
ROW_HEIGHT, WIDTH = 3.6, 12.0  # inches


@dataclass(frozen=True)
class Curves:
    """What is drawn of one system.

    Attributes:
        title: Written above.
        rows: Its scores at every threshold.
        threshold: The one it was scored at.
        best: Where its score is best.
        reliability: Label, expected calibration error and bins at the model's temperature, and at
            the fitted one.
    """

    title: str
    rows: Sequence[ThresholdScores]
    threshold: float
    best: Plateau | None
    reliability: tuple[tuple[str, float, Sequence[Reliability]], ...]


def draw_sweeps(systems: Sequence[Curves]) -> bytes:
    """A row of two diagrams per system, as a PNG."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, ROW_HEIGHT * len(systems)), layout="constrained")
        grid = figure.subplots(len(systems), 2, squeeze=False, width_ratios=(1.7, 1))
        for curves, (left, right) in zip(systems, grid, strict=True):
            _draw_scores(left, curves)
            _draw_reliability(right, curves)
        picture = BytesIO()
        figure.savefig(picture, format="png", dpi=120)
    return picture.getvalue()


def _draw_scores(axis: Any, curves: Curves) -> None:  # noqa: ANN401  of matplotlib
    thresholds = [row.threshold for row in curves.rows]
    series: dict[str, list[Value]] = {
        "precision": [row.precision for row in curves.rows],
        "recall": [row.recall for row in curves.rows],
        "IoU changed": [row.from_to.iou_changed for row in curves.rows],
        "SeK (from-to)": [row.from_to.sek for row in curves.rows],
        "SeK (stacked)": [row.stacked.sek for row in curves.rows],
    }
    for name, values in series.items():
        levels = np.array([known(value) for value in values], float)  # None becomes nan
        if not np.isnan(levels).all():
            axis.plot(thresholds, levels, color=LINES[name], label=name, linewidth=1.6)
    now = f"threshold {curves.threshold:g}"
    axis.axvline(curves.threshold, color="black", linewidth=1.2, label=now)
    if curves.best:
        name = NAMES[curves.best.score]
        axis.axvspan(curves.best.low, curves.best.high, color=LINES["SeK (from-to)"], alpha=0.12)
        best = f"best {name}: {100 * curves.best.best:.1f} % at {curves.best.middle:.2f}"
        axis.axvline(curves.best.middle, color="black", linewidth=1.2, linestyle="--", label=best)
    axis.set(
        title=curves.title, xlabel="threshold", xlim=(0, 1), ylim=(min(0, axis.get_ylim()[0]), 1)
    )
    axis.grid(alpha=0.3)
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8, frameon=False)


def _draw_reliability(axis: Any, curves: Curves) -> None:  # noqa: ANN401  of matplotlib
    axis.plot((0, 1), (0, 1), color="black", linewidth=0.8, linestyle=":")
    same = len({label for label, _, _ in curves.reliability}) == 1
    shown = curves.reliability[:1] if same else curves.reliability
    for (label, error, rows), color in zip(shown, (BEFORE, AFTER), strict=False):
        present = [row for row in rows if row.pixels]
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
