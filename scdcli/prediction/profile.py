"""Where the time of a prediction goes, by stage, and how long the rest of it will take."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")

STAGES = ("read", "network", "blend", "clean", "write", "polygons")
PAGE = "page"  # comes after the summary, which has the other stages
BEHIND = ("read", "network")  # each in a thread of its own, while the others go on
MEANWHILE = 6.0  # what is done to maps while others are predicted, times the adding of their chips
AFTERWARDS = 2.0  # what is done when all are predicted, times the same
MEASURED = 3  # chips that a forecast rests on, at least
WORTH_SAYING = 60.0  # seconds


class Profile:
    """Seconds by stage, how much is done, and a forecast from the first chips.

    Stages work side by side, so that their seconds may add up to more than passes.

    Attributes:
        seconds: By the names in `STAGES`, and `PAGE`.
        stage: The one under way that is not one of `BEHIND`; empty between them.
    """

    def __init__(self) -> None:
        """Start with nothing."""
        self.begin()

    def begin(
        self,
        chips: int = 0,
        say: Callable[[str], None] = lambda sentence: None,
        tell: Callable[[float], None] = lambda share: None,
    ) -> None:
        """Start anew.

        Args:
            chips: That are to be predicted.
            say: Called with a sentence on how long that takes, where it is more than a minute.
            tell: Called with the share of the chips that is done, 0 to 1, after each batch.
        """
        self.seconds = dict.fromkeys((*STAGES, PAGE), 0.0)
        self.stage = ""
        self._chips, self._say, self._tell = chips, say, tell
        self._added = 0
        self._first: tuple[int, float] | None = None  # chips of the first batch, and its seconds
        self._predicted = (0, 0.0)  # of all batches so far
        self._told = False

    @contextmanager
    def timing(self, stage: str) -> Iterator[None]:
        """Add the time that what is inside takes to a stage."""
        begun, around = time.perf_counter(), self.stage
        if stage not in BEHIND:
            self.stage = stage
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - begun
            if stage not in BEHIND:
                self.stage = around

    def timing_each(self, stage: str, items: Iterator[Item]) -> Iterator[Item]:
        """The items, with the time that it takes to come by them added to a stage."""
        while True:
            with self.timing(stage):
                item = next(items, None)
            if item is None:
                return
            yield item

    def count_chips(self, number: int) -> None:
        """Count a batch of chips that the network has just predicted."""
        self._predicted = (self._predicted[0] + number, self.seconds["network"])
        if self._first is None:  # the first batch also warms up
            self._first = self._predicted

    def reach(self, number: int) -> None:
        """Tell that so many chips are done, and, once it can be known, how long all will take."""
        self._tell(min(1.0, number / max(1, self._chips)))
        self._added += 1
        if self._told or self._first is None:
            return
        measured, seconds = (
            now - first for now, first in zip(self._predicted, self._first, strict=True)
        )
        if measured < MEASURED:
            return
        self._told = True
        added = self.seconds["blend"] / self._added
        # Of what goes on side by side, the slowest sets the pace.
        each = max(seconds / measured, self.seconds["read"] / self._predicted[0], MEANWHILE * added)
        left = (self._chips - number) * each + AFTERWARDS * added * self._chips
        if left > WORTH_SAYING:
            self._say(
                f"About {spoken_time(left)} to go: {self._chips} chips, {each:.2g} seconds each."
            )

    def to_dict(self, pixels: int) -> dict[str, dict[str, float | None]]:
        """Seconds and million pixels per second by stage, the page left out, JSON-ready."""
        return {
            stage: {
                "seconds": round(seconds, 3),
                "megapixels_per_second": round(pixels / 1e6 / seconds, 3) if seconds else None,
            }
            for stage, seconds in self.seconds.items()
            if stage != PAGE
        }


def spoken_time(seconds: float) -> str:
    """For example ``12 minutes`` or ``3.5 hours``."""
    minutes = seconds / 60
    if minutes < 90:
        number = max(1, round(minutes))
        return "1 minute" if number == 1 else f"{number} minutes"
    return f"{minutes / 60:.1f} hours"
