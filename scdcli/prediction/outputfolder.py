"""The folder of a prediction, and whether it may be written; loads no network."""

import os.path
from collections.abc import Iterable
from pathlib import Path

from scdcli.errors import OutputError
from scdcli.files.folder import require_free
from scdcli.files.naming import name_of
from scdcli.prediction.settings import OutputSettings
from scdcli.reporting.finished import SUMMARY as SUMMARY


def require_usable(out: Path, inputs: Iterable[str | Path], output: OutputSettings) -> None:
    """Refuse, before any work, a folder that is taken or that holds an input.

    Raises:
        OutputError: It is one.
    """
    try:
        if not (output.resume and (out / SUMMARY).exists()):
            require_free(out, mark=SUMMARY, overwrite=output.overwrite)
    except OSError as error:  # a name that is too long, a folder that may not be looked into
        raise OutputError(
            f"{name_of(out)} cannot be written ({error.strerror}); name another folder."
        ) from error
    for name in inputs:  # replacing the result must not remove what it is made from
        there = os.path.exists(name)  # noqa: PTH110  takes impossible names, too
        if there and out.resolve() in Path(name).resolve().parents:
            raise OutputError(f"{name} lies in {out}, which is the output; name another folder.")
