"""Into which strata a map is divided: its transitions, or classes before, after, or change."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scdcli.errors import look_up
from scdcli.legend import TRANSITION_BASE, TRANSITION_NODATA, UNCHANGED, Legend
from scdcli.sampling.changemap import BUFFER, CODES

NO_STRATUM = -1
UNCHANGED_NAME = "unchanged"
BUFFER_NAME = "near a change"
OTHERS_NAME = "other changes"
CHANGED_NAME = "changed"

KINDS: dict[str, Callable[[Legend, int, int], str]] = {
    "transition": lambda legend, a, b: legend.transition_name(a, b),
    "from": lambda legend, a, b: f"{legend[a].name} before",
    "to": lambda legend, a, b: f"{legend[b].name} after",
    "change": lambda legend, a, b: CHANGED_NAME,
}
"""Name of the stratum of a transition, by the kind of strata."""


@dataclass(frozen=True)
class Strata:
    """The strata of a map.

    Attributes:
        names: Their names; changes in the order of their codes, then what is unchanged.
        table: Place of the stratum of each code, (65536,), `NO_STRATUM` for nodata.
    """

    names: tuple[str, ...]
    table: NDArray[np.int16]

    def sums(self, by_code: NDArray[np.generic]) -> NDArray[np.float64]:
        """Sum over the codes of each stratum, (H,) of (65536,)."""
        inside = self.table != NO_STRATUM
        sums = np.bincount(self.table[inside], by_code[inside], minlength=len(self.names))
        return sums.astype(np.float64)


def make_strata(
    legend: Legend, area: NDArray[np.float64], kind: str = "transition", merge: float = 0.0
) -> Strata:
    """The strata of a map, of which none is empty.

    Args:
        legend: Names of the classes.
        area: Area by code, (65536,); `BUFFER` is near a change.
        kind: A name in `KINDS`.
        merge: Strata of change below this percentage of the whole become one.

    Raises:
        UnknownName: No such kind.
    """
    name = look_up("kind of strata", kind, KINDS)
    present = [int(code) for code in np.flatnonzero(area)]
    whole = float(area[:TRANSITION_NODATA].sum())
    changes = [code for code in present if code not in (UNCHANGED, BUFFER, TRANSITION_NODATA)]
    stratum_of = {code: name(legend, *divmod(code, TRANSITION_BASE)) for code in changes}
    size: dict[str, float] = {}
    for code, stratum in stratum_of.items():
        size[stratum] = size.get(stratum, 0.0) + float(area[code])
    rare = {stratum for stratum, amount in size.items() if 100 * amount < merge * whole}
    if len(rare) > 1:
        stratum_of = {c: OTHERS_NAME if s in rare else s for c, s in stratum_of.items()}
    for code, stratum in ((BUFFER, BUFFER_NAME), (UNCHANGED, UNCHANGED_NAME)):
        if code in present:
            stratum_of[code] = stratum
    names = tuple(dict.fromkeys(stratum_of.values()))
    table = np.full(CODES, NO_STRATUM, dtype=np.int16)
    for code, stratum in stratum_of.items():
        table[code] = names.index(stratum)
    return Strata(names, table)
