"""What the one-band rasters of a prediction hold, and so how they are stored."""

from collections.abc import Mapping
from dataclasses import dataclass

from scdcli.legend import NODATA, TRANSITION_NODATA, UNCHANGED, UNCHANGED_COLOR, Color, Legend


@dataclass(frozen=True)
class RasterKind:
    """What the numbers of a one-band raster are, which decides how it is stored.

    Attributes:
        dtype: ``uint8`` or ``uint16``.
        nodata: The value of pixels without a measurement.
        description: Name of the band, as GIS programs show it.
        overviews: How overviews are made: ``MODE`` for classes, ``AVERAGE`` for quantities.
        colors: Color of each value; None for no color table.
    """

    dtype: str
    nodata: int
    description: str
    overviews: str = "MODE"
    colors: Mapping[int, Color] | None = None


def class_map(legend: Legend, description: str) -> RasterKind:
    """Class indices, 0 unchanged and 255 nodata, in the colors of the legend."""
    colors = {UNCHANGED: UNCHANGED_COLOR} | {i: legend[i].color for i in legend.indices()}
    return RasterKind("uint8", NODATA, description, colors=colors)


# No color table: one for uint16 is stored whole, 393 kB in the file and again in each overview.
TRANSITION_MAP = RasterKind("uint16", TRANSITION_NODATA, "transition, from * 100 + to")
PROBABILITY_MAP = RasterKind("uint8", NODATA, "change probability (%)", overviews="AVERAGE")
