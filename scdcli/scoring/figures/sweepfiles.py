"""A sweep over the thresholds as files: tables, and what a JSON document says of it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from scdcli.errors import OutputError
from scdcli.scoring.calibration import reliability
from scdcli.scoring.figures.sweepfigure import Curves, draw_sweeps
from scdcli.scoring.fitting import Confidence, Fit, Plateau, fit, plateau
from scdcli.scoring.metrics import known
from scdcli.scoring.scorefiles import Row, write_bytes, write_table
from scdcli.scoring.sweep import ThresholdScores, sweep

FILES = ("sweep.csv", "reliability.csv", "sweep.png")


@dataclass(frozen=True)
class Swept:
    """One system with one test-time augmentation over all thresholds.

    Attributes:
        title: What its results are called.
        system: Its short name.
        tta: Test-time augmentation.
        threshold: The one that was scored.
        temperature: The model's.
        confidence: What it said of the set.
    """

    title: str
    system: str
    tta: str | None
    threshold: float
    temperature: float
    confidence: Confidence

    @cached_property
    def rows(self) -> list[ThresholdScores]:
        """The scores at every threshold."""
        return sweep(self.confidence.sweep)

    @cached_property
    def best(self) -> Plateau | None:
        """The best thresholds."""
        return plateau(self.rows)

    @cached_property
    def fitted(self) -> Fit:
        """What would suit the set best."""
        return fit(self.confidence, self.temperature, self.threshold)

    def to_dict(self) -> dict[str, Any]:
        """The best thresholds, and how well calibrated the probabilities are; JSON-ready."""
        best = self.best
        return {
            "best": best and {**best._asdict(), "middle": best.middle},
            "fit": asdict(self.fitted),
        }


def sweep_files(folder: Path, *, overwrite: bool) -> list[Path]:
    """Where the files are written.

    Raises:
        OutputError: The folder cannot be made, or a file in it exists.
    """
    files = [folder / name for name in FILES]
    taken = [path for path in files if path.exists()]
    if taken and not overwrite:
        raise OutputError(
            f"{taken[0]} exists; replace it with --overwrite, or name another folder."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be made ({error.strerror}); name another folder."
        ) from error
    return files


def write_sweeps(folder: Path, runs: Sequence[Swept]) -> None:
    """The tables and the picture.

    Raises:
        OutputError: They cannot be written.
    """
    scores, reliabilities, picture = sweep_files(folder, overwrite=True)
    write_table(scores, [row for run in runs for row in _score_rows(run)])
    write_table(reliabilities, [row for run in runs for row in _reliability_rows(run)])
    write_bytes(picture, draw_sweeps([_curves(run) for run in runs]))


def _score_rows(run: Swept) -> list[Row]:
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


def _reliability_rows(run: Swept) -> list[Row]:
    fitted = run.fitted.temperature
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


def _curves(run: Swept) -> Curves:
    fitted, histogram = run.fitted, run.confidence.histogram
    factor = fitted.temperature / run.temperature
    return Curves(
        run.title,
        run.rows,
        run.threshold,
        run.best,
        (
            (f"T = {run.temperature:g}", fitted.ece_before, reliability(histogram)),
            (f"T = {fitted.temperature:g}", fitted.ece_after, reliability(histogram, factor)),
        ),
    )
