"""A prediction that a person has corrected: made again from the polygons as they are now."""

import json
import shlex
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.windows import Window

from scdcli.datasets.drawn import LAYER, SIDES, Burner, Layer, burn, in_crs, read_layer
from scdcli.errors import DatasetError
from scdcli.files.folder import folder_at_once, timestamp
from scdcli.legend import TRANSITION_BASE, TRANSITION_NODATA, UNCHANGED, Legend, split_transition
from scdcli.polygons.area import PIXELS
from scdcli.polygons.files.style import polygon_styles
from scdcli.polygons.files.vector import write_polygons
from scdcli.polygons.strips import Strip, find_runs, read_strips
from scdcli.polygons.table import SQUARE_METRES_PER_HECTARE, TransitionTally, write_transitions
from scdcli.polygons.trace.trace import Polygons, trace
from scdcli.qgis.project import images_of, write_project
from scdcli.rasters.cog import PROBABILITY_MAP, TAGS, TRANSITION_MAP, class_map, cog_writer
from scdcli.rasters.scene import open_scene
from scdcli.rasters.sidecar import (
    class_entries,
    transition_entries,
    write_aux_xml,
    write_probability_qml,
    write_qml,
)
from scdcli.reporting.finished import MAPS, SUMMARY, Finished, read_finished
from scdcli.reporting.report import opened_images, rebuild_report
from scdcli.sampling.changemap import CODES, ChangeMap, areas_of_runs, fingerprint, open_map

EMPTY = {"", "none", "nan", "null"}


@dataclass
class Revision:
    """What a person has changed.

    Attributes:
        polygons_removed: Polygons of the prediction that are gone.
        polygons_renamed: Those with another class.
        polygons_drawn: Those that are new or have another outline.
        pixels: Pixels that say something else now.
        area: Their area, square metres (square pixels without a CRS).
        notes: What was repaired or decided, in sentences.
    """

    polygons_removed: int
    polygons_renamed: int
    polygons_drawn: int
    pixels: int
    area: float
    notes: list[str]


class _Edits(NamedTuple):
    """What is taken off a map and put onto it, in this order, and what that is."""

    erased: Burner
    added: Burner
    revision: Revision


def revise(
    folder: Path,
    polygons: Path,
    out: Path,
    *,
    before: str | Path | None = None,
    after: str | Path | None = None,
    overwrite: bool = False,
    say: Callable[[str], None] = lambda sentence: None,
) -> dict[str, Any]:
    """Make a prediction again with the polygons that a person has corrected.

    What the file left as it was keeps its very pixels. Nodata stays, and so do changes that are too
    small for a polygon. Confidence is what the model said of the pixels, also of new polygons.

    Args:
        folder: The prediction, which stays as it is.
        polygons: Its polygons, edited: deleted, redrawn, renamed.
        out: Folder to make.
        before: The earlier image, where it is not found.
        after: The later image.
        overwrite: Replace an older one.
        say: Told why the new page and project show no images, if they show none.

    Returns:
        The content of the new ``summary.json``; ``revision`` in it says what was changed.

    Raises:
        InputError: The prediction or the polygons cannot be read.
        DatasetError: A polygon has no class that the legend knows, or the CRS does not fit.
        OutputError: ``out`` is taken or cannot be written.
    """
    prediction = read_finished(folder)
    change_map = open_map(folder)
    edits = _compare(prediction, change_map, polygons)
    with folder_at_once(out, mark=SUMMARY, overwrite=overwrite) as beside:
        _write_rasters(prediction, change_map, edits, beside, polygons.name)
        tally, legend = TransitionTally(change_map.ground), prediction.legend
        settings = prediction.summary["settings"]
        runs = tally.counting(find_runs(_strips(beside), change_map.ground))
        codes = split_transition(np.flatnonzero(_present(beside)).astype(np.uint16))
        occurring = list(zip(*(each.tolist() for each in codes), strict=True))
        formats = settings.get("formats", ("gpkg",))
        styles = polygon_styles(legend, occurring, change_map.grid)
        write_polygons(
            beside,
            trace(
                runs,
                change_map.grid,
                change_map.ground,
                tolerance=settings.get("simplify", 0.0),
            ),
            change_map.grid,
            change_map.ground,
            legend,
            formats=formats,
            styles=styles,
        )
        write_transitions(beside / "transitions.csv", tally.transitions(legend))
        summary = prediction.summary | tally.to_dict(legend)
        if summary.pop("zones", None):
            summary["settings"] = {
                name: value for name, value in settings.items() if not name.startswith("zone")
            }
            say(f"The areas by zone are not made again; scd report {out} --zones FILE does it.")
        summary |= {
            "created": timestamp().isoformat(),
            "revision": {
                "of": folder.resolve().name,
                "map": fingerprint(change_map),
                "file": polygons.name,
                "sha256": sha256(polygons.read_bytes()).hexdigest(),
                **_described(edits.revision, change_map),
                "earlier": _earlier(prediction.summary),
            },
        }
        text = json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False)
        (beside / SUMMARY).write_text(text + "\n", encoding="utf-8")
        with opened_images(prediction, before, after) as (pair, missing):
            images = [] if pair is None else images_of(pair)
            write_project(beside, change_map.grid, images, formats, styles)
        # Those of the first prediction, wherever the new one is to lie.
        later, earlier = [image.path for image in images] if images else (None, None)
        rebuild_report(beside, before=earlier, after=later)
    if missing:
        say(
            f"The page of {out} shows no images: {missing} scd report {shlex.quote(str(out))} "
            "--before IMAGE --after IMAGE makes it with them; changes.qgz has none."
        )
    return json.loads(text)  # type: ignore[no-any-return]  # as a reader of the file sees it


