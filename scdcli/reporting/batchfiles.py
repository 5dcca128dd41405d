"""What a batch leaves besides its predictions: a layer, a table, a list and a page of them all."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from scdcli.errors import OutputError
from scdcli.files.naming import crs_name, name_of
from scdcli.polygons.files.merged import Part, common_crs, write_merged
from scdcli.polygons.files.style import polygon_styles
from scdcli.polygons.files.vector import DRIVERS, LAYER
from scdcli.polygons.zones import ZONE_TABLE
from scdcli.reporting.batch import (
    BATCH,
    TABLE,
    Batch,
    as_listed,
    gather_batch,
    locked_batch,
    sum_transitions,
    sum_zones,
    write_batch,
)
from scdcli.reporting.batchpage import INDEX, write_batch_page
from scdcli.reporting.finished import SUMMARY, read_finished

BESIDE = ("qml", "cpg", "dbf", "prj", "shx")
"""What else a layer consists of."""

NAMED = 5  # of the pairs that a note lists


def require_batch_folder(folder: Path, outputs: Iterable[Path]) -> None:
    """Refuse, before any work, a folder in which the files of a batch would replace others.

    Raises:
        OutputError: It is a prediction or is to become one, or holds files of such names.
    """
    if (folder / SUMMARY).exists() or folder.resolve() in {each.resolve() for each in outputs}:
        raise OutputError(
            f"{name_of(folder)} is the folder of a prediction, whose files those of the batch "
            "would replace; name another folder with -o, in which every pair gets its own."
        )
    if (folder / BATCH).exists():
        return
    for name in (*(f"{LAYER}.{format_}" for format_ in DRIVERS), TABLE, ZONE_TABLE):
        if (folder / name).exists():
            raise OutputError(
                f"{name_of(folder)} holds {name}, which no batch has made and which that of the "
                "batch would replace; name another folder with -o, or move the file."
            )


def finish_batch(
    folder: Path,
    outputs: Iterable[Path],
    failed: Mapping[Path, str],
    *,
    formats: Sequence[str],
    page: bool,
) -> Batch:
    """Write the files of a batch anew, of all that is finished by now; nothing without any.

    Args:
        folder: Where they go, and most of the predictions lie.
        outputs: The folders of all pairs of the table.
        failed: Why pairs of this run have failed, by their folder.
        formats: Of the layer, names in `vector.DRIVERS`.
        page: Whether to write the page.

    Returns:
        The batch as the files have it.

    Raises:
        InputError: A map cannot be read.
        OutputError: A file cannot be written.
    """
    outputs = list(outputs)
    if not (batch := gather_batch(folder, outputs, failed)).done:
        return batch
    with locked_batch(folder):
        batch = gather_batch(folder, outputs, failed)
        notes = [*_write_layer(batch, formats), *_zones_left_out(batch)]
        return _write_rest(replace(batch, notes=notes), page=page)


def renew_batch(folder: Path) -> Batch:
    """Write the files of a batch again, of what is finished by now.

    Polygons are gathered only if other predictions are finished than the layer has: all else takes
    a moment.

    Args:
        folder: Where its files lie.

    Returns:
        The batch as the files have it.

    Raises:
        InputError: A map cannot be read.
        OutputError: A file cannot be written.
    """
    with locked_batch(folder):
        batch = gather_batch(folder)
        formats = [each for each in DRIVERS if (folder / f"{LAYER}.{each}").is_file()]
        if formats and not as_listed(batch):
            batch = replace(batch, notes=[*_write_layer(batch, formats), *_zones_left_out(batch)])
        return _write_rest(batch, page=True)


def _write_rest(batch: Batch, *, page: bool) -> Batch:
    """Write all but the layer."""
    write_batch(batch)
    if page:
        write_batch_page(batch, batch.folder / INDEX)
    return batch


def _write_layer(batch: Batch, formats: Sequence[str]) -> list[str]:
    """Write the polygons of all maps as one layer; returns what is to be known of it."""
    parts = [_part(member.name, member.folder) for member, _ in batch.done] if formats else []
    crs, shown, others = common_crs(parts)
    written: list[Path] = []
    if crs is not None:
        written = write_merged(
            batch.folder, shown, crs, formats=formats, styles=_styles(batch, shown)
        )
    for suffix in (*DRIVERS, *BESIDE):  # of formats that were asked for earlier
        if (path := batch.folder / f"{LAYER}.{suffix}") not in written:
            path.unlink(missing_ok=True)
    notes = []
    if shown and len({crs_name(part.grid.crs) for part in shown}) > 1:
        notes.append(
            f"The maps have several CRSs, so {LAYER}.{formats[0]} is in {crs_name(crs)}; its areas "
            "are those that each map has by itself."
        )
    if others:
        names = [part.name for part in others]
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        where = "no CRS" if not shown else "no CRS that the others have, or none at all"
        notes.append(
            f"Not in {LAYER}.{formats[0]}, since they have {where}: {', '.join(names[:NAMED])}"
            f"{more}."
        )
    return notes


def _zones_left_out(batch: Batch) -> list[str]:
    """Why there are no areas by zone of all pairs together, if some have them."""
    summaries = [summary for _, summary in batch.done]
    some = sum("zones" in summary for summary in summaries)
    if not some or sum_zones(summaries) is not None:
        return []
    return [
        f"{some} of {len(summaries)} maps have areas by zone, and not all by the same zones, so "
        "these are in no sum; make all maps with the same --zones."
    ]


def _part(name: str, folder: Path) -> Part:
    found = read_finished(folder)
    simplify = found.summary["settings"].get("simplify", 0.0)
    return Part(name, folder, found.grid, found.legend, simplify)


def _styles(batch: Batch, parts: Sequence[Part]) -> dict[str, str]:
    """How QGIS shows the layer; nothing where a number means different classes in two maps."""
    legend = parts[0].legend
    if any(part.legend != legend for part in parts):
        return {}
    rows = sum_transitions([summary for _, summary in batch.done])
    occurring = [(row["from_class"], row["to_class"]) for row in rows]
    return polygon_styles(legend, occurring, parts[0].grid)
