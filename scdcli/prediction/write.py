"""A prediction as a folder: rasters, polygons, tables and a summary, whole or not at all."""

import json
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.windows import Window

from scdcli.datasets.zonefile import place_zones, read_zones
from scdcli.errors import InputError, OutputError
from scdcli.files.folder import folder_at_once, remove_stale_lock, timestamp
from scdcli.legend import TRANSITION_NODATA, UNCHANGED, Legend, split_transition, transition_code
from scdcli.polygons.area import Ground, measure_ground
from scdcli.polygons.files.shapefile import changed_names
from scdcli.polygons.files.style import polygon_styles
from scdcli.polygons.files.vector import require_formats, require_place, write_polygons
from scdcli.polygons.strips import find_runs, read_strips
from scdcli.polygons.table import TransitionTally, write_transitions
from scdcli.polygons.trace.trace import trace
from scdcli.polygons.zones import ZONE_TABLE, Zones, ZoneTally, write_zones
from scdcli.prediction.chain import Predictor, find_supertiles, require_bands, unit_pixels
from scdcli.prediction.chipstore import chip_store
from scdcli.prediction.cleaning import LONGEST, Cleaning
from scdcli.prediction.cluster import Cluster
from scdcli.prediction.journal import JOURNAL, Journal, Layers, differences, open_journal
from scdcli.prediction.layers import COVERS, compute_layers
from scdcli.prediction.likeness import judge_model
from scdcli.prediction.looks import Looks, describe_looks, looks_from
from scdcli.prediction.outputfolder import SUMMARY
from scdcli.prediction.profile import PAGE
from scdcli.prediction.provenance import describe_cleaning, describe_prediction, tags
from scdcli.prediction.settings import OUTPUT, OutputSettings
from scdcli.prediction.task import describe_task
from scdcli.prediction.tiling import Supertile
from scdcli.qgis.project import images_of, write_project
from scdcli.rasters.cog import (
    PROBABILITY_MAP,
    TRANSITION_MAP,
    RasterKind,
    Write,
    class_map,
    cog_writer,
)
from scdcli.rasters.pair.open import Pair
from scdcli.rasters.sidecar import (
    Entry,
    class_entries,
    cover_entries,
    transition_entries,
    write_aux_xml,
    write_probability_qml,
    write_qml,
)
from scdcli.reporting.changes import Changes
from scdcli.reporting.page import REPORT
from scdcli.reporting.report import write_report

CHIPS = "chips"  # in the work folder
PREDICTED = 0.99  # of the progress, when all is predicted and the last maps are to be written
VECTORS = ("formats", "simplify", "zones", "zone_names", "zones_sha256")
"""Settings of polygons and tables, which rasters do not depend on."""


