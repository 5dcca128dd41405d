"""A pair opened with its shift estimated, and AFTER moved back over BEFORE if wanted."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scdcli.errors import PairError
from scdcli.files.naming import name_of
from scdcli.rasters.pair.open import Pair, open_pair
from scdcli.rasters.pair.settings import DEFAULTS, OF_PART, PairSettings, of_whole
from scdcli.rasters.pair.shift import Shift, estimate_shift

Names = tuple[str, str]
"""BEFORE and AFTER, as they may be printed."""

WORTH_A_NOTE = 1.0  # pixels, of a shift and of its spread
LEAST_MOVE = 0.25  # pixels: the estimate is hardly better, and resampling blurs
LARGEST_MOVE = 32.0  # pixels: beyond, something else is wrong
NEAR_WHOLE = 0.1  # pixels: as good as whole pixels, which need no resampling


@dataclass(frozen=True)
class Registration:
    """The shift of a pair, and what was done about it.

    Attributes:
        shift: The shift as the files lie; None when it cannot be estimated.
        remaining: The shift after moving; None when nothing was moved.
        move: (rows, cols), down and right, by which AFTER is moved.
        notes: One sentence for each thing to know.
    """

    shift: Shift | None
    notes: tuple[str, ...] = ()
    remaining: Shift | None = None
    move: tuple[float, float] = (0.0, 0.0)

    @property
    def doubtful(self) -> bool:
        """Whether AFTER, as it is read, lies beside BEFORE by more than a pixel somewhere."""
        shift = self.remaining or self.shift
        return shift is not None and max(shift.size, shift.spread) > WORTH_A_NOTE

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, for the record of the pair."""
        shifts = {"estimated_shift": self.shift, "remaining_shift": self.remaining}
        return {name: shift and shift.to_dict() for name, shift in shifts.items()}


@contextmanager
def open_registered(
    before: str | Path,
    after: str | Path,
    settings: PairSettings = DEFAULTS,
    *,
    coregister: bool = False,
) -> Iterator[Pair]:
    """A pair as `open_pair` opens it, with its shift in notes and provenance.

    Args:
        before: The earlier scene; its grid rules.
        after: The later scene.
        settings: Bands, values and places to read.
        coregister: Move AFTER by the shift that most places agree on, after trying it.

    Raises:
        InputError: A file cannot be opened or read, or is of a kind that cannot be compared.
        PairError: The two cannot be compared, or are to be moved by more than 32 pixels.
    """
    with open_and_register(before, after, settings, coregister=coregister) as (pair, registration):
        yield replace(
            pair,
            notes=(*pair.notes, *registration.notes),
            warnings=(*pair.warnings, *(registration.notes if registration.doubtful else ())),
            provenance=pair.provenance | registration.to_dict(),
            coregister=coregister,
        )


@contextmanager
def open_and_register(
    before: str | Path, after: str | Path, settings: PairSettings, *, coregister: bool
) -> Iterator[tuple[Pair, Registration]]:
    """As `open_registered`, with the registration beside the pair instead of in its notes."""
    registration: Registration | None = None
    if coregister:
        registration, settings = _register(before, after, settings)
    with open_pair(before, after, settings) as pair:
        yield (
            pair,
            registration or _unmoved(estimate_shift(pair), (name_of(before), name_of(after))),
        )


def _unmoved(shift: Shift | None, names: Names) -> Registration:
    """The registration of a pair of which nothing is to be moved."""
    if shift is None or max(shift.size, shift.spread) <= WORTH_A_NOTE:
        return Registration(shift)
    advice = "--coregister moves it back."
    if shift.size > LARGEST_MOVE:
        advice = "That is more than --coregister moves; check that both show the same place."
    elif shift.spread >= shift.size:
        advice = f"{_disagreement(shift)} No single move can mend that."
    elif shift.spread > WORTH_A_NOTE:
        advice = f"{_disagreement(shift)} --coregister moves back what they have in common."
    note = f"{_where(names, shift)}: edges that did not change may be taken for change. {advice}"
    return Registration(shift, (note,))


def _register(
    before: str | Path, after: str | Path, settings: PairSettings
) -> tuple[Registration, PairSettings]:
    """Try to move AFTER; returns the registration, and the settings to open the pair with."""
    names = (name_of(before), name_of(after))
    # The values as they are: what normalizes them is shift where AFTER is read in the end.
    plain = replace(settings, normalize="none", mean_std=None, normalization=None)
    if settings.statistics != OF_PART:  # samples are those of the whole
        plain = of_whole(plain)
    with open_pair(before, after, plain) as pair:
        shift = estimate_shift(pair)
    reason = _reason_to_stay(shift, names)
    if shift is None or reason is not None:
        return Registration(shift, (f"{reason} Nothing is moved.",)), settings
    move = _back(shift)
    # One stretch for both openings: the values must not change with the place.
    moving = replace(
        settings,
        shift=(settings.shift[0] + move[0], settings.shift[1] + move[1]),
        stretch=pair.stretch,
    )
    tried = replace(plain, shift=moving.shift, stretch=pair.stretch)
    with open_pair(before, after, tried) as moved:
        remaining = estimate_shift(moved)
    if remaining is None or remaining.size >= shift.size:
        left = "cannot be told" if remaining is None else f"is {remaining}"
        note = f"{_where(names, shift)}; moved back, the shift {left}."
        return Registration(shift, (f"{note} Nothing is moved.",)), settings
    notes = [f"{_where(names, shift)}; moved back, it lies {remaining} beside it."]
    if remaining.spread > WORTH_A_NOTE:
        notes.append(f"{_disagreement(remaining)} No single move can mend that.")
    return Registration(shift, tuple(notes), remaining, move), moving


def _reason_to_stay(shift: Shift | None, names: Names) -> str | None:
    """Why AFTER is better left where it is.

    Raises:
        PairError: The shift is too large to be one.
    """
    first, second = names
    if shift is None:
        return (
            f"How far {second} is shifted against {first} cannot be told: "
            "too few places show the same edges at both dates."
        )
    if shift.size > LARGEST_MOVE:
        raise PairError(
            f"{_where(names, shift)}, and --coregister moves {LARGEST_MOVE:g} at most; "
            "check that both show the same place and that their CRS is right."
        )
    if shift.size < LEAST_MOVE:
        return f"{second} lies within {LEAST_MOVE:g} pixels of {first}."
    if shift.spread >= shift.size:
        return f"{_where(names, shift)}. {_disagreement(shift)}"
    return None


def _back(shift: Shift) -> tuple[float, float]:
    """(rows, cols) that undo a shift: whole pixels where that is as good."""
    move = (-shift.rows, -shift.cols)
    if all(abs(pixels - round(pixels)) <= NEAR_WHOLE for pixels in move):
        return float(round(move[0])), float(round(move[1]))
    return round(move[0], 2), round(move[1], 2)


def _where(names: Names, shift: Shift) -> str:
    places = "1 place" if shift.places == 1 else f"{shift.places} places"
    return f"{names[1]} lies {shift} beside {names[0]}, estimated at {places}"


def _disagreement(shift: Shift) -> str:
    return f"The places disagree by {shift.spread:.1f} pixels."
