"""How a file and a CRS are named in messages and records: short, and without secrets."""

import re
from pathlib import Path

from rasterio.crs import CRS


def crs_name(crs: CRS | None) -> str | None:
    """``EPSG:32650``, or the name in the CRS when no authority lists it."""
    if crs is None:
        return None
    authority = crs.to_authority()
    if authority:
        return ":".join(authority)
    quoted = re.search(r'"([^"]+)"', crs.to_wkt())
    return quoted.group(1) if quoted else "unnamed CRS"


def is_remote(path: str | Path) -> bool:
    """Whether GDAL, not the file system, resolves this path."""
    return str(path).startswith("/vsi") or "://" in str(path)


def shown(path: str | Path) -> str:
    """The path as it may be printed: an address loses its query and its user name."""
    text = str(path)
    return re.sub(r"://[^/@]*@", "://", text.split("?")[0]) if is_remote(path) else text
