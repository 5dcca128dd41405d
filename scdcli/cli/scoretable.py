"""Scores as tables for a person to read, in percent as the paper gives them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from scdcli.bootstrap import Interval
    from scdcli.comparison import Bootstrap, Difference, Run
    from scdcli.evaluation import Evaluation
    from scdcli.metrics import Value

# Field of a matrix's scores by its name for people.
FIELDS = {
    "SeK": "sek",
    "F_scd": "fscd",
    "Score": "score",
    "mIoU": "miou",
    "IoU unchanged": "iou_unchanged",
    "IoU changed": "iou_changed",
    "OA": "oa",
    "kappa": "kappa",
}
# What stands in the columns of a comparison: as the paper's Table I, and without settings to
# tell apart also what most later papers give.
PAPER_COLUMNS = {"mIoU": "miou", "SeK": "sek_from_to"}
COLUMNS = PAPER_COLUMNS | {
    "SeK\nstacked": "sek_stacked",
    "F_scd": "fscd_from_to",
    "Score": "score_from_to",
    "OA": "oa",
    "kappa": "kappa",
}
# Those whose intervals a table of 80 columns has room for.
WITH_INTERVAL = ("miou", "sek_from_to", "sek_stacked")
AS_GIVEN = "maps"
DASH = "\N{EN DASH}"
# A wider matrix does not fit a terminal; --json and --matrix have it for any number of classes.
WIDEST_MATRIX = 8


def show_scores(runs: Sequence["Run"], resampled: "Bootstrap | None") -> None:
    """One run in detail, several as a comparison; and why what is missing is missing; on stdout."""
    from rich.console import Console

    from scdcli.comparison import ONE_PAIR

    console = Console(highlight=False, markup=False)
    console.print(_title(runs[0].found))
    if len(runs) == 1:
        _show_one(runs[0], resampled, console)
    else:
        console.print(_comparison(runs, resampled))
        for run in runs:
            _show_matrix(run, console)
    if resampled and not resampled.intervals:
        console.print(f"There are no intervals: {ONE_PAIR}.")
    elif resampled:
        _show_differences(runs, resampled, console)
        console.print(_explanation(resampled))
    for run in runs:
        _show_reasons(run, run.title if len(runs) > 1 else "", console)


def _show_one(run: "Run", resampled: "Bootstrap | None", console: "Console") -> None:
    from rich.table import Table

    found = run.found
    console.print(_headline(run, resampled))
    classes = Table("class")
    classes.add_column("IoU %", justify="right")
    for index, value in enumerate(found.scores.class_iou, 1):
        classes.add_row(f"{index} {found.class_name(index)}", _percent(value))
    console.print("IoU of the classes, both dates", classes)
    if found.classes <= WIDEST_MATRIX:
        console.print("SeK of each transition in %", _matrix(found))


def _headline(run: "Run", resampled: "Bootstrap | None") -> "Table":
    from rich.table import Table

    from scdcli.metrics import HEADLINE

    names = {place: name for name, place in HEADLINE.items()}
    intervals = resampled.intervals[0] if resampled and resampled.intervals else {}
    table = Table("in %")
    for kind in ("from-to", "stacked"):
        table.add_column(kind, justify="right")
        if intervals:
            table.add_column("95 %", justify="right")
    for label, field in FIELDS.items():
        row = [label]
        for matrix in ("from_to", "stacked"):
            row.append(_percent(getattr(getattr(run.found.scores, matrix), field)))
            if intervals:
                row.append(_range(intervals.get(names.get((matrix, field), ""))))
        table.add_row(*row)
    return table


def _comparison(runs: Sequence["Run"], resampled: "Bootstrap | None") -> "Table":
    """A row per system, its scores per test-time augmentation."""
    from rich.table import Table

    settings = list(dict.fromkeys(run.tta for run in runs))
    several = len([tta for tta in settings if tta]) > 1
    groups = [[tta] for tta in settings] if several else [settings]
    columns = PAPER_COLUMNS if several else COLUMNS
    table = Table("in %")
    for tta, *_ in groups:
        for label in columns:
            above = f"{tta or AS_GIVEN}\n" if several else ""
            table.add_column(f"{above}{label}", justify="right", vertical="top")
    for system in dict.fromkeys(run.system for run in runs):
        row = [system]
        for group in groups:
            numbers = [n for n, run in enumerate(runs) if run.system == system and run.tta in group]
            if numbers:
                row += [_cell(runs, numbers[0], name, resampled) for name in columns.values()]
            else:
                row += [""] * len(columns)
        table.add_row(*row)
    return table


def _cell(runs: Sequence["Run"], number: int, name: str, resampled: "Bootstrap | None") -> str:
    """A score, with its interval below for the few that have room for one."""
    text = _percent(runs[number].found.scores.headline()[name])
    if resampled and resampled.intervals and name in WITH_INTERVAL:
        return f"{text}\n{_range(resampled.intervals[number][name])}"
    return text


def _show_differences(runs: Sequence["Run"], resampled: "Bootstrap", console: "Console") -> None:
    from rich.table import Table

    if len(runs) == 1:
        return
    table = Table("", "against", "")
    for name in ("difference", "95 %", "not better"):
        table.add_column(name, justify="right")
    for run, other, found in zip(runs, resampled.against, resampled.differences, strict=True):
        if other is not None:
            titles = [run.title, runs[other].title]
            for label, name in PAPER_COLUMNS.items():
                table.add_row(*titles, label, *_difference(found[name]))
                titles = ["", ""]
    console.print("\nDifferences in points of %", table)


def _difference(found: "Difference | None") -> tuple[str, str, str]:
    if found is None:
        return (DASH,) * 3
    span = f"{100 * found.interval.low:+.2f} to {100 * found.interval.high:+.2f}"
    return f"{100 * found.value:+.2f}", span, f"{100 * found.not_better:.1f} %"


def _show_matrix(run: "Run", console: "Console") -> None:
    scores = run.found.scores.from_to
    if run.found.classes <= WIDEST_MATRIX:
        console.print(f"\n{run.title}: SeK of each transition in %", _matrix(run.found))
        ious = (scores.iou_unchanged, scores.iou_changed)
        console.print("IoU unchanged {}, changed {}".format(*map(_percent, ious)))


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


def _explanation(resampled: "Bootstrap") -> str:
    """What the intervals are, and which scores had no value in some resamples."""
    text = (
        f"95 % of {resampled.resamples:,} resamples of the pairs (seed {resampled.seed}) lie in "
        "the intervals."
    )
    known = (each for found in resampled.intervals for each in found.values() if each)
    holes = max((each.undefined for each in known), default=0)
    if holes:
        text += f" Up to {holes:,} of them leave a score undefined and its interval without them."
    return text


def _show_reasons(run: "Run", title: str, console: "Console") -> None:
    of = f" of {title}" if title else ""
    for name, field in FIELDS.items():
        for kind in ("from-to", "stacked"):
            scores = getattr(run.found.scores, kind.replace("-", "_"))
            reason = getattr(getattr(scores, field), "reason", None)
            if reason:
                console.print(f"{name} ({kind}){of} is undefined: {reason}.")


def _title(found: "Evaluation") -> str:
    legend = f"legend {found.legend.name}" if found.legend else f"{found.classes} classes"
    pairs = "1 pair" if found.pairs == 1 else f"{found.pairs} pairs"
    return f"{pairs}, {found.pixels:,} pixels ({found.nodata_pixels:,} nodata left out), {legend}"


def _percent(value: "Value") -> str:
    # + 0.0 turns the negative zero of rounding into zero
    return f"{round(100 * value, 2) + 0.0:.2f}" if isinstance(value, float | int) else DASH


def _range(found: "Interval | None") -> str:
    return f"{100 * found.low:.1f}{DASH}{100 * found.high:.1f}" if found else ""
