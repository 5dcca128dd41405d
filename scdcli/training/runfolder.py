"""The folder of a training run: models, resumable state, log and pictures.

A run can be killed at any moment: every file is replaced whole, and the state is written last, so
it never speaks of an epoch whose model is missing.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
from matplotlib.figure import Figure

from scdcli.errors import OutputError, TrainingError
from scdcli.files.whole import write_csv, write_whole
from scdcli.scoring.counting import Counts
from scdcli.scoring.figures.scorefigures import COLORS, STYLE, draw_matrices

BEST = "best.safetensors"
LAST = "last.safetensors"
STATE = "state.safetensors"
LOG = "log.csv"
CURVES = "curves.png"
CONFUSION = "confusion.png"
SETTINGS = "settings.json"
CONFIG = "config.toml"  # the options of the command that began or resumed it

DRAW_EVERY = 10.0  # seconds
MOST_NAMED = 21  # curves beside each other that colors and dashes tell apart
MAY_CHANGE = {"patience"}  # settings that move no weight
EXTENDED = "extended"  # the entry of ``settings.json`` with the numbers of epochs it had before


@dataclass(frozen=True)
class EpochLog:
    """One line of ``log.csv``; scores are None without validation or where undefined."""

    epoch: int
    lr: float
    loss: float
    val_loss: float | None
    miou: float | None
    sek_from_to: float | None
    sek_stacked: float | None
    score_from_to: float | None
    steps_per_second: float
    seconds: float
    # Runs from before there was one of these go on without.
    landcover_miou: float | None = None
    gradient_norm: float | None = None  # mean over the steps
    class_iou: dict[str, float | None] | None = None  # by name


class Earlier(NamedTuple):
    """A run that is gone on with.

    Attributes:
        epochs: How many it was to have.
        extended: How many it was to have before, each time that it got more.
    """

    epochs: int
    extended: list[int]


def require_run(
    folder: Path, settings: dict[str, Any], defaults: dict[str, Any], *, resume: bool
) -> Earlier | None:
    """Check that a run can begin in a folder, or go on there.

    Args:
        folder: The run's folder.
        settings: All settings as JSON-ready values.
        defaults: What a setting was in a run from before it could be chosen.
        resume: Whether to continue a run that is there.

    Returns:
        The run to go on with, which may be asked for fewer epochs than now; None where none has
        finished an epoch.

    Raises:
        OutputError: The folder holds a run and ``resume`` is off.
        TrainingError: The run was made with other settings, or its state is gone.
    """
    if not holds_run(folder):
        return None  # nothing, or a run that never finished an epoch
    if not resume:
        refuse_run(folder)
    if not (folder / STATE).exists():
        raise TrainingError(
            f"{folder} holds models but no {STATE}, without which the run cannot go on; give "
            "another folder with -o."
        )
    stored = json.loads(json.dumps(defaults)) | _read_settings(folder)
    earlier = Earlier(stored["epochs"], stored.pop(EXTENDED, []))
    if settings["epochs"] > earlier.epochs:
        stored["epochs"] = settings["epochs"]
    _refuse_other_settings(folder, stored, settings)
    return earlier


def planned_epochs(folder: Path) -> int:
    """How many epochs a run that is there is to have."""
    return int(_read_settings(folder)["epochs"])


def holds_run(folder: Path) -> bool:
    """Whether a run has finished an epoch in a folder."""
    return any((folder / name).exists() for name in (STATE, LAST, BEST))


def refuse_run(folder: Path) -> None:
    """Refuse a folder that holds a run.

    Raises:
        OutputError: It does.
    """
    if holds_run(folder):
        raise OutputError(
            f"{folder} holds a training run already; continue it with --resume, or give another "
            "folder with -o."
        )


def start_run(folder: Path, settings: dict[str, Any]) -> None:
    """Make the folder of a run unless it is there, with ``settings.json``.

    Raises:
        OutputError: It cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror}.") from error
    text = json.dumps(settings, indent=2, ensure_ascii=False)
    write_whole(folder / SETTINGS, text.encode() + b"\n")


