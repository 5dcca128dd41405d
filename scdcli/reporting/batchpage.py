"""`index.html` of a batch: every prediction in a line, with its picture and a link to its page."""

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np
from PIL import Image

from scdcli.errors import InputError
from scdcli.files.naming import name_of
from scdcli.files.whole import write_whole
from scdcli.reporting import wording
from scdcli.reporting.encoding import jpeg_uri
from scdcli.reporting.finished import NEEDED, SUMMARY
from scdcli.reporting.page import REPORT, resource, template
from scdcli.reporting.preview import PREVIEW

INDEX = "index.html"
PREVIEW_WIDTH = 420  # pixels
MOST_PICTURE = 14_000  # bytes


class Line(NamedTuple):
    """One prediction of a batch."""

    name: str
    link: str | None  # relative to the index; None without a page
    picture: str | None
    changed: dict[str, Any]
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
    path = out or folder / INDEX
    found = list(_summaries(folder))
    if not found:
        raise InputError(
            f"{name_of(folder)} holds no finished prediction; name the folder that scd predict "
            "--pairs wrote into."
        )
    lines = [_line(place, summary, folder, path) for place, summary in found]
    extents = {name: [summary[name] for _, summary in found] for name in ("changed", "valid")}
    page = template("index.html.j2").render(
        lines=lines,
        words=wording,
        total={name: _sum(each) for name, each in extents.items()},
        created=max(str(summary.get("created", "")) for _, summary in found),
        style=resource("report.css"),
    )
    write_whole(path, page.encode())
    return path, len(lines), sum(line.link is None for line in lines)


def _summaries(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Finished predictions by their folder, in order; what is not finished lies in hidden ones."""
    for path in sorted(folder.rglob(SUMMARY)):
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        try:
            summary = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(summary, dict) and all(name in summary for name in NEEDED):
            yield path.parent, summary


def _line(place: Path, summary: dict[str, Any], folder: Path, page: Path) -> Line:
    name = place.relative_to(folder).as_posix()
    report = place / REPORT
    link = None
    if report.is_file():
        try:
            link = quote(report.resolve().relative_to(page.resolve().parent).as_posix())
        except ValueError:  # the index lies elsewhere
            link = report.resolve().as_uri()
    rows = sorted(summary["transitions"], key=lambda row: -row["pixels"])
    most = f"{rows[0]['from_name']} → {rows[0]['to_name']}" if rows else ""
    return Line(
        "this folder" if name == "." else name,
        link,
        _picture(place / PREVIEW),
        summary["changed"],
        most,
        summary.get("warnings", []),
    )


def _picture(path: Path) -> str | None:
    try:
        with Image.open(io.BytesIO(path.read_bytes())) as image:
            height = max(1, round(image.height * PREVIEW_WIDTH / image.width))
            small = image.convert("RGB").resize((PREVIEW_WIDTH, height), Image.Resampling.LANCZOS)
    except (OSError, ValueError):
        return None
    return jpeg_uri(np.asarray(small), MOST_PICTURE)


def _sum(extents: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """All extents together; None where some are measured and others counted in pixels."""
    measured = {extent["hectares"] is not None for extent in extents}
    if len(measured) > 1:
        return None
    names = ("pixels", "area_m2", "hectares") if measured == {True} else ("pixels",)
    together = {name: sum(extent[name] for extent in extents) for name in names}
    return {"area_m2": None, "hectares": None} | together
