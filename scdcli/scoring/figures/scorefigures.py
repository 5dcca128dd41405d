"""Scores as pictures: who is taken for whom, SeK of every transition, IoU of every class."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from scdcli.files.whole import write_whole
from scdcli.scoring.calibration import expected_calibration_error, reliability
from scdcli.scoring.comparison import Run, categorical_kind
from scdcli.scoring.counting import Counts, stacked_matrix
from scdcli.scoring.evaluation import UNMASKED
from scdcli.scoring.metrics import Value, known
from scdcli.scoring.scorefiles import prepare_folder

STYLE: Any = {"font.family": "DejaVu Sans", "font.size": 9, "text.parse_math": False}
DPI = 120
MOST_WRITTEN = 12  # classes of a matrix whose cells hold numbers
# Distinct in hue and in lightness (Okabe and Ito), so also without color vision.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#999999")
SHADES = "cividis"  # the same lightness with any kind of color vision

Doubles = NDArray[np.float64]


def plot_files(folder: Path, *, overwrite: bool) -> list[Path]:
    """The pictures in a folder, which is made.

    Raises:
        OutputError: The folder cannot be made, or a file in it exists.
    """
    files = [folder / f"{name}.png" for name in FIGURES]
    prepare_folder(folder, files, overwrite=overwrite)
    return files


def write_plots(folder: Path, runs: Sequence[Run]) -> None:
    """All pictures of some runs on the same labels; that of reliability only with a model.

    Raises:
        OutputError: They cannot be written.
    """
    for path, draw in zip(plot_files(folder, overwrite=True), FIGURES.values(), strict=True):
        if draw is draw_reliability and all(run.confidence is None for run in runs):
            path.unlink(missing_ok=True)  # of models that were scored earlier
            continue
        write_whole(path, draw(runs))


def draw_confusion(runs: Sequence[Run]) -> bytes:
    """Of every labelled class, unchanged included, the share that each prediction takes, a PNG."""
    stacked = {
        _title(run): stacked_matrix(run.evaluation.counts, run.evaluation.classes) for run in runs
    }
    return draw_matrices(stacked, _class_names(runs))


def draw_matrices(stacked: Mapping[str, Counts], classes: Sequence[str]) -> bytes:
    """`draw_confusion` of matrices that are counted already.

    Args:
        stacked: By title, (K + 1, K + 1) int64 as of `stacked_matrix`.
        classes: The names of the K classes.
    """

    def panels() -> Iterator[tuple[str, Doubles]]:
        for title, counts in stacked.items():
            # Rows are what was labelled here, as one reads it: of this, so much became that.
            matrix = counts.T.astype(float)
            total = matrix.sum(axis=1, keepdims=True)
            shares = np.divide(matrix, total, out=np.full_like(matrix, np.nan), where=total > 0)
            yield title, 100 * shares

    names = ["unchanged", *classes]
    return _matrices(list(panels()), names, ("predicted", "labelled"), "% of the labelled pixels")


def draw_categorical_sek(runs: Sequence[Run]) -> bytes:
    """The SeK of every transition, a PNG; empty where none is labelled or predicted."""
    kind = categorical_kind(runs)

    def panels() -> Iterator[tuple[str, Doubles]]:
        for run in runs:
            side = run.evaluation.classes
            values = _numbers(run.evaluation.categorical()[kind]).reshape(side, side)
            yield _title(run), 100 * values

    unit = f"categorical SeK, {'un' if kind == UNMASKED else ''}masked, %"
    return _matrices(list(panels()), _class_names(runs), ("class after", "class before"), unit)


def draw_class_iou(runs: Sequence[Run]) -> bytes:
    """The IoU of every class, a bar per run, a PNG."""
    names = _class_names(runs)
    with matplotlib.rc_context(STYLE):
        size = (max(5.0, 1.5 + 0.35 * len(names) * (len(runs) + 1)), 3.6)
        figure = Figure(figsize=size, layout="constrained")
        axis = figure.subplots()
        thick = 0.8 / len(runs)
        for number, run in enumerate(runs):
            heights = 100 * _numbers(run.evaluation.scores.class_iou)
            places = np.arange(len(names)) + (number - (len(runs) - 1) / 2) * thick
            color = COLORS[number % len(COLORS)]
            axis.bar(places, heights, thick * 0.92, color=color, label=_title(run))
        axis.set_xticks(range(len(names)), names, rotation=30 if len(names) > 6 else 0)
        axis.set(ylabel="IoU, %", ylim=(0, 100))
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="y", alpha=0.3)
        axis.set_axisbelow(True)
        axis.legend(loc="upper left", bbox_to_anchor=(0, 1.22), ncols=3, frameon=False)
        return png(figure)


def draw_reliability(runs: Sequence[Run]) -> bytes:
    """How often change is labelled by its probability, a line per model, a PNG."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(4.8, 4.8), layout="constrained")
        axis = figure.subplots()
        axis.plot((0, 100), (0, 100), color="black", linewidth=0.8, linestyle=":")
        for number, run in enumerate(runs):
            if run.confidence is None:
                continue
            present = [row for row in reliability(run.confidence) if row.pixels]
            points = np.array([(row.probability, row.frequency) for row in present], dtype=float)
            error = expected_calibration_error(run.confidence)
            axis.plot(
                *100 * points.reshape(-1, 2).T,
                color=COLORS[number % len(COLORS)],
                marker="o",
                markersize=4,
                label=f"{_title(run)}: {100 * error:.1f} % apart on average (ECE)",
            )
        axis.set(xlabel="change probability, %", ylabel="labelled as changed, %")
        axis.set(xlim=(0, 100), ylim=(0, 100), aspect="equal")
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.3)
        axis.legend(loc="upper left", frameon=False)
        return png(figure)


