"""Scores as tables for people, in percent: one system in detail, several side by side."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from scdcli.cli.terminal import open_console
from scdcli.scoring.bootstrap import Interval
from scdcli.scoring.comparison import (
    ONE_PAIR,
    Bootstrap,
    Difference,
    Run,
    categorical_kind,
    run_titles,
)
from scdcli.scoring.evaluation import Evaluation
from scdcli.scoring.metrics import HEADLINE, Value

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
# Where labels are masks of change, which have no classes.
CHANGE_NARROW = {
    "Precision": "precision",
    "Recall": "recall",
    "F1": "f1",
    "IoU changed": "iou_changed",
}
CHANGE_COLUMNS = CHANGE_NARROW | {
    "IoU unchanged": "iou_unchanged",
    "mIoU": "miou",
    "OA": "oa",
    "kappa": "kappa",
}
COVER_FIELDS = {"mIoU": "landcover_miou", "OA": "landcover_oa"}
MATRIX_TITLES = {
    "categorical_sek_masked": "SeK of each transition (masked)",
    "categorical_sek_unmasked": "SeK of each transition (unmasked)",
}
MATRICES = {"from-to": "from_to", "stacked": "stacked"}
# A wider matrix does not fit a terminal; --json and --matrix have it for any number of classes.
WIDEST_MATRIX = 8
DASH = "\N{EN DASH}"

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


def set_title(evaluation: Evaluation) -> str:
    """What was scored, in one line."""
    classes = "1 class" if evaluation.classes == 1 else f"{evaluation.classes} classes"
    legend = f"legend {evaluation.legend.name}" if evaluation.legend else classes
    pairs = "1 pair" if evaluation.pairs == 1 else f"{evaluation.pairs} pairs"
    pixels = f"{evaluation.pixels:,} pixels ({evaluation.nodata_pixels:,} nodata left out)"
    return f"{pairs}, {pixels}, {legend}"


def headline(run: Run, resampled: Bootstrap | None) -> Table:
    """All scores of both matrices, with the intervals of those that have one."""
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
            row.append(percent(getattr(getattr(run.evaluation.scores, matrix), field)))
            if intervals:
                row.append(span(intervals.get(names.get((matrix, field), ""))))
        table.add_row(*row)
    return table


def change_table(run: Run, resampled: Bootstrap | None) -> Table:
    """Scores of change alone."""
    return _with_intervals("change", CHANGE_COLUMNS, run.headline(), resampled)


def _with_intervals(
    title: str,
    fields: Mapping[str, str],
    scores: Mapping[str, Value],
    resampled: Bootstrap | None,
) -> Table:
    """A row per score, with its interval if there are any."""
    intervals = resampled.intervals[0] if resampled and resampled.intervals else {}
    table = Table("in %")
    for name in (title, "95 %") if intervals else (title,):
        table.add_column(name, justify="right")
    for label, name in fields.items():
        between = [span(intervals.get(name))] if intervals else []
        table.add_row(label, percent(scores[name]), *between)
    return table


def class_table(evaluation: Evaluation) -> Table:
    """IoU of every class."""
    table = Table("class")
    table.add_column("IoU %", justify="right")
    for index, value in enumerate(evaluation.scores.class_iou, 1):
        table.add_row(f"{index} {evaluation.class_name(index)}", percent(value))
    return table


def cover_table(run: Run, resampled: Bootstrap | None) -> Table:
    """Scores of the land cover of one system: of all classes, and of each."""
    assert run.land_cover is not None
    scores = run.land_cover.scores
    table = _with_intervals("land cover", COVER_FIELDS, scores.headline(), resampled)
    for index, value in enumerate(scores.iou, 1):
        table.add_row(f"IoU {index} {run.evaluation.class_name(index)}", percent(value))
    return table


def cover_comparison(
    runs: Sequence[Run], titles: Sequence[str], resampled: Bootstrap | None
) -> Table:
    """Scores of the land cover, a row per run; the IoU of each class if there are few."""
    intervals = resampled.intervals if resampled else ()
    classes = runs[0].evaluation.classes
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


def matrix(evaluation: Evaluation, kind: str) -> Table:
    """As the paper's Table II: SeK of every transition, a row per class before."""
    table = Table("from \\ to")
    for to_class in range(1, evaluation.classes + 1):
        table.add_column(str(to_class), justify="right")
    values = iter(evaluation.categorical()[kind])
    for from_class in range(1, evaluation.classes + 1):
        row = [percent(next(values)) for _ in range(evaluation.classes)]
        table.add_row(f"{from_class} {evaluation.class_name(from_class)}", *row)
    return table


def reasons(run: Run) -> list[str]:
    """Why scores are missing: a sentence for each reason, with the names of the scores."""
    if run.evaluation.change_only:
        return _by_reason({name: run.headline()[key] for name, key in CHANGE_COLUMNS.items()})
    values = {
        f"{name} ({kind})": getattr(getattr(run.evaluation.scores, matrix), field)
        for name, field in FIELDS.items()
        for kind, matrix in MATRICES.items()
    }
    if run.land_cover:
        values["Land cover"] = run.land_cover.scores.oa
    return _by_reason(values)


