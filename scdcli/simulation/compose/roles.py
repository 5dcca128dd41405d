"""Which classes of a legend are buildings, roads, water and vegetation, by their names."""

import re
from dataclasses import dataclass

from scdcli.legend import Legend

# A class is what its name says; the first pattern that fits decides.
NAMES = {
    "building": r"building|roof|house",
    "water": r"water|river|lake|\bsea\b|pond",
    "road": r"(?<!b)road|street|pavement|path|track|railway",
    "vegetation": r"vegetation|tree|forest|grass|crop|meadow|shrub|orchard|wood|\bpark\b",
}


@dataclass(frozen=True)
class Roles:
    """Class indices by what is done with them when pairs are composed.

    Attributes:
        classes: Number of classes, K.
        buildings: Classes whose regions are objects that stand, and are replaced, one by one.
        roads: Classes that come as ribbons.
        water: Classes that nothing is built on.
        vegetation: Classes that change with the season.
    """

    classes: int
    buildings: tuple[int, ...]
    roads: tuple[int, ...]
    water: frozenset[int]
    vegetation: frozenset[int]

    @property
    def regions(self) -> tuple[int, ...]:
        """Classes that come as areas of any outline."""
        single = {*self.buildings, *self.roads}
        return tuple(index for index in range(1, self.classes + 1) if index not in single)

    @property
    def ground(self) -> tuple[int, ...]:
        """Regions that are neither water nor vegetation; without any, all regions."""
        bare = set(self.regions) - self.water - self.vegetation
        return tuple(sorted(bare)) or self.regions


def find_roles(legend: Legend) -> Roles:
    """The roles of the classes, told by their names.

    Example: of SECOND's classes ``buildings`` is (5,), ``water`` {1}, ``vegetation`` {3, 4}.
    """
    by_role: dict[str, list[int]] = {role: [] for role in NAMES}
    for index in legend.indices():
        name = legend[index].name.lower()
        if re.search(r"\b(n\.v\.g\.|(non|not|no)\b)", name):
            continue
        role = next((role for role, names in NAMES.items() if re.search(names, name)), None)
        if role:
            by_role[role].append(index)
    return Roles(
        len(legend),
        buildings=tuple(by_role["building"]),
        roads=tuple(by_role["road"]),
        water=frozenset(by_role["water"]),
        vegetation=frozenset(by_role["vegetation"]),
    )