def write_prediction(
    pair: Pair,
    predictor: Predictor,
    out: Path,
    settings: OutputSettings = OUTPUT,
    *,
    cluster: Cluster | None = None,
    progress: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """Predict the changes of a pair and write all outputs into a new folder.

    Args:
        pair: The two scenes.
        predictor: Model and how to run it.
        out: Folder to make; it appears when everything in it is finished.
        settings: What to write.
        cluster: Whose workers predict; this process if not given.
        progress: Called with the share that is done of the maps, 0 to 1; below 1 until they are
            written.

    Returns:
        The content of ``summary.json``.

    Raises:
        OutputError: ``out`` exists, cannot be written, or is to be resumed with other settings.
        InputError: An image cannot be read, or nothing can be measured in the CRS of the pair.
        ModelError: The model does not fit the images.
        UnknownName: No such vector format.
        PairError: The zones have no CRS that fits that of the pair.
    """
    require_formats(settings.formats)
    require_place(settings.formats, pair.grid)
    ground = measure_ground(pair.grid)
    timestamp()  # refuses a bad SOURCE_DATE_EPOCH before any work
    started = time.perf_counter()
    legend = predictor.loaded.header.legend
    zones = _zones(pair, settings)
    record = describe_prediction(pair, predictor, settings, zones)
    if settings.resume and (finished := _finished(out, record, overwrite=settings.overwrite)):
        return finished
    fit = judge_model(predictor.loaded, pair)
    for line in (*fit.lines, *_told(zones)):
        predictor.say(line)
    unit = unit_pixels(pair, predictor)
    if pair.grid.crs is None and not predictor.unit.in_pixels:
        predictor.say(
            f"The minimum mapping unit {predictor.unit} is taken as {unit:,} pixels: without a CRS "
            "no area in square meters is known."
        )
    if unit > LONGEST**2:
        predictor.say(
            f"The minimum mapping unit is {unit:,} pixels, but what is longer than {LONGEST} "
            "pixels stays even where it is smaller."
        )
    with folder_at_once(out, mark=SUMMARY, overwrite=settings.overwrite, kept=JOURNAL) as folder:
        journal = open_journal(folder, _identity(record, predictor), resume=settings.resume)
        tell = _onward(progress)
        layered = _predict(pair, predictor, folder, journal, settings, cluster, tell)
        with closing(layered):  # before the folder is cleared after an error: threads write there
            written = _write_rasters(pair, predictor, folder, settings, layered, tell)
        codes, cleaning, looks = written
        changes = Changes()
        styles = polygon_styles(legend, _pairs_of(codes), pair.grid)
        with predictor.profile.timing("polygons"):
            by_zone = None if zones is None else ZoneTally(ground, zones)
            tally = _write_polygons(
                pair, ground, legend, folder, settings, styles, changes, by_zone
            )
        write_project(folder, pair.grid, images_of(pair), settings.formats, styles)
        write_transitions(folder / "transitions.csv", tally.transitions(legend))
        found, overlaps = _write_by_zone(folder, by_zone, legend, predictor)
        warnings = [*pair.warnings, *fit.warnings, *(zones.warnings if zones else ()), *overlaps]
        summary = record | {
            "created": timestamp().isoformat(),
            "notes": [*pair.notes, *fit.notes, *fit.warnings],
            "warnings": warnings,
            "cleaning": describe_cleaning(pair, predictor, cleaning),
            "chips": describe_looks(looks),
            **tally.to_dict(legend),
            **found,
            "shapefile_names": changed_names(tally.ground.unit)
            if "shp" in settings.formats
            else {},
            "supertiles_resumed": journal.resumed,
            "seconds": round(time.perf_counter() - started, 2),
            "stages": predictor.profile.to_dict(pair.grid.height * pair.grid.width),
        }
        text = json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False)
        (folder / SUMMARY).write_text(text + "\n", encoding="utf-8")
        if settings.report:
            with predictor.profile.timing(PAGE):
                _write_report(folder, changes, pair, predictor)
    return json.loads(text)  # type: ignore[no-any-return]  # as a reader of the file sees it


def _identity(record: dict[str, Any], predictor: Predictor) -> dict[str, Any]:
    """The part of a record that the pixels and the numbering of supertiles depend on."""
    settings = {key: value for key, value in record["settings"].items() if key not in VECTORS}
    return record | {"settings": settings, "supertile": predictor.tiling.supertile}


