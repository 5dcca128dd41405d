"""Labelled sets on disk: written, and read as their samples."""

from pictures import draw_labelled_pair, write_png

from scdcli.datasets.layouts import list_samples
from scdcli.datasets.samples import require_none
from scdcli.legend import SECOND


def write_second_tree(root, rng, pairs=4, size=64, splits=("train",), covers=False):
    """A set in the layout of SECOND, of pairs in blocks of color; returns its folder."""
    for split in splits:
        for number in range(pairs):
            for part, array in draw_labelled_pair(rng, size).items():
                if covers or not part.startswith("cover"):
                    shown = array if part.startswith("im") else SECOND.encode(array)
                    write_png(root / split / part / f"{number:05d}.png", shown)
    return root


def find_samples(folder):
    """The samples of one split folder, all of them complete."""
    samples, problems = list_samples(folder)
    require_none(problems, f"{folder} is incomplete")
    return samples
