"""The images or maps of a folder by their names without suffix."""

from collections.abc import Iterable
from pathlib import Path

from scdcli.errors import DatasetError

SUFFIXES = (".png", ".tif", ".tiff")


def by_stem(folder: Path) -> dict[str, Path]:
    """The images or maps of a folder by name without suffix; nothing where there is no folder.

    Raises:
        DatasetError: Two files have one name.
    """
    if not folder.is_dir():
        return {}
    files = [file for file in sorted(folder.iterdir()) if file.suffix.lower() in SUFFIXES]
    found = {file.stem: file for file in files if file.name[0] != "."}
    for file in files:
        if found.get(file.stem, file) != file:
            raise DatasetError(f"{file} and {found[file.stem]} have the same name; keep one.")
    return found


def find_file(folder: Path, stem: str, suffixes: Iterable[str]) -> Path | None:
    """The file of a folder with this name and one of the suffixes; None without one.

    Raises:
        DatasetError: There are two.
    """
    files = [folder / f"{stem}{suffix}" for suffix in suffixes]
    found = [file for file in files if file.is_file()]
    if len(found) > 1:
        raise DatasetError(f"{found[0]} and {found[1]} have the same name; keep one.")
    return found[0] if found else None
