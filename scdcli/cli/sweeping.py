"""All thresholds at once, and those of a model: --sweep and --calibrate of ``scd evaluate``."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scdcli.cli.options.shared import together
from scdcli.cli.terminal import Terminal

if TYPE_CHECKING:
    from scdcli.scoring.fitting import Fit, ThresholdSweep
    from scdcli.scoring.systems import System

MODEL_SUFFIX = ".safetensors"
SCORES = {"sek_from_to": "SeK (from-to)", "f1": "F1 of change"}


sweep_options = together(
    click.option(
        "--sweep",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Score the models at every threshold, and see how reliable their probabilities are: "
        "sweep.csv, reliability.csv and sweep.png. Pixels are judged one by one, as with --mmu 0.",
    ),
    click.option(
        "--calibrate",
        type=click.Path(path_type=Path),
        metavar="FILE.safetensors",
        help="Write a copy of the model with the temperature and the threshold that suit these "
        "labels best, or with --threshold as given; one model, with the --tta it will be used "
        "with. Pixels are judged one by one, as with --mmu 0.",
    ),
)
"""What `find_sweeping` takes."""


@dataclass(frozen=True)
class SweepFiles:
    """Where the thresholds go; None for what is not asked for.

    Attributes:
        sweep: Folder for tables and a picture.
        calibrate: File for a model that is fitted to the labels.
        overwrite: Replace files that exist.
    """

    sweep: Path | None
    calibrate: Path | None
    overwrite: bool


@dataclass(frozen=True)
class Sweeping:
    """What is asked for of the thresholds.

    Attributes:
        files: What is written.
        source: The model to fit, by name or file.
        threshold: The threshold its copy gets; None for the one that fits best.
        sweeps: The scores of each model at all thresholds, filled while they are scored.
    """

    files: SweepFiles
    source: str
    threshold: float | None
    sweeps: "dict[str, ThresholdSweep]" = field(default_factory=dict)

    def write(self, terminal: Terminal) -> None:
        """The files that were asked for, with a sentence on each run."""
        from scdcli.scoring.figures.sweepfiles import write_sweeps

        for swept in self.sweeps.values():
            terminal.note(_sentence(swept))
        if self.files.sweep:
            write_sweeps(self.files.sweep, list(self.sweeps.values()))
        if self.files.calibrate:
            (swept,) = self.sweeps.values()
            fitted = swept.best_fit
            if self.threshold is not None:
                fitted = fitted.at(self.threshold)
            _write_model(self.source, self.files.calibrate, fitted)
            terminal.note(fitted_line(fitted, self.files.calibrate))


def find_sweeping(
    models: Sequence[str],
    systems: Sequence["System"],
    files: SweepFiles,
    threshold: float | None,
) -> Sweeping | None:
    """What is asked for, refused where it cannot be had; None where nothing is."""
    sweep, calibrate = files.sweep, files.calibrate
    if not sweep and not calibrate:
        return None
    from scdcli.scoring.figures.sweepfiles import sweep_files
    from scdcli.scoring.scorefiles import require_writable

    if any(system.folder for system in systems):
        raise click.UsageError(
            f"--{'sweep' if sweep else 'calibrate'} needs models alone: maps that exist hold "
            "classes only where the change reached the threshold they were made with. Leave "
            "--pred out."
        )
    if calibrate and len(systems) > 1:
        raise click.UsageError(
            f"--calibrate is for one model with one --tta, and {len(systems)} were given."
        )
    if calibrate:
        require_writable([calibrate], (MODEL_SUFFIX,), overwrite=files.overwrite)
    if sweep:
        sweep_files(sweep, overwrite=files.overwrite)
    return Sweeping(files, models[0], threshold)


def _write_model(source: str, out: Path, fitted: "Fit") -> None:
    from scdcli.models import find_model
    from scdcli.models.checkpoint import calibrate_model

    calibrate_model(
        find_model(source),
        out,
        threshold=fitted.threshold,
        temperature=fitted.temperature,
        record=fitted.record(),
    )


def _sentence(swept: "ThresholdSweep") -> str:
    """The best thresholds of one run, and how well its probabilities are calibrated."""
    fitted, best = swept.best_fit, swept.best
    parts = [f"{swept.title}: no threshold has a score"]
    if best:
        span = f"{best.low:g}" if best.low == best.high else f"{best.low:g} to {best.high:g}"
        parts = [
            f"{swept.title}: {SCORES[best.score]} is best, {100 * best.best:.2f} %, at thresholds "
            f"of {span}; scored at {swept.threshold:g}"
        ]
    parts.append(
        f"expected calibration error {100 * fitted.ece_before:.2f} %, at temperature "
        f"{fitted.temperature:g} {100 * fitted.ece_after:.2f} %"
    )
    return "; ".join(parts) + "."


def fitted_line(fitted: "Fit", out: Path) -> str:
    """What a model has been fitted to, in a sentence."""
    from scdcli.scoring.fitting import GIVEN

    threshold = f"the threshold {fitted.threshold:g}"
    if fitted.by is None:
        return f"{out} has {threshold}, and its temperature was left alone: {_why_left(fitted)}."
    temperature = f"the temperature {fitted.temperature:g}"
    if fitted.bound:
        temperature += " (left alone: the best lay at the end of its range)"
    found = f"{temperature} and {threshold}, fitted"
    if fitted.by == GIVEN:
        found = f"{threshold} as given, and {temperature}, fitted"
    return (
        f"{out} has {found} to {fitted.pixels:,} pixels, of which "
        f"{fitted.changed_pixels:,} are labelled as changed."
    )


def _why_left(fitted: "Fit") -> str:
    """What kept a model from being fitted."""
    from scdcli.scoring.fitting import FEWEST_CHANGED

    counted = f"{fitted.changed_pixels:,} of {fitted.pixels:,} pixels are labelled as changed"
    if fitted.bound:
        return (
            f"{counted}, and on them a map that is all changed, or all unchanged, would score as "
            "well as any threshold. Train longer, or validate on more pairs"
        )
    return f"{counted}; of changed and of unchanged ones it takes {FEWEST_CHANGED:,} to fit them"
