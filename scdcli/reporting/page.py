"""`report.html`: one file that shows a finished prediction, from disk and without a network."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup
from rasterio.windows import Window

from scdcli.legend import Legend
from scdcli.rasters.grid import Grid
from scdcli.reporting import charts, wording
from scdcli.reporting.changes import BINS, Change, Changes
from scdcli.reporting.encoding import deflated, fitting_jpeg_uri, jpeg_uri
from scdcli.reporting.finished import Finished, read_adjusted
from scdcli.reporting.outlines import in_pixels, outline_path
from scdcli.reporting.overview import Overview
from scdcli.reporting.photos import Photos

REPORT = "report.html"

# All together well below 15 MB, once three bytes have become four characters of base64.
MOST_MAP = 4_000_000
MOST_IMAGE = 2_200_000  # bytes of one date
MOST_THUMBNAIL = 12_000

THUMBNAIL = 180  # pixels
NARROWEST = 48  # pixels of the map in a thumbnail
ROOM = 1.6  # of a thumbnail, times the size of the change

# Of Paul Tol's "muted", told apart with any kind of color vision.
SAFE = (
    "#332288",
    "#DDCC77",
    "#888888",
    "#CC6677",
    "#117733",
    "#88CCEE",
    "#AA4499",
    "#999933",
    "#44AA99",
)


class Shown(NamedTuple):
    """One change as the page lists it."""

    change: Change
    box: tuple[int, int, int, int]  # left, top, right, bottom in pixels of the map
    before: str | None
    after: str | None
    outline: str  # path in a square of 100 x 100
    area: str


def build_page(
    prediction: Finished,
    changes: Changes,
    overview: Overview,
    photos: Photos | None,
    *,
    missing: str | None = None,
) -> str:
    """The page.

    Args:
        prediction: What was predicted.
        changes: Its single changes worth showing.
        overview: Its maps, small.
        photos: The two images; None where they are not to be had.
        missing: Why they are not, as a sentence for the reader.

    Returns:
        HTML; the same for the same prediction.

    Raises:
        InputError: An image cannot be read.
    """
    unit = wording.unit_of(prediction.summary)
    return template("report.html.j2").render(
        summary=prediction.summary,
        legend=prediction.legend,
        unit=unit,
        words=wording,
        zones=prediction.summary.get("zones"),
        missing=missing,
        classes=_classes(prediction),
        rows=_rows(prediction, unit),
        **_charts(prediction, changes, unit),
        largest=list(_shown(changes.largest, prediction.grid, photos, unit)),
        surest=list(_shown(changes.surest, prediction.grid, photos, unit)),
        count=changes.count,
        settings=wording.settings_list(prediction.summary["settings"]),
        adjusted=read_adjusted(prediction.folder),
        data=_embedded(_map_data(prediction, overview, photos)),
        style=resource("report.css"),
        sorting=resource("tables.js"),
        script=resource("report.js"),
    )


def _classes(prediction: Finished) -> list[dict[str, Any]]:
    """The classes of the legend, and which of them occur."""
    legend = prediction.legend
    occurring = {
        row[date]
        for row in prediction.summary["transitions"]
        for date in ("from_class", "to_class")
    }
    return [
        {
            "index": index,
            "name": legend[index].name,
            "color": "#{:02x}{:02x}{:02x}".format(*legend[index].color),
            "safe": SAFE[(index - 1) % len(SAFE)],
            "occurs": index in occurring,
        }
        for index in legend.indices()
    ]


def _rows(prediction: Finished, unit: str) -> list[dict[str, Any]]:
    """The table of transitions, largest first."""
    rows = sorted(prediction.summary["transitions"], key=lambda row: -row["pixels"])
    return [row | {"name": _name(prediction.legend, row), "amount": row[unit]} for row in rows]


def _name(legend: Legend, row: Mapping[str, Any]) -> str:
    return legend.transition_name(row["from_class"], row["to_class"])


def _charts(prediction: Finished, changes: Changes, unit: str) -> dict[str, Any]:
    amounts = charts.amounts_of(prediction.summary["transitions"], unit)
    bins = changes.area_by_confidence
    drawn = amounts and not prediction.legend.change_only
    flow = charts.flow(amounts) if drawn else None
    highest = float(bins.max())
    return {
        "flow": flow,
        "flow_labels": flow and [charts.label_rows(nodes) for nodes in (flow.before, flow.after)],
        "matrix": charts.matrix(amounts) if drawn else None,
        "bars": [round(float(each) / highest, 4) for each in bins] if highest else [],
        "bin_names": [f"{100 * k // BINS}-{100 * (k + 1) // BINS} %" for k in range(BINS)],
        "bin_areas": [wording.polygon_area(float(area), unit) for area in bins],
        "median": charts.median_bin(bins),
    }


def _shown(
    listed: Sequence[Change], grid: Grid, photos: Photos | None, unit: str
) -> Iterator[Shown]:
    for change in listed:
        outline = in_pixels(change.outline, grid)
        left, top, right, bottom = outline.bounds
        box = (int(left), int(top), int(np.ceil(right)), int(np.ceil(bottom)))
        window = _around(box, grid)
        pictures: list[str | None] = [None, None]
        if photos:
            pictures = [jpeg_uri(photo.look(window, THUMBNAIL), MOST_THUMBNAIL) for photo in photos]
        path = outline_path(outline, window)
        area = wording.polygon_area(change.area, unit)
        yield Shown(change, box, pictures[0], pictures[1], path, area)


def _around(box: tuple[int, int, int, int], grid: Grid) -> Window:
    """A square of the map with a change in its middle, as far as the map reaches."""
    left, top, right, bottom = box
    side = max(NARROWEST, round(ROOM * max(right - left, bottom - top)))
    width, height = min(side, grid.width), min(side, grid.height)
    col = min(max((left + right - width) // 2, 0), grid.width - width)
    row = min(max((top + bottom - height) // 2, 0), grid.height - height)
    return Window(col, row, width, height)


def _map_data(prediction: Finished, overview: Overview, photos: Photos | None) -> dict[str, Any]:
    """What the script draws the map from."""
    overview, planes = _planes(overview)
    grid, valid = prediction.grid, prediction.summary["valid"]
    area = valid["area_m2"] / valid["pixels"] if valid["area_m2"] and valid["pixels"] else None
    pictures: list[str | None] = [None, None]
    if photos:
        pictures = [fitting_jpeg_uri(photo.whole, MOST_IMAGE) for photo in photos]
    classes = [
        {key: each[key] for key in ("index", "name", "color", "safe")}
        for each in _classes(prediction)
    ]
    return {
        "width": grid.width,
        "height": grid.height,
        "step": overview.step,
        "rows": overview.shape[0],
        "cols": overview.shape[1],
        "planes": planes,
        "pixelArea": area,
        "metric": valid["hectares"] is not None,
        "pixelSize": grid.pixel_size[0],
        "changeOnly": prediction.legend.change_only,
        "classes": classes,
        "before": pictures[0],
        "after": pictures[1],
    }


def _planes(overview: Overview) -> tuple[Overview, list[str]]:
    """The maps as text, coarser where they would take too much."""
    while True:
        layers = (overview.from_class, overview.to_class, overview.confidence)
        planes = [deflated(layer) for layer in layers]
        if sum(map(len, planes)) * 3 // 4 <= MOST_MAP:
            return overview, planes
        overview = overview.coarser()


def _embedded(data: Mapping[str, Any]) -> Markup:
    """JSON that cannot end the element it stands in."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))


def resource(name: str) -> Markup:
    """A file of this package as it is."""
    return Markup(files(__package__).joinpath("templates", name).read_text("utf-8"))


def template(name: str) -> Template:
    """A page to be filled."""
    return _environment().get_template(name)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(__package__, "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    return environment
