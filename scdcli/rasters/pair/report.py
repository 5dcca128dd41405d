"""What was done to make two scenes comparable: as sentences, and as a record."""

import hashlib
import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rasterio.io import DatasetReader
from rasterio.windows import Window

from scdcli.files.naming import crs_name, file_name, is_remote, name_of, without_secrets
from scdcli.rasters.alignment import Alignment
from scdcli.rasters.collar import NEAR, CollarFacts
from scdcli.rasters.crs import taken_as_one
from scdcli.rasters.grid import Grid
from scdcli.rasters.pair.bands import BandChoice
from scdcli.rasters.pair.extent import AreaOfInterest
from scdcli.rasters.pair.settings import OF_PART, PairSettings
from scdcli.rasters.pair.statistics import Statistics
from scdcli.rasters.pair.stretch import Stretch
from scdcli.rasters.pair.units import PairUnits
from scdcli.rasters.scene import Scene, alpha_bands, page_sizes, spectral_bands

MOST_DETAIL = 2.0  # between the two pixel sizes
LEAST_SHARE = 0.01
MOST_OF_IT = 0.9  # a margin of a few pixels, as a shift leaves it, is no small overlap
NOT_ASSUMED = "--assume-crs is not used: no image has a position without a CRS"
CHIP = 512  # pixels a network sees at a time

# Where a file says when it was taken: namespace and name, the better first.
DATES = (
    ("IMAGERY", "ACQUISITIONDATETIME"),
    (None, "ACQUISITIONDATETIME"),
    (None, "TIFFTAG_DATETIME"),
)


@dataclass(frozen=True)
class PairPlan:
    """Two open scenes, and how they are read as one pair.

    Attributes:
        first: The earlier scene.
        second: The later scene.
        settings: What was asked for.
        bands: Bands of either.
        units: What the numbers in the bands mean.
        collars: What is known of the collar of either.
        grid: What is read of the first scene's grid.
        whole: Where all of the first scene's grid lies, in pixels of what is read.
        aoi: The area of interest on it, if one was asked for.
        alignment: How the second scene lies on what is read.
        onto_whole: How it lies on all of the first scene's grid.
        stretch: What maps values to 0..255; None where uint8 is used as it is.
        statistics: Those in a file, if one is to be used.
    """

    first: Scene
    second: Scene
    settings: PairSettings
    bands: BandChoice
    units: PairUnits
    collars: tuple[CollarFacts, CollarFacts]
    grid: Grid
    whole: Window
    aoi: AreaOfInterest | None
    alignment: Alignment
    onto_whole: Alignment
    stretch: Stretch | None
    statistics: Statistics | None


def warnings(pair: PairPlan) -> Iterator[str]:
    """One sentence for each reason why the result of a pair may be wrong."""
    first, second = pair.first, pair.second
    yield from _about_bands(first, second, pair.bands)
    if pair.units.differ and not pair.units.applied:
        yield pair.units.note((first.name, second.name))
    yield from _about_detail(first, second, pair.alignment.detail)
    yield from _about_overlap(first, second, pair.alignment)
    yield from _about_dates(first, second)
    for scene, collar in zip((first, second), pair.collars, strict=True):
        yield from about_file(scene)
        if collar.left:
            yield (
                f"{scene.name} has the nodata value {scene.dataset.nodata:g} and the compression "
                f"{collar.compression}, which changes values: about {max(collar.left, 0.01):.0%} "
                f"of its collar, where that meets the picture, are within {NEAR} of it and count "
                f"as measured. Mask them with --nodata-tolerance {NEAR}."
            )


def _about_bands(first: Scene, second: Scene, bands: BandChoice) -> Iterator[str]:
    """That bands were chosen by their names, where there are more of them and nobody chose."""
    counts = [len(spectral_bands(scene.dataset)) for scene in (first, second)]
    if bands.note and len(bands.before) < max(counts):
        yield bands.note


def _about_detail(first: Scene, second: Scene, detail: float) -> Iterator[str]:
    if 1 / MOST_DETAIL * (1 - 1e-6) <= detail <= MOST_DETAIL * (1 + 1e-6):
        return
    finer, coarser, times = (second, first, detail) if detail > 1 else (first, second, 1 / detail)
    yield (
        f"A pixel of {coarser.name} is {times:.3g} times as wide as one of {finer.name}: what only "
        "one of them can show may look like a change. Resample the finer one first, for example "
        "with gdalwarp -r average."
    )


def _about_overlap(first: Scene, second: Scene, alignment: Alignment) -> Iterator[str]:
    height, width = alignment.grid.shape
    pixels = int(alignment.share * height * width)
    if alignment.share < LEAST_SHARE:
        yield (
            f"{first.name} and {second.name} overlap in {pixels} pixels only, less than "
            f"{LEAST_SHARE:.0%}; check that both show the same place."
        )
    elif pixels < CHIP * CHIP <= height * width and alignment.share < MOST_OF_IT:
        yield (
            f"{first.name} and {second.name} overlap in {pixels} pixels only, less than the "
            f"{CHIP} x {CHIP} that a model sees at a time: its results need more around them."
        )


