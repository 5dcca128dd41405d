"""What a model expects of a pair."""

import json
from typing import Any, NamedTuple

from scdcli.models import find_model, known_as

LONGEST = 1 << 24  # bytes of a header that is read


class Requirements(NamedTuple):
    """What a model expects of a pair.

    Attributes:
        name: The name of the model.
        bands: The number of bands.
        pixel_size: The finest and the coarsest ground resolution that the model was trained for,
            in meters; None where they are not known.
        given: The name or path by which ``--model`` and ``--init`` find the model; empty where
            ``name`` does.
    """

    name: str
    bands: int
    pixel_size: tuple[float, float] | None = None
    given: str = ""


def read_requirements(name: str) -> Requirements | None:
    """What a model file says it expects, without loading the model, which takes seconds.

    Returns:
        None where the file does not say it; what is wrong with it is said when it is loaded.

    Raises:
        UnknownName: Neither a bundled model nor a file.
    """
    path = find_model(name)
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(length, LONGEST)))
        said = json.loads(header["__metadata__"]["scd"])
        bands, sizes = said["network"]["bands"], said.get("pixel_size")
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    if not isinstance(bands, int):
        return None
    return Requirements(known_as(name), bands, _sizes(sizes), name)


def _sizes(said: Any) -> tuple[float, float] | None:  # noqa: ANN401  JSON
    """Finest and coarsest, where that is what is said."""
    if not isinstance(said, list) or len(said) != 2:
        return None
    if not all(isinstance(size, int | float) and size > 0 for size in said):
        return None
    return said[0], said[1]
