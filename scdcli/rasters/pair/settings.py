"""How two scenes are to be read as a pair."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scdcli.rasters.pair.methods import DEFAULT_METHOD

if TYPE_CHECKING:  # a command reads its defaults here, and its help page is to be quick
    from scdcli.rasters.pair.bands import BandNames
    from scdcli.rasters.pair.extent import Bounds
    from scdcli.rasters.pair.mappings import MeanStd
    from scdcli.rasters.pair.normalization import Normalization
    from scdcli.rasters.pair.stretch import Stretch

MOST_PIXELS = 40_000_000_000
ANY_PIXELS = 1 << 62
OF_WHOLE, OF_PART = "whole", "part"
"""What statistics are made of: all of both images, or what `bounds` and `aoi` leave of them."""


@dataclass(frozen=True)
class PairSettings:
    """How `scdcli.rasters.pair.open.open_pair` reads two scenes as a pair.

    Attributes:
        bands: Bands to use, numbers from 1 or names; by default all but alpha, by name where the
            files name them in another order or number.
        after_bands: The same of AFTER, where its bands differ.
        count: How many bands the model reads: three of more are red, green and blue.
        scale: Values that become 0 and 255; by default uint8 is used as it is, and other types get
            the 2 to 98 % range of both dates together.
        stretch: The stretch found when the same pair was opened before, to save finding it.
        normalize: How AFTER is brought to the values of BEFORE, of `scdcli.rasters.pair.methods`.
        mean_std: Mean and spread per band that each date is then brought to by its own, for a model
            that wants it; not where the pair has another number of bands.
        normalization: The normalization found when the same pair was opened before.
        statistics: What the statistics that map values are made of: ``whole``, so that a part gets
            the values it has in the whole; ``part``; or a file that has them,
            see `scdcli.rasters.pair.statistics`.
        strict: Refuse two scenes that do not lie on exactly the same grid.
        allow_vrt: Also open VRT files.
        shift: (rows, cols) of the BEFORE grid, down and right, by which AFTER is moved before it
            is read.
        nodata_tolerance: Pixels that are this near to the nodata value in all bands and touch the
            edge are nodata, too, in the units of the file.
        assume_crs: The CRS of a file that has a position but no CRS.
        bounds: Left, bottom, right, top of the part to read, in the CRS of BEFORE.
        bounds_crs: The CRS of the bounds, if another.
        aoi: Polygon file, or ``FILE:LAYER``; what lies outside becomes nodata.
        max_pixels: Largest grid that is taken for a scene and not for an accident.
    """

    bands: "BandNames | None" = None
    after_bands: "BandNames | None" = None
    count: int | None = None
    scale: tuple[float, float] | None = None
    stretch: "Stretch | None" = None
    normalize: str = DEFAULT_METHOD
    mean_std: "MeanStd | None" = None
    normalization: "Normalization | None" = None
    statistics: str = OF_WHOLE
    strict: bool = False
    allow_vrt: bool = False
    shift: tuple[float, float] = (0.0, 0.0)
    nodata_tolerance: float | None = None
    assume_crs: str | None = None
    bounds: "Bounds | None" = None
    bounds_crs: str | None = None
    aoi: str | None = None
    max_pixels: int = MOST_PIXELS

    @property
    def computes_statistics(self) -> bool:
        """Whether statistics are those of the pair, and not in a file."""
        return self.statistics in (OF_WHOLE, OF_PART)


def of_whole(settings: PairSettings) -> PairSettings:
    """The settings without what chooses a part, for reading samples of all of a scene."""
    return replace(settings, bounds=None, bounds_crs=None, aoi=None, max_pixels=ANY_PIXELS)


DEFAULTS = PairSettings()
