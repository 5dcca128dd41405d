"""Adjusted areas and accuracies as tables for a person to read."""

from typing import TYPE_CHECKING

from scdcli.cli.terminal import open_console

if TYPE_CHECKING:
    from rich.table import Table

    from scdcli.sampling.assessment import Assessment
    from scdcli.sampling.estimation import Estimate

WIDEST_MATRIX = 8
DASH = "\N{EN DASH}"
PLUS_MINUS = "\N{PLUS-MINUS SIGN}"
SQUARE_METERS = 10_000.0


def show_assessment(found: "Assessment") -> None:
    """Areas beside pixel counts, accuracies, and the error matrix where it fits; on stdout."""
    console = open_console()
    console.print(
        f"{found.points} judged places; overall accuracy {_share(found.overall)}. After "
        f"{PLUS_MINUS} stands half of the 95 % interval."
    )
    console.print(areas_table(found))
    if len(found.names) <= WIDEST_MATRIX:
        console.print(
            "Error matrix in % of the area (rows: map; columns: judged)", matrix_table(found)
        )


def areas_table(found: "Assessment") -> "Table":
    """A row for every target."""
    from rich.table import Table

    unit, scale = ("hectares", SQUARE_METERS) if found.unit == "m2" else ("pixels", 1.0)
    decimals = 0 if found.total / scale > 10_000 or unit == "pixels" else 2
    table = Table(box=None, header_style="bold")
    table.add_column("", overflow="fold")
    bounds = any(target.bounds for target in found.targets)
    for name in (
        *(f"{unit} counted", "adjusted", f"{PLUS_MINUS}", "user's", "producer's", "F1"),
        *(("if skipped",) if bounds else ()),
    ):
        table.add_column(name, justify="right", no_wrap=True)

    def amount(value: float) -> str:
        return f"{value / scale:,.{decimals}f}"

    kind = None
    for target in found.targets:
        if kind not in (None, target.kind) and target.kind not in ("changed",):
            table.add_row()
        kind = target.kind
        cells = [amount(target.mapped), amount(target.area.value), amount(target.area.margin)]
        cells += [_share(each) for each in (target.users, target.producers, target.f1)]
        if target.bounds:
            cells.append(" to ".join(map(amount, target.bounds)))
        table.add_row(target.name, *cells)
    return table


def matrix_table(found: "Assessment") -> "Table":
    """Shares of the area, a row per class of the map."""
    from rich.table import Table

    table = Table("", box=None, header_style="bold")
    for number in range(1, len(found.names) + 1):
        table.add_column(str(number), justify="right")
    for number, (name, row) in enumerate(zip(found.names, found.matrix, strict=True), 1):
        table.add_row(f"{number} {name}", *(f"{100 * share:.2f}" if share else "" for share in row))
    return table


def _share(estimate: "Estimate | None") -> str:
    if estimate is None:
        return DASH
    return f"{estimate.value:.2f} {PLUS_MINUS} {estimate.margin:.2f}"
