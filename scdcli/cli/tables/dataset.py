"""A look through a labelled set as tables for a person to read."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from rich.table import Table

from scdcli.cli.terminal import open_console
from scdcli.datasets.whole import SetReport

# A wider matrix does not fit a terminal; --json has all transitions.
WIDEST_MATRIX = 8
MOST_TRANSITIONS = 10
MOST_PROBLEMS = 10
MOST_KINDS = 3


def show_set(report: SetReport) -> None:
    """Splits, classes, transitions and the first problems, on stdout."""
    console = open_console()
    legend = f"legend {report.legend.name}" if report.legend else "no legend"
    masks = report.legend is not None and report.legend.coding.mask
    legend = "masks of change" if masks else legend
    read = f", bands {', '.join(map(str, report.bands))}" if report.bands else ""
    console.print(f"{report.folder}: layout {report.layout}, {legend}{read}", soft_wrap=True)
    console.print(_splits(report))
    if report.total.counts.changed and not masks:
        console.print(_classes(report))
        console.print(_transitions(report))
    if report.total.counts.cover.pairs:
        covered, pairs = report.total.counts.cover.pairs, report.total.pairs
        which = "every pair" if covered == pairs else f"{covered:,} of {pairs:,} pairs"
        console.print(f"Land cover of {which}", soft_wrap=True)
        console.print(_cover(report))
    for note in report.notes:
        console.print(f"Note: {note}", soft_wrap=True)
    count = len(report.problems)
    if not count:
        console.print("No problems.")
        return
    console.print(f"{count} {'problem' if count == 1 else 'problems'}:")
    for problem in report.problems[:MOST_PROBLEMS]:
        console.print(f"- {problem}", soft_wrap=True)
    if count > MOST_PROBLEMS:
        console.print(f"- and {count - MOST_PROBLEMS} more")


def _splits(report: SetReport) -> Table:
    table = Table(box=None, header_style="bold")
    for name in ("split", "pairs", "size", "bands", "type", "CRS", "changed %", "nodata %"):
        table.add_column(name, justify="right" if name.endswith(("%", "pairs")) else "left")
    for name, split in report.splits.items():
        counts = split.counts
        sizes = {f"{width} x {height}": n for (width, height), n in split.sizes.items()}
        table.add_row(
            name,
            f"{split.pairs:,}",
            *(_kinds(each) for each in (sizes, split.bands, split.types, split.systems)),
            _percent(counts.changed, counts.changed + counts.unchanged),
            _percent(counts.nodata, counts.total),
        )
    return table


def _kinds(kinds: dict[Any, int]) -> str:
    """The most frequent kinds; how many pairs have each where there are several."""
    often = Counter(kinds).most_common()
    shown = [
        f"{kind or 'none'}" + (f" ({n:,})" if len(often) > 1 else "")
        for kind, n in often[:MOST_KINDS]
    ]
    more = len(often) - MOST_KINDS
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _classes(report: SetReport) -> Table:
    """Classes of the changed pixels."""
    counts = report.total.counts
    pixels = zip(counts.from_pixels.tolist(), counts.to_pixels.tolist(), strict=True)
    return _by_class(_named(report, pixels), counts.changed)


def _cover(report: SetReport) -> Table:
    """Classes of every labelled pixel; what is not known is a row of its own."""
    cover = report.total.counts.cover
    sides = (cover.before.tolist(), cover.after.tolist())
    unknown = (cover.pixels - sum(sides[0]), cover.pixels - sum(sides[1]))
    rows = _named(report, zip(*sides, strict=True)) | {"not known": unknown}
    return _by_class(rows, cover.pixels)


def _named(report: SetReport, pixels: Iterable[tuple[int, int]]) -> dict[str, tuple[int, int]]:
    """Pixels before and after by class: of those in the legend, or of those that occur."""
    return {
        _name(report, index): each
        for index, each in enumerate(pixels, start=1)
        if report.legend or any(each)
    }


def _by_class(rows: dict[str, tuple[int, int]], whole: int) -> Table:
    """Pixels before and after, and their shares of a total."""
    table = Table("class", box=None, header_style="bold")
    for name in ("pixels before", "%", "pixels after", "%"):
        table.add_column(name, justify="right")
    for name, pixels in rows.items():
        cells = ((f"{n:,}", _percent(n, whole)) for n in pixels)
        table.add_row(name, *(cell for pair in cells for cell in pair))
    return table


def _transitions(report: SetReport) -> Table:
    """From (rows) and to (columns) in percent of what changed; the largest ones of many classes."""
    counts = report.total.counts
    table = Table(box=None, header_style="bold")
    if report.legend is None or len(report.legend) > WIDEST_MATRIX:
        for name in ("from", "to", "pixels", "%"):
            table.add_column(name, justify="right" if name in ("pixels", "%") else "left")
        order = counts.transitions.ravel().argsort()[::-1][:MOST_TRANSITIONS].tolist()
        for first, second in (divmod(place, len(counts.transitions)) for place in order):
            pixels = int(counts.transitions[first, second])
            if pixels:
                names = (_name(report, index + 1) for index in (first, second))
                table.add_row(*names, f"{pixels:,}", _percent(pixels, counts.changed))
        return table
    table.add_column("% of changed: from \\ to")
    for index in report.legend.indices():
        table.add_column(str(index), justify="right")
    for index, row in enumerate(counts.transitions.tolist(), start=1):
        cells = (_percent(pixels, counts.changed) if pixels else "\N{EN DASH}" for pixels in row)
        table.add_row(_name(report, index), *cells)
    return table


def _name(report: SetReport, index: int) -> str:
    return f"{index} {report.legend[index].name}" if report.legend else str(index)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f}" if whole else "\N{EN DASH}"