def _earlier(summary: dict[str, Any]) -> list[dict[str, Any]]:
    """The corrections that a corrected prediction has behind it, the first one first."""
    last = dict(summary.get("revision", {}))
    before = last.pop("earlier", [])
    return [*before, last] if last else []


def _described(revision: Revision, change_map: ChangeMap) -> dict[str, Any]:
    described = asdict(revision)
    area = described.pop("area")
    if change_map.ground.unit == PIXELS:
        return described
    return described | {"area_m2": area, "hectares": area / SQUARE_METRES_PER_HECTARE}


def _compare(prediction: Finished, change_map: ChangeMap, path: Path) -> _Edits:
    """What the file has changed, of the polygons as they were written."""
    exact, shown = _traced(prediction, change_map)
    layer = read_layer(path, LAYER)
    outlines = in_crs(path, layer, change_map.grid, change_map.name)
    notes = []
    broken = ~shapely.is_valid(outlines)
    if broken.any():
        outlines = np.where(broken, shapely.make_valid(outlines, method="structure"), outlines)
        notes.append(f"{int(broken.sum())} polygons cross themselves and were repaired.")
    places: dict[bytes, list[int]] = defaultdict(list)
    for place, key in enumerate(shapely.to_wkb(shapely.normalize(shown.outline))):
        places[key].append(place)
    codes, match = np.zeros(len(outlines), dtype=np.uint16), np.full(len(outlines), -1)
    for number, key in enumerate(shapely.to_wkb(shapely.normalize(_single(outlines)))):
        if places[key]:
            match[number] = places[key].pop()
        before = int(shown.transition[match[number]]) if match[number] >= 0 else None
        codes[number] = _code(path, layer, number, prediction.legend, before)
    kept = match >= 0
    same = kept & (codes == shown.transition[match])
    gone = np.setdiff1d(np.arange(len(shown.outline)), match[kept])
    renamed = match[kept & ~same]
    erased = np.concatenate([exact[gone], exact[renamed]])
    added = np.concatenate([exact[renamed], outlines[~kept]])
    added_codes = np.concatenate([codes[kept & ~same], codes[~kept]])
    overlaps = _overlapping(outlines, np.flatnonzero(~kept))
    if overlaps:
        notes.append(f"{overlaps} new polygons overlap others: the later one in the file counts.")
    revision = Revision(len(gone), len(renamed), int((~kept).sum()), 0, 0.0, notes)
    return _Edits(
        burn(erased, np.ones(len(erased), dtype=np.uint16), change_map.grid),
        burn(added, added_codes, change_map.grid),
        revision,
    )


def _single(outlines: NDArray[np.object_]) -> NDArray[np.object_]:
    """Multipolygons of one part as that part: editors make them."""
    flat = shapely.force_2d(outlines)
    alone = shapely.get_num_geometries(flat) == 1
    single: NDArray[np.object_] = np.where(alone, shapely.get_geometry(flat, 0), flat)
    return single


def _overlapping(outlines: NDArray[np.object_], new: NDArray[np.int64]) -> int:
    """New polygons that share area with another."""
    if not len(new):
        return 0
    tree = shapely.STRtree(outlines)
    one, other = tree.query(outlines[new], predicate="intersects")
    apart = new[one] != other
    one, other = one[apart], other[apart]
    shared = shapely.area(shapely.intersection(outlines[new[one]], outlines[other])) > 0
    return len(np.unique(one[shared]))


def _traced(prediction: Finished, change_map: ChangeMap) -> tuple[NDArray[np.object_], Polygons]:
    """Polygons along the pixels, and as they were written; both in one order."""
    settings = prediction.summary["settings"]

    def traced(tolerance: float) -> Polygons:
        strips = _strips(prediction.folder)
        batches = list(
            trace(
                find_runs(strips, change_map.ground),
                change_map.grid,
                change_map.ground,
                tolerance=tolerance,
            )
        )
        if not batches:
            empty = np.empty(0)
            return Polygons(
                empty.astype(object), empty.astype(np.uint16), empty.astype(np.int64), *[empty] * 3
            )
        return Polygons(*(np.concatenate([b[n] for b in batches]) for n in range(6)))

    shown = traced(settings.get("simplify", 0.0))
    exact = traced(0.0).outline if settings.get("simplify", 0.0) else shown.outline
    return exact, shown


