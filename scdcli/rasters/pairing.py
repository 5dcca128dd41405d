"""How two scenes are to be read as a pair."""

from dataclasses import dataclass

from scdcli.rasters.stretch import Stretch


@dataclass(frozen=True)
class PairSettings:
    """What `scdcli.rasters.pair.open_pair` is asked for.

    Attributes:
        bands: Band numbers to use of either file, from 1; all but alpha by default.
        scale: Values that become 0 and 255; by default uint8 is used as it is, and other types get
            the 2 to 98 % range of both dates together.
        stretch: The stretch found when the same pair was opened before, to save finding it.
        strict: Refuse two scenes that do not lie on exactly the same grid.
        allow_vrt: Also open VRT files.
        shift: (rows, cols) of the BEFORE grid, down and right, by which AFTER is moved before it
            is read.
    """

    bands: tuple[int, ...] | None = None
    scale: tuple[float, float] | None = None
    stretch: Stretch | None = None
    strict: bool = False
    allow_vrt: bool = False
    shift: tuple[float, float] = (0.0, 0.0)


DEFAULTS = PairSettings()
