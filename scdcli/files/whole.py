"""Single files that appear whole or not at all: written beside their place, then renamed."""

import csv
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from scdcli.errors import OutputError


def require_free_file(path: Path, *, overwrite: bool) -> None:
    """Refuse a file that exists, unless it may be replaced.

    Raises:
        OutputError: It is there.
    """
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists; replace it with --overwrite, or name another file.")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all.

    Raises:
        OutputError: It cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        partial.unlink(missing_ok=True)


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows by the names of their columns as a CSV table with a header, whole or not at all.

    The columns are those of all rows; what a row has not, or has as None, is empty.

    Raises:
        OutputError: It cannot be written.
    """
    text = StringIO(newline="")
    names = dict.fromkeys(name for row in rows for name in row)
    writer = csv.DictWriter(text, list(names), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, text.getvalue().encode())
