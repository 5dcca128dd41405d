"""Several systems as tables for a person to read, in percent."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from scdcli.cli.tables.scores import DASH, percent, span

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from scdcli.scoring.comparison import Bootstrap, Difference, Run

# What stands in the columns: as the paper's Table I, then what later papers give.
PAPER_COLUMNS = {"mIoU": "miou", "SeK": "sek_from_to"}
NARROW = PAPER_COLUMNS | {"SeK\nstacked": "sek_stacked"}
COLUMNS = NARROW | {
    "F_scd": "fscd_from_to",
    "Score": "score_from_to",
    "OA": "oa",
    "kappa": "kappa",
}
# Those whose intervals a table of 80 columns has room for.
WITH_INTERVAL = tuple(NARROW.values())
AS_GIVEN = "maps"
ANY_WIDTH = 10_000


def comparison(runs: Sequence["Run"], resampled: "Bootstrap | None", console: "Console") -> "Table":
    """The widest of the tables that fits; its numbers are never cut."""
    several = len({run.tta for run in runs if run.tta}) > 1
    tables = [_by_run(runs, resampled, columns, tta=several) for columns in (COLUMNS, NARROW)]
    if several:
        tables.insert(0, _by_system(runs, resampled))
    options = console.options.update(max_width=ANY_WIDTH)
    widths = (console.measure(each, options=options).maximum for each in tables)
    fitting = (each for each, width in zip(tables, widths, strict=True) if width <= console.width)
    return next(fitting, tables[-1])


def differences(
    runs: Sequence["Run"], titles: Sequence[str], resampled: "Bootstrap"
) -> tuple[str, "Table"]:
    """What every run has more than the one it is compared with, and a line above."""
    from rich.table import Table

    # Against the first run only, which the line above names; else a column says against which.
    simple = set(resampled.against) == {None, 0}
    table = Table()
    for name in ("",) if simple else ("", "against"):
        table.add_column(name, overflow="fold")
    table.add_column("")
    for name in ("difference", "95 %", "not better"):
        table.add_column(name, justify="right", no_wrap=True)
    for title, other, found in zip(titles, resampled.against, resampled.differences, strict=True):
        if other is None:
            continue
        names = [title] if simple else [title, titles[other]]
        for label, name in PAPER_COLUMNS.items():
            table.add_row(*names, label, *_difference(found[name]))
            names = [""] * len(names)
    return f"Differences{f' to {titles[0]}' if simple else ''} in points of %", table


def _by_system(runs: Sequence["Run"], resampled: "Bootstrap | None") -> "Table":
    """As the paper's Table I: a row per system, two scores per test-time augmentation."""
    from rich.table import Table

    settings = list(dict.fromkeys(run.tta for run in runs))
    table = Table("in %")
    for tta in settings:
        for label in PAPER_COLUMNS:
            table.add_column(f"{tta or AS_GIVEN}\n{label}", justify="right")
    names = tuple(PAPER_COLUMNS.values())
    places = {(run.system, run.tta): number for number, run in enumerate(runs)}
    for system in dict.fromkeys(run.system for run in runs):
        numbers = [places.get((system, tta)) for tta in settings]
        cells = [_cell(runs, number, name, resampled) for number in numbers for name in names]
        table.add_row(system, *cells)
    return table


def _by_run(
    runs: Sequence["Run"],
    resampled: "Bootstrap | None",
    columns: dict[str, str],
    *,
    tta: bool,
) -> "Table":
    """A row per run, with more scores or less."""
    from rich.table import Table

    table = Table()
    table.add_column("in %", overflow="fold")
    if tta:
        table.add_column("TTA")
    for label in columns:
        table.add_column(label, justify="right", no_wrap=True)
    for number, run in enumerate(runs):
        names = [run.system, run.tta or AS_GIVEN] if tta else [run.system]
        cells = (_cell(runs, number, name, resampled) for name in columns.values())
        table.add_row(*names, *cells)
    return table


def _cell(
    runs: Sequence["Run"], number: int | None, name: str, resampled: "Bootstrap | None"
) -> str:
    """A score, with its interval below for the few that have room for one."""
    if number is None:
        return ""
    text = percent(runs[number].found.scores.headline()[name])
    if resampled and resampled.intervals and name in WITH_INTERVAL:
        return f"{text}\n{span(resampled.intervals[number][name])}"
    return text


def _difference(found: "Difference | None") -> tuple[str, str, str]:
    if found is None:
        return (DASH,) * 3
    between = f"{100 * found.interval.low:+.2f} to {100 * found.interval.high:+.2f}"
    return f"{100 * found.value:+.2f}", between, f"{100 * found.not_better:.1f} %"
