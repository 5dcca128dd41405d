"""Names of files and of CRSs for messages and records: short, and without secrets."""

import re
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs

from rasterio.crs import CRS

LONGEST = 400  # characters of a name in a message
SURE = 90  # of 100: how much alike a CRS and one that is listed must be
NO_NAMES = ("unknown", "unnamed")

ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
# GDAL also takes /vsicurl?header.Authorization=...&url=https%3A%2F%2F..., with the address encoded.
ENCODED = re.compile(r"(/vsi\w+)\?(.*)", re.DOTALL)
# A password may hold a slash, a port is no password; a query ends at a space, quote or bracket.
ACCOUNT = re.compile(r"(://)(?:[^\s/@:]*:(?!\d+/)[^\s@]*|[^\s/@]*)@")
QUERY = re.compile(r"(://[^\s?#'\"<>]*)[?#][^\s'\"<>}]*")


def crs_name(crs: CRS | None) -> str | None:
    """``EPSG:32650``, or the name in the CRS when no authority lists it; its terms if it has none.

    One of which the datum is not known is like several that are listed, and is none of them.
    """
    if crs is None:
        return None
    authority = crs.to_authority(confidence_threshold=SURE)
    if authority:
        return ":".join(authority)
    quoted = re.search(r'"([^"]+)"', crs.to_wkt())
    if quoted and quoted[1].lower() not in NO_NAMES:
        return quoted[1]
    return crs.to_proj4().partition(" +no_defs")[0] or "unnamed CRS"


def is_remote(path: str | Path) -> bool:
    """Whether GDAL, not the file system, resolves this path."""
    text = str(path)
    return text.startswith("/vsi") or ADDRESS.match(text) is not None


def name_of(path: str | Path) -> str:
    """A path for a message: in one line, and an address without its query and account."""
    text = str(path)
    text = without_secrets(ENCODED.sub(_decoded, text)) if is_remote(path) else text
    text = "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def without_secrets(text: str) -> str:
    """A text, such as a message of GDAL, without the query and account of any address in it.

    Both may hold a signature, a key or a password: ``https://me:secret@host/a.tif?sig=abc``.
    """
    return QUERY.sub(r"\1", ACCOUNT.sub(r"\1", text))


def beside(folder: Path, ending: str) -> Path:
    """The neighbor of a folder that is called like it, with an ending: ``maps``, ``maps-revised``.

    Of ``.`` and ``..`` the name is looked up, and the neighbor lies next to that folder.
    """
    folder = folder if folder.name not in ("", "..") else folder.resolve()
    return folder.with_name(f"{folder.name}{ending}")


def file_name(path: str | Path) -> str:
    """The last part of a path, for a message."""
    name = name_of(path)
    return PurePosixPath(name).name if is_remote(path) else Path(name).name


def _decoded(path: re.Match[str]) -> str:
    """``/vsicurl/https://host/a.tif`` from the form with options, of which it keeps the address."""
    address = parse_qs(path[2]).get("url", [])
    return "/".join([path[1], *address[:1]])
