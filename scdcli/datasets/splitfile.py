"""Which pairs of a set train and which validate, as a file says."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from scdcli.datasets.samples import Sample
from scdcli.datasets.stems import SUFFIXES
from scdcli.errors import DatasetError, InputError

SPLITS = ("train", "val", "test")
COLUMNS = ("name", "split")
SHOWN = 10


class Divided(NamedTuple):
    """A set divided by a file; what the file gives to ``test`` or does not name is in neither."""

    train: list[Sample]
    validation: list[Sample]
    not_named: int  # pairs


def divide(samples: Sequence[Sample], path: Path) -> Divided:
    """Training and validation samples of a set.

    The file has the columns ``name`` and ``split`` (train, val or test), with commas between; or
    plain lines, each a name: these pairs train, all others validate. A name may have a suffix.

    Args:
        samples: The pairs that may be named.
        path: The file.

    Raises:
        DatasetError: It names pairs that are not there for training or validation, or none to
            train on, or one twice.
        InputError: It cannot be read or is no such file.
    """
    lines = _lines(path)
    as_table = set(COLUMNS) <= set(_head(lines))
    split_of = _splits(path, _entries(path, lines) if as_table else _names(path, lines))
    known = {sample.name for sample in samples}
    missing = [name for name, split in split_of.items() if split != "test" and name not in known]
    if missing:
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        raise DatasetError(
            f"{path} names pairs that are not among the {len(known)} of the training folder: "
            f"{', '.join(missing[:SHOWN])}{more} ({len(missing)} in all); give the split file of "
            "this set."
        )
    other = None if as_table else "val"
    by_split = {
        split: [sample for sample in samples if split_of.get(sample.name, other) == split]
        for split in ("train", "val")
    }
    if not by_split["train"]:
        raise DatasetError(f"{path} names no pair to train on; give some the split train.")
    not_named = 0 if other else len(known - split_of.keys())
    return Divided(by_split["train"], by_split["val"], not_named)


def _splits(path: Path, entries: Iterator[tuple[int, str, str]]) -> dict[str, str]:
    split_of: dict[str, str] = {}
    for line, name, split in entries:
        if split not in SPLITS:
            raise InputError(
                f"{path}, line {line}: {name} has the split {split!r}; give train, val or test."
            )
        if split_of.setdefault(name, split) != split:
            raise DatasetError(
                f"{path}, line {line}: {name} is in {split} and in {split_of[name]}; name a pair "
                "once."
            )
    return split_of


def _entries(path: Path, lines: list[str]) -> Iterator[tuple[int, str, str]]:
    """Line number, name without suffix, split of a table."""
    columns = [_head(lines).index(column) for column in COLUMNS]
    for number, cells in enumerate(csv.reader(lines[1:]), start=2):
        if len(cells) > max(columns):
            name, split = (cells[column].strip() for column in columns)
            yield number, _stem(name), split.lower()
        elif cells:
            raise InputError(
                f"{path}, line {number}: {len(cells)} of {len(_head(lines))} columns; give each "
                "pair a name and a split."
            )


def _names(path: Path, lines: list[str]) -> Iterator[tuple[int, str, str]]:
    """The same of plain lines: each a name to train on."""
    for number, line in enumerate(lines, start=1):
        if "," in line or ";" in line:
            raise InputError(
                f"{path}, line {number}: {line.strip()!r} is more than a name, but the first line "
                "does not name the columns name and split; begin with the line name,split and put "
                "commas between."
            )
        if line.strip():
            yield number, _stem(line.strip()), "train"


def _head(lines: list[str]) -> list[str]:
    return [cell.strip().lower() for cell in next(csv.reader(lines[:1]), [])]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} cannot be read ({error}); give a text file with a name per line."
        ) from error


def _stem(name: str) -> str:
    return name[: -len(Path(name).suffix)] if Path(name).suffix.lower() in SUFFIXES else name
