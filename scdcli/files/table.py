"""Tables with a line of column names at their head, as spreadsheets write them.

Commas, semicolons or tabs between cells, ``sep=;`` before the first line, a mark before that,
UTF-8, UTF-16 or Windows-1252: one reader for every table that `scd` reads.
"""

import csv
import io
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from scdcli.errors import InputError
from scdcli.files.text import REMEDY, decode_ansi

DELIMITERS = ",;\t"


class Row(NamedTuple):
    """The filled cells of one line, by column."""

    line: int  # of the file, from 1
    cells: dict[str, str]


@dataclass(frozen=True)
class Table:
    """Columns in lower case, and the lines that hold anything.

    Attributes:
        name: What messages call it; with the encoding, where that is a guess.
        columns: In the order of the file, empty where a column has no name.
        rows: In the order of the file.
        guessed: Whether the encoding is a guess.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    guessed: bool = False


def read_table(content: bytes, name: str, needed: Collection[str]) -> Table:
    """A table with a line of column names at its head.

    Args:
        content: The file.
        name: What messages call it.
        needed: Columns in lower case; the delimiter is the one that separates them in the first
            line. A table without them is not refused here.

    Raises:
        InputError: It is no text with cells, has one column twice, or a line with more cells than
            columns.
    """
    text, name_from_here = decode_ansi(content, name)
    lines = io.StringIO(text, newline="")
    skipped, delimiter = _announced(lines)
    if delimiter is None:
        delimiter = _delimiter(text, needed)
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        rows = [(reader.line_num + skipped, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise InputError(f"{name_from_here} cannot be read ({error}); {REMEDY}.") from error
    filled = [(line, cells) for line, cells in rows if any(cells)]
    _, head = filled[0] if filled else (1, [])
    columns = tuple(cell.lower() for cell in head)
    twice = sorted({column for column in columns if column and columns.count(column) > 1})
    if twice:
        raise InputError(f"{name_from_here} has the column {twice[0]} twice; rename or remove one.")
    body = tuple(_rows(name_from_here, columns, filled[1:]))
    return Table(name_from_here, columns, body, guessed=name_from_here != name)


def _announced(lines: io.StringIO) -> tuple[int, str | None]:
    """Lines that a leading ``sep=;`` takes, which Excel hides, and the delimiter it announces."""
    start = lines.readline()
    announced = re.fullmatch(r'"?sep=([^\w\s"]|\t)"?[,;\t]*', start.rstrip("\r\n"), re.IGNORECASE)
    if announced:
        return 1, announced[1]
    lines.seek(0)
    return 0, None


def _delimiter(text: str, needed: Collection[str]) -> str:
    """The delimiter of the first line that is not empty."""
    head = next((line for line in text.splitlines() if line.strip()), "")
    for delimiter in DELIMITERS:
        cells = next(csv.reader([head], delimiter=delimiter), [])
        if set(needed) <= {cell.strip().lower() for cell in cells}:
            return delimiter
    return DELIMITERS[0]


def _rows(
    name: str, columns: Sequence[str], lines: Iterable[tuple[int, list[str]]]
) -> Iterator[Row]:
    for line, cells in lines:
        if any(cells[len(columns) :]):
            raise InputError(
                f"{name}, line {line} has {len(cells)} cells for {len(columns)} columns; put a "
                "name or number that holds the delimiter in quotes."
            )
        pairs = zip(columns, cells, strict=False)  # spreadsheets leave out empty cells at the end
        yield Row(line, {column: cell for column, cell in pairs if column and cell})
