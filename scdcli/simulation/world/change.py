"""Uses of parcels: how likely each is, what it turns into, and which parcels change."""

from collections.abc import Callable, Sequence

import numpy as np

from scdcli.simulation.world.draft import AFTER, BEFORE, BOTH, Draft
from scdcli.simulation.world.frame import Rect
from scdcli.simulation.world.greenery import (
    draw_fields,
    draw_forest,
    draw_meadow,
    draw_orchard,
    draw_park,
)
from scdcli.simulation.world.layout import Parcel
from scdcli.simulation.world.leisure import draw_farm, draw_lake, draw_sports
from scdcli.simulation.world.quarters import (
    draw_houses,
    draw_industry,
    draw_old_town,
    draw_parking,
    draw_rows,
    draw_site,
)

Draw = Callable[[Draft, Rect, int], None]

USES: dict[str, Draw] = {
    "fields": draw_fields,
    "meadow": draw_meadow,
    "forest": draw_forest,
    "orchard": draw_orchard,
    "farm": draw_farm,
    "lake": draw_lake,
    "houses": draw_houses,
    "rows": draw_rows,
    "old town": draw_old_town,
    "industry": draw_industry,
    "park": draw_park,
    "sports": draw_sports,
    "parking": draw_parking,
    "site": draw_site,
}

# Weights in open country, suburb and center.
WEIGHTS: dict[str, tuple[float, float, float]] = {
    "fields": (9.0, 1.2, 0.0),
    "meadow": (3.0, 1.2, 0.3),
    "forest": (4.5, 1.6, 0.4),
    "orchard": (1.0, 0.3, 0.0),
    "farm": (1.6, 0.3, 0.0),
    "lake": (1.2, 0.8, 0.4),
    "houses": (2.0, 6.5, 1.8),
    "rows": (0.4, 4.0, 6.0),
    "old town": (1.0, 2.5, 6.0),
    "industry": (0.7, 3.0, 3.0),
    "park": (0.3, 1.5, 1.3),
    "sports": (0.5, 1.8, 1.8),
    "parking": (0.1, 0.6, 1.0),
    "site": (0.5, 0.8, 0.8),
}

GREEN = ("fields", "meadow", "forest", "orchard", "park")
BUILT = ("houses", "rows", "old town", "industry", "farm", "parking", "site")

# What a parcel becomes: weights by its old use; the same use means rebuilt or laid out anew.
_FROM_GREEN = {
    "houses": 4.0, "rows": 4.0, "industry": 3.2, "site": 1.6, "sports": 2.0, "lake": 1.3,
    "parking": 0.9, "forest": 1.4, "park": 0.6, "meadow": 0.8, "old town": 0.6,
}  # fmt: skip
_FROM_BUILT = {
    "rows": 4.0, "industry": 2.5, "site": 2.5, "houses": 2.0, "old town": 1.6, "parking": 1.3,
    "park": 2.0, "sports": 1.6, "meadow": 1.6, "lake": 0.5, "forest": 0.8,
}  # fmt: skip
_FROM_OTHER = {
    "meadow": 2.0, "site": 2.5, "rows": 2.0, "park": 1.0, "industry": 1.5, "parking": 1.2,
    "forest": 1.0, "fields": 0.7, "houses": 1.2, "sports": 1.2, "lake": 0.6,
}  # fmt: skip


def _next_use(rng: np.random.Generator, use: str) -> str:
    """What a parcel of this use becomes."""
    table = _FROM_GREEN if use in GREEN else _FROM_BUILT if use in BUILT else _FROM_OTHER
    weights = [0.0 if name == use and use in GREEN else weight for name, weight in table.items()]
    return _choose(rng, tuple(table), weights)


def fill_parcels(
    draft: Draft, parcels: tuple[Parcel, ...], share: float, areas: list[float]
) -> None:
    """Draw every parcel; parcels change until `share` of the visible area has a new use.

    Args:
        draft: What to draw into.
        parcels: All parcels.
        share: Part of the parcels' visible area that gets a new use, 0..1.
        areas: Visible pixels of every parcel.
    """
    rng = draft.rng
    changed = _changed_parcels(rng, share, areas)
    block_use: dict[int, str] = {}
    for index, parcel in enumerate(parcels):
        odds = [
            float(np.interp(parcel.urbanity, (0.15, 0.5, 0.85), row)) for row in WEIGHTS.values()
        ]
        use = _choose(rng, tuple(WEIGHTS), odds)
        if rng.random() < 0.5:
            use = block_use.get(parcel.block, use)
        block_use.setdefault(parcel.block, use)
        if changed[index]:
            USES[use](draft, parcel.rect, BEFORE)
            draft.palette = ()
            USES[_next_use(rng, use)](draft, parcel.rect, AFTER)
        else:
            USES[use](draft, parcel.rect, BOTH)
        draft.palette = ()


def _changed_parcels(rng: np.random.Generator, share: float, areas: list[float]) -> list[bool]:
    """Parcels in random order until their area reaches the share."""
    changed = [False] * len(areas)
    goal = share * sum(areas)
    total = 0.0
    for index in rng.permutation(len(areas)):
        excess = total + areas[index] - goal
        if excess > 0:  # one chance for the last parcel, so that the share is right on average
            changed[index] = bool(rng.random() * areas[index] > excess)
            break
        changed[index] = True
        total += areas[index]
    return changed


def _choose(rng: np.random.Generator, names: tuple[str, ...], weights: Sequence[float]) -> str:
    odds = np.array(weights, dtype=np.float64)
    return names[int(rng.choice(len(names), p=odds / odds.sum()))]
