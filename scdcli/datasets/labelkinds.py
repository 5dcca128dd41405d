"""What a file of class maps is: colors or indices, its palette, its nodata and its legend."""

from json import JSONDecodeError
from json import loads as parse_json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.io import DatasetReader

from scdcli.coding import NODATA, Coding, Color
from scdcli.errors import DatasetError
from scdcli.legend import Legend
from scdcli.rasters.scene import spectral_bands

UNSET: Color = (0, 0, 0)  # a palette's entry that nobody has set


def carried_legend(dataset: DatasetReader, path: Path) -> Legend | None:
    """The legend in a file's tags, which our own outputs carry.

    Raises:
        DatasetError: The tag does not hold a legend.
    """
    text = dataset.tags(ns="SCD").get("LEGEND") or dataset.tags().get("SCD_LEGEND")
    if text is None:
        return None
    try:
        return Legend.from_dict(parse_json(text))
    except (JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise DatasetError(
            f"{path} carries a legend that cannot be read ({error}); remove its tag SCD LEGEND "
            "and name a legend with --legend."
        ) from error


def is_colored(dataset: DatasetReader, path: Path) -> bool:
    """Whether a file holds colors (three bands of uint8), or indices (one of whole numbers).

    Raises:
        DatasetError: Neither.
    """
    bands, kind = len(spectral_bands(dataset)), dataset.dtypes[0]
    if bands == 3 and kind == "uint8":
        return True
    if bands == 1 and np.issubdtype(np.dtype(kind), np.integer):
        return False
    raise DatasetError(
        f"{path} holds {bands} x {kind}; a class map holds one band of whole numbers (indices) "
        "or three of uint8 (colors)."
    )


def unchanged_value(colored: bool, coding: Coding) -> NDArray[np.int64]:
    """What each band holds where nothing changed, (C, 1)."""
    return np.array(coding.unchanged_color if colored else [coding.unchanged])[:, None]


def has_mask(dataset: DatasetReader, colored: bool, coding: Coding) -> bool:
    """Whether pixels can be nodata in another way than by their value."""
    flags = dataset.mask_flag_enums[0]
    by_value = MaskFlags.nodata in flags and dataset.nodata in coding.nodata and not colored
    return not by_value and MaskFlags.all_valid not in flags


def require_usable_nodata(
    dataset: DatasetReader, path: Path, colored: bool, coding: Coding
) -> None:
    """Refuse a nodata value that means unchanged here: the whole unchanged area would vanish."""
    unchanged = coding.unchanged_color[0] if colored else coding.unchanged
    if dataset.nodata == unchanged:
        raise DatasetError(
            f"{path} declares {unchanged} as nodata, but {unchanged} means unchanged in a class "
            f"map. Clear it with gdal_edit.py -unsetnodata {path}; for indices, {NODATA} is nodata."
        )


def require_plain_palette(dataset: DatasetReader, path: Path, legend: Legend) -> None:
    """Refuse a palette that gives an index the color of another class: one of both is wrong."""
    if dataset.colorinterp[0] != ColorInterp.palette:
        return
    owner = {legend[index].color: index for index in legend.indices()}
    colors = dataset.colormap(1)
    for index in legend.indices():
        color = colors.get(index, UNSET)[:3]
        other = owner.get(color, index)
        if other != index and color != UNSET:
            raise DatasetError(
                f"{path} shows the value {index} in the color of {legend[other].name}, which "
                f"legend {legend.name!r} has as {other}, and as {index} {legend[index].name}: "
                "write the colors out with gdal_translate -expand rgb, or give a legend file that "
                "says the value of each class."
            )


def require_fitting(path: Path, legend: Legend, carried: Legend) -> None:
    """Refuse a legend that has not the classes of the one a file carries, or orders them otherwise.

    Other names are taken as they are: classes may be renamed.
    """
    if len(legend) != len(carried):
        raise DatasetError(
            f"{path} carries the legend {carried.name!r} with {len(carried)} classes, but "
            f"legend {legend.name!r} has {len(legend)}; give the legend it was made with."
        )
    given, own = ([cover.name for cover in each.classes] for each in (legend, carried))
    if given != own and sorted(given) == sorted(own):
        raise DatasetError(
            f"{path} carries the classes {', '.join(own)} in this order, but legend "
            f"{legend.name!r} has {', '.join(given)}; give the legend it was made with."
        )