def _finished(out: Path, record: dict[str, Any], *, overwrite: bool) -> dict[str, Any] | None:
    """The summary of the same prediction in the folder already; None without one.

    Raises:
        OutputError: Another prediction is there, and is not to be overwritten.
    """
    try:
        summary: dict[str, Any] = json.loads((out / SUMMARY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    unlike = differences({key: summary.get(key) for key in record}, record)
    if not unlike:
        remove_stale_lock(out)
        return summary
    if overwrite:
        return None
    raise OutputError(
        f"{out} is finished, but was made from something else: {unlike}. Replace it with "
        "--overwrite, or name another folder."
    )


def _write_rasters(
    pair: Pair,
    predictor: Predictor,
    folder: Path,
    settings: OutputSettings,
    layered: Iterator[tuple[Window, Layers]],
    tell: Callable[[float], None],
) -> tuple[set[int], Cleaning, Looks]:
    """Write every raster with its sidecars.

    Returns:
        The transition codes that occur, how many pixels cleaning has changed, and the chips.
    """
    legend = predictor.loaded.header.legend
    kinds = _kinds(legend, settings)
    codes: set[int] = set()
    done, cleaning, looks = 0, Cleaning(), Looks()
    with ExitStack() as stack:
        metadata = tags(pair, predictor)
        writers: dict[str, Write] = {
            name: stack.enter_context(cog_writer(folder / f"{name}.tif", pair.grid, kind, metadata))
            for name, kind in kinds.items()
        }
        for window, layers in layered:
            cleaning = cleaning.and_of(Cleaning(*layers.pop("cleaning").tolist()))
            looks |= looks_from(layers.pop("looks"))
            with predictor.profile.timing("write"):
                codes.update(np.unique(layers["transition"]).tolist())
                for name, write in writers.items():
                    write(layers[name], window)
            done += int(window.height * window.width)
            tell(PREDICTED * done / (pair.grid.height * pair.grid.width))
        with predictor.profile.timing("write"):
            stack.close()  # drafts become Cloud-Optimized GeoTIFFs
    tell(1.0)
    for name in kinds:
        _write_sidecars(folder / f"{name}.tif", legend, predictor.threshold)
    return codes - {UNCHANGED, TRANSITION_NODATA}, cleaning, looks


def _predict(
    pair: Pair,
    predictor: Predictor,
    folder: Path,
    journal: Journal,
    settings: OutputSettings,
    cluster: Cluster | None,
    tell: Callable[[float], None],
) -> Generator[tuple[Window, Layers], None, None]:
    """The layers of every supertile: from the journal, or predicted and then kept there."""
    require_bands(predictor.loaded, pair)
    tiles = list(find_supertiles(pair, predictor))
    wanted = {n: tile for n, tile in enumerate(tiles) if not journal.holds(n)}
    if cluster and wanted:
        task = describe_task(pair, predictor, land_cover=settings.land_cover)
        computed = cluster.predict(task, list(wanted), gpu=predictor.device.type == "cuda")
    else:
        found = 1 - len(wanted) / max(1, len(tiles))

        def tell_of_chips(share: float) -> None:
            tell(PREDICTED * (found + (1 - found) * share))

        computed = _compute(pair, wanted, predictor, folder, journal, settings, tell_of_chips)
    with closing(computed):
        for number, tile in enumerate(tiles):
            layers = journal.load(number)
            if layers is None:
                if number in wanted:
                    layers = next(computed)
                else:  # what was kept of it does not read back
                    (layers,) = compute_layers(
                        pair, [tile], predictor, land_cover=settings.land_cover
                    )
                with predictor.profile.timing("write"):
                    journal.store(number, layers)
            layers["transition"] = transition_code(layers["from"], layers["to"])
            yield tile.core, layers


def _compute(
    pair: Pair,
    wanted: Mapping[int, Supertile],
    predictor: Predictor,
    folder: Path,
    journal: Journal,
    settings: OutputSettings,
    tell: Callable[[float], None],
) -> Generator[Layers, None, None]:
    """The layers of supertiles, by number, predicted in this process."""
    chips = {chip for tile in wanted.values() for chip in tile.chips}
    predictor.profile.begin(len(chips), predictor.say, tell)
    tiles = list(wanted.values())
    with chip_store(tiles, folder / CHIPS) as store:
        yield from compute_layers(
            pair,
            tiles,
            predictor,
            land_cover=settings.land_cover,
            store=store,
            unfinished=map(journal.part, wanted),
        )


def _onward(progress: Callable[[float], None] | None) -> Callable[[float], None]:
    """The same function, told only of more than it has been told of: chips are ahead of maps."""
    furthest = 0.0

    def tell(share: float) -> None:
        nonlocal furthest
        if progress and share > furthest:
            furthest = share
            progress(share)

    return tell


def _write_polygons(
    pair: Pair,
    ground: Ground,
    legend: Legend,
    folder: Path,
    settings: OutputSettings,
    styles: Mapping[str, str],
    changes: Changes,
    by_zone: ZoneTally | None,
) -> TransitionTally:
    tally = TransitionTally(ground)
    strips = read_strips(folder / "transition.tif", folder / "probability.tif")
    runs = tally.counting(find_runs(strips, ground))
    if by_zone is not None:
        runs = by_zone.counting(runs)
    polygons = trace(runs, pair.grid, ground, tolerance=settings.simplify)
    try:
        write_polygons(
            folder,
            changes.watching(polygons),
            pair.grid,
            ground,
            legend,
            formats=settings.formats,
            styles=styles,
        )
    except InputError as error:  # what it read are the rasters just written
        raise OutputError(
            f"what was written cannot be read back: {error} Check the disk, then go on with "
            "--resume."
        ) from error
    return tally


def _zones(pair: Pair, settings: OutputSettings) -> Zones | None:
    """The zones that areas are given by, in pixels of the map; None where none are asked for."""
    if settings.zones is None:
        return None
    name = pair.provenance["before"]["name"]
    return place_zones(read_zones(settings.zones, settings.zone_names), pair.grid, name)


def _told(zones: Zones | None) -> Iterator[str]:
    if zones is not None:
        yield from zones.notes
        yield from (f"Warning: {sentence}" for sentence in zones.warnings)


def _write_by_zone(
    folder: Path, by_zone: ZoneTally | None, legend: Legend, predictor: Predictor
) -> tuple[dict[str, Any], list[str]]:
    """Write the areas by zone; returns what the summary says of them, and warnings."""
    if by_zone is None:
        return {}, []
    described = by_zone.to_dict(legend)
    write_zones(folder / ZONE_TABLE, described)
    overlap = by_zone.overlap_told()
    for sentence in overlap:
        predictor.say(f"Warning: {sentence}")
    return {"zones": described}, overlap


def _pairs_of(codes: set[int]) -> list[tuple[int, int]]:
    """The (from, to) classes of transitions, in their order."""
    from_class, to_class = split_transition(np.array(sorted(codes), dtype=np.uint16))
    return list(zip(from_class.tolist(), to_class.tolist(), strict=True))


def _write_report(folder: Path, changes: Changes, pair: Pair, predictor: Predictor) -> None:
    """Write the page; its failure must not cost the prediction, which is as good without it."""
    try:
        write_report(folder, changes, pair)
    except Exception as error:
        predictor.say(
            f"Warning: {REPORT} could not be made ({type(error).__name__}: {error}). Everything "
            "else is there; scd report makes the page again."
        )


def _kinds(legend: Legend, settings: OutputSettings) -> dict[str, RasterKind]:
    kinds = {
        "from": class_map(legend, "class before, where changed"),
        "to": class_map(legend, "class after, where changed"),
        "transition": TRANSITION_MAP,
        "probability": PROBABILITY_MAP,
    }
    if settings.land_cover:
        kinds |= {name: class_map(legend, name.replace("_", " ")) for name in COVERS}
    return kinds


def _write_sidecars(raster: Path, legend: Legend, threshold: float) -> None:
    if raster.stem == "probability":
        write_probability_qml(raster, threshold)
        return
    entries = _entries(raster.stem, legend)
    write_aux_xml(raster, entries)
    write_qml(raster, entries)


def _entries(name: str, legend: Legend) -> list[Entry]:
    if name == "transition":
        return transition_entries(legend)
    return cover_entries(legend) if name in COVERS else class_entries(legend)
