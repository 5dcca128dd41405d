"""How two images are read as a pair: options of bands, place and values, as `PairSettings`."""

from math import isfinite

import click

from scdcli.cli.options.shared import BANDS, CommaList, grouped, together
from scdcli.rasters.pair.methods import METHODS
from scdcli.rasters.pair.settings import PairSettings

normalize_option = click.option(
    "--normalize",
    type=click.Choice(METHODS),
    default=PairSettings.normalize,
    help="Bring the colors of AFTER to those of BEFORE: match, by their histograms; pif, by a line "
    "per band through what seems unchanged.",
)
strict_option = click.option(
    "--strict", is_flag=True, help="Refuse images on different grids; do not warp."
)
allow_vrt_option = click.option("--allow-vrt", is_flag=True, help="Also open VRT files.")
coregister_option = click.option(
    "--coregister",
    is_flag=True,
    help="Move AFTER over BEFORE by the shift between them, up to 32 pixels, where most of the "
    "scene agrees on one.",
)


def _is_box(bounds: tuple[float, ...]) -> bool:
    if len(bounds) != 4 or not all(map(isfinite, bounds)):
        return False
    return bounds[0] < bounds[2] and bounds[1] < bounds[3]


BOX = CommaList(float, "L,B,R,T: left below right, then bottom below top", _is_box, spaces=True)
RANGE = CommaList(
    float,
    "LO,HI, the lower value first",
    lambda limits: len(limits) == 2 and all(map(isfinite, limits)) and limits[0] < limits[1],
)


def _whole(ctx: click.Context, param: click.Parameter, number: float) -> int:
    return int(number)


PLACE_OPTIONS = (
    click.option(
        "--bands",
        type=BANDS,
        metavar="1,2,3|red,green,blue",
        help="Bands to use, numbers or names, in the order of the model; if not given all but "
        "alpha, matched by name where the files name them.",
    ),
    click.option(
        "--after-bands",
        type=BANDS,
        metavar="1,2,3",
        help="The same of AFTER, where it has them in another order.",
    ),
    click.option(
        "--assume-crs",
        metavar="CRS",
        help="CRS of an image that has a position and no CRS, such as EPSG:32650; one that an "
        "image has is never replaced.",
    ),
    click.option(
        "--bounds",
        type=BOX,
        metavar="L,B,R,T",
        help="Map only the pixels of BEFORE that touch left, bottom, right, top in its CRS.",
    ),
    click.option("--bounds-crs", metavar="CRS", help="CRS of --bounds, if another."),
    click.option(
        "--aoi",
        metavar="FILE[:LAYER]",
        help="Map only what lies in the polygons of this file; the rest becomes nodata.",
    ),
    click.option(
        "--max-pixels",
        type=click.FloatRange(min=1),
        callback=_whole,
        default=PairSettings.max_pixels,
        show_default="4e10",
        metavar="NUMBER",
        help="Refuse more pixels than this, which are hardly meant.",
    ),
)
scale_option = click.option(
    "--scale",
    type=RANGE,
    metavar="LO,HI",
    help="Values that become 0 and 255, for both dates; by default uint8 is used as it is and "
    "other types get the 2-98 % range of both dates together.",
)
nodata_tolerance_option = click.option(
    "--nodata-tolerance",
    type=click.FloatRange(min=0),
    metavar="NUMBER",
    help="Pixels this near to the nodata value in every band that touch the edge are nodata, too: "
    "lossy compression has changed them.",
)
statistics_option = click.option(
    "--statistics",
    metavar="whole|part|FILE",
    default=PairSettings.statistics,
    help="What maps values is found in the whole images, also where --bounds or --aoi leave a part "
    "of them, which then has the very pixels of the whole; or in that part; or is in a file that "
    "scd check --statistics wrote.",
)
PAIR_OPTIONS = (
    *PLACE_OPTIONS,
    nodata_tolerance_option,
    normalize_option,
    scale_option,
    strict_option,
    allow_vrt_option,
)


pair_options = together(
    grouped("pair", PairSettings, (*PAIR_OPTIONS, statistics_option)), coregister_option
)
"""All options that say how two images become a pair, as ``pair`` and ``coregister``."""
checked_pair_options = together(grouped("pair", PairSettings, PAIR_OPTIONS), coregister_option)
"""The same for a command that finds statistics and takes none."""
