"""How the values of a pair are normalized after the stretch: found once, the same in every window.

All statistics are those of pixels that are measured at both dates (`scdcli.rasters.pair.sample`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scdcli.errors import PairError, UnknownName
from scdcli.rasters.pair.mappings import (
    Clip,
    Linear,
    Mapping,
    MeanStd,
    match_curves,
    measure,
    standardizing_line,
)
from scdcli.rasters.pair.methods import METHODS
from scdcli.rasters.pair.pif import pif_line
from scdcli.rasters.pair.sample import Seen, pixels_of, places_of

PLACE = 4  # pixels: means of so many a side suffer less from small shifts and noise
FEW_PLACES = 400  # with fewer, places are single pixels
LEAST_PLACES = 30  # that seem unchanged
LEAST_IN_COMMON = 0.3  # correlation of these

Names = tuple[str, str]
"""BEFORE and AFTER, as they may be printed."""


@dataclass(frozen=True)
class Normalization:
    """What maps the values of both dates.

    Attributes:
        before: Mappings of BEFORE, one after the other.
        after: Those of AFTER.
        mean_std: What each date is brought to; None where it is not.
        record: JSON-ready, what was found.
        notes: The same as sentences.
    """

    before: tuple[Mapping, ...] = ()
    after: tuple[Mapping, ...] = ()
    mean_std: MeanStd | None = None
    record: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def apply(
        self, before: NDArray[np.float32], after: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Both dates mapped, (C, h, w) float32; NaN stays NaN."""
        for mapping in self.before:
            before = mapping.apply(before)
        for mapping in self.after:
            after = mapping.apply(after)
        return before, after


def find_normalization(
    windows: Iterator[Seen], method: str, mean_std: MeanStd | None, names: Names
) -> Normalization:
    """What normalizes a pair.

    Args:
        windows: What the statistics are those of.
        method: How AFTER is brought to BEFORE, one of `METHODS`.
        mean_std: What each date is then to be brought to, if anything.
        names: Both images, for errors and notes.

    Raises:
        InputError: A file cannot be read.
        PairError: No pixel is measured at both dates, a band holds one value only, or nothing
            seems unchanged.
        UnknownName: No such method.
    """
    if method not in METHODS:
        raise UnknownName("normalization", method, METHODS)
    seen = list(windows)
    found = Normalization()
    if method != "none":
        _require_usable(seen, method, names)
        found = _match(seen, names) if method == "match" else _pif(seen, names)
        seen = [each._replace(after=found.apply(each.before, each.after)[1]) for each in seen]
    return found if mean_std is None else _per_date(found, seen, mean_std, names)


def _require_usable(windows: list[Seen], method: str, names: Names) -> None:
    """Refuse a pair that no values of one date can be told from those of the other."""
    remedy = "leave --normalize out"
    dates = pixels_of(windows)
    if not dates[0].size:
        raise PairError(
            f"no sampled pixel is measured in both {names[0]} and {names[1]}, so --normalize "
            f"{method} has nothing to go by; check their nodata values with gdalinfo, or {remedy}."
        )
    for name, pixels in zip(names, dates, strict=True):
        for number, band in enumerate(pixels, start=1):
            if band.min() == band.max():
                raise PairError(
                    f"band {number} in use of {name} holds one value only ({band[0]:g}) where both "
                    f"are measured, so --normalize {method} cannot map it; choose others with "
                    f"--bands, or {remedy}."
                )


def _match(windows: list[Seen], names: Names) -> Normalization:
    """AFTER with the histograms of BEFORE."""
    before, after = pixels_of(windows)
    curves = match_curves(before, after)
    means = zip(after.mean(axis=1), before.mean(axis=1), strict=True)
    said = ", ".join(
        f"band {band}: mean {old:.4g} to {new:.4g}" for band, (old, new) in enumerate(means, 1)
    )
    return Normalization(
        after=(curves, Clip()),
        record={"method": "match", **curves.to_dict()},
        notes=(f"The histograms of {names[1]} are matched to those of {names[0]} ({said}).",),
    )


def _pif(windows: list[Seen], names: Names) -> Normalization:
    """AFTER by the line through places that seem unchanged."""
    before, after = places_of(windows, PLACE)
    if before.shape[1] < FEW_PLACES:
        before, after = places_of(windows, 1)
    flat = min(before.std(axis=1).min(), after.std(axis=1).min()) == 0
    found = None if flat else pif_line(before, after)
    if found is None or found.places < LEAST_PLACES or found.correlation < LEAST_IN_COMMON:
        raise PairError(
            f"too little seems unchanged between {names[0]} and {names[1]} for --normalize pif; "
            "try --coregister if they are shifted, --normalize match, or leave --normalize out."
        )
    share = found.places / before.shape[1]
    lines = zip(found.line.gain, found.line.offset, strict=True)
    said = ", ".join(
        f"band {band}: {gain:.3f} x {offset:+.1f}" for band, (gain, offset) in enumerate(lines, 1)
    )
    return Normalization(
        after=(found.line, Clip()),
        record={
            "method": "pif",
            **found.line.to_dict(),
            "unchanged_share": round(share, 4),
            "correlation": round(found.correlation, 4),
        },
        notes=(
            f"{names[1]} is brought to the values of {names[0]} by the {100 * share:.0f} % of "
            f"sampled places that seem unchanged ({said}).",
        ),
    )


def _per_date(
    found: Normalization, windows: list[Seen], wanted: MeanStd, names: Names
) -> Normalization:
    """Each date brought to the mean and spread wanted; as it is where nothing is measured."""
    before, after = pixels_of(windows)
    if not before.size:
        return replace(found, mean_std=wanted)
    own = [measure(pixels) for pixels in (before, after)]
    lines: list[Linear] = [standardizing_line(each, wanted) for each in own]
    record = {
        name: {"mean": each.mean, "std": each.std}
        for name, each in zip(("before", "after"), own, strict=True)
    }
    note = (
        f"Each date is brought to the mean and spread that the model knows: {names[0]} from "
        f"{_said(own[0])}, {names[1]} from {_said(own[1])}."
    )
    return Normalization(
        before=(*found.before, lines[0]),
        after=(*found.after, lines[1]),
        mean_std=wanted,
        record=found.record
        | {"per_date": record | {"to": {"mean": wanted.mean, "std": wanted.std}}},
        notes=(*found.notes, note),
    )


def _said(mean_std: MeanStd) -> str:
    """For example ``101 ± 40, 90 ± 38``, per band."""
    return ", ".join(f"{mean:.4g} ± {std:.3g}" for mean, std in zip(*mean_std, strict=True))
