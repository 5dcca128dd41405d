"""Labelled sets on disk as their samples."""

from scdcli.datasets.layouts import list_samples
from scdcli.datasets.samples import require_none


def find_samples(folder):
    """The samples of one split folder, all of them complete."""
    samples, problems = list_samples(folder)
    require_none(problems, f"{folder} is incomplete")
    return samples