def _code(path: Path, layer: Layer, place: int, legend: Legend, before: int | None) -> int:
    """The transition that a polygon is said to be: of number and name, what was edited counts."""
    where = f"{path}: feature {layer.ids[place]}"
    classes = []
    for side, old in zip(SIDES, divmod(before or 0, TRANSITION_BASE), strict=True):
        number = _class(layer, f"{side}_class", place, legend, where)
        name = _class(layer, f"{side}_name", place, legend, where)
        said = [each for each in (name, number) if each is not None]
        if not said:
            raise DatasetError(
                f"{where} has neither {side}_name nor {side}_class; fill in one of the two: "
                f"{', '.join(legend.names)}."
            )
        edited = [each for each in said if each != old] if before is not None else said
        if len(set(edited)) > 1:
            raise DatasetError(
                f"{where} has {side}_class {number} but {side}_name "
                f"{legend[name].name if name else None!r}; mend one, or empty it."
            )
        classes.append(edited[0] if edited else old)
    return classes[0] * TRANSITION_BASE + classes[1]


def _class(layer: Layer, column: str, place: int, legend: Legend, where: str) -> int | None:
    """The class in a field; None where it is empty or missing."""
    value = layer.columns[column][place] if column in layer.columns else None
    text = "" if value is None else str(value).strip().removesuffix(".0")
    if text.lower() in EMPTY:
        return None
    index = legend.names.index(text) + 1 if text in legend.names else None
    if index is None and text.isdecimal():
        index = int(text)
    if index is None or index not in legend.indices():
        raise DatasetError(
            f"{where} has {column} {text!r}, which legend {legend.name!r} does not know; it has "
            f"{', '.join(f'{k} {name}' for k, name in enumerate(legend.names, 1))}."
        )
    return index


def _revised(
    prediction: Finished, change_map: ChangeMap, edits: _Edits
) -> Iterator[tuple[Window, NDArray[np.uint16], Strip]]:
    """Strips of the corrected map, and of what was predicted; counts what differs."""
    for strip in _strips(prediction.folder):
        height, width = strip.transition.shape
        window = Window(0, strip.row, width, height)
        codes = strip.transition.copy()
        codes[edits.erased.read(window) > 0] = UNCHANGED
        added = edits.added.read(window)
        codes[added > 0] = added[added > 0]
        codes[strip.transition == TRANSITION_NODATA] = TRANSITION_NODATA
        differs = (codes != strip.transition).astype(np.uint16)
        edits.revision.pixels += int(differs.sum())
        other, area = areas_of_runs(differs, strip.row, change_map.ground)
        edits.revision.area += float(area[other == 1].sum())
        yield window, codes, strip


def _write_rasters(
    prediction: Finished, change_map: ChangeMap, edits: _Edits, out: Path, source: str
) -> None:
    legend, grid = prediction.legend, change_map.grid
    with open_scene(change_map.path) as dataset:
        tags = dataset.tags(ns=TAGS) | {"REVISED_WITH": source}
    kinds = {
        "from": class_map(legend, "class before, where changed"),
        "to": class_map(legend, "class after, where changed"),
        "transition": TRANSITION_MAP,
        "probability": PROBABILITY_MAP,
    }
    with ExitStack() as stack:
        writers = {
            name: stack.enter_context(cog_writer(out / f"{name}.tif", grid, kind, tags))
            for name, kind in kinds.items()
        }
        for window, codes, strip in _revised(prediction, change_map, edits):
            first, second = split_transition(codes)
            layers: dict[str, NDArray[Any]] = {"from": first, "to": second, "transition": codes}
            layers["probability"] = strip.probability
            for name, write in writers.items():
                write(layers[name], window)
    for name in ("from", "to", "transition"):
        entries = transition_entries(legend) if name == "transition" else class_entries(legend)
        write_aux_xml(out / f"{name}.tif", entries)
        write_qml(out / f"{name}.tif", entries)
    threshold = prediction.summary["settings"]["threshold"]
    write_probability_qml(out / "probability.tif", threshold)


def _strips(folder: Path) -> Iterator[Strip]:
    return read_strips(folder / MAPS[0], folder / MAPS[1])


def _present(folder: Path) -> NDArray[np.bool_]:
    """Which transitions occur, (65536,)."""
    present = np.zeros(CODES, dtype=bool)
    for strip in _strips(folder):
        present |= np.bincount(strip.transition.ravel(), minlength=CODES) > 0
    present[[UNCHANGED, TRANSITION_NODATA]] = False
    return present
