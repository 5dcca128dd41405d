"""Counts that add up over windows, pairs and processes."""

from dataclasses import fields
from typing import Self


class Sums:
    """Base of dataclasses whose sum is the sum of each of their fields."""

    def __add__(self, other: Self) -> Self:
        """The counts of both together."""
        names = [each.name for each in fields(self)]  # type: ignore[arg-type]
        return type(self)(*(getattr(self, name) + getattr(other, name) for name in names))
