"""Class maps written as PNG of indices that carry their legend, small and lossless."""

import json
from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.io import MemoryFile

from scdcli.errors import OutputError
from scdcli.legend import NODATA, Legend
from scdcli.rasters.cog import class_map
from scdcli.rasters.limits import FOREIGN_ERRORS, georeference_optional


def write_index_png(path: Path, index: NDArray[np.uint8], legend: Legend) -> None:
    """Write a class map as PNG of one band with a palette; the legend is in its text SCD_LEGEND.

    There is no file beside it: values, colors, nodata and legend are all in the PNG.

    Args:
        path: The file; one that exists is replaced.
        index: Class indices, (H, W) uint8: 0 unchanged, 1..K, 255 nodata.
        legend: Names and colors of 1..K.

    Raises:
        OutputError: The file cannot be written.
    """
    colors = class_map(legend, "").colors
    height, width = index.shape
    profile = {"driver": "GTiff", "count": 1, "dtype": "uint8", "photometric": "palette"}
    # The text of a PNG knows Latin letters only.
    text = json.dumps(legend.to_dict(), ensure_ascii=True)
    try:
        with georeference_optional(), rasterio.Env(GDAL_PAM_ENABLED="NO"), MemoryFile() as memory:
            with memory.open(height=height, width=width, nodata=NODATA, **profile) as target:
                target.write(index, 1)
                target.write_colormap(1, colors)
                target.update_tags(SCD_LEGEND=text)
            with memory.open() as source:
                rasterio.shutil.copy(source, path, driver="PNG", WRITE_METADATA_AS_TEXT="YES")
    except FOREIGN_ERRORS as error:
        raise OutputError(
            f"{path} cannot be written: {error}; check the folder and the space on the disk."
        ) from error
