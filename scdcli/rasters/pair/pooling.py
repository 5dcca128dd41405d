"""Statistics of many pairs as of one: of the tiles of an orthophoto, which are predicted alike."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scdcli.errors import PairError
from scdcli.files.naming import name_of
from scdcli.rasters.pair.coregister import open_and_register
from scdcli.rasters.pair.mappings import measure
from scdcli.rasters.pair.normalization import find_to_before
from scdcli.rasters.pair.open import sample_dates
from scdcli.rasters.pair.sample import Sample, pixels_of, sample_pair
from scdcli.rasters.pair.settings import PairSettings, of_whole
from scdcli.rasters.pair.statistics import Facts, Statistics, described
from scdcli.rasters.pair.stretch import SAMPLES_PER_AXIS, Stretch, fixed_stretch, joint_stretch

MOST_PAIRS = 150  # that are sampled, spread over all
MOST_SAMPLES = 4096  # windows of either date for the stretch
FEWEST = 2  # of them along an axis

Files = tuple[str | Path, str | Path]


def pool_statistics(
    pairs: Sequence[Files], settings: PairSettings, *, coregister: bool = False
) -> Statistics:
    """The statistics that map the values of all pairs alike; of one pair those it has by itself.

    Args:
        pairs: BEFORE and AFTER of each. Of more than 150, 150 are sampled.
        settings: How they are read; what chooses a part of them and mean_std are left out.
        coregister: Move every AFTER over its BEFORE by the shift between them.

    Raises:
        InputError: A file cannot be opened or read.
        PairError: Two scenes cannot be compared, pairs have other bands or types than the first, or
            too little is measured.
        UnknownName: No such method of normalization.
    """
    sampled = pairs[:: -(-len(pairs) // MOST_PAIRS)]
    names = ("BEFORE", "AFTER") if len(pairs) > 1 else _names(pairs[0])
    asked = replace(of_whole(settings), mean_std=None)
    facts, stretch = _pool_stretch(sampled, asked, names)
    opened = replace(asked, stretch=stretch, normalize="none")
    samples: list[Sample] = []
    for files in sampled:
        with open_and_register(*files, opened, coregister=coregister) as (pair, _):
            stretch = pair.stretch
            samples += sample_pair(pair.read, pair.whole, pair.count, len(sampled))
    to_before, samples = find_to_before(samples, asked.normalize, names)
    dates = pixels_of(samples)
    own = (measure(dates[0]), measure(dates[1])) if dates[0].size else None
    return Statistics(facts, len(pairs), stretch, to_before, own)


def _pool_stretch(
    pairs: Sequence[Files], settings: PairSettings, names: tuple[str, str]
) -> tuple[Facts, Stretch | None]:
    """What all pairs have in common, and one stretch for all; None where none is sampled for."""
    per_axis = int((MOST_SAMPLES / len(pairs)) ** 0.5)
    per_axis = max(FEWEST, min(SAMPLES_PER_AXIS, per_axis))
    known: Facts | None = None
    samples: list[NDArray[np.float32]] = []
    for files in pairs:
        facts, own = sample_dates(*files, settings, per_axis)
        known = known or facts
        if facts != known:
            first, these = (" and ".join(_names(each)) for each in (pairs[0], files))
            raise PairError(
                f"{these} are read with {described(facts)}, {first} with {described(known)}: no "
                "statistics fit both; choose the same with --bands, or make two files."
            )
        samples += own
    assert known is not None
    stretch = fixed_stretch(settings.scale, len(known.bands)) if settings.scale else None
    return known, joint_stretch(samples, names) if samples else stretch


def _names(files: Files) -> tuple[str, str]:
    return name_of(files[0]), name_of(files[1])
