"""`index.html` of a batch: every prediction in a line, with its picture and a link to its page."""

import io
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np
from PIL import Image

from scdcli.errors import InputError
from scdcli.files.naming import name_of
from scdcli.files.whole import write_whole
from scdcli.polygons.files.vector import DRIVERS
from scdcli.polygons.zones import ZONE_TABLE
from scdcli.reporting import wording
from scdcli.reporting.batch import (
    TABLE,
    Batch,
    Member,
    gather_batch,
    sum_extents,
    sum_transitions,
    sum_zones,
)
from scdcli.reporting.encoding import jpeg_uri
from scdcli.reporting.page import REPORT, resource, template
from scdcli.reporting.preview import PREVIEW

INDEX = "index.html"
FILES = (*(f"changes.{name}" for name in DRIVERS), TABLE, ZONE_TABLE)
PREVIEW_WIDTH = 420  # pixels
MOST_PICTURE = 14_000  # bytes
STATUSES = ("done", "failed", "waiting")


class Line(NamedTuple):
    """One prediction of a batch."""

    name: str
    status: str
    error: str | None
    link: str | None  # relative to the index; None without a page
    picture: str | None
    changed: dict[str, Any] | None
    most: str
    warnings: list[str]


def write_index(folder: Path, out: Path | None = None) -> tuple[Path, int, int]:
    """Write the page of all predictions in a folder and the folders in it.

    Args:
        folder: What holds them.
        out: The page; ``index.html`` in the folder if not given.

    Returns:
        The page, the number of predictions on it, and how many of them have no page to link to.

    Raises:
        InputError: The folder holds no finished prediction.
        OutputError: The page cannot be written.
    """
    batch = gather_batch(folder)
    if not batch.done:
        raise InputError(
            f"{name_of(folder)} holds no finished prediction; name the folder that scd predict "
            "--pairs wrote into."
        )
    path, lines = write_batch_page(batch, out or folder / INDEX)
    without = sum(line.status == "done" and line.link is None for line in lines)
    return path, len(batch.done), without


def write_batch_page(batch: Batch, path: Path) -> tuple[Path, list[Line]]:
    """Write the page of a batch; returns it and its lines.

    Raises:
        OutputError: The page cannot be written.
    """
    lines = [_line(member, path) for member in batch.members]
    summaries = [summary for _, summary in batch.done]
    mixed = len({summary["valid"]["hectares"] is None for summary in summaries}) > 1
    total = None if mixed else sum_extents(summaries)
    page = template("index.html.j2").render(
        lines=lines,
        counts={name: sum(line.status == name for line in lines) for name in STATUSES},
        words=wording,
        total=total,
        unit=wording.unit_of(total) if total else None,
        rows=sorted(sum_transitions(summaries), key=lambda row: -row["pixels"]) if total else [],
        zones=sum_zones(summaries) if total else None,
        files=[(name, link) for name in FILES if (link := _link(batch.folder / name, path))],
        notes=batch.notes,
        created=max((str(summary.get("created", "")) for summary in summaries), default=""),
        style=resource("report.css"),
        sorting=resource("tables.js"),
    )
    write_whole(path, page.encode())
    return path, lines


def _line(member: Member, page: Path) -> Line:
    summary = member.summary or {}
    rows = sorted(summary.get("transitions", []), key=lambda row: -row["pixels"])
    most = f"{rows[0]['from_name']} → {rows[0]['to_name']}" if rows else ""
    return Line(
        "this folder" if member.name == "." else member.name,
        member.status,
        member.error,
        _link(member.folder / REPORT, page),
        _picture(member.folder / PREVIEW),
        summary.get("changed"),
        most,
        summary.get("warnings", []),
    )


def _link(file: Path, page: Path) -> str | None:
    """From the page to a file; None where there is no such file."""
    if not file.is_file():
        return None
    try:
        return quote(file.resolve().relative_to(page.resolve().parent).as_posix())
    except ValueError:  # the page lies elsewhere
        return file.resolve().as_uri()


def _picture(path: Path) -> str | None:
    try:
        with Image.open(io.BytesIO(path.read_bytes())) as image:
            height = max(1, round(image.height * PREVIEW_WIDTH / image.width))
            small = image.convert("RGB").resize((PREVIEW_WIDTH, height), Image.Resampling.LANCZOS)
    except (OSError, ValueError):
        return None
    return jpeg_uri(np.asarray(small), MOST_PICTURE)
