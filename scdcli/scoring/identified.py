"""Which classes changed pixels are given, whether the system calls them changed or not."""

from dataclasses import dataclass, field

import numpy as np

from scdcli.legend import UNCHANGED
from scdcli.scoring.counting import JointCounts, count_joint
from scdcli.scoring.mappairs import ScoredWindow


@dataclass
class IdentifiedTally:
    """Joint counts of the pixels labelled as changed, with the classes of every pixel.

    Attributes:
        counts: So far; of truth from, to, and class before, after as predicted without a mask.
        complete: Whether every window had the predicted class of every pixel.
    """

    counts: JointCounts = field(default_factory=JointCounts.empty)
    complete: bool = True

    def add(self, window: ScoredWindow) -> None:
        """Count a window."""
        covers = window.predicted.covers
        if covers is None:
            self.complete = False
            return
        changed = window.labelled & (window.labels[0] != UNCHANGED)
        from_class, to_class, before, after = (
            np.ascontiguousarray(each[changed]) for each in (*window.labels, *covers)
        )
        self.counts += count_joint((from_class, to_class, before, after))

    def result(self) -> JointCounts | None:
        """The counts; None where the class of some pixels is not predicted."""
        return self.counts if self.complete else None
