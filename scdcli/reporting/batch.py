"""All predictions of a folder as one: a list of the pairs, and their transitions with the sums."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock

from scdcli import __version__
from scdcli.errors import OutputError
from scdcli.files.folder import timestamp
from scdcli.files.naming import name_of
from scdcli.files.whole import write_whole
from scdcli.polygons.table import COLUMNS, write_table
from scdcli.polygons.zones import OUTSIDE, ZONE_TABLE, write_zones
from scdcli.reporting.finished import NEEDED, SUMMARY

BATCH = "batch.json"
TABLE = "transitions.csv"
TOGETHER = "all pairs"
"""What the table calls the sums over all pairs."""

LOCK = ".batch.lock"
EXTENTS = ("changed", "unchanged", "valid", "nodata")
CLASSES = ("from_class", "to_class", "transition", "from_name", "to_name")


@dataclass(frozen=True)
class Member:
    """One pair of a batch.

    Attributes:
        name: Its folder as the batch calls it.
        folder: Where its prediction lies, or is to lie.
        summary: The content of its ``summary.json``; None as long as it is not finished.
        error: Why the last run has not made it, as a sentence; None if it has, or did not try.
    """

    name: str
    folder: Path
    summary: dict[str, Any] | None = None
    error: str | None = None

    @property
    def status(self) -> str:
        """``done``, ``failed`` or ``waiting``."""
        if self.summary is not None:
            return "done"
        return "failed" if self.error else "waiting"


@dataclass(frozen=True)
class Batch:
    """The pairs whose results lie in a folder.

    Attributes:
        folder: The folder.
        members: The pairs by name.
        notes: What the sums and the layer leave out, as sentences.
    """

    folder: Path
    members: list[Member]
    notes: list[str] = field(default_factory=list)

    @property
    def done(self) -> list[tuple[Member, dict[str, Any]]]:
        """The finished ones with their summaries."""
        return [(each, each.summary) for each in self.members if each.summary is not None]


@contextmanager
def locked_batch(folder: Path) -> Iterator[None]:
    """One process at a time, so that the last of several shards finds what the others have made.

    Raises:
        OutputError: The folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / LOCK):
            yield
    except OSError as error:
        raise OutputError(
            f"{name_of(folder)} cannot be written ({error.strerror or error}); see that it may be "
            "written to and has room."
        ) from error


def gather_batch(
    folder: Path, outputs: Iterable[Path] = (), failed: Mapping[Path, str] | None = None
) -> Batch:
    """The pairs of a batch: all finished predictions in a folder, and what else is to be there.

    Args:
        folder: The folder of the batch.
        outputs: The folders of the pairs of its table; some may lie elsewhere. Without any those
            that the last run has listed.
        failed: Why pairs of this run have failed, by their folder.
    """
    older, written, notes = _older(folder)
    places = {each.resolve(): each for each in outputs}
    places = places or {each.folder.resolve(): each.folder for each in older.values()}
    errors = {path.resolve(): sentence for path, sentence in (failed or {}).items()}
    summaries = {path.resolve(): found for path, found in _finished_in(folder)}
    members = []
    for place in dict.fromkeys([*places, *summaries]):
        summary = summaries.get(place) or read_summary(place)
        error = errors.get(place)
        if error is None and (before := older.get(place)) and before.error:
            made_since = summary is not None and str(summary.get("created", "")) > written
            error = None if made_since else before.error
        members.append(Member(_name(place, folder), place, summary, error))
    return Batch(folder, sorted(members, key=lambda each: each.name), notes)


def is_batch(folder: Path) -> bool:
    """Whether a folder holds the files of a batch."""
    return (folder / BATCH).is_file()


def as_listed(batch: Batch) -> bool:
    """Whether the same predictions are finished as when the files of a batch were last written."""
    content = _content(batch.folder) or {"pairs": []}
    listed = [each for each in content["pairs"] if each["status"] == "done"]
    return listed == [_described(member) for member, _ in batch.done]


def read_summary(folder: Path) -> dict[str, Any] | None:
    """The summary of a finished prediction; None where there is none."""
    try:
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(summary, dict) and all(name in summary for name in NEEDED)
    return summary if whole else None


def write_batch(batch: Batch) -> dict[str, Any]:
    """Write ``batch.json``, ``transitions.csv`` and ``zones.csv`` into the folder of a batch.

    Returns:
        The content of ``batch.json``.

    Raises:
        OutputError: They cannot be written.
    """
    rows = sum_transitions([summary for _, summary in batch.done])
    totals = sum_extents([summary for _, summary in batch.done])
    zones = sum_zones([summary for _, summary in batch.done])
    if zones is None:
        (batch.folder / ZONE_TABLE).unlink(missing_ok=True)
        (batch.folder / ZONE_TABLE).with_suffix(".csvt").unlink(missing_ok=True)
    else:
        write_zones(batch.folder / ZONE_TABLE, zones)
    write_table(batch.folder / TABLE, {"pair": "String"} | COLUMNS, _rows(batch, rows, totals))
    content = {
        "scd": __version__,
        "created": timestamp().isoformat(),
        "pairs": [_described(each) for each in batch.members],
        "transitions": rows,
        **totals,
        "zones": zones,
        "notes": batch.notes,
    }
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    write_whole(batch.folder / BATCH, (text + "\n").encode())
    return content


