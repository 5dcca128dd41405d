"""What a file may be and ask for before it is read, and how long GDAL waits for it on a network."""

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader

from scdcli.errors import InputError
from scdcli.files.naming import is_remote, name_of, without_secrets

# Silence ends a read, slowness does not: a time limit for whole requests would do both.
WAITING = {
    "GDAL_HTTP_CONNECTTIMEOUT": "30",  # seconds
    "GDAL_HTTP_LOW_SPEED_LIMIT": "1",  # bytes per second
    "GDAL_HTTP_LOW_SPEED_TIME": "30",  # seconds below that
    "GDAL_HTTP_MAX_RETRY": "3",  # of answers that may pass, such as 503
    "GDAL_HTTP_RETRY_DELAY": "1",  # seconds, then longer
}
# Otherwise GDAL lists the folder, and asks for a dozen names that could lie beside the file.
ALONE = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR"}
# Neighbors are asked for by the names that `require_no_reference` knows, not found in any spelling.
BY_NAME = {"GDAL_DISABLE_READDIR_ON_OPEN": "TRUE"}
# A VRT may hold Python, which is not run, also in a trusted one and whatever the environment says.
NO_CODE = {"GDAL_VRT_ENABLE_PYTHON": "NO"}

MASKS_AND_OVERVIEWS = (".msk", ".MSK", ".ovr", ".OVR")  # beside an image, opened with it
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

ACROSS = re.compile(
    r"/vsi(curl|s3|gs|az|adls|oss|swift|hdfs|webhdfs)(_streaming)?[/?]"
    r"|(https?|ftp|s3|gs|az|oss)://"
)
FOREIGN_ERRORS = (RasterioError, CPLE_BaseError)  # the second is private, and raised all the same

# What libtiff says of a file that ends too early, with rows counted in the tile, if at all.
CUT_OFF = re.compile(r"\w+: ?Read error at [^;]*; got (\d+) bytes, expected (\d+)")
NOWHERE = re.compile(r" at \w+ 4294967295(, \w+ 4294967295)*")  # its -1: no row, no column

MOST_BANDS = 4096
LARGEST_BLOCK = 512 * 2**20  # bytes, decoded: GDAL holds at least one in memory

# Formats that hold many data sets, by how their files start; opened only to name what is inside.
CONTAINERS = {b"CDF": "netCDF", b"\x89HDF": "HDF5"}
MOST_NAMES = 10


@contextmanager
def georeference_optional() -> Iterator[None]:
    """Around opening files: one without a georeference, a pixel grid, brings no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


def waiting(path: str | Path) -> dict[str, str]:
    """GDAL's options while a scene is open; what the environment sets is left as it is."""
    return _unset(WAITING) if ACROSS.search(str(path)) else {}


def opening(path: str | Path) -> dict[str, str]:
    """GDAL's options while a scene is being opened; in an archive its neighbors may be seen."""
    if ACROSS.match(str(path)):
        return _unset(ALONE)
    return {} if is_remote(path) else BY_NAME


def remedy(path: str | Path) -> str:
    """What to do when a scene cannot be read."""
    if ACROSS.search(str(path)):
        return "Check the address and your access to it, or download the file first."
    return "Copy the file again, or repair it."


def _unset(options: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in options.items() if name not in os.environ}


def require_image_file(path: str | Path, *, allow_vrt: bool) -> None:
    """Refuse what is no file, and a VRT, by a look at its first bytes.

    Raises:
        InputError: It is missing, a folder, not readable, a VRT or a container of data sets.
    """
    file = Path(path)
    try:
        if file.is_dir():
            raise InputError(f"{name_of(path)} is a folder; name one image file in it.")
        with file.open("rb") as stream:
            head = stream.read(4096)
    except FileNotFoundError as error:
        raise InputError(f"{name_of(path)} does not exist; check the name.") from error
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{name_of(path)} cannot be opened: {reason}.") from error
    if b"<VRTDataset" in head and not allow_vrt:
        raise InputError(
            f"{name_of(path)} is a VRT, which can read any file it names; if you trust it, use "
            "--allow-vrt."
        )
    if head.startswith(b"ENVI") and file.suffix.lower() == ".hdr":
        raise InputError(
            f"{name_of(path)} is the header of an ENVI file; name the file of its data."
        )
    for start, driver in CONTAINERS.items():
        if head.startswith(start):
            _refuse_container(path, driver)


