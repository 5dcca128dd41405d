"""Models as tables for a person to read: all of them, and the card of one."""

from collections.abc import Iterator, Sequence
from math import log10

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scdcli.cli.terminal import open_console
from scdcli.files.naming import name_of
from scdcli.models.card import Card, flat_scores
from scdcli.prediction.fit import size_range

SWATCH = "\N{FULL BLOCK}" * 3
MEBIBYTE = 1 << 20
EPOCHS_SHOWN = 10  # about so many of a history
HISTORY = {
    "epoch": "epoch",
    "lr": "learning rate",
    "loss": "loss",
    "val_loss": "validation loss",
    "miou": "mIoU",
    "sek_from_to": "SeK",
}
CARD_WIDTH = 100  # columns: longer lines of prose are hard to read


def show_models(cards: Sequence[Card], default: str) -> None:
    """One block for each model: what it is, then what it knows."""
    console = open_console()
    for card in cards:
        console.print(f"{card.name}{'  (default)' if card.name == default else ''}", style="bold")
        if card.summary:
            console.print(f"  {card.summary}", soft_wrap=True)
        classes = ", ".join(each.name for each in card.header.legend.classes)
        for label, text in (
            ("classes", classes),
            ("pixels", _pixels(card)),
            ("file", f"{card.file.stat().st_size / MEBIBYTE:.1f} MiB"),
            ("scores", _listed_scores(card)),
        ):
            console.print(f"  {label:<8}{text}", soft_wrap=True)


def show_card(card: Card) -> None:
    """What the file says of itself, then what is written beside it."""
    console = open_console()
    console.print(card.name, style="bold")
    console.print(_facts(card))
    console.print("\nLegend", style="bold")
    console.print(_legend(card, console))
    if card.history:
        console.print("\nTraining history", style="bold")
        console.print(_history(card))
    scores = dict(_scores(card))
    if scores:
        console.print("\nScores in the file", style="bold")
        console.print(_table(list(scores.items())))
    if card.prose is None:
        console.print(
            f"\nNobody has written {card.file.with_suffix('.md').name} beside the file: what it "
            "was trained on, who may use it, and where it fails.",
            soft_wrap=True,
        )
    elif console.is_terminal:
        _render(card.prose, console)
    else:
        console.print(f"\n{card.prose}", soft_wrap=True)


def _render(prose: str, console: Console) -> None:
    from rich.markdown import Markdown  # takes a tenth of a second

    console.print()
    console.print(Markdown(prose, hyperlinks=False), width=min(CARD_WIDTH, console.width))


def _table(rows: Sequence[tuple[str, str]]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        table.add_row(*map(name_of, row))  # a file of others may hold anything
    return table


def _facts(card: Card) -> Table:
    header = card.header
    network = header.network
    encoder = f"{network.blocks} blocks" if network.encoder == "paper" else network.encoder
    learnt = "the land cover of every pixel" if header.land_cover else "changed pixels only"
    if header.legend.change_only:
        learnt = "change alone: it tells no classes apart"
    return _table(
        [
            ("network", f"{network.name}, {encoder}, width {network.width:g}"),
            ("parameters", f"{card.parameters:,}"),
            ("file", f"{card.file.stat().st_size / MEBIBYTE:.1f} MiB"),
            ("SHA-256", card.sha256),
            ("bands", str(network.bands)),
            ("pixels", _pixels(card)),
            ("normalization", header.normalization),
            ("threshold", f"{header.threshold:.4g}"),
            ("temperature", f"{header.temperature:.4g}"),
            ("learnt on", learnt),
            *_training(card),
            ("written by", f"scd {header.version}"),
        ]
    )


def _training(card: Card) -> Iterator[tuple[str, str]]:
    run = card.header.training
    if "pairs" in run:
        held_out = f", {run['validation_pairs']:,} to validate" if "validation_pairs" in run else ""
        yield "trained on", f"{run.get('data') or 'a set'}: {run['pairs']:,} pairs{held_out}"
    if run.get("init"):
        yield "started from", f"{run['init']['name']}, SHA-256 {run['init']['sha256'][:12]}…"
    if card.steps is not None:
        chip = f", chips of {card.header.chip}" if card.header.chip else ""
        yield (
            "training",
            f"{card.steps:,} steps of {run['batch']}{chip}: epoch {run['epoch']} of "
            f"{run.get('epochs', run['epoch'])}, seed {run.get('seed', 'not said')}",
        )


def _legend(card: Card, console: Console) -> Table:
    """Numbers, colors and names; the color itself only where one can see it."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for _ in range(4 if console.is_terminal else 3):
        table.add_column(no_wrap=True)
    legend = card.header.legend
    for index in legend.indices():
        red, green, blue = legend[index].color
        code = f"#{red:02X}{green:02X}{blue:02X}"
        swatch = [Text(SWATCH, style=code)] if console.is_terminal else []
        table.add_row(str(index), *swatch, code, name_of(legend[index].name))
    return table


def _history(card: Card) -> Table:
    """About `EPOCHS_SHOWN` epochs of the run, the first, the last and the file's own among them."""
    table = Table(box=None, pad_edge=False)
    for title in HISTORY.values():
        table.add_column(title, justify="right", no_wrap=True)
    rows = card.history
    own = card.header.training.get("epoch")
    chosen = {*range(0, len(rows), max(1, len(rows) // EPOCHS_SHOWN)), len(rows) - 1}
    for number, row in enumerate(rows):
        if number in chosen or row.get("epoch") == own:
            table.add_row(*(_cell(name, row.get(name)) for name in HISTORY))
    return table


def _cell(name: str, value: object) -> str:
    if not isinstance(value, int | float):
        return ""
    return f"{100 * value:.1f} %" if name in ("miou", "sek_from_to") else f"{value:.4g}"


def _pixels(card: Card) -> str:
    return size_range(card.header.pixel_size) if card.header.pixel_size else "size not known"


def _scores(card: Card) -> Iterator[tuple[str, str]]:
    for name, value in flat_scores(card.header).items():
        # Of `scd`'s numbers all but likelihoods are shares; what else is none is shown as it is.
        if name.rpartition(".")[2].startswith("nll_"):
            yield name, f"{value:.3f}"
        elif abs(value) > 1:
            yield name, f"{value:.{max(0, 3 - int(log10(abs(value))))}f}"
        else:
            yield name, f"{100 * value:.1f} %"


def _listed_scores(card: Card) -> str:
    """In one line, so without what the probabilities were fitted to."""
    scores = [f"{name} {text}" for name, text in _scores(card) if "." not in name]
    return ", ".join(scores) or "not scored"
