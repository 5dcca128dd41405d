"""What ``scd evaluate`` prints for a person: one system in detail, several side by side."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from scdcli.cli.tables.comparisontable import comparison, differences
from scdcli.cli.tables.scores import (
    WIDEST_MATRIX,
    class_table,
    cover_comparison,
    cover_table,
    explanation,
    headline,
    matrix,
    percent,
    reasons,
    set_title,
)
from scdcli.cli.terminal import open_console

if TYPE_CHECKING:
    from rich.console import Console

    from scdcli.scoring.comparison import Bootstrap, Run


def show_scores(runs: Sequence["Run"], resampled: "Bootstrap | None") -> None:
    """Tables on stdout, and why what is missing is missing."""
    from scdcli.scoring.comparison import ONE_PAIR, run_titles

    console = open_console()
    titles = run_titles([(run.system, run.tta) for run in runs])
    console.print(set_title(runs[0].found))
    if len(runs) == 1:
        _show_one(runs[0], resampled, console)
    else:
        console.print(comparison(runs, resampled, console))
        _show_matrices(runs, titles, console)
        if any(run.land_cover and run.land_cover.pixels for run in runs):
            table = cover_comparison(runs, titles, resampled)
            console.print("\nLand cover of every pixel, both dates; IoU by class", table)
    if resampled and not resampled.intervals:
        console.print(f"There are no intervals: {ONE_PAIR}.")
    elif resampled:
        if len(runs) > 1:
            console.print("", *differences(runs, titles, resampled), sep="\n")
        console.print(explanation(resampled))
    for run, title in zip(runs, titles, strict=True):
        for reason in reasons(run):
            console.print(f"{title}: {reason}" if len(runs) > 1 else reason)


def _show_one(run: "Run", resampled: "Bootstrap | None", console: "Console") -> None:
    console.print(headline(run, resampled))
    console.print("IoU of the classes, both dates", class_table(run.found))
    if run.found.classes <= WIDEST_MATRIX:
        console.print("SeK of each transition in %", matrix(run.found))
    if run.land_cover and run.land_cover.pixels:
        console.print("Land cover of every pixel, both dates", cover_table(run, resampled))


def _show_matrices(runs: Sequence["Run"], titles: Sequence[str], console: "Console") -> None:
    for run, title in zip(runs, titles, strict=True):
        if run.found.classes <= WIDEST_MATRIX:
            scores = run.found.scores.from_to
            ious = (percent(scores.iou_unchanged), percent(scores.iou_changed))
            console.print(f"\n{title}: SeK of each transition in %", matrix(run.found))
            console.print("IoU of unchanged {}, of changed {}".format(*ious))
