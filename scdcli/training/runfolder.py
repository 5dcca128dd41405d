"""The folder of a training run: models, resumable state, log and curves.

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

BEST = "best.safetensors"
LAST = "last.safetensors"
STATE = "state.safetensors"
LOG = "log.csv"
CURVES = "curves.png"
SETTINGS = "settings.json"
CONFIG = "config.toml"  # the options of the command that began or resumed it

DRAW_EVERY = 10.0  # seconds
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
    write_csv(folder / LOG, [asdict(log) for log in logs])


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

        Args:
            logs: All epochs until now.
            last: Whether no epoch follows.

        Raises:
            OutputError: The picture cannot be written.
        """
        if last or time.monotonic() - self._drawn >= DRAW_EVERY:
            write_whole(self.path, draw_curves(logs))
            self._drawn = time.monotonic()


def draw_curves(logs: Sequence[EpochLog]) -> bytes:
    """Loss on the left, scores on the right, over epochs, as a PNG."""
    with matplotlib.rc_context({"font.size": 9}):
        figure = Figure(figsize=(9, 3.4))
        left, right = figure.subplots(1, 2)
        figure.subplots_adjust(left=0.06, right=0.985, bottom=0.14, top=0.91, wspace=0.14)
        epochs = [log.epoch for log in logs]
        scores = ["miou", "sek_from_to"]
        if any(log.landcover_miou is not None for log in logs):
            scores.append("landcover_miou")
        for axis, names in ((left, ["loss", "val_loss"]), (right, scores)):
            for name in names:
                values = [getattr(log, name) for log in logs]
                known = [float("nan") if value is None else value for value in values]
                axis.plot(epochs, known, marker=".", label=name)
            axis.set_xlabel("epoch")
            axis.grid(alpha=0.3)
            axis.legend()
        left.set_title("loss")
        right.set_title("scores on the validation pairs")
        picture = BytesIO()
        figure.savefig(picture, format="png", dpi=120)
    return picture.getvalue()


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
