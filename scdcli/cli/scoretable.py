"""Scores as tables for a person to read, in percent as the paper gives them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from scdcli.evaluation import Evaluation
    from scdcli.metrics import Value

HEADLINE = {
    "SeK": "sek",
    "F_scd": "fscd",
    "Score": "score",
    "mIoU": "miou",
    "IoU unchanged": "iou_unchanged",
    "IoU changed": "iou_changed",
    "OA": "oa",
    "kappa": "kappa",
}
# A wider matrix does not fit a terminal; --json has it for any number of classes.
WIDEST_MATRIX = 8


def show_scores(found: "Evaluation") -> None:
    """Headline, classes, transitions, and why what is missing is missing; on stdout."""
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    for title, table in _tables(found):
        console.print(title, table)
    for name, field in HEADLINE.items():
        for kind, scores in (("from-to", found.scores.from_to), ("stacked", found.scores.stacked)):
            reason = getattr(getattr(scores, field), "reason", None)
            if reason:
                console.print(f"{name} ({kind}) is undefined: {reason}.")


def _tables(found: "Evaluation") -> Iterator[tuple[str, "Table"]]:
    from rich.table import Table

    scores = found.scores
    headline = Table("in %")
    for kind in ("from-to", "stacked"):
        headline.add_column(kind, justify="right")
    for name, field in HEADLINE.items():
        values = (getattr(each, field) for each in (scores.from_to, scores.stacked))
        headline.add_row(name, *(_percent(value) for value in values))
    yield _title(found), headline
    classes = Table("class")
    classes.add_column("IoU %", justify="right")
    for index, value in enumerate(scores.class_iou, 1):
        classes.add_row(f"{index} {found.class_name(index)}", _percent(value))
    yield "IoU of the classes, both dates", classes
    if found.classes <= WIDEST_MATRIX:
        yield "SeK of each transition in %", _matrix(found)


def _matrix(found: "Evaluation") -> "Table":
    from rich.table import Table

    matrix = Table("from \\ to")
    for to_class in range(1, found.classes + 1):
        matrix.add_column(str(to_class), justify="right")
    values = iter(found.scores.categorical_sek)
    for from_class in range(1, found.classes + 1):
        row = [_percent(next(values)) for _ in range(found.classes)]
        matrix.add_row(f"{from_class} {found.class_name(from_class)}", *row)
    return matrix


def _title(found: "Evaluation") -> str:
    legend = f"legend {found.legend.name}" if found.legend else f"{found.classes} classes"
    pairs = "1 pair" if found.pairs == 1 else f"{found.pairs} pairs"
    return f"{pairs}, {found.pixels:,} pixels ({found.nodata_pixels:,} nodata left out), {legend}"


def _percent(value: "Value") -> str:
    return f"{100 * value:.2f}" if isinstance(value, float | int) else "\N{EN DASH}"
