"""A table of pairs: which images are compared, and which folder each result gets.

``pairs.csv`` of labelled sets is the same table with more columns.
"""

import os.path
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple
from unicodedata import normalize

from scdcli.errors import InputError
from scdcli.files.naming import file_name, is_remote
from scdcli.files.table import Row, Table, read_table

NEEDED = ("before", "after")
OPTIONAL = ("output", "name")
SHOWN = 10  # of the lines that are wrong
LONGEST_NAME = 240  # bytes; file systems hold 255, and work in progress has a longer name


class ListedPair(NamedTuple):
    """One pair of a table: its line from 1, both images, and the folder of its result."""

    line: int
    before: str
    after: str
    output: Path


def read_pair_table(content: bytes, name: str) -> Table:
    """A table whose head has ``before`` and ``after``, if it is one of pairs.

    Raises:
        InputError: It is no text with cells, has one column twice, or a line with more cells than
            columns.
    """
    return read_table(content, name, NEEDED)


def pair_by_name(
    before: Mapping[str, Path], after: Mapping[str, Path], folders: str
) -> tuple[Table, list[str]]:
    """The images of two folders as a table of pairs: those of one name.

    Returns:
        The pairs in the order of their names, numbered from 1 instead of lines, with full paths;
        and the images that have no other.

    Raises:
        InputError: The folders share no name.
    """
    names = sorted(before.keys() & after.keys())
    if not names:
        raise InputError(
            f"{folders} hold {len(before)} and {len(after)} images and share no name; name both "
            "images of a pair alike, or list the pairs in a table."
        )
    rows = tuple(
        Row(
            number,
            {
                "before": str(before[name].resolve()),
                "after": str(after[name].resolve()),
                "name": name,
            },
        )
        for number, name in enumerate(names, start=1)
    )
    alone = [str(each[name]) for each in (before, after) for name in sorted(each.keys() - {*names})]
    return Table(folders, (*NEEDED, "name"), rows), alone


def read_pairs(table: Table, folder: Path, out: Path | None) -> list[ListedPair]:
    """The pairs of a table with the columns ``before``, ``after`` and maybe ``output`` or ``name``.

    Args:
        table: Other columns are left alone.
        folder: Where its relative paths start; addresses stay as they are.
        out: Folder of the results: of all without ``output``, and of those with a relative one
            (which without ``out`` starts at ``folder``). None is the working directory.

    Raises:
        InputError: A column or a cell is missing, there is no pair, or results would take each
            other's place or that of an image.
    """
    if not set(NEEDED) <= set(table.columns):
        columns = ", ".join(column for column in table.columns if column)
        head = f"has the columns {columns}" if columns else "is empty"
        raise InputError(
            f"{table.name} {head}; begin it with a line that names the columns "
            "before and after, and maybe output."
        )
    if not table.rows:
        raise InputError(f"{table.name} lists no pairs; give a line with before and after to each.")
    _refuse_lines(
        table,
        [row.line for row in table.rows if not row.cells.keys() >= set(NEEDED)],
        "without before or without after; fill in both, or remove the line.",
    )
    _refuse_lines(
        table,
        [row.line for row in table.rows if is_remote(row.cells.get("output", ""))],
        "with an address as output; results are written to folders of this machine.",
    )
    pairs = [_listed(row, folder, out) for row in table.rows]
    _refuse_shared_outputs(table.name, pairs)
    return pairs


def unused_columns(table: Table) -> list[str]:
    """The columns that `read_pairs` does not use."""
    return [column for column in table.columns if column and column not in NEEDED + OPTIONAL]


def take_shard(pairs: Sequence[ListedPair], number: int, count: int) -> list[ListedPair]:
    """Every ``count``-th pair from the ``number``-th on, from 1; the shards share none."""
    return list(pairs[number - 1 :: count])


def pair_name(before: str, after: str) -> str:
    """``<before>__<after>``, the names of the files without folder, suffix and query.

    A name that is too long is cut, and stays different from others.
    """
    stems = [_stem(before), _stem(after)]
    name = "__".join(stems)
    if len(name.encode()) <= LONGEST_NAME:
        return name
    ending = f"-{sha256(name.encode()).hexdigest()[:8]}"
    room = (LONGEST_NAME - len(ending) - len("__")) // 2
    return "__".join(stem.encode()[:room].decode(errors="ignore") for stem in stems) + ending


def listed_lines(lines: Sequence[int]) -> str:
    """``line 4``, ``lines 4, 7 and 9``; the first ten, and how many more."""
    words = [str(line) for line in lines[:SHOWN]]
    if len(lines) > SHOWN:
        words.append(f"{len(lines) - SHOWN} more")
    head = ", ".join(words[:-1])
    return f"lines {head} and {words[-1]}" if head else f"line {words[0]}"


def _listed(row: Row, folder: Path, out: Path | None) -> ListedPair:
    given = (row.cells[column] for column in NEEDED)
    before, after = (path if is_remote(path) else str(folder / path) for path in given)
    if "output" in row.cells:
        output = (folder if out is None else out) / row.cells["output"]
    else:
        output = (out or Path()) / (row.cells.get("name") or pair_name(before, after))
    return ListedPair(row.line, before, after, output)


def _refuse_lines(table: Table, lines: list[int], problem: str) -> None:
    if lines:
        noun = "a line" if len(lines) == 1 else f"{len(lines)} lines"
        raise InputError(f"{table.name} has {noun} ({listed_lines(lines)}) {problem}")


def _refuse_shared_outputs(name: str, pairs: Sequence[ListedPair]) -> None:
    """Refuse two results in one folder, and one around another result or an image."""
    at: dict[str, list[ListedPair]] = defaultdict(list)
    for pair in pairs:
        at[_place(str(pair.output))].append(pair)
    shared = [group for group in at.values() if len(group) > 1]
    if shared:
        listed = "; ".join(
            f"{listed_lines([pair.line for pair in group])} to {group[0].output}"
            for group in shared[:SHOWN]
        )
        more = f"; and {len(shared) - SHOWN} folders more" if len(shared) > SHOWN else ""
        raise InputError(
            f"{name} sends several pairs to one folder ({listed}{more}); give each its own in a "
            "column output."
        )
    outputs = {place: group[0] for place, group in at.items()}
    for pair in pairs:
        for path in (str(pair.output), pair.before, pair.after):
            around = None if is_remote(path) else _around(_place(path), outputs)
            if around:
                raise InputError(
                    f"{name}, line {pair.line}: {path} lies in {around.output}, the output of line "
                    f"{around.line}; name another folder in the column output."
                )


def _around(place: str, outputs: dict[str, ListedPair]) -> ListedPair | None:
    """The pair whose output holds this file or folder."""
    while (parent := os.path.dirname(place)) != place:  # noqa: PTH120  as in _place
        if parent in outputs:
            return outputs[parent]
        place = parent
    return None


def _place(path: str) -> str:
    """The same text for all spellings of a path that some file system takes for one."""
    parent, name = os.path.split(os.path.abspath(path))  # noqa: PTH100  text: tables are long
    return normalize("NFC", os.path.join(_resolved(parent), name)).lower()  # noqa: PTH118


@cache
def _resolved(folder: str) -> str:
    return os.path.realpath(folder)


def _stem(path: str) -> str:
    """The name of a local or remote file without folder, query, suffix and control characters."""
    stem = Path(file_name(path) if is_remote(path) else path).stem
    return "".join(sign if sign.isprintable() else "_" for sign in stem)
