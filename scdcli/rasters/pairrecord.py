"""What was done to make two scenes comparable: as sentences, and as a record."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from scdcli.rasters.alignment import Alignment
from scdcli.rasters.pairing import PairSettings
from scdcli.rasters.scene import Scene, alpha_bands, describe, spectral_bands
from scdcli.rasters.stretch import Stretch


@dataclass(frozen=True)
class Matched:
    """Two open scenes, and how they are read as one pair."""

    first: Scene
    second: Scene
    settings: PairSettings
    bands: tuple[int, ...]
    alignment: Alignment
    stretch: Stretch | None


def notes(pair: Matched) -> Iterator[str]:
    """One sentence for each thing done, or to know before the result is believed."""
    yield from _placement_notes(pair)
    yield from _band_notes(pair)
    if pair.stretch is not None:
        yield f"One stretch to 0-255 for both dates: {pair.stretch}."


def _placement_notes(pair: Matched) -> Iterator[str]:
    first, second, alignment = pair.first, pair.second, pair.alignment
    if any(pair.settings.shift):
        rows, cols = pair.settings.shift
        yield (
            f"{second.name} is moved by {rows:.4g} rows and {cols:.4g} columns "
            "(down and right) before it is read."
        )
    if alignment.offset is None and alignment.differences:
        yield (
            f"{second.name} is warped onto the grid of {first.name} (bilinear): "
            f"{'; '.join(alignment.differences)}."
        )
    if alignment.share < 1:
        yield (
            f"{second.name} covers {int(1000 * alignment.share) / 10} % of {first.name}; "
            "the rest becomes nodata."
        )
    if first.grid.crs is None:
        yield "Neither image has a CRS: they are compared pixel by pixel, areas are in pixels."


def _band_notes(pair: Matched) -> Iterator[str]:
    scenes = (pair.first, pair.second)
    for scene in scenes:
        for band in alpha_bands(scene.dataset):
            yield f"Band {band} of {scene.name} is marked as alpha: it masks, and is no data."
    counts = [len(spectral_bands(scene.dataset)) for scene in scenes]
    if counts != [len(pair.bands)] * 2:
        used = ", ".join(str(band) for band in pair.bands)
        yield f"Bands {used} are used of the {counts[0]} and {counts[1]} bands."


def provenance(pair: Matched) -> dict[str, Any]:
    """JSON-ready record of the inputs and of what was done."""
    alignment, stretch = pair.alignment, pair.stretch
    return {
        "before": describe(pair.first.dataset, pair.first.path),
        "after": describe(pair.second.dataset, pair.second.path),
        "bands": list(pair.bands),
        "alignment": "warped" if alignment.offset is None else "pixel on pixel",
        "offset": None if alignment.offset is None else list(alignment.offset),
        "shift": [float(pixels) for pixels in pair.settings.shift],
        "grid_differences": list(alignment.differences),
        "overlap": round(alignment.share, 6),
        "stretch": None if stretch is None else {"low": stretch.low, "high": stretch.high},
    }
