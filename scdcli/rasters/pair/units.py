"""What the numbers in two files mean, where tags say it: value = number * scale + offset.

Sentinel-2 has another offset since January 2022 (processing 04.00): the same ground has other
numbers in the files of two dates, and the same reflectance.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from scdcli.rasters.pair.bands import BandChoice
from scdcli.rasters.scene import Reader, Scene

ALIKE = 1e-9  # relative: decimal fractions in two files are the same number


@dataclass(frozen=True)
class Units:
    """Scale and offset of the bands in use of one file, (C,) each; 1 and 0 where it says none."""

    scale: tuple[float, ...]
    offset: tuple[float, ...]

    @property
    def given(self) -> bool:
        """Whether the file has a scale or an offset."""
        return any(scale != 1 for scale in self.scale) or any(self.offset)

    def __str__(self) -> str:
        """For example ``scale 0.0001, offset -0.1``, with as many numbers as differ."""
        return f"scale {_listed(self.scale)}, offset {_listed(self.offset)}"


@dataclass(frozen=True)
class PairUnits:
    """Scale and offset of both files."""

    before: Units
    after: Units

    @property
    def differ(self) -> bool:
        """Whether equal numbers mean different values."""
        sides = (self.before, self.after)
        first, second = (np.array([side.scale, side.offset]) for side in sides)
        return not np.allclose(first, second, rtol=ALIKE, atol=0)

    @property
    def applied(self) -> bool:
        """Whether AFTER is brought to the numbers of BEFORE: both have to say what theirs mean."""
        return self.differ and self.before.given and self.after.given

    def bring(self, read: Reader) -> Reader:
        """AFTER in the numbers that BEFORE has for the same values."""
        if not self.applied:
            return read
        own, other = (np.array([side.scale, side.offset]) for side in (self.after, self.before))
        scale = (own[0] / other[0]).astype(np.float32)[:, None, None]
        offset = ((own[1] - other[1]) / other[0]).astype(np.float32)[:, None, None]

        def read_rescaled(window: Window) -> NDArray[np.float32]:
            return np.asarray(read(window) * scale + offset, dtype=np.float32)

        return read_rescaled

    def note(self, names: tuple[str, str]) -> str:
        """A sentence on what is done, or, where nothing is, on what cannot be known."""
        facts = f"{names[0]} says {self.before} and {names[1]} {self.after}"
        if self.applied:
            return f"{facts}; the values of the second are brought to the scale of the first."
        silent, units = names[self.before.given], self.after if self.after.given else self.before
        scale, offset = _listed(units.scale, " "), _listed(units.offset, " ")
        return (
            f"{facts}, as where a file says nothing; the numbers are compared as they are. If "
            f"{silent} has the units of the other, say so: gdal_edit.py -scale {scale} -offset "
            f"{offset} {silent}"
        )

    def record(self) -> dict[str, Any] | None:
        """JSON-ready; None where both are equal."""
        if not self.differ:
            return None
        sides = (("before", self.before), ("after", self.after))
        tags = {date: {"scale": list(s.scale), "offset": list(s.offset)} for date, s in sides}
        return {**tags, "applied": self.applied}


def pair_units(first: Scene, second: Scene, bands: BandChoice) -> PairUnits:
    """What the tags of two scenes say of the bands in use."""
    return PairUnits(_units(first, bands.before), _units(second, bands.after))


def _units(scene: Scene, bands: tuple[int, ...]) -> Units:
    tags = [(scene.dataset.scales[band - 1], scene.dataset.offsets[band - 1]) for band in bands]
    usable = [
        pair if np.isfinite(pair).all() and pair[0] else (1.0, 0.0) for pair in tags
    ]  # a value that is no number counts as none
    return Units(tuple(scale for scale, _ in usable), tuple(offset for _, offset in usable))


def _listed(numbers: tuple[float, ...], between: str = "/") -> str:
    """One number where all bands have it."""
    return between.join(f"{number:g}" for number in numbers[: None if len(set(numbers)) > 1 else 1])