def _by_reason(values: Mapping[str, object]) -> list[str]:
    missing: dict[str, list[str]] = {}
    for name, value in values.items():
        if reason := getattr(value, "reason", None):
            missing.setdefault(reason, []).append(name)
    return [
        f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} undefined: {reason}."
        for reason, names in missing.items()
    ]


def explanation(resampled: Bootstrap) -> str:
    """What the intervals are, and how many resamples they leave out."""
    known: Sequence[Interval] = [
        each for intervals in resampled.intervals for each in intervals.values() if each
    ]
    text = (
        f"95 % of {resampled.resamples:,} resamples of the pairs (seed {resampled.seed}) lie in "
        "the intervals."
    )
    holes = max((each.undefined for each in known), default=0)
    if holes:
        text += f" In up to {holes:,} of them a score is undefined; its interval is of the others."
    return text


def percent(value: Value) -> str:
    """A score, or a dash where it is undefined."""
    # + 0.0 turns the negative zero of rounding into zero
    return f"{round(100 * value, 2) + 0.0:.2f}" if isinstance(value, float | int) else DASH


def span(interval: Interval | None) -> str:
    """An interval; nothing where there is none."""
    if interval is None:
        return ""
    between = DASH if interval.low >= 0 else " to "
    return f"{100 * interval.low:.1f}{between}{100 * interval.high:.1f}"


def comparison(runs: Sequence[Run], resampled: Bootstrap | None, console: Console) -> Table:
    """The widest of the tables that fits; its numbers are never cut."""
    several = len({run.tta for run in runs if run.tta}) > 1
    change = runs[0].evaluation.change_only
    choice = (CHANGE_COLUMNS, CHANGE_NARROW) if change else (COLUMNS, NARROW)
    tables = [_by_run(runs, resampled, columns, tta=several) for columns in choice]
    if several and not change:
        tables.insert(0, _by_system(runs, resampled))
    options = console.options.update(max_width=ANY_WIDTH)
    widths = (console.measure(each, options=options).maximum for each in tables)
    fitting = (each for each, width in zip(tables, widths, strict=True) if width <= console.width)
    return next(fitting, tables[-1])


def differences(
    runs: Sequence[Run], titles: Sequence[str], resampled: Bootstrap
) -> tuple[str, Table]:
    """A line that names the run compared with, and by how much the others differ from it."""
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
        columns = {"mIoU": "miou"} if runs[0].evaluation.change_only else PAPER_COLUMNS
        for label, name in columns.items():
            table.add_row(*names, label, *_difference(found[name]))
            names = [""] * len(names)
    return f"Differences{f' to {titles[0]}' if simple else ''} in points of %", table


def _by_system(runs: Sequence[Run], resampled: Bootstrap | None) -> Table:
    """As the paper's Table I: a row per system, two scores per test-time augmentation."""
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
    runs: Sequence[Run],
    resampled: Bootstrap | None,
    columns: dict[str, str],
    *,
    tta: bool,
) -> Table:
    """A row per run, with more scores or fewer."""
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


def _cell(runs: Sequence[Run], number: int | None, name: str, resampled: Bootstrap | None) -> str:
    """A score, with its interval below for the few that have room for one."""
    if number is None:
        return ""
    text = percent(runs[number].headline()[name])
    if resampled and resampled.intervals and name in WITH_INTERVAL:
        return f"{text}\n{span(resampled.intervals[number][name])}"
    return text


def _difference(found: Difference | None) -> tuple[str, str, str]:
    if found is None:
        return (DASH,) * 3
    between = f"{100 * found.interval.low:+.2f} to {100 * found.interval.high:+.2f}"
    return f"{100 * found.value:+.2f}", between, f"{100 * found.not_better:.1f} %"


def show_scores(runs: Sequence[Run], resampled: Bootstrap | None) -> None:
    """Tables on stdout, and why what is missing is missing."""
    console = open_console()
    titles = run_titles([(run.system, run.tta) for run in runs])
    console.print(set_title(runs[0].evaluation))
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


def _show_one(run: Run, resampled: Bootstrap | None, console: Console) -> None:
    if run.evaluation.change_only:
        console.print(change_table(run, resampled))
        return
    console.print(headline(run, resampled))
    console.print("IoU of the classes, both dates", class_table(run.evaluation))
    if run.evaluation.classes <= WIDEST_MATRIX:
        kind = categorical_kind([run])
        console.print(f"{MATRIX_TITLES[kind]} in %", matrix(run.evaluation, kind))
    if run.land_cover and run.land_cover.pixels:
        console.print("Land cover of every pixel, both dates", cover_table(run, resampled))


def _show_matrices(runs: Sequence[Run], titles: Sequence[str], console: Console) -> None:
    kind = categorical_kind(runs)
    for run, title in zip(runs, titles, strict=True):
        if run.evaluation.classes <= WIDEST_MATRIX and not run.evaluation.change_only:
            scores = run.evaluation.scores.from_to
            ious = (percent(scores.iou_unchanged), percent(scores.iou_changed))
            console.print(f"\n{title}: {MATRIX_TITLES[kind]} in %", matrix(run.evaluation, kind))
            console.print("IoU of unchanged {}, of changed {}".format(*ious))
