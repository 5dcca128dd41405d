"""How well a model fits a pair: its bands and pixel size against those of its training."""

import shlex
from dataclasses import replace
from math import sqrt
from pathlib import Path
from typing import NamedTuple

from scdcli.errors import ModelError
from scdcli.models.requirements import Requirements
from scdcli.polygons.area import central_pixel
from scdcli.rasters.grid import Grid
from scdcli.rasters.pair.open import Pair, match_pair
from scdcli.rasters.pair.settings import PairSettings

SLACK = 1.25  # by which pixels may be finer or coarser than those trained on
MOST_ENLARGED = 4.0  # beyond it, enlarged pixels show nothing that the model knows
SQUARE = 1.1  # longer by shorter side, up to which a pixel size is one number


class Remarks(NamedTuple):
    """How a model fits a pair, as sentences.

    Attributes:
        notes: What cannot be known.
        warnings: Why the result is doubtful.
    """

    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def and_also(self, others: "Remarks") -> "Remarks":
        """These and others."""
        return Remarks(self.notes + others.notes, self.warnings + others.warnings)

    @property
    def lines(self) -> tuple[str, ...]:
        """Notes and warnings, as they are shown while predicting."""
        return (*self.notes, *(f"Warning: {sentence}" for sentence in self.warnings))


def wrong_bands(needs: Requirements, used: int) -> str | None:
    """Why a model cannot read a pair of which ``used`` bands are in use; None where it can."""
    if used == needs.bands:
        return None
    return (
        f"the model {needs.name} was trained on {needs.bands} bands, but the images have "
        f"{used} in use; {band_advice(needs.bands, used)}."
    )


def require_readable(
    before: str | Path, after: str | Path, settings: PairSettings, needs: Requirements | None
) -> None:
    """Refuse two images by what their metadata and the model's show, before either is loaded.

    Raises:
        InputError: A file cannot be opened, or is of a kind that cannot be compared.
        PairError: The two cannot be compared.
        ModelError: The model was trained on another number of bands.
    """
    if needs is not None:
        settings = replace(settings, count=needs.bands)
    used = len(match_pair(before, after, settings).before)
    if needs is not None and (problem := wrong_bands(needs, used)):
        raise ModelError(problem)


def band_advice(wanted: int, used: int) -> str:
    """What to do where a model wants ``wanted`` bands, and another number is in use."""
    if used > wanted:
        numbers = ",".join(str(band) for band in range(1, wanted + 1))
        return f"choose {wanted} of them, for example --bands {numbers}"
    again = ",".join(["1"] * wanted)
    return (
        f"choose {wanted} with --bands; where the files have fewer, repeat one, for example "
        f"--bands {again}, and expect errors, or train a model on such images"
    )


def judge_fit(needs: Requirements, pair: Pair) -> Remarks:
    """Whether the pixels of a pair are of a size that a model knows.

    Raises:
        InputError: The CRS of the pair cannot be related to the ellipsoid.
    """
    if needs.pixel_size is None:
        return Remarks()
    sides = central_pixel(pair.grid)
    if sides is None:
        return Remarks(
            notes=(
                f"The model {needs.name} was trained for pixels of "
                f"{size_range(needs.pixel_size)}; whether these are such cannot be told without "
                "a CRS.",
            )
        )
    finest, coarsest = needs.pixel_size
    size = sqrt(sides[0] * sides[1])
    if finest / SLACK <= size <= coarsest * SLACK:
        return Remarks()
    aim = finest if size < finest else coarsest
    return Remarks(
        warnings=(
            f"The pixels are {_shown(sides)}; the model {needs.name} was trained for "
            f"{size_range(needs.pixel_size)}: expect errors; "
            f"{_advice(pair.grid, sides, aim)}train a model for this resolution "
            f"(scd train --init {shlex.quote(needs.given or needs.name)}).",
        )
    )


def size_range(pixel_size: tuple[float, float]) -> str:
    """For example ``0.3 to 1.2 m``."""
    finest, coarsest = (f"{size:.3g}" for size in pixel_size)
    return f"{finest} m" if finest == coarsest else f"{finest} to {coarsest} m"


def _shown(sides: tuple[float, float]) -> str:
    shorter, longer = sorted(sides)
    if longer <= SQUARE * shorter:
        return f"{sqrt(shorter * longer):.3g} m"
    return f"{sides[0]:.3g} x {sides[1]:.3g} m"


def _advice(grid: Grid, sides: tuple[float, float], aim: float) -> str:
    """How to resample to pixels of ``aim`` meters, in units of the CRS; empty if it cannot help."""
    size = sqrt(sides[0] * sides[1])
    if size > MOST_ENLARGED * aim:
        return ""
    steps = (own * aim / side for own, side in zip(grid.pixel_size, sides, strict=True))
    method, flaw = ("average", "") if size < aim else ("cubic", ", which brings no detail back,")
    target = " ".join(f"{step:.3g}" for step in steps)
    return f"resample both images with gdalwarp -r {method} -tr {target}{flaw} or "
