"""How the values of a pair are normalized after the stretch: found once, the same in every window.

All statistics are those of pixels that are measured at both dates (`scdcli.rasters.pair.sample`).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scdcli.errors import PairError, UnknownName
from scdcli.rasters.pair.mappings import (
    Clip,
    Curves,
    Linear,
    MeanStd,
    match_curves,
    measure,
    standardizing_line,
)
from scdcli.rasters.pair.mappings import Mapping as ValueMapping
from scdcli.rasters.pair.methods import METHODS
from scdcli.rasters.pair.pif import pif_line
from scdcli.rasters.pair.sample import Sample, pixels_of, places_of

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
        mean_std: Mean and spread that each date is brought to; None for neither.
        record: The mappings and what they rest on, JSON-ready.
        notes: The same as sentences.
    """

    before: tuple[ValueMapping, ...] = ()
    after: tuple[ValueMapping, ...] = ()
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
    windows: Iterator[Sample], method: str, mean_std: MeanStd | None, names: Names
) -> Normalization:
    """The mappings that normalize a pair.

    AFTER is brought to BEFORE by one of `METHODS`, then each date to ``mean_std``, if there is one.

    Raises:
        InputError: A file cannot be read.
        PairError: No pixel is measured at both dates, a band holds one value only, or nothing
            seems unchanged.
        UnknownName: No such method.
    """
    to_before, samples = find_to_before(windows, method, names)
    if mean_std is None:
        return to_before
    before, after = pixels_of(samples)
    own = (measure(before), measure(after)) if before.size else None
    return per_date(to_before, own, mean_std, names)


def find_to_before(
    windows: Iterable[Sample], method: str, names: Names
) -> tuple[Normalization, list[Sample]]:
    """The mappings that bring AFTER to BEFORE, and the samples after them.

    For the arguments and errors see `find_normalization`.
    """
    if method not in METHODS:
        raise UnknownName("normalization", method, METHODS)
    samples = list(windows)
    if method == "none":
        return Normalization(), samples
    _require_usable(samples, method, names)
    found = _match(samples, names) if method == "match" else _pif(samples, names)
    return found, [each._replace(after=found.apply(each.before, each.after)[1]) for each in samples]


def recorded(record: Mapping[str, Any], bands: int) -> Normalization:
    """The mappings of AFTER to BEFORE that a record has, without their notes.

    Raises:
        KeyError: A part is missing.
        TypeError: A part is of another kind.
        ValueError: Likewise, or it is of another number of bands.
    """
    if not record:
        return Normalization()
    mapping = (
        _recorded_curves(record["curves"])
        if record["method"] == "match"
        else Linear(*(tuple(map(float, record[name])) for name in ("gain", "offset")))
    )
    counts = {len(each) for each in vars(mapping).values()}
    if counts != {bands}:
        raise ValueError(f"a normalization of {max(counts)} bands for {bands}")
    return Normalization(after=(mapping, Clip()), record=dict(record))


def _recorded_curves(curves: list[dict[str, list[float]]]) -> Curves:
    values, become = (
        tuple(tuple(map(float, curve[name])) for curve in curves) for name in ("values", "become")
    )
    for knots, wanted in zip(values, become, strict=True):
        if len(knots) != len(wanted) or len(knots) < 2 or np.diff(knots).min() <= 0:
            raise ValueError("a curve whose values do not rise")
    return Curves(values, become)


def _require_usable(windows: list[Sample], method: str, names: Names) -> None:
    """Refuse a pair without pixels measured at both dates, or with a band of one value only."""
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


def _match(windows: list[Sample], names: Names) -> Normalization:
    """AFTER with the histograms of BEFORE."""
    before, after = pixels_of(windows)
    curves = match_curves(before, after)
    means = zip(after.mean(axis=1), before.mean(axis=1), strict=True)
    per_band = ", ".join(
        f"band {band}: mean {old:.4g} to {new:.4g}" for band, (old, new) in enumerate(means, 1)
    )
    return Normalization(
        after=(curves, Clip()),
        record={"method": "match", **curves.to_dict()},
        notes=(f"The histograms of {names[1]} are matched to those of {names[0]} ({per_band}).",),
    )


def _pif(windows: list[Sample], names: Names) -> Normalization:
    """AFTER by the line through places that seem unchanged."""
    before, after = places_of(windows, PLACE)
    if before.shape[1] < FEW_PLACES:
        before, after = places_of(windows, 1)
    flat = min(before.std(axis=1).min(), after.std(axis=1).min()) == 0
    pif = None if flat else pif_line(before, after)
    if pif is None or pif.places < LEAST_PLACES or pif.correlation < LEAST_IN_COMMON:
        raise PairError(
            f"too little seems unchanged between {names[0]} and {names[1]} for --normalize pif; "
            "try --coregister if they are shifted, --normalize match, or leave --normalize out."
        )
    share = pif.places / before.shape[1]
    lines = zip(pif.line.gain, pif.line.offset, strict=True)
    per_band = ", ".join(
        f"band {band}: {gain:.3f} x {offset:+.1f}" for band, (gain, offset) in enumerate(lines, 1)
    )
    return Normalization(
        after=(pif.line, Clip()),
        record={
            "method": "pif",
            **pif.line.to_dict(),
            "unchanged_share": round(share, 4),
            "correlation": round(pif.correlation, 4),
        },
        notes=(
            f"{names[1]} is brought to the values of {names[0]} by the {100 * share:.0f} % of "
            f"sampled places that seem unchanged ({per_band}).",
        ),
    )


def per_date(
    to_before: Normalization, own: tuple[MeanStd, MeanStd] | None, wanted: MeanStd, names: Names
) -> Normalization:
    """Each date also brought to a mean and spread, if anything is measured.

    Its own mean and spread are those after the mappings before; None where nothing is measured.
    """
    if own is None:
        return replace(to_before, mean_std=wanted)
    lines: list[Linear] = [standardizing_line(each, wanted) for each in own]
    record = {
        name: {"mean": each.mean, "std": each.std}
        for name, each in zip(("before", "after"), own, strict=True)
    }
    note = (
        f"Each date is brought to the mean and spread that the model knows: {names[0]} from "
        f"{_per_band(own[0])}, {names[1]} from {_per_band(own[1])}."
    )
    return Normalization(
        before=(*to_before.before, lines[0]),
        after=(*to_before.after, lines[1]),
        mean_std=wanted,
        record=to_before.record
        | {"per_date": record | {"to": {"mean": wanted.mean, "std": wanted.std}}},
        notes=(*to_before.notes, note),
    )


def _per_band(mean_std: MeanStd) -> str:
    """For example ``101 ± 40, 90 ± 38``, per band."""
    return ", ".join(f"{mean:.4g} ± {std:.3g}" for mean, std in zip(*mean_std, strict=True))
