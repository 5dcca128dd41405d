"""The prediction that a sample was drawn from, found by what the sample says of it."""

from collections.abc import Iterator
from pathlib import Path

import pyogrio

from scdcli.errors import InputError
from scdcli.rasters.pair.extent import FOREIGN_ERRORS
from scdcli.sampling.changemap import TRANSITIONS, fingerprint, open_map
from scdcli.sampling.pointfile import MAP_PLACE, POINTS

NAME_IT = "name its folder with --map"


def find_sampled_map(points: Path) -> Path:
    """The folder of the map: where it lay, else beside the sample or in the working folder.

    It is told by its fingerprint in the column ``map``, not by its name.

    Raises:
        InputError: The file is no sample, or none or several of these folders are its map.
    """
    wanted, place = _recorded(points)
    if place is not None and _is_map(place, wanted):
        return place
    found = [folder for folder in _near(points) if _is_map(folder, wanted)]
    if not found:
        raise InputError(
            f"The map that {points} was drawn from is not where it was, beside the file or in the "
            f"working folder; {NAME_IT}."
        )
    if len(found) > 1:
        raise InputError(
            f"{found[0]} and {found[1]} are both the map that {points} was drawn from; {NAME_IT}."
        )
    return found[0]


def _recorded(points: Path) -> tuple[str, Path | None]:
    """Fingerprint of the map, and where it lay as seen from the file."""
    try:
        about = pyogrio.read_info(points, layer=POINTS)
        table = pyogrio.raw.read_arrow(
            points, layer=POINTS, columns=["map"], max_features=1, read_geometry=False
        )[1]
    except FOREIGN_ERRORS as error:
        raise InputError(
            f"{points} cannot be read as a sample: {error}. Give a file of scd sample."
        ) from error
    rows = table.to_pylist()
    if not rows or not rows[0].get("map"):
        raise InputError(f"{points} does not say which map it was drawn from; {NAME_IT}.")
    place = (about["layer_metadata"] or {}).get(MAP_PLACE)
    return rows[0]["map"], None if place is None else points.parent / place


def _near(points: Path) -> Iterator[Path]:
    """The folders around the file and in the working folder, each once."""
    seen = set()
    for folder in (points.parent, Path()):
        for each in (folder, *sorted(folder.iterdir())):
            if (each / TRANSITIONS).is_file() and each.resolve() not in seen:
                seen.add(each.resolve())
                yield each


def _is_map(folder: Path, wanted: str) -> bool:
    try:
        return fingerprint(open_map(folder)) == wanted
    except InputError:
        return False