def require_no_reference(dataset: DatasetReader, path: str | Path) -> None:
    """Refuse an image that sends GDAL to other files for its masks or overviews, before it goes.

    Raises:
        InputError: It names a file in its metadata, or what lies beside it is no TIFF.
    """
    named = dataset.tags(ns="OVERVIEWS").get("OVERVIEW_FILE", "")
    beside = named.removeprefix(":::BASE:::")  # as GDAL writes it of a file beside this one
    if named and Path(beside).name != beside:
        raise InputError(
            f"{name_of(path)} names {name_of(named)} as its overviews; only files beside it are "
            "read. Write it anew: gdal_translate -of COG."
        )
    for suffix in MASKS_AND_OVERVIEWS:
        file = Path(f"{path}{suffix}")
        if not is_remote(path) and not _is_tiff_or_missing(file):
            raise InputError(
                f"{name_of(file)} belongs to {name_of(path)} and is no TIFF: another format may "
                "read any file it names. Remove it, or write it anew; a VRT that you trust needs "
                "--allow-vrt."
            )


def _is_tiff_or_missing(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return stream.read(4) in TIFF
    except OSError:
        return True


def is_virtual_layer(path: str | Path) -> bool:
    """Whether a vector file is a VRT, which can read any file or address it names."""
    file = Path(path)
    if not file.is_file():
        return False
    with file.open("rb") as stream:
        return b"<OGRVRT" in stream.read(4096)


def _refuse_container(path: str | Path, driver: str) -> None:
    """Name the data sets in a file, which is no image of its own."""
    try:
        with georeference_optional(), rasterio.open(path, driver=driver) as dataset:
            names = [name.removeprefix(str(path)) for name in dataset.subdatasets]
    except FOREIGN_ERRORS:
        names = []
    listed = "; ".join(name_of(name) for name in names[:MOST_NAMES]) or "none that can be read"
    if len(names) > MOST_NAMES:
        listed += f"; and {len(names) - MOST_NAMES} more"
    raise InputError(
        f"{name_of(path)} is a {driver} file, which holds data sets and is no image itself. Write "
        f"the one to compare as an image: gdal_translate DATASET image.tif. Its data sets: {listed}"
    )


def require_modest(dataset: DatasetReader, path: str | Path) -> None:
    """Refuse a file whose smallest unit of reading takes too much memory.

    Raises:
        InputError: It has no bands, too many, or too large blocks.
    """
    if not 1 <= dataset.count <= MOST_BANDS:
        raise InputError(
            f"{name_of(path)} has {dataset.count} bands; from 1 to {MOST_BANDS} can be read. Write "
            "those you need into a file of their own: gdal_translate -b 1 -b 2 -b 3."
        )
    height, width = max(dataset.block_shapes)
    together = dataset.count if dataset.profile.get("interleave") == "pixel" else 1
    size = height * width * together * _item_bytes(dataset.dtypes[0])
    if size > LARGEST_BLOCK:
        raise InputError(
            f"{name_of(path)} is stored in blocks of {width} x {height} pixels, {size >> 20} MiB "
            f"each, but at most {LARGEST_BLOCK >> 20} MiB are read at a time. Write it in tiles: "
            "gdal_translate -co TILED=YES."
        )


def _item_bytes(dtype: str) -> int:
    """Bytes of one value, from a name such as uint16 or complex_int16 (of two such)."""
    size = int("".join(sign for sign in dtype if sign.isdigit()) or 128) // 8
    return 2 * size if dtype == "complex_int16" else size


def cause(error: BaseException, path: str | Path) -> str:
    """The innermost message, ended by a full stop, without what `name_of` hides."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = str(getattr(error, "errmsg", "") or error).strip() or type(error).__name__
    text = without_secrets(text.replace(str(path), name_of(path)))
    text = CUT_OFF.sub(r"the file is cut off: of the \2 bytes of a block \1 are there", text)
    text = NOWHERE.sub("", text)
    return text.rstrip(".") + "."
