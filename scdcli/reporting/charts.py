"""What charts draw: bands of a flow diagram, cells of a matrix, bars of a histogram."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST_CLASSES = 12  # in a chart; what is left over is counted together

Amounts = Mapping[tuple[int, int], float]
"""Area by class before and class after."""
Gathered = Mapping[tuple[int | None, int | None], float]
"""The same, where None stands for all the other classes."""


class Node(NamedTuple):
    """A class at one date in a flow diagram; pixels of the drawing."""

    cover: int | None  # class; None: all the other classes
    top: float
    height: float
    amount: float


class Band(NamedTuple):
    """What went from one class to another in a flow diagram."""

    from_class: int | None
    to_class: int | None
    path: str
    amount: float


@dataclass(frozen=True)
class Flow:
    """A flow diagram: classes before on the left, classes after on the right."""

    width: int
    height: int
    left: float
    right: float
    before: list[Node]
    after: list[Node]
    bands: list[Band]


@dataclass(frozen=True)
class Matrix:
    """Classes before by classes after.

    Attributes:
        before: The classes of the rows.
        after: The classes of the columns.
        amounts: Areas, row by row.
        shades: Roots of the shares of the largest area, row by row.
        omitted: Rows and columns that are left out.
    """

    before: list[int]
    after: list[int]
    amounts: list[list[float]]
    shades: list[list[float]]
    omitted: int


def flow(amounts: Amounts, *, width: int = 560, margin: int = 150) -> Flow:
    """The flow diagram of areas, largest classes first at either date."""
    gathered = _gathered(amounts)
    sides = [_totals(gathered, date) for date in (0, 1)]
    most = max(map(len, sides), default=0)
    height = max(160, 44 * most)
    gap, bar = 14.0, 10.0
    total = sum(gathered.values())
    scale = (height - gap * max(most - 1, 0)) / total if total else 0.0
    before, after = (_stacked(side, scale, gap, height) for side in sides)
    left, right = margin + bar, width - margin - bar
    starts = {node.cover: node.top for node in before}
    ends = {node.cover: node.top for node in after}
    bands = []
    for node in before:
        for target in after:
            amount = gathered.get((node.cover, target.cover), 0.0)
            if amount:
                thick = amount * scale
                y0, y1 = starts[node.cover], ends[target.cover]
                starts[node.cover] += thick
                ends[target.cover] += thick
                path = _ribbon(left, y0, right, y1, max(thick, 0.6))
                bands.append(Band(node.cover, target.cover, path, amount))
    return Flow(width, height, left, right, before, after, bands)


def matrix(amounts: Amounts) -> Matrix:
    """The matrix of the classes that have changed most, in the order of the legend."""
    dates = [_totals(amounts, date) for date in (0, 1)]
    before, after = (
        sorted(cover for cover, _ in date[:MOST_CLASSES] if cover is not None) for date in dates
    )
    cells = [[amounts.get((a, b), 0.0) for b in after] for a in before]
    largest = max((max(row) for row in cells), default=0.0)
    # Areas spread over orders of magnitude: a root keeps the small ones visible.
    shades = [
        [round((cell / largest) ** 0.5, 3) if largest else 0.0 for cell in row] for row in cells
    ]
    omitted = sum(map(len, dates)) - len(before) - len(after)
    return Matrix(before, after, cells, shades, omitted)


def median_bin(bins: NDArray[np.float64]) -> float | None:
    """The confidence, 0 to 1, that half of the area exceeds; None without any."""
    total = float(bins.sum())
    if not total:
        return None
    passed = np.cumsum(bins[::-1])
    steps = int(np.searchsorted(passed, total / 2)) + 1
    return 1 - steps / len(bins)


def amounts_of(
    transitions: Iterable[Mapping[str, Any]], column: str
) -> dict[tuple[int, int], float]:
    """Areas by from and to class of the rows of a summary."""
    return {(row["from_class"], row["to_class"]): float(row[column]) for row in transitions}


def _gathered(amounts: Amounts) -> dict[tuple[int | None, int | None], float]:
    """The same, with all but the largest classes of either date taken together as None."""
    kept = []
    for date in (0, 1):
        totals = _totals(amounts, date)
        most = MOST_CLASSES if len(totals) <= MOST_CLASSES else MOST_CLASSES - 1
        kept.append({index for index, _ in totals[:most]})
    gathered: dict[tuple[int | None, int | None], float] = {}
    for (a, b), amount in amounts.items():
        key = (a if a in kept[0] else None, b if b in kept[1] else None)
        gathered[key] = gathered.get(key, 0.0) + amount
    return gathered


def _totals(amounts: Amounts | Gathered, date: int) -> list[tuple[int | None, float]]:
    """Classes of a date with their area, largest first, the others last."""
    totals: dict[int | None, float] = {}
    for pair, amount in amounts.items():
        totals[pair[date]] = totals.get(pair[date], 0.0) + amount
    return sorted(totals.items(), key=lambda item: (item[0] is None, -item[1], item[0] or 0))


def _stacked(
    side: Sequence[tuple[int | None, float]], scale: float, gap: float, height: float
) -> list[Node]:
    """Nodes from top to bottom, in the middle of the drawing."""
    used = sum(amount for _, amount in side) * scale + gap * (len(side) - 1)
    top = (height - used) / 2
    nodes = []
    for index, amount in side:
        nodes.append(Node(index, round(top, 2), round(max(amount * scale, 1.0), 2), amount))
        top += amount * scale + gap
    return nodes


def label_rows(nodes: Sequence[Node], least: float = 15.0) -> list[float]:
    """Where the names of nodes go so that no two lie on each other, (n,) y of their middles."""
    rows = [node.top + node.height / 2 for node in nodes]
    for above, below in pairwise(range(len(rows))):
        rows[below] = max(rows[below], rows[above] + least)
    return [round(row, 2) for row in rows]


def _ribbon(x0: float, y0: float, x1: float, y1: float, thick: float) -> str:
    middle = (x0 + x1) / 2
    upper = f"M{x0:.1f},{y0:.2f}C{middle:.1f},{y0:.2f} {middle:.1f},{y1:.2f} {x1:.1f},{y1:.2f}"
    y0, y1 = y0 + thick, y1 + thick
    return f"{upper}V{y1:.2f}C{middle:.1f},{y1:.2f} {middle:.1f},{y0:.2f} {x0:.1f},{y0:.2f}Z"
