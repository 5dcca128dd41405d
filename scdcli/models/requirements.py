"""What a model expects of a pair."""

from typing import NamedTuple


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
