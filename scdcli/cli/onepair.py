"""One pair of images predicted into one folder."""

import os.path
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scdcli.cli.options.output import output_settings
from scdcli.cli.options.pair import open_given_pair, recorded
from scdcli.cli.terminal import Terminal

if TYPE_CHECKING:
    from scdcli.prediction.chain import Predictor


def output_folder(before: str, after: str) -> Path:
    """Where a prediction goes unless told otherwise: ``<before>__<after>`` in this folder."""
    from scdcli.files.pairlist import pair_name

    return Path(pair_name(before, after))


def require_usable_output(out: Path, before: str, after: str, options: dict[str, Any]) -> None:
    """Refuse, before any work, an output that is taken or that holds an input."""
    from scdcli.errors import OutputError
    from scdcli.files.folder import require_free
    from scdcli.files.naming import shown
    from scdcli.prediction.write import SUMMARY

    try:
        if not (options["resume"] and (out / SUMMARY).exists()):
            require_free(out, mark=SUMMARY, overwrite=options["overwrite"])
    except OSError as error:  # a name that is too long, a folder that may not be looked into
        raise OutputError(
            f"{shown(out)} cannot be written ({error.strerror}); name another folder."
        ) from error
    _refuse_inputs_inside(out, before, after, options["model"])


def predict_pair(
    before: str,
    after: str,
    out: Path,
    predictor: "Predictor",
    options: dict[str, Any],
    terminal: Terminal,
) -> dict[str, Any]:
    """Predict one pair into a new folder; returns its summary.

    With ``--resume`` a finished prediction is left alone, and its summary returned.
    """
    from scdcli.prediction.write import write_prediction

    with (
        _telling_what_is_kept(out, terminal),
        open_given_pair(before, after, options, terminal, predictor.loaded) as pair,
        terminal.progress("predicting, %", 100) as bar,
    ):
        summary = write_prediction(
            pair,
            predictor,
            out,
            output_settings(options),
            recorded=recorded(options),
            progress=lambda share: bar.update(int(100 * share), 100),
        )
    if summary["valid"]["pixels"] == 0:
        terminal.note(
            f"No pixel is measured in both images, so {out} holds nodata only; check the nodata "
            "values of both with gdalinfo."
        )
    return summary


@contextmanager
def _telling_what_is_kept(out: Path, terminal: Terminal) -> Iterator[None]:
    """After an interruption, say how to go on."""
    from scdcli.files.folder import partial_folder

    try:
        yield
    except BaseException as error:
        partial = partial_folder(out)
        # A partial folder behind a lock is another process's, which nobody has to resume.
        if partial.exists() and not isinstance(error.__cause__, TimeoutError):
            terminal.note(f"What is done lies in {partial}; go on with --resume.")
        raise


def _refuse_inputs_inside(out: Path, *inputs: str | None) -> None:
    """Replacing the result must not remove what it is made from."""
    from scdcli.errors import OutputError

    for name in inputs:
        there = name and os.path.exists(name)  # noqa: PTH110  takes impossible names, too
        if name and there and out.resolve() in Path(name).resolve().parents:
            raise OutputError(f"{name} lies in {out}, which is the output; name another folder.")
