"""Layers of polygons as people draw them."""

import numpy as np
import pyogrio
import shapely
from scenes import UTM

SQUARE = shapely.box(500_002, 3_999_990, 500_006, 3_999_997)  # columns 2-5, rows 3-9


def write(path, outlines=(SQUARE,), crs=UTM, layer="changes", **columns):
    """A layer of polygons with columns, each a list."""
    columns = columns or {"from_class": [3], "to_class": [5]}
    pyogrio.raw.write(
        path,
        shapely.to_wkb(np.array(outlines)),
        [np.array(values) for values in columns.values()],
        list(columns),
        geometry_type="Unknown" if path.suffix == ".gpkg" else "Polygon",
        crs=crs,
        layer=layer,
        append=path.exists(),
    )
    return path
