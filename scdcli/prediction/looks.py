"""Which chips of a scene were predicted, and which of them were looked at again."""

import numpy as np
from numpy.typing import NDArray

# By the first row and column of a chip: whether it was looked at again, in other views than the
# plain one. Supertiles share chips, so what they looked at is joined, not added up.
Looks = dict[tuple[int, int], bool]


def looks_of(looks: Looks) -> NDArray[np.int64]:
    """As an array, (chips, 3): row, column, and 1 where it was looked at again."""
    rows = [(*place, again) for place, again in looks.items()]
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


def looks_from(array: NDArray[np.int64]) -> Looks:
    """What `looks_of` made an array of."""
    return {(row, col): bool(again) for row, col, again in array.tolist()}


def describe_looks(looks: Looks) -> dict[str, int]:
    """How many chips there are, JSON-ready."""
    return {"predicted": len(looks), "looked_at_again": sum(looks.values())}
