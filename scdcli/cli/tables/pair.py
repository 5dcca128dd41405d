"""A look at two images as tables for a person to read."""

from collections.abc import Callable
from typing import Any

from rich.console import JustifyMethod
from rich.table import Table

from scdcli.cli.terminal import open_console, shown_hectares
from scdcli.prediction.check import PairReport

MOST_BANDS = 8
LABEL_WIDTH = 22  # of "measured at both dates"
LONGEST_NAME = 16  # of a band
DASH = "\N{EN DASH}"


def show_pair(report: PairReport) -> None:
    """What the two images are, how they lie, what they hold, and what to know; on stdout."""
    console = open_console()
    if any(report.scenes):
        console.print(_scenes(report))
    if report.match is not None:
        console.print(_match(report))
    if report.values is not None and report.values.valid:
        console.print(_values(report))
    for title, sentences in (
        ("what is done to match them", report.notes),
        ("warning", report.warnings),
        ("problem", report.problems),
    ):
        if sentences:
            counted = len(sentences) > 1 and not title.startswith("what")
            plural = f"{len(sentences)} {title}s" if counted else title
            console.print(f"{plural.capitalize()}:", style="bold")
        for sentence in sentences:
            console.print(f"- {sentence}", soft_wrap=True)
    console.print(f"Verdict: {report.verdict}.", style="bold")


def _scenes(report: PairReport) -> Table:
    table = _table("", "before", "after")
    for label, cell in SCENE_ROWS:
        table.add_row(label, *(cell(scene) if scene else DASH for scene in report.scenes))
    if report.values is not None:
        dates = (report.values.before, report.values.after)
        table.add_row("not measured", *(_percent(date.nodata) for date in dates))
    return table


def _table(
    label: str, *columns: str, width: int = LABEL_WIDTH, justify: JustifyMethod = "left"
) -> Table:
    table = Table(box=None, header_style="bold")
    table.add_column(label, min_width=width)
    for column in columns:
        table.add_column(column, justify=justify, overflow="fold")
    return table


def _bands(bands: list[dict[str, Any]]) -> str:
    """For example ``1 red, 2 green, 3``."""
    shown = []
    for band in bands[:MOST_BANDS]:
        kind = "" if band["kind"] in ("undefined", "gray") else band["kind"]
        name = band["name"] or kind
        name = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"
        shown.append(f"{band['number']} {name}".strip())
    more = len(bands) - MOST_BANDS
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


SCENE_ROWS: tuple[tuple[str, Callable[[dict[str, Any]], str]], ...] = (
    ("file", lambda scene: scene["name"]),
    ("format", lambda scene: scene["driver"]),
    ("size", lambda scene: f"{scene['width']} x {scene['height']}"),
    ("CRS", lambda scene: scene["crs"] or "none"),
    ("pixel size", lambda scene: " x ".join(f"{size:.6g}" for size in scene["pixel_size"])),
    ("bands", lambda scene: _bands(scene["bands"])),
    ("type", lambda scene: ", ".join(dict.fromkeys(band["type"] for band in scene["bands"]))),
    ("nodata value", lambda scene: scene["nodata"] or "none"),
    ("taken", lambda scene: scene["taken"] or "not said"),
)


def _match(report: PairReport) -> Table:
    match, values, known = report.match, report.values, report.registration
    assert match is not None
    assert values is not None
    assert known is not None
    area = (
        f", {shown_hectares(match['hectares'])} hectares" if match["hectares"] is not None else ""
    )
    table = _table("together", "")
    table.add_row("grids", _grids(match))
    table.add_row("overlap", f"{_percent(match['overlap'])} of before")
    table.add_row("measured at both dates", _percent(values.valid))
    table.add_row("to map", f"{match['pixels']:,} pixels{area}")
    if match["pixel_meters"]:
        sides = " x ".join(f"{side:.3g}" for side in match["pixel_meters"])
        table.add_row("a pixel on the ground", f"{sides} m")
    table.add_row("shift of after", str(known.shift) if known.shift else "cannot be told")
    if known.shift:
        spread = f"half of {known.shift.places} within {known.shift.spread:.1f} pixels of it"
        table.add_row("places agree", spread)
    if known.remaining:
        table.add_row("after moving it back", str(known.remaining))
    return table


def _grids(match: dict[str, Any]) -> str:
    if match["offset"] is None:
        return "after is to be warped"
    if any(match["offset"]):
        rows, cols = match["offset"]
        return f"the same pixels, after starts {rows} rows down and {cols} columns right"
    return "the same pixels" if match["grid_differences"] else "equal"


def _values(report: PairReport) -> Table:
    """Mean, spread and range of each band in use, before and after."""
    values = report.values
    assert values is not None
    columns = ("mean before", "after", "spread", "after", "2\N{EN DASH}98 %", "after")
    table = _table("band in use", *columns, width=0, justify="right")
    sides = zip(values.before.bands, values.after.bands, strict=True)
    for number, bands in enumerate(sides, start=1):
        if number > MOST_BANDS:
            break
        table.add_row(
            str(number),
            *(_number(band.mean) for band in bands),
            *(_number(band.std) for band in bands),
            *(
                f"{_number(band.percentiles[0])} to {_number(band.percentiles[-1])}"
                for band in bands
            ),
        )
    return table


def _number(value: float) -> str:
    """Three digits that count: 0.0123, 84.3, 1230."""
    return f"{float(f'{value:.3g}'):.6g}"


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"
