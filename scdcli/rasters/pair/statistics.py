"""What maps the values of one pair or of many tiles, found once and kept in a JSON file.

No model is in it: the mean and spread of either date are those of the images, and whatever a model
wants is computed from them.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scdcli import __version__
from scdcli.errors import InputError, PairError
from scdcli.files.naming import file_name
from scdcli.files.whole import write_whole
from scdcli.rasters.pair.mappings import MeanStd
from scdcli.rasters.pair.normalization import Names, Normalization, per_date, recorded
from scdcli.rasters.pair.settings import PairSettings
from scdcli.rasters.pair.stretch import Stretch

FORMAT = 1
REMEDY = "make it with scd check --statistics"


@dataclass(frozen=True)
class Facts:
    """What pairs with the same statistics have in common.

    Attributes:
        bands: Band numbers of BEFORE, from 1.
        after_bands: Those of AFTER.
        types: Types of the values, such as ``uint16``, of BEFORE and of AFTER.
        scale: The range that the user asked for, if any.
        normalize: How AFTER is brought to BEFORE.
    """

    bands: tuple[int, ...]
    after_bands: tuple[int, ...]
    types: tuple[str, str]
    scale: tuple[float, float] | None
    normalize: str


@dataclass(frozen=True)
class Statistics:
    """What maps the values of pairs.

    Attributes:
        facts: What the pairs have in common.
        pairs: How many there were.
        stretch: What maps values to 0..255; None where uint8 is used as it is.
        to_before: What brings AFTER to the values of BEFORE.
        own: Mean and spread of either date after that; None where nothing is measured.
        name: The file, for messages.
        sha256: Of the file, in hexadecimal.
    """

    facts: Facts
    pairs: int
    stretch: Stretch | None
    to_before: Normalization
    own: tuple[MeanStd, MeanStd] | None
    name: str = ""
    sha256: str = ""

    def normalization(self, wanted: MeanStd | None, names: Names) -> Normalization:
        """All mappings of a pair, each date also brought to the mean and spread wanted, if any."""
        if wanted is None:
            return self.to_before
        return per_date(self.to_before, self.own, wanted, names)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, what `read_statistics` reads."""
        facts, stretch = self.facts, self.stretch
        return {
            "statistics": FORMAT,
            "scd": __version__,
            "pairs": self.pairs,
            **vars(facts),
            "stretch": stretch and {"low": stretch.low, "high": stretch.high},
            "normalization": self.to_before.record or None,
            "before": self.own and self.own[0]._asdict(),
            "after": self.own and self.own[1]._asdict(),
        }

    def require_fitting(self, facts: Facts, names: Names) -> None:
        """Refuse a pair that is read otherwise than those the statistics are of.

        Raises:
            PairError: It is.
        """
        for name, own in vars(self.facts).items():
            asked = getattr(facts, name)
            if own != asked:
                raise PairError(
                    f"{self.name} has statistics of pairs with {LABELS[name]} {_shown(own)}, and "
                    f"{names[0]} and {names[1]} are read with {_shown(asked)}; {REMEDY} and the "
                    "options of this prediction."
                )


LABELS = {
    "bands": "the bands",
    "after_bands": "the bands of AFTER",
    "types": "the types",
    "scale": "--scale",
    "normalize": "--normalize",
}


def described(facts: Facts) -> str:
    """The facts in words."""
    return ", ".join(f"{LABELS[name]} {_shown(each)}" for name, each in vars(facts).items())


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(str(each) for each in value)
    return "none" if value is None else str(value)


def write_statistics(path: Path, statistics: Statistics) -> None:
    """Write a file of statistics, whole or not at all.

    Raises:
        OutputError: It cannot be written.
    """
    write_whole(path, (json.dumps(statistics.to_dict(), indent=1) + "\n").encode())


def chosen_statistics(settings: PairSettings) -> Statistics | None:
    """The statistics in the file that settings name; None where they name none.

    Raises:
        InputError: It cannot be read, or is no such file.
    """
    return None if settings.computes_statistics else read_statistics(settings.statistics)


def read_statistics(path: str) -> Statistics:
    """The statistics in a file.

    Raises:
        InputError: It cannot be read, or is no such file.
    """
    name = file_name(path)
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise InputError(
            f"--statistics {path} cannot be read ({getattr(error, 'strerror', error)}); give "
            f"whole, part or a file: {REMEDY}."
        ) from error
    try:
        said = json.loads(content)
        form = said["statistics"]
        if isinstance(form, int) and form > FORMAT:
            raise InputError(
                f"{name} has format {form} of statistics, this scd {__version__} reads up to "
                f"{FORMAT}; upgrade scd, or {REMEDY}."
            )
        found = _parsed(said)
    except KeyError as error:
        raise InputError(f"{name} lacks {error.args[0]!r} of statistics; {REMEDY}.") from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{name} holds no statistics ({error}); {REMEDY}.") from error
    return replace(found, name=name, sha256=hashlib.sha256(content).hexdigest())


def _parsed(said: dict[str, Any]) -> Statistics:
    """The statistics that JSON says.

    Raises:
        KeyError: A part is missing.
        TypeError: A part is of another kind.
        ValueError: Likewise, or of another number of bands.
    """
    scale, stretch = said["scale"], said["stretch"]
    before, after = said["types"]
    facts = Facts(
        tuple(map(int, said["bands"])),
        tuple(map(int, said["after_bands"])),
        (str(before), str(after)),
        None if scale is None else (float(scale[0]), float(scale[1])),
        str(said["normalize"]),
    )
    count = len(facts.bands)
    return Statistics(
        facts,
        int(said["pairs"]),
        stretch and Stretch(_values(stretch["low"], count), _values(stretch["high"], count)),
        recorded(said["normalization"] or {}, count),
        None
        if said["before"] is None
        else (_own(said["before"], count), _own(said["after"], count)),
    )


def _own(said: dict[str, Any], count: int) -> MeanStd:
    return MeanStd(_values(said["mean"], count), _values(said["std"], count))


def _values(said: list[Any], count: int) -> tuple[float, ...]:
    values = tuple(map(float, said))
    if len(values) != count:
        raise ValueError(f"{len(values)} values for {count} bands")
    return values
