"""Where the time of a prediction goes, by stage, and how long the rest of it will take."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")

STAGES = ("read", "network", "blend", "clean", "write", "polygons")
AFTERWARDS = 2.0  # what cleaning, writing and polygons take, times the blending of all chips
MEASURED = 3  # chips that a forecast rests on, at least
WORTH_SAYING = 60.0  # seconds


class Profile:
    """Seconds by stage, how much is done, and a forecast from the first chips.

    Attributes:
        seconds: By the names in `STAGES`.
        stage: The one under way; empty between them.
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
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self.stage = ""
        self._chips, self._say, self._tell = chips, say, tell
        self._passed = self._measured = 0
        self._since: float | None = None

    @contextmanager
    def timing(self, stage: str) -> Iterator[None]:
        """Add the time that what is inside takes to a stage."""
        begun, around = time.perf_counter(), self.stage
        self.stage = stage
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - begun
            self.stage = around

    def timing_each(self, stage: str, items: Iterator[Item]) -> Iterator[Item]:
        """The items, with the time that it takes to come by them added to a stage."""
        while True:
            with self.timing(stage):
                item = next(items, None)
            if item is None:
                return
            yield item

    def pass_chip(self) -> None:
        """Count a chip without a measurement, which takes no time."""
        self._pass(1)

    def count_chips(self, number: int) -> None:
        """Count a batch of chips that is done, and say after the first how long all will take."""
        self._pass(number)
        now = time.perf_counter()
        if self._since is None:  # the first batch also warms up
            self._since = now
            return
        before, self._measured = self._measured, self._measured + number
        if before < MEASURED <= self._measured:
            each = (now - self._since) / self._measured
            blended = self.seconds["blend"] / (self._passed - number)  # of this batch none is yet
            left = (self._chips - self._passed) * each + AFTERWARDS * blended * self._chips
            if left > WORTH_SAYING:
                self._say(
                    f"About {spoken_time(left)} to go: {self._chips} chips, {each:.2g} seconds "
                    "each."
                )

    def _pass(self, number: int) -> None:
        self._passed += number
        self._tell(min(1.0, self._passed / max(1, self._chips)))

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


def spoken_time(seconds: float) -> str:
    """For example ``12 minutes`` or ``3.5 hours``."""
    minutes = seconds / 60
    if minutes < 90:
        number = max(1, round(minutes))
        return "1 minute" if number == 1 else f"{number} minutes"
    return f"{minutes / 60:.1f} hours"
