"""``scd evaluate``: labels and predictions in, scores out."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scdcli.cli.options.model import make_predictor
from scdcli.cli.options.pair import normalize_option
from scdcli.cli.options.shared import (
    Command,
    bands_option,
    batch_option,
    chip_option,
    device_option,
    json_option,
    legend_option,
    output_option,
    overlap_option,
    overwrite_option,
    precision_option,
    quiet_option,
    seed_option,
    threshold_option,
    verbose_option,
)
from scdcli.cli.sweeping import find_sweeping, sweep_options
from scdcli.cli.tables.scores import show_scores
from scdcli.cli.terminal import Terminal

if TYPE_CHECKING:
    from scdcli.legend import Legend
    from scdcli.prediction.chain import Predictor
    from scdcli.scoring.comparison import Bootstrap, Run
    from scdcli.scoring.figures.panels import Panels
    from scdcli.scoring.mapsets import LabelSet
    from scdcli.scoring.systems import System

# Options that say how a model runs; maps that exist do without.
RUNNING = (
    *("tta", "threshold", "chip", "overlap", "batch", "precision", "device", "bands"),
    "normalize",
)
TABLES = ("matrix", "per_pair")


def _file_option(name: str, metavar: str, help: str) -> Callable[[Command], Command]:
    kind = click.Path(path_type=Path)
    return click.option(
        name, type=kind, metavar=metavar, default=None, show_default=False, help=help
    )


@click.command()
@click.argument("truth", type=click.Path(path_type=Path))
@click.option(
    "-m",
    "--model",
    # A path: then the environment's list is split as PATH is, not at spaces.
    type=click.Path(),
    metavar="NAME|FILE",
    multiple=True,
    show_default=False,
    help="A model to score, bundled or a file; may be given several times. Without it and without "
    "--pred the bundled default.",
)
@click.option(
    "--pred",
    type=click.Path(path_type=Path),
    metavar="DIR",
    multiple=True,
    show_default=False,
    help="Predicted maps to score, matched by name; may be given several times.",
)
@click.option(
    "--tta",
    default="auto",
    metavar="auto|none|flip|ms|ms+flip",
    help="Test-time augmentation of the models: average over mirrored copies (flip) and six "
    "scales (ms); auto is none on a CPU and ms+flip on a GPU. Several with commas between, for "
    "example none,ms,ms+flip.",
)
@threshold_option
@chip_option
@overlap_option
@batch_option
@precision_option
@device_option
@bands_option
@normalize_option
@legend_option
@output_option("FILE", "Write all scores to a .json file, or a row per system to a .csv file.")
@_file_option("--matrix", "FILE.csv", "Write the SeK of every transition, a row per class before.")
@_file_option("--per-pair", "FILE.csv", "Write a row of scores for every pair.")
@click.option(
    "--bootstrap",
    type=click.IntRange(min=100),
    metavar="N",
    default=None,
    show_default=False,
    help="Draw the pairs N times with replacement: 95 % intervals of the scores, and of the "
    "differences to the first system.",
)
@seed_option
@sweep_options
@_file_option("--panels", "DIR", "Draw images, truth and predictions of some pairs side by side.")
@click.option(
    "--panel-pairs",
    metavar="NAME,NAME",
    default=None,
    show_default="the first 4",
    help="The pairs to draw.",
)
@overwrite_option
@json_option
@quiet_option
@verbose_option
def evaluate(
    truth: Path,
    model: tuple[str, ...],
    pred: tuple[Path, ...],
    **options: Any,  # noqa: ANN401
) -> None:
    """Score maps that exist, or predict a labelled set and score it.

    TRUTH and --pred are folders: label1 and label2 with class maps of equal names (PNG or
    GeoTIFF, colors or indices), a prediction (from.tif, to.tif), or a folder of predictions; TRUTH
    also scenes as scd train takes them, with polygons too. Of a set with splits, test is used. 255
    at either date leaves a pixel out. Several systems come in one table: models first, then
    folders.

    \b
    scd evaluate SECOND --pred maps
    scd evaluate SECOND --model runs/asn/best.safetensors --json
    scd evaluate SECOND -m runs/fc/best.safetensors -m runs/asn/best.safetensors --tta none,ms
    """
    from scdcli.datasets.legendfile import find_legend
    from scdcli.scoring.comparison import bootstrap
    from scdcli.scoring.mapsets import find_truth
    from scdcli.scoring.run import Scoring
    from scdcli.scoring.systems import shared_legend

    _require_usable(options)
    terminal = Terminal(options["quiet"])
    given = find_legend(options["legend"]) if options["legend"] else None
    labels = find_truth(truth)
    systems = _find_systems(model, pred, options, labels)
    sweeping = find_sweeping(model, systems, options)
    for side in (labels, *(system.maps for system in systems)):
        if side and side.note:
            terminal.note(side.note)
    legend = shared_legend(systems, labels, given)
    panels = _choose_panels(labels, legend, len(systems), options)
    sweeps = sweeping.sweeps if sweeping else None
    scoring = Scoring(
        labels, legend, given is not None, panels, terminal.note, terminal.watch, sweeps
    )
    runs = scoring.score(systems)
    resamples = options["bootstrap"]
    resampled = bootstrap(runs, resamples, options["seed"]) if resamples else None
    _report(str(truth), runs, resampled, options)
    if sweeping:
        sweeping.write(terminal)
    if panels:
        _draw(panels, options, terminal)


def _find_systems(
    models: Sequence[str], folders: Sequence[Path], options: dict[str, Any], truth: "LabelSet"
) -> "list[System]":
    """The systems that are named; the default model if there are none."""
    from scdcli.scoring.systems import find_systems

    if folders and not models:
        _refuse_running_options()
    if not folders and not models:
        from scdcli.models.checkpoint import DEFAULT_MODEL  # imports torch

        models = (DEFAULT_MODEL,)
    return find_systems(
        models,
        folders,
        truth,
        lambda name: _predictors(name, options),
        bands=options["bands"] or None,
        normalize=options["normalize"],
    )


def _refuse_running_options() -> None:
    """Without a model they are a mistake; in a configuration they may serve other runs."""
    source = click.get_current_context().get_parameter_source
    for name in RUNNING:
        if source(name) == click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(
                f"--{name} says how a model runs, but only maps that exist are scored; "
                f"name a model with --model, or leave --{name} out."
            )


def _predictors(model: str, options: dict[str, Any]) -> list["Predictor"]:
    """One per test-time augmentation; the model is loaded once."""
    from scdcli.prediction.tta import find_tta

    names = [name.strip() for name in options["tta"].split(",")]
    first = make_predictor(options | {"model": model, "tta": names[0]}, Terminal(quiet=True))
    gpu = first.device.type == "cuda"
    chosen = dict.fromkeys(find_tta(name, gpu=gpu) for name in names)
    return [replace(first, tta=tta) for tta in chosen]


def _require_usable(options: dict[str, Any]) -> None:
    """Refuse what could not be written at the end."""
    from scdcli.errors import OutputError
    from scdcli.scoring.scorefiles import SCORE_SUFFIXES, TABLE_SUFFIXES, require_writable

    if options["panel_pairs"] and not options["panels"]:
        raise click.UsageError("--panel-pairs chooses pairs to draw: say where with --panels DIR.")
    tables = [options[name] for name in TABLES if options[name]]
    scores = [options["output"]] if options["output"] else []
    require_writable(scores, SCORE_SUFFIXES, overwrite=options["overwrite"])
    require_writable(tables, TABLE_SUFFIXES, overwrite=options["overwrite"])
    files = [path.resolve() for path in (*scores, *tables)]
    for path in files:
        if files.count(path) > 1:
            raise OutputError(f"{path} is named for two outputs; give each its own file.")


def _choose_panels(
    truth: "LabelSet", legend: "Legend | None", systems: int, options: dict[str, Any]
) -> "Panels | None":
    from scdcli.scoring.figures.panels import Panels, choose_pairs, panel_files, picture_side

    if not options["panels"]:
        return None
    names = [name.strip() for name in (options["panel_pairs"] or "").split(",")]
    chosen = choose_pairs(truth, [name for name in names if name])
    panel_files(options["panels"], chosen, overwrite=options["overwrite"])
    return Panels(chosen, legend, picture_side(systems))


def _report(
    truth: str, runs: list["Run"], resampled: "Bootstrap | None", options: dict[str, Any]
) -> None:
    """Tables or the document on stdout, and the files that were asked for."""
    from scdcli.scoring.scorefiles import (
        document,
        dumps,
        matrix_rows,
        pair_rows,
        write_scores,
        write_table,
    )

    whole = document(truth, runs, resampled)
    if options["json"]:
        click.echo(dumps(whole))
    else:
        show_scores(runs, resampled)
    if options["output"]:
        write_scores(options["output"], whole, runs, resampled)
    for name, rows in (("matrix", matrix_rows), ("per_pair", pair_rows)):
        if options[name]:
            write_table(options[name], rows(runs))


def _draw(panels: "Panels", options: dict[str, Any], terminal: Terminal) -> None:
    from scdcli.scoring.figures.panels import panel_files
    from scdcli.scoring.scorefiles import write_bytes

    files = panel_files(options["panels"], panels.truth, overwrite=True)
    with terminal.progress("panels", len(files)) as bar:
        for number, (name, path) in enumerate(files.items(), 1):
            write_bytes(path, panels.draw(name))
            bar.update(number, len(files))
