"""How GDAL reads across a network: it never waits without end, and asks for one file only."""

import os
import re
from pathlib import Path

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

ACROSS = re.compile(
    r"/vsi(curl|s3|gs|az|adls|oss|swift|hdfs|webhdfs)(_streaming)?[/?]"
    r"|(https?|ftp|s3|gs|az|oss)://"
)


def waiting(path: str | Path) -> dict[str, str]:
    """GDAL's options while a scene is open; what the environment sets is left as it is."""
    return _unset(WAITING) if ACROSS.search(str(path)) else {}


def opening(path: str | Path) -> dict[str, str]:
    """GDAL's options while a scene is being opened; in an archive its neighbors may be seen."""
    return _unset(ALONE) if ACROSS.match(str(path)) else {}


def remedy(path: str | Path) -> str:
    """What to do when a scene cannot be read."""
    if ACROSS.search(str(path)):
        return "Check the address and your access to it, or download the file first."
    return "Copy the file again, or repair it."


def _unset(options: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in options.items() if name not in os.environ}
