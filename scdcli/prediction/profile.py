"""Where the time of a prediction goes, by stage, and how long the rest of it will take."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")

STAGES = ("read", "network", "blend", "clean", "write", "polygons")
FIRST = 1  # chips that are not measured: the first one also warms up
MEASURED = 3  # chips that a forecast rests on
WORTH_SAYING = 60.0  # seconds


class Profile:
    """Seconds by stage, and a forecast from the first chips.

    Attributes:
        seconds: By the names in `STAGES`.
    """

    def __init__(self) -> None:
        """Start with nothing."""
        self.begin()

    def begin(self, chips: int = 0, say: Callable[[str], None] = lambda sentence: None) -> None:
        """Start anew.

        Args:
            chips: That are to be predicted.
            say: Called with a sentence on how long that takes, where it is more than a minute.
        """
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self._chips, self._say, self._done, self._since = chips, say, 0, 0.0

    @contextmanager
    def timing(self, stage: str) -> Iterator[None]:
        """Add the time that what is inside takes to a stage."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - begun

    def timing_each(self, stage: str, items: Iterator[Item]) -> Iterator[Item]:
        """The items, with the time that it takes to come by them added to a stage."""
        while True:
            with self.timing(stage):
                item = next(items, None)
            if item is None:
                return
            yield item

    def count_chip(self) -> None:
        """Count a chip that is done, and say after the first few how long all will take."""
        self._done += 1
        now = time.perf_counter()
        if self._done == FIRST:
            self._since = now
        elif self._done == FIRST + MEASURED:
            each = (now - self._since) / MEASURED
            left = (self._chips - self._done) * each
            if left > WORTH_SAYING:
                self._say(
                    f"About {_spoken(left)} to go: {self._chips} chips, {each:.2g} seconds each."
                )

    def to_dict(self, pixels: int) -> dict[str, dict[str, float | None]]:
        """Seconds and million pixels per second by stage, JSON-ready.

        Args:
            pixels: Of the map.
        """
        return {
            stage: {
                "seconds": round(seconds, 3),
                "megapixels_per_second": round(pixels / 1e6 / seconds, 3) if seconds else None,
            }
            for stage, seconds in self.seconds.items()
        }


def _spoken(seconds: float) -> str:
    """For example ``12 minutes`` or ``3.5 hours``."""
    minutes = seconds / 60
    if minutes < 90:
        number = max(1, round(minutes))
        return "1 minute" if number == 1 else f"{number} minutes"
    return f"{minutes / 60:.1f} hours"