def write_log(folder: Path, logs: Sequence[EpochLog]) -> None:
    """Rewrite ``log.csv``.

    Raises:
        OutputError: It cannot be written.
    """
    write_csv(folder / LOG, [_row(log) for log in logs])


def _row(log: EpochLog) -> dict[str, Any]:
    row = asdict(log)
    by_class = row.pop("class_iou") or {}
    return row | {f"iou_{name}": value for name, value in by_class.items()}


class Curves:
    """``curves.png`` of a run: drawn at its end, and before it every ten seconds at most.

    A small network on a few pairs takes less time for an epoch than the picture of it does.
    """

    def __init__(self, folder: Path) -> None:
        """Begin to count the seconds."""
        self.path = folder / CURVES
        self._drawn = time.monotonic()

    def update(self, logs: Sequence[EpochLog], *, last: bool) -> None:
        """Draw if it is time to.

        Raises:
            OutputError: The picture cannot be written.
        """
        if last or time.monotonic() - self._drawn >= DRAW_EVERY:
            write_whole(self.path, draw_curves(logs))
            self._drawn = time.monotonic()


def draw_curves(logs: Sequence[EpochLog]) -> bytes:
    """Over epochs: loss, scores, and where there are any the IoU of every class, as a PNG."""
    scores = ["miou", "sek_from_to"]
    if any(log.landcover_miou is not None for log in logs):
        scores.append("landcover_miou")
    panels = {
        "loss": {name: [getattr(log, name) for log in logs] for name in ("loss", "val_loss")},
        "scores on the validation pairs": {
            name: [getattr(log, name) for log in logs] for name in scores
        },
    }
    classes = dict.fromkeys(name for log in logs for name in log.class_iou or ())
    if classes:
        panels["IoU of the classes there"] = {
            name: [(log.class_iou or {}).get(name) for log in logs] for name in classes
        }
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(4.5 * len(panels), 3.4))
        figure.subplots_adjust(
            left=0.12 / len(panels), right=0.985, bottom=0.14, top=0.91, wspace=0.14
        )
        row = figure.subplots(1, len(panels))
        for axis, (title, curves) in zip(row, panels.items(), strict=True):
            _plot(axis, [log.epoch for log in logs], curves)
            axis.set_title(title)
        picture = BytesIO()
        figure.savefig(picture, format="png", dpi=120)
    return picture.getvalue()


def _plot(axis: Any, epochs: list[int], curves: dict[str, list[float | None]]) -> None:  # noqa: ANN401
    for number, (name, values) in enumerate(curves.items()):
        known = [float("nan") if value is None else value for value in values]
        again, color = divmod(number, len(COLORS))
        style = ("-", "--", ":")[again % 3]
        axis.plot(epochs, known, style, color=COLORS[color], marker=".", label=name)
    axis.set_xlabel("epoch")
    axis.grid(alpha=0.3)
    if len(curves) <= MOST_NAMED:
        axis.legend(fontsize=8 if len(curves) <= len(COLORS) else 6)


def write_confusion(folder: Path, matrix: Counts, classes: Sequence[str], title: str) -> None:
    """Draw who is taken for whom.

    Args:
        folder: The run's folder.
        matrix: (K + 1, K + 1) int64, of both dates stacked.
        classes: The names of the K classes.
        title: Of the picture.

    Raises:
        OutputError: The picture cannot be written.
    """
    write_whole(folder / CONFUSION, draw_matrices({title: matrix}, classes))


def _read_settings(folder: Path) -> dict[str, Any]:
    stored: dict[str, Any] = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    return stored


def _refuse_other_settings(folder: Path, stored: dict[str, Any], settings: dict[str, Any]) -> None:
    wanted = json.loads(json.dumps(settings))
    differing = [
        f"{name} was {stored.get(name)!r} and is {wanted.get(name)!r}"
        for name in sorted({*stored, *wanted} - MAY_CHANGE)
        if stored.get(name) != wanted.get(name)
    ]
    if differing:
        raise TrainingError(
            f"{folder} was trained with other settings: {'; '.join(differing)}. Resume with "
            "the same settings, or give another folder with -o."
        )