FIGURES: dict[str, Callable[[Sequence[Run]], bytes]] = {
    "confusion": draw_confusion,
    "categorical_sek": draw_categorical_sek,
    "class_iou": draw_class_iou,
    "reliability": draw_reliability,
}
"""Name of the file by what draws it."""


def _matrices(
    panels: Sequence[tuple[str, Doubles]],
    names: Sequence[str],
    axes: tuple[str, str],
    unit: str,
) -> bytes:
    """Square matrices side by side, in one range of colors."""
    side = max(3.4, 0.55 * len(names) + 1.6)
    every = np.concatenate([values.ravel() for _, values in panels])
    low, high = min(0.0, float(np.nanmin(every, initial=0))), float(np.nanmax(every, initial=0))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(side * len(panels) + 0.8, side), layout="constrained")
        row = figure.subplots(1, len(panels), squeeze=False)[0]
        for axis, (title, values) in zip(row, panels, strict=True):
            shown = axis.imshow(values, cmap=SHADES, vmin=low, vmax=max(high, 1e-9))
            axis.set_xticks(range(len(names)), names, rotation=45, ha="right")
            axis.set_yticks(range(len(names)), names)
            axis.set(title=title, xlabel=axes[0], ylabel=axes[1])
            if len(names) <= MOST_WRITTEN:
                _write_numbers(axis, values, (low, high))
        figure.colorbar(shown, ax=list(row), label=unit, shrink=0.8)
        return png(figure)


def _write_numbers(axis: Any, values: Doubles, span: tuple[float, float]) -> None:  # noqa: ANN401
    middle = (span[0] + span[1]) / 2
    for (line, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            ink = "black" if value > middle else "white"
            text = f"{value:.0f}" if abs(value) >= 10 else f"{value:.1f}"
            axis.text(column, line, text, color=ink, ha="center", va="center", fontsize=8)


def _class_names(runs: Sequence[Run]) -> list[str]:
    scored = runs[0].evaluation
    return [scored.class_name(index) for index in range(1, scored.classes + 1)]


def _title(run: Run) -> str:
    return run.system if run.tta in (None, "none") else f"{run.system}, {run.tta}"


def _numbers(values: Sequence[Value]) -> Doubles:
    """Scores as numbers, nan where they are undefined."""
    return np.array([known(value) for value in values], dtype=float)


def png(figure: Figure) -> bytes:
    """The figure as a PNG file."""
    picture = BytesIO()
    figure.savefig(picture, format="png", dpi=DPI)
    return picture.getvalue()
