"""How far two judges agree on the same places."""

from collections.abc import Mapping
from typing import NamedTuple


class Agreement(NamedTuple):
    """Two judges compared.

    Attributes:
        places: What both have judged.
        share: Of these the share on which they agree; None without any.
        kappa: Cohen's kappa, agreement beyond chance: 1 is full, 0 that of chance; None where both
            always say the same one thing.
        differing: Where they disagree, in the order of the first.
    """

    places: int
    share: float | None
    kappa: float | None
    differing: tuple[str, ...]


def agreement(first: Mapping[str, str], second: Mapping[str, str]) -> Agreement:
    """Compare judgements by the id of their place."""
    common = [place for place in first if place in second]
    if not common:
        return Agreement(0, None, None, ())
    differing = tuple(place for place in common if first[place] != second[place])
    count = len(common)
    share = 1 - len(differing) / count
    one, other = [first[place] for place in common], [second[place] for place in common]
    chance = sum(one.count(each) * other.count(each) for each in set(one)) / count**2
    kappa = (share - chance) / (1 - chance) if chance < 1 else None
    return Agreement(count, share, kappa, differing)
