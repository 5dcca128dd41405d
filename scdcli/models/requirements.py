"""What a model expects of a pair."""

from typing import NamedTuple


class Requirements(NamedTuple):
    """What a model expects of a pair.

    Attributes:
        name: Name of the model.
        bands: Number of bands.
        pixel_size: Finest and coarsest ground resolution it was trained for, in meters; None where
            that is not known.
        given: What names it to ``--model`` and ``--init``; empty where its name does.
    """

    name: str
    bands: int
    pixel_size: tuple[float, float] | None = None
    given: str = ""