def _about_dates(first: Scene, second: Scene) -> Iterator[str]:
    for namespace, name in DATES:
        taken = [scene.dataset.tags(ns=namespace).get(name, "") for scene in (first, second)]
        if not all(taken):
            continue
        days = ["".join(sign for sign in text if sign.isdigit()) for text in taken]
        if min(map(len, days)) >= 8 and days[1][:14] < days[0][:14]:
            yield (
                f"{name} says that {second.name} ({taken[1]}) is earlier than {first.name} "
                f"({taken[0]}); the earlier image comes first."
            )
        return


def about_file(scene: Scene) -> Iterator[str]:
    """A sentence on a file of several images: how many there are, and whether the first is it."""
    sizes = page_sizes(scene.dataset)
    if len(sizes) < 2:
        return
    largest = max(sizes, key=lambda size: size[0] * size[1])
    said = f"{scene.name} holds {len(sizes)} images; the first is read"
    if largest == sizes[0]:
        yield f"{said}."
        return
    number = sizes.index(largest) + 1
    page = without_secrets(name_of(scene.dataset.subdatasets[number - 1]))
    first, other = (f"{width} x {height}" for width, height in (sizes[0], largest))
    yield (
        f"{said}, which has {first} pixels and may be a preview: number {number} has {other}. "
        f"Write that one into a file of its own: gdal_translate {shlex.quote(page)} image.tif"
    )


def notes(pair: PairPlan) -> Iterator[str]:
    """One sentence for each thing done, or to know before the result is believed."""
    yield from _part_notes(pair)
    yield from _crs_notes(pair)
    yield from _placement_notes(pair)
    yield from _band_notes(pair)
    yield from _collar_notes(pair)
    if pair.units.applied:
        yield pair.units.note((pair.first.name, pair.second.name))
    if pair.statistics is not None:
        pairs = "1 pair" if pair.statistics.pairs == 1 else f"{pair.statistics.pairs} pairs"
        yield f"Values are mapped by the statistics of {pairs} in {pair.statistics.name}."
    if pair.stretch is not None:
        yield pair.stretch.note
    yield from (sentence for sentence in warnings(pair) if sentence != pair.bands.note)


def _part_notes(pair: PairPlan) -> Iterator[str]:
    whole, part = pair.first.grid, pair.grid
    if pair.aoi is not None:
        area = pair.aoi.record
        number = area["polygons"]
        polygons = "polygon" if number == 1 else f"{number} polygons"
        yield (
            f"Only the {polygons} of {area['name']} {'is' if number == 1 else 'are'} mapped; what "
            "lies outside is nodata."
        )
    if pair.settings.bounds_crs and not pair.settings.bounds:
        yield "--bounds-crs is not used: there are no --bounds."
    if pair.settings.statistics == OF_PART and part == whole:
        yield f"--statistics part is not used: all of {pair.first.name} is read."
    if part != whole:
        yield (
            f"Of {pair.first.name}, {part.width} x {part.height} of {whole.width} x {whole.height} "
            "pixels are read."
        )


def _crs_notes(pair: PairPlan) -> Iterator[str]:
    scenes = (pair.first, pair.second)
    if pair.settings.assume_crs is not None:
        given = [scene for scene in scenes if is_assumed(scene)]
        for scene in given:
            yield f"{scene.name} has no CRS: {crs_name(scene.grid.crs)} is assumed."
        if not given:
            yield f"{NOT_ASSUMED}."
    own, other = (scene.dataset.crs for scene in scenes)
    if own is not None and other is not None and pair.second.grid.crs == pair.first.grid.crs:
        sentence = taken_as_one(own, other, (pair.first.name, pair.second.name))
        yield from [sentence] if sentence else []
    if pair.grid.crs is None:
        yield "Neither image has a CRS: they are compared pixel by pixel, areas are in pixels."
        if len({scene.grid.transform for scene in scenes}) > 1:
            yield (
                "Their positions differ and are not used, as no CRS says what they mean; if they "
                "do mean something, say so with --assume-crs."
            )


def is_assumed(scene: Scene) -> bool:
    """Whether a scene takes its CRS from the user."""
    own = scene.dataset.gcps[1] if scene.points else scene.dataset.crs
    return own is None and scene.grid.crs is not None


def _placement_notes(pair: PairPlan) -> Iterator[str]:
    first, second, alignment = pair.first, pair.second, pair.alignment
    for scene in (first, second):
        if scene.points is not None:
            yield (
                f"{scene.name} is placed by {scene.points.count} ground control points, through "
                f"a polynomial that misses them by at most {scene.points.residual:.2g} pixels."
            )
    if first.points is not None:
        yield (
            f"The result lies on a grid made for {first.name}: north-up, {first.grid.width} x "
            f"{first.grid.height} pixels in {crs_name(first.grid.crs)}."
        )
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
        where = "the part read" if pair.grid != first.grid else first.name
        yield (
            f"{second.name} covers {int(1000 * alignment.share) / 10} % of {where}; "
            "the rest becomes nodata."
        )


