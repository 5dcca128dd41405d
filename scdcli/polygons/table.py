"""How much changed from what to what: pixels, m², hectares and percent per transition."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scdcli.errors import InputError, OutputError
from scdcli.legend import TRANSITION_BASE, TRANSITION_NODATA, UNCHANGED, Legend
from scdcli.polygons.area import PIXELS, Ground
from scdcli.polygons.strips import Runs

CODES = TRANSITION_NODATA + 1
SQUARE_METRES_PER_HECTARE = 10_000.0


@dataclass(frozen=True)
class Extent:
    """A share of the map.

    Attributes:
        pixels: Number of pixels.
        area_m2: Square metres on the ground; None without a CRS.
        hectares: The same in hectares.
        percent: Share of the valid area; None for nodata, and where the whole map is nodata.
    """

    pixels: int
    area_m2: float | None
    hectares: float | None
    percent: float | None


@dataclass(frozen=True)
class Transition(Extent):
    """The share of the map that made one transition."""

    from_class: int
    to_class: int
    transition: int
    from_name: str
    to_name: str


COLUMNS = {
    "from_class": "Integer",
    "to_class": "Integer",
    "transition": "Integer",
    "from_name": "String",
    "to_name": "String",
    "pixels": "Integer64",
    "area_m2": "Real",
    "hectares": "Real",
    "percent": "Real",
}
"""The columns of the table, and GDAL's names of their types."""


@dataclass
class TransitionTally:
    """Pixels and ground area of every transition code.

    Attributes:
        ground: Sizes on the ground.
        pixels: Pixels by code, (65536,).
        area: Area by code, square metres (square pixels without a CRS), (65536,).
    """

    ground: Ground
    pixels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(CODES, dtype=np.int64))
    area: NDArray[np.float64] = field(default_factory=lambda: np.zeros(CODES))

    def counting(self, runs: Iterable[Runs]) -> Iterator[Runs]:
        """The same runs, each counted before it is handed on."""
        for strip in runs:
            # float64 is exact here: pixels and multiples of the ground's quantum stay below 2 ** 53
            pixels = np.bincount(strip.code, weights=strip.length, minlength=CODES)
            self.pixels += pixels.astype(np.int64)
            self.area += np.bincount(strip.code, weights=strip.area, minlength=CODES)
            yield strip

    def transitions(self, legend: Legend) -> list[Transition]:
        """One row per transition that occurs, in code order.

        Raises:
            InputError: A transition is not in the legend.
        """
        present = (int(code) for code in np.flatnonzero(self.pixels))
        return [
            self._transition(code, legend)
            for code in present
            if code not in (UNCHANGED, TRANSITION_NODATA)
        ]

    def to_dict(self, legend: Legend) -> dict[str, Any]:
        """The transitions, and the changed, unchanged, valid and nodata shares; JSON-ready."""
        every = np.arange(CODES)
        valid = every != TRANSITION_NODATA
        return {
            "transitions": [asdict(row) for row in self.transitions(legend)],
            "changed": asdict(self._extent(valid & (every != UNCHANGED))),
            "unchanged": asdict(self._extent(every == UNCHANGED)),
            "valid": asdict(self._extent(valid)),
            "nodata": asdict(self._extent(~valid)) | {"percent": None},
        }

    def _transition(self, code: int, legend: Legend) -> Transition:
        from_class, to_class = divmod(code, TRANSITION_BASE)
        if not {from_class, to_class} <= set(legend.indices()):
            raise InputError(
                f"the map holds the transition {code}, but the legend {legend.name!r} has the "
                f"classes 1 to {len(legend)}; give the legend of the model that made the map."
            )
        return Transition(
            **asdict(self._extent(np.arange(CODES) == code)),
            from_class=from_class,
            to_class=to_class,
            transition=code,
            from_name=legend[from_class].name,
            to_name=legend[to_class].name,
        )

    def _extent(self, codes: NDArray[np.bool_]) -> Extent:
        pixels, area = self.pixels[codes].sum().item(), float(self.area[codes].sum())
        valid = float(self.area[:TRANSITION_NODATA].sum())
        percent = 100.0 * area / valid if valid else None
        if self.ground.unit == PIXELS:
            return Extent(pixels, None, None, percent)
        return Extent(pixels, area, area / SQUARE_METRES_PER_HECTARE, percent)


def write_transitions(path: Path, transitions: Iterable[Transition]) -> None:
    """Write the rows as comma-separated values; areas are left empty without a CRS.

    Raises:
        OutputError: The file cannot be written; nothing is left behind.
    """
    write_table(path, COLUMNS, map(asdict, transitions))


def write_table(path: Path, columns: Mapping[str, str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as comma-separated values, UTF-8.

    The types of the columns go into a ``.csvt`` beside: GDAL and QGIS take all for text else.

    Args:
        path: The table.
        columns: GDAL's names of the types, by column.
        rows: What they have not, or have as None, is left empty.

    Raises:
        OutputError: The file cannot be written; nothing is left behind.
    """
    try:
        with TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
            beside = Path(folder, path.name)
            with beside.open("w", encoding="utf-8", newline="") as file:
                table = csv.DictWriter(file, list(columns), lineterminator="\n")
                table.writeheader()
                table.writerows(rows)
            types = beside.with_suffix(".csvt")
            types.write_text(",".join(f'"{kind}"' for kind in columns.values()) + "\n")
            for written in (types, beside):
                written.replace(path.with_name(written.name))
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written ({error}); see that its folder exists and has room."
        ) from error
