"""Writing the page of a prediction: when it is made, and again afterwards."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from scdcli.errors import InputError, PairError
from scdcli.files.naming import name_of
from scdcli.files.whole import write_whole
from scdcli.polygons.area import measure_ground
from scdcli.polygons.strips import find_runs, read_strips
from scdcli.polygons.zones import ZONE_TABLE, Zones, ZoneTally, write_zones
from scdcli.rasters.grid import Grid
from scdcli.rasters.pair.open import Pair, open_pair
from scdcli.rasters.pair.settings import PairSettings
from scdcli.reporting.changes import Changes, trace_changes
from scdcli.reporting.finished import (
    MAPS,
    PROJECT,
    SUMMARY,
    Finished,
    read_finished,
    read_image_paths,
)
from scdcli.reporting.overview import read_overview
from scdcli.reporting.page import REPORT, build_page
from scdcli.reporting.photos import take_photos
from scdcli.reporting.preview import PREVIEW, draw_preview

SHOWN_IMAGE = b'"before":"data:image/'
"""How the data of a page begin that has images."""

ANY_VALUES = (0.0, 255.0)  # pictures find their own range; none has to be sampled


def write_report(folder: Path, changes: Changes, pair: Pair) -> None:
    """Write the page and the preview of a prediction that has just been made.

    Raises:
        InputError: A map or an image cannot be read.
        OutputError: The files cannot be written.
    """
    prediction = read_finished(folder)
    overview, photos = read_overview(prediction), take_photos(pair)
    page = build_page(prediction, changes, overview, photos)
    write_whole(folder / PREVIEW, draw_preview(prediction, overview, photos))
    write_whole(folder / REPORT, page.encode())


def rebuild_report(
    folder: Path,
    out: Path | None = None,
    *,
    before: str | Path | None = None,
    after: str | Path | None = None,
    bare: bool = False,
) -> tuple[Path, str | None]:
    """Write the page of a finished prediction anew, from its maps and the images.

    Args:
        folder: The prediction.
        out: The page; ``report.html`` in the folder if not given, and the preview beside it.
        before: The earlier image, where it lies elsewhere than the project of the prediction says,
            and neither at the prediction, beside or above it, nor in the working directory.
        after: The later image.
        bare: Whether a page without images may take the place of one that has them.

    Returns:
        The page, and why it has no images or is left as it was, if it has none or is.

    Raises:
        InputError: The folder holds no finished prediction, or a map cannot be read.
        OutputError: The files cannot be written.
    """
    prediction = read_finished(folder)
    path = out or folder / REPORT
    with opened_images(prediction, before, after) as (pair, missing):
        if missing and not bare and shows_images(path):
            return path, (
                f"{path.name} is left as it was, since it shows images and a new one would not: "
                f"{missing} Or make it without them, with --overwrite."
            )
        changes, overview = trace_changes(prediction), read_overview(prediction)
        photos = None if pair is None else take_photos(pair)
        bare_since = missing and f"This page shows no images: {missing}"
        page = build_page(prediction, changes, overview, photos, missing=bare_since)
    if out is None:
        write_whole(folder / PREVIEW, draw_preview(prediction, overview, photos))
    write_whole(path, page.encode())
    return path, bare_since


def shows_images(page: Path) -> bool:
    """Whether a page is there and has the images of its prediction."""
    try:
        return SHOWN_IMAGE in page.read_bytes()
    except OSError:
        return False


def add_zones(folder: Path, zones: Zones) -> list[str]:
    """Give the areas of a finished prediction by zone: in ``zones.csv`` and its summary.

    Returns:
        What is to be known of the zones, as sentences.

    Raises:
        InputError: The folder holds no finished prediction, or a map cannot be read.
        OutputError: The files cannot be written.
    """
    prediction = read_finished(folder)
    ground = measure_ground(prediction.grid)
    tally = ZoneTally(ground, zones)
    transition, probability = (folder / name for name in MAPS)
    for _ in tally.counting(find_runs(read_strips(transition, probability), ground)):
        pass
    described = tally.to_dict(prediction.legend)
    write_zones(folder / ZONE_TABLE, described)
    summary = prediction.summary
    settings = summary["settings"] | zones.settings
    text = json.dumps(
        summary | {"settings": settings, "zones": described},
        indent=2,
        ensure_ascii=False,
        allow_nan=False,
    )
    write_whole(folder / SUMMARY, (text + "\n").encode())
    return [*zones.warnings, *tally.overlap_told()]


@contextmanager
def opened_images(
    prediction: Finished, before: str | Path | None, after: str | Path | None
) -> Iterator[tuple[Pair | None, str | None]]:
    """The images of a prediction on its grid, or why they are not to be had."""
    with ExitStack() as stack:
        pair, missing = None, None
        try:
            paths = (
                _image(prediction, "before", before),
                _image(prediction, "after", after),
            )
            pair = stack.enter_context(open_pair(*paths, _settings(prediction)))
            _require_same(prediction, pair.grid)
        except (InputError, PairError) as error:
            pair = None
            missing = str(error)
        yield pair, missing


def _image(prediction: Finished, date: str, given: str | Path | None) -> str | Path:
    """Where an image lies.

    Raises:
        InputError: It is not where it is looked for.
    """
    if given is not None:
        return given
    facts: Mapping[str, Any] = prediction.summary["inputs"][date]
    if facts.get("driver") is None:
        raise InputError(f"{facts['name']} was an array in memory.")
    folder, name = prediction.folder.resolve(), str(facts["name"])
    around = (folder, folder.parent, folder.parent.parent, Path.cwd())
    places: list[Path] = [place / name for place in around]
    if known := read_image_paths(folder).get(f"{date}: {name}"):
        places.insert(0, known)
    for path in places:
        if path.is_file() and path.stat().st_size == facts.get("bytes"):
            return path
    raise InputError(
        f"{facts['name']} is not where it is looked for, which is where {PROJECT} says, at the "
        f"prediction, beside and above it, or is not the same file any more; name it with --{date}."
    )


def _settings(prediction: Finished) -> PairSettings:
    """How the images were read, but for their values."""
    inputs, settings = prediction.summary["inputs"], prediction.summary["settings"]
    part = prediction.grid.bounds if settings.get("bounds") or settings.get("aoi") else None
    rows, cols = inputs.get("shift", (0.0, 0.0))
    return PairSettings(
        bands=tuple(inputs["bands"]),
        after_bands=tuple(inputs["after_bands"]),
        assume_crs=settings.get("assume_crs"),
        bounds=part,
        shift=(rows, cols),
        scale=ANY_VALUES,
        normalize="none",
    )


def _require_same(prediction: Finished, grid: Grid) -> None:
    """Refuse images that do not lie on the grid of the maps.

    Raises:
        PairError: They do not.
    """
    maps = prediction.grid
    corners = [(~maps.transform @ grid.transform) @ (x, y) for x in (0, 1) for y in (0, 1)]
    wanted = [(x, y) for x in (0, 1) for y in (0, 1)]
    if grid.shape != maps.shape or not np.allclose(corners, wanted, atol=0.01):
        raise PairError(
            f"the images are {grid.width} x {grid.height} pixels on another grid than the maps in "
            f"{name_of(prediction.folder)} ({maps.width} x {maps.height}); name those that were "
            "compared with --before and --after."
        )
