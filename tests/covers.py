"""Labelled sets of indices that carry their legend, with the land cover of some of the pairs."""

import numpy as np
from pictures import draw_labelled_pair, write_png

from scdcli.datasets.indexpng import write_index_png
from scdcli.legend import SECOND


def write_covered(folder, names="abc", without="", unknown=None, size=64, legend=SECOND):
    """Pairs in the layout of SECOND; returns what was drawn of each, by name.

    Args:
        folder: A split.
        names: Of the pairs, a letter each.
        without: Those that have no land cover.
        unknown: Rows of both covers whose class is not known (255).
        size: Of the images in pixels.
        legend: Names and colors of the six classes.
    """
    rng = np.random.default_rng(5)
    drawn = {name: draw_labelled_pair(rng, size) for name in names}
    for name, parts in drawn.items():
        for part, array in parts.items():
            path = folder / part / f"{name}.png"
            if part.startswith("im"):
                write_png(path, array)
            elif not (part.startswith("cover") and name in without):
                if part.startswith("cover") and unknown is not None:
                    array[unknown] = 255
                path.parent.mkdir(parents=True, exist_ok=True)
                write_index_png(path, array, legend)
    return drawn
