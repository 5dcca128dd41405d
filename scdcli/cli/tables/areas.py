"""Adjusted areas and accuracies as tables for a person to read."""

from rich.table import Table

from scdcli.cli.terminal import open_console
from scdcli.sampling.assessment import Assessment
from scdcli.sampling.estimation import Estimate

WIDEST_MATRIX = 8
DASH = "\N{EN DASH}"
PLUS_MINUS = "\N{PLUS-MINUS SIGN}"
SQUARE_METERS = 10_000.0
WITH_F1, WITH_BOUNDS = 105, 125
"""Widths of a terminal from which on there is room; --json has everything."""


def show_assessment(found: Assessment) -> None:
    """Areas beside pixel counts, accuracies, and the error matrix where it fits; on stdout."""
    console = open_console()
    console.print(
        f"{found.points} judged places; overall accuracy {_share(found.overall)}. After "
        f"{PLUS_MINUS} stands half of the 95 % interval."
    )
    console.print(areas_table(found, console.width))
    if len(found.names) <= WIDEST_MATRIX:
        console.print(
            "Error matrix in % of the area (rows: map; columns: judged)", matrix_table(found)
        )


def areas_table(found: Assessment, width: int) -> Table:
    """A row for every target, with as many columns as there is room for."""
    unit, scale = ("hectares", SQUARE_METERS) if found.unit == "m2" else ("pixels", 1.0)
    decimals = 0 if found.total / scale > 10_000 or unit == "pixels" else 2
    bounds = width >= WITH_BOUNDS and any(target.bounds for target in found.targets)
    columns = [*(f"{unit}\ncounted", "adjusted", PLUS_MINUS), "points", "user's", "producer's"]
    columns += ["F1"] if width >= WITH_F1 else []
    columns += ["if skipped"] if bounds else []
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("", overflow="fold")
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)

    def amount(value: float) -> str:
        return f"{value / scale:,.{decimals}f}"

    kind = None
    for target in found.targets:
        if kind not in (None, target.kind) and target.kind != "changed":
            table.add_row()
        kind = target.kind
        cells = [amount(target.mapped), amount(target.area.value), amount(target.area.margin)]
        cells += [str(target.points), _share(target.users), _share(target.producers)]
        cells += [_share(target.f1)] if width >= WITH_F1 else []
        if bounds and target.bounds:
            cells.append(" to ".join(map(amount, target.bounds)))
        table.add_row(target.name, *cells)
    return table


def matrix_table(found: Assessment) -> Table:
    """Shares of the area, a row per class of the map."""
    table = Table("", box=None, header_style="bold")
    for number in range(1, len(found.names) + 1):
        table.add_column(str(number), justify="right")
    for number, (name, row) in enumerate(zip(found.names, found.matrix, strict=True), 1):
        table.add_row(f"{number} {name}", *(f"{100 * share:.2f}" if share else "" for share in row))
    return table


def _share(estimate: Estimate | None) -> str:
    if estimate is None:
        return DASH
    return f"{estimate.value:.2f} {PLUS_MINUS} {estimate.margin:.2f}"
