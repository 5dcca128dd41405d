"""Scores as tables for a person to read, in percent as the paper gives them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from scdcli.scoring.bootstrap import Interval
    from scdcli.scoring.comparison import Bootstrap, Run
    from scdcli.scoring.evaluation import Evaluation
    from scdcli.scoring.metrics import Value

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
COVER_FIELDS = {"mIoU": "landcover_miou", "OA": "landcover_oa"}
MATRICES = {"from-to": "from_to", "stacked": "stacked"}
# A wider matrix does not fit a terminal; --json and --matrix have it for any number of classes.
WIDEST_MATRIX = 8
DASH = "\N{EN DASH}"


def set_title(found: "Evaluation") -> str:
    """What was scored, in one line."""
    classes = "1 class" if found.classes == 1 else f"{found.classes} classes"
    legend = f"legend {found.legend.name}" if found.legend else classes
    pairs = "1 pair" if found.pairs == 1 else f"{found.pairs} pairs"
    return f"{pairs}, {found.pixels:,} pixels ({found.nodata_pixels:,} nodata left out), {legend}"


def headline(run: "Run", resampled: "Bootstrap | None") -> "Table":
    """All scores of both matrices, with the intervals of those that have one."""
    from rich.table import Table

    from scdcli.scoring.metrics import HEADLINE

    names = {place: name for name, place in HEADLINE.items()}
    intervals = resampled.intervals[0] if resampled and resampled.intervals else {}
    table = Table("in %")
    for kind in MATRICES:
        table.add_column(kind, justify="right")
        if intervals:
            table.add_column("95 %", justify="right")
    for label, field in FIELDS.items():
        row = [label]
        for matrix in MATRICES.values():
            row.append(percent(getattr(getattr(run.found.scores, matrix), field)))
            if intervals:
                row.append(span(intervals.get(names.get((matrix, field), ""))))
        table.add_row(*row)
    return table


def class_table(found: "Evaluation") -> "Table":
    """IoU of every class."""
    from rich.table import Table

    table = Table("class")
    table.add_column("IoU %", justify="right")
    for index, value in enumerate(found.scores.class_iou, 1):
        table.add_row(f"{index} {found.class_name(index)}", percent(value))
    return table


def cover_table(run: "Run", resampled: "Bootstrap | None") -> "Table":
    """Scores of the land cover of one system: of all classes, and of each."""
    from rich.table import Table

    assert run.land_cover is not None
    scores = run.land_cover.scores
    intervals = resampled.intervals[0] if resampled and resampled.intervals else {}
    table = Table("in %")
    for name in ("land cover", "95 %") if intervals else ("land cover",):
        table.add_column(name, justify="right")
    for label, name in COVER_FIELDS.items():
        between = [span(intervals.get(name))] if intervals else []
        table.add_row(label, percent(scores.headline()[name]), *between)
    for index, value in enumerate(scores.iou, 1):
        table.add_row(f"IoU {index} {run.found.class_name(index)}", percent(value))
    return table


def cover_comparison(
    runs: Sequence["Run"], titles: Sequence[str], resampled: "Bootstrap | None"
) -> "Table":
    """Scores of the land cover, a row per run; the IoU of each class if there are few."""
    from rich.table import Table

    intervals = resampled.intervals if resampled else ()
    classes = runs[0].found.classes
    numbers = range(1, classes + 1) if classes <= WIDEST_MATRIX else range(0)
    table = Table()
    table.add_column("in %", overflow="fold")
    for name in (*COVER_FIELDS, *map(str, numbers)):
        table.add_column(name, justify="right", no_wrap=True)
    for place, (run, title) in enumerate(zip(runs, titles, strict=True)):
        assert run.land_cover is not None
        scores = run.land_cover.scores
        cells = []
        for name in COVER_FIELDS.values():
            between = span(intervals[place][name]) if intervals else ""
            cells.append("\n".join(filter(None, (percent(scores.headline()[name]), between))))
        table.add_row(title, *cells, *(percent(scores.iou[number - 1]) for number in numbers))
    return table


def matrix(found: "Evaluation") -> "Table":
    """As the paper's Table II: SeK of every transition, a row per class before."""
    from rich.table import Table

    table = Table("from \\ to")
    for to_class in range(1, found.classes + 1):
        table.add_column(str(to_class), justify="right")
    values = iter(found.scores.categorical_sek)
    for from_class in range(1, found.classes + 1):
        row = [percent(next(values)) for _ in range(found.classes)]
        table.add_row(f"{from_class} {found.class_name(from_class)}", *row)
    return table


def reasons(run: "Run") -> list[str]:
    """Why what is missing is missing: name of the score and its reason."""
    values = {
        f"{name} ({kind})": getattr(getattr(run.found.scores, matrix), field)
        for name, field in FIELDS.items()
        for kind, matrix in MATRICES.items()
    }
    if run.land_cover:
        values["Land cover"] = run.land_cover.scores.oa
    told = {name: getattr(value, "reason", None) for name, value in values.items()}
    return [f"{name} is undefined: {reason}." for name, reason in told.items() if reason]


def explanation(resampled: "Bootstrap") -> str:
    """What the intervals are, and how many resamples they leave out."""
    known: Sequence[Interval] = [
        each for found in resampled.intervals for each in found.values() if each
    ]
    text = (
        f"95 % of {resampled.resamples:,} resamples of the pairs (seed {resampled.seed}) lie in "
        "the intervals."
    )
    holes = max((each.undefined for each in known), default=0)
    if holes:
        text += f" In up to {holes:,} of them a score is undefined; its interval is of the others."
    return text


def percent(value: "Value") -> str:
    """A score, or a dash where it is undefined."""
    # + 0.0 turns the negative zero of rounding into zero
    return f"{round(100 * value, 2) + 0.0:.2f}" if isinstance(value, float | int) else DASH


def span(found: "Interval | None") -> str:
    """An interval; nothing where there is none."""
    if found is None:
        return ""
    between = DASH if found.low >= 0 else " to "
    return f"{100 * found.low:.1f}{between}{100 * found.high:.1f}"
