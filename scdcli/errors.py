"""Everything `scd` refuses, as seven exceptions whose text is the message a user reads.

A message says what is wrong, gives both values and ends with what to do. A new class is worth it
only when some caller would catch it apart.
"""

from collections.abc import Iterable, Mapping
from typing import TypeVar

Entry = TypeVar("Entry")


class ScdError(Exception):
    """Base of all errors the user can mend; the command line prints it as one sentence."""


class InputError(ScdError):
    """An input file is missing, unreadable or not what it claims to be."""


class PairError(ScdError):
    """Two scenes cannot be compared: CRS, grid, overlap or bands do not allow it."""


class DatasetError(ScdError):
    """A labelled set is incomplete or holds values its legend does not know."""


class OutputError(ScdError):
    """An output exists already or cannot be written."""


class ModelError(ScdError):
    """A model file is not ours, is damaged, or does not fit the data."""


class TrainingError(ScdError):
    """Training cannot go on, for example because the loss is no longer a number."""


class UnknownName(ScdError):  # noqa: N818  the message, not the suffix, tells that it is an error
    """A name is not in the registry it was looked up in."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        """Compose the message from what was asked and what exists."""
        super().__init__(f"no {kind} named {name!r}; choose one of: {', '.join(sorted(known))}.")


def look_up(kind: str, name: str, registry: Mapping[str, Entry]) -> Entry:
    """The entry that a registry has under a name.

    Raises:
        UnknownName: There is none of this name.
    """
    if name not in registry:
        raise UnknownName(kind, name, registry)
    return registry[name]