def _band_notes(pair: PairPlan) -> Iterator[str]:
    scenes = (pair.first, pair.second)
    for scene in scenes:
        for band in alpha_bands(scene.dataset):
            yield f"Band {band} of {scene.name} is marked as alpha: it masks, and is no data."
    if pair.bands.note:
        yield pair.bands.note
        return
    counts = [len(spectral_bands(scene.dataset)) for scene in scenes]
    if counts != [len(pair.bands.before)] * 2:
        used = ", ".join(str(band) for band in pair.bands.before)
        yield f"Bands {used} are used of the {counts[0]} and {counts[1]} bands."
    if pair.bands.after != pair.bands.before:
        used = ", ".join(str(band) for band in pair.bands.after)
        yield f"Of {pair.second.name} they are compared with bands {used}."


def _collar_notes(pair: PairPlan) -> Iterator[str]:
    tolerance = pair.settings.nodata_tolerance
    for scene, collar in zip((pair.first, pair.second), pair.collars, strict=True):
        if tolerance is not None and scene.dataset.nodata is None:
            yield f"--nodata-tolerance is not used for {scene.name}: it has no nodata value."
        elif collar.masked is not None:
            yield (
                f"{collar.masked} pixels of {scene.name} within {tolerance:g} of its nodata value "
                f"{scene.dataset.nodata:g} that touch the edge are nodata."
            )
        elif collar.left == 0:
            yield (
                f"{scene.name} has the nodata value {scene.dataset.nodata:g} and the compression "
                f"{collar.compression}, which may change it; no sample shows that it has."
            )


def provenance(pair: PairPlan) -> dict[str, Any]:
    """JSON-ready record of the inputs and of what was done."""
    alignment, stretch, settings = pair.alignment, pair.stretch, pair.settings
    placed = {
        date: {"ground_control_points": scene.points.count, "residual": scene.points.residual}
        for date, scene in (("before", pair.first), ("after", pair.second))
        if scene.points is not None
    }
    assumed = [scene for scene in (pair.first, pair.second) if is_assumed(scene)]
    return {
        "before": describe(pair.first.dataset, pair.first.path),
        "after": describe(pair.second.dataset, pair.second.path),
        "bands": list(pair.bands.before),
        "after_bands": list(pair.bands.after),
        "alignment": "warped" if alignment.offset is None else "pixel on pixel",
        "offset": None if alignment.offset is None else list(alignment.offset),
        "shift": [float(pixels) for pixels in settings.shift],
        "grid_differences": list(alignment.differences),
        "overlap": round(alignment.share, 6),
        "placed_by": placed,
        "assumed_crs": crs_name(assumed[0].grid.crs) if assumed else None,
        "bounds": list(settings.bounds) if settings.bounds else None,
        "aoi": pair.aoi.record if pair.aoi else None,
        "nodata_tolerance": None
        if settings.nodata_tolerance is None
        else {
            "tolerance": settings.nodata_tolerance,
            "masked": [collar.masked for collar in pair.collars],
        },
        "scale_and_offset": pair.units.record(),
        "statistics": None
        if pair.statistics is None
        else {
            "name": pair.statistics.name,
            "pairs": pair.statistics.pairs,
            "sha256": pair.statistics.sha256,
        },
        "normalization": None,
        "stretch": None if stretch is None else {"low": stretch.low, "high": stretch.high},
    }


def describe(dataset: DatasetReader, path: str | Path) -> dict[str, Any]:
    """What a result says of its input: name, size, CRS, type, and a hash of the metadata.

    The hash leaves out the name and the time, so a copy has the same one. Folders, user names and
    the query of an address (which may hold a signature) are left out altogether.
    """
    facts: dict[str, Any] = {
        "driver": dataset.driver,
        "width": dataset.width,
        "height": dataset.height,
        "count": dataset.count,
        "dtype": dataset.dtypes[0],
        "crs": crs_name(dataset.crs),
        "transform": list(dataset.transform)[:6],
        "nodata": None if dataset.nodata is None else str(dataset.nodata),
    }
    status = None if is_remote(path) else Path(path).stat()
    facts["bytes"] = None if status is None else status.st_size
    wkt = dataset.crs.to_wkt() if dataset.crs else None
    stable = json.dumps([facts, wkt], sort_keys=True).encode()
    facts["metadata_sha256"] = hashlib.sha256(stable).hexdigest()
    modified = None if status is None else datetime.fromtimestamp(int(status.st_mtime), UTC)
    facts["modified"] = None if modified is None else modified.isoformat()
    return {"name": file_name(path), **facts}