def sum_extents(summaries: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The changed, unchanged, valid and nodata shares of several predictions together."""
    whole = _whole(summaries)
    together = {name: _add([each[name] for each in summaries], whole) for name in EXTENTS}
    together["nodata"]["percent"] = None
    return together


def sum_transitions(summaries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row per transition of several predictions, in the order of their numbers."""
    whole = _whole(summaries)
    found: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for summary in summaries:
        for row in summary["transitions"]:
            found.setdefault(tuple(row[name] for name in CLASSES), []).append(row)
    ordered = sorted(found.items(), key=lambda item: item[0][2:])
    return [
        _add(rows, whole) | dict(zip(CLASSES, classes, strict=True)) for classes, rows in ordered
    ]


def sum_zones(summaries: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The areas by zone of several predictions together; None unless all have the same zones."""
    found: list[dict[str, Any]] = [summary.get("zones") or {} for summary in summaries]
    if not found or not found[0] or len({each.get("sha256") for each in found}) > 1:
        return None
    parts: dict[str, list[Mapping[str, Any]]] = {}
    for each in found:
        for zone in each["zones"]:
            parts.setdefault(zone["name"], []).append(zone)
    source = {name: found[0][name] for name in ("file", "layer", "field", "sha256", "count")}
    return {
        **source,
        "zones": [_zone(name, parts[name]) for name in sorted(parts)],
        "outside": _zone(OUTSIDE, [each["outside"] for each in found]),
        "notes": found[0]["notes"],
    }


def _zone(name: str, parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One zone of several maps, of each of which it may have a part."""
    return {"name": name, "transitions": sum_transitions(parts), **sum_extents(parts)}


def _whole(summaries: Sequence[Mapping[str, Any]]) -> tuple[str, float] | None:
    """What shares are of: square meters, or pixels where no map has a CRS; None for a mixture."""
    units = {_unit(each["valid"]) for each in summaries}
    if len(units) != 1:
        return None
    unit = units.pop()
    return unit, sum(each["valid"][unit] for each in summaries)


def _unit(extent: Mapping[str, Any]) -> str:
    return "pixels" if extent["area_m2"] is None else "area_m2"


def _add(extents: Sequence[Mapping[str, Any]], whole: tuple[str, float] | None) -> dict[str, Any]:
    """Several extents as one; without an area where one of them has none."""
    measured = all(_unit(extent) == "area_m2" for extent in extents)
    together: dict[str, Any] = {"pixels": sum(extent["pixels"] for extent in extents)}
    for name in ("area_m2", "hectares"):
        together[name] = sum(extent[name] for extent in extents) if measured else None
    together["percent"] = 100.0 * together[whole[0]] / whole[1] if whole and whole[1] else None
    return together


def _rows(
    batch: Batch, rows: Sequence[Mapping[str, Any]], totals: Mapping[str, Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """The rows of each pair, their sums over all pairs, and the sum of all change."""
    for member, summary in batch.done:
        yield from ({"pair": member.name} | row for row in summary["transitions"])
    yield from ({"pair": TOGETHER, **row} for row in rows)
    yield {"pair": TOGETHER, "from_name": "all", "to_name": "all", **totals["changed"]}


def _described(member: Member) -> dict[str, Any]:
    summary = member.summary or {}
    return {
        "name": member.name,
        "status": member.status,
        "error": member.error,
        "created": summary.get("created"),
        "changed": summary.get("changed"),
    }


def _older(folder: Path) -> tuple[dict[Path, Member], str, list[str]]:
    """The pairs that the last run has listed, by their folder, when that was, and its notes."""
    if (content := _content(folder)) is None:
        return {}, "", []
    members = [
        Member(each["name"], folder / each["name"], None, each["error"])
        for each in content["pairs"]
    ]
    older = {each.folder.resolve(): each for each in members}
    return older, str(content["created"]), list(content["notes"])


def _content(folder: Path) -> dict[str, Any] | None:
    """The list of a batch as the last run has left it; None without one that can be read."""
    try:
        content: dict[str, Any] = json.loads((folder / BATCH).read_text(encoding="utf-8"))
        needed = [(each["name"], each["status"], each["error"]) for each in content["pairs"]]
        return content if {"created", "notes"} <= content.keys() and needed else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _finished_in(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Finished predictions by their folder; what is not finished lies in hidden ones."""
    for path in sorted(folder.rglob(SUMMARY)):
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        if summary := read_summary(path.parent):
            yield path.parent, summary


def _name(place: Path, folder: Path) -> str:
    """The folder of a pair from that of the batch; in full where it lies elsewhere."""
    try:
        return place.relative_to(folder.resolve()).as_posix()
    except ValueError:
        return str(place)
