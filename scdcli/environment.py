"""What a process inherits from other programs and scd must not use.

QGIS, PostGIS, OSGeo4W and conda name the data of *their* PROJ and GDAL in the environment. The
wheels of rasterio, pyproj and pyogrio bring data of their own, each for its version; rasterio alone
lets the environment win over them, and then knows no CRS.
"""

import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from scdcli.errors import ScdError

DATA_OF_PROJ = ("PROJ_DATA", "PROJ_LIB", "PROJ_AUX_DB")
FOREIGN = (*DATA_OF_PROJ, "GDAL_DATA", "GDAL_DRIVER_PATH")
PLACES_OF_CODE = ("PYTHONHOME", "PYTHONPATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
DATABASE = "proj.db"


def use_own_data() -> None:
    """Forget where other programs keep data and plugins, if rasterio brings its own.

    One built against the libraries of a system or of conda keeps what is named to it.
    """
    found = [name for name in FOREIGN if name in os.environ]
    if not (found and _brings_data("rasterio")):
        return
    for name in found:
        del os.environ[name]
    if (
        "rasterio.env" in sys.modules
    ):  # it has looked already, and looks again at each outermost Env
        with sys.modules["rasterio.env"].Env():
            pass


def _is_ours_or_missing(error: ImportError) -> bool:
    """Whether a module of ours is wrong, or a library is not installed at all."""
    name = error.name or ""
    return name.startswith("scdcli") or (isinstance(error, ModuleNotFoundError) and "." not in name)


def stay_offline() -> None:
    """Let PROJ fetch no grids, whatever `PROJ_NETWORK` says: the same pair gives the same map."""
    os.environ["PROJ_NETWORK"] = "OFF"


def report_no_use() -> None:
    """Keep ONNX Runtime from telling its makers of its use, as it does from 1.29 on unless told.

    It also writes an identifier into the home folder then. To be called before it is loaded.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"


def _brings_data(library: str) -> bool:
    """Whether a library comes as a wheel with PROJ's database in it; does not load it."""
    spec = find_spec(library)
    return bool(
        spec and spec.origin and (Path(spec.origin).parent / "proj_data" / DATABASE).is_file()
    )


def inherited_cause(error: BaseException) -> str | None:
    """A sentence for an error that what the process inherited explains; None for others."""
    for each in _causes(error):
        if isinstance(each, UnicodeEncodeError) and (said := why_no_text(each.object)):
            return said
        names: tuple[str, ...]
        if DATABASE in str(each):
            names, said = DATA_OF_PROJ, "PROJ cannot use the data that the environment names"
        elif isinstance(each, ImportError) and not _is_ours_or_missing(each):
            names, said = PLACES_OF_CODE, f"a library cannot be loaded ({each})"
        else:
            continue
        named = [name for name in names if name in os.environ]
        values = ", ".join(f"{name}={os.environ[name]}" for name in named)
        unset = " ".join(f"-u {name}" for name in named)
        if named:
            return f"{said}: {values} may belong to another program. Run env {unset} scd ..."
    return None


def why_no_text(text: str) -> str | None:
    """A sentence for a name whose bytes are no UTF-8, which GDAL cannot open; None for others."""
    if not any("\ud800" <= sign <= "\udfff" for sign in text):
        return None
    written = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return (
        f"{written} holds bytes that are not UTF-8. Rename it, for example with convmv -t utf8; if "
        "the name is right, let LC_ALL name a locale of UTF-8: LC_ALL=C.UTF-8."
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def require_working_folder() -> None:
    """Refuse to start where the working folder was removed: there MKL ends the whole process.

    Raises:
        ScdError: The working folder does not exist, or may not be looked at.
    """
    try:
        Path.cwd()
    except OSError as error:
        raise ScdError(
            f"the working folder cannot be used ({error.strerror}); it was removed or moved. Go to "
            "another folder (cd) and run this again."
        ) from error
