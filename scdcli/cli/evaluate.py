"""``scd evaluate``: labels and predictions in, scores out."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scdcli.cli.options.pair import normalize_option
from scdcli.cli.options.shared import (
    INFERENCE_OPTIONS,
    CommaList,
    Command,
    bands_option,
    binary_option,
    complete_model,
    gathered,
    grouped,
    json_option,
    legend_option,
    output_option,
    overwrite_option,
    quiet_and_verbose,
    refuse_legend_of_masks,
    seed_option,
    tta_option,
)
from scdcli.cli.sweeping import SweepFiles, find_sweeping, sweep_options
from scdcli.cli.terminal import Terminal
from scdcli.prediction.settings import InferenceSettings

if TYPE_CHECKING:
    from scdcli.scoring.comparison import Bootstrap, Run
    from scdcli.scoring.figures.panels import Panels
    from scdcli.scoring.run import Scoring

# Options that say how a model runs; maps that exist do without.
RUNNING = (*(each.name for each in fields(InferenceSettings)), "bands", "normalize")
RUNNING_OPTIONS = tuple(option for option in INFERENCE_OPTIONS if option is not tta_option)
NOTHING_KEPT = (
    "Nothing is kept: scores are written when all pairs are scored. Maps are kept pair by pair by "
    "scd predict --pairs, and evaluate --pred scores them."
)


@dataclass(frozen=True)
class ScoreFiles:
    """Where scores are written; None for what is not asked for.

    Attributes:
        output: All scores, .json or .csv.
        matrix: The SeK of every transition, .csv.
        per_pair: A row for every pair, .csv.
        plots: Folder of pictures of the scores.
        panels: Folder of pictures of pairs.
        panel_pairs: The pairs that are drawn; None for the first ones.
        overwrite: Replace files that exist.
    """

    output: Path | None
    matrix: Path | None
    per_pair: Path | None
    plots: Path | None
    panels: Path | None
    panel_pairs: tuple[str, ...] | None
    overwrite: bool


def _file_option(name: str, metavar: str, help: str) -> Callable[[Command], Command]:
    kind = click.Path(path_type=Path)
    return click.option(name, type=kind, metavar=metavar, help=help)


@click.command()
@click.argument("truth", type=click.Path(path_type=Path))
@click.option(
    "-m",
    "--model",
    # A path: then the environment's list is split as PATH is, not at spaces.
    type=click.Path(),
    shell_complete=complete_model,
    metavar="NAME|FILE",
    multiple=True,
    help="A model to score, bundled or a file; may be given several times. Without it and without "
    "--pred the bundled default.",
)
@click.option(
    "--pred",
    type=click.Path(path_type=Path),
    metavar="DIR",
    multiple=True,
    help="Predicted maps to score, matched by name; may be given several times.",
)
@click.option(
    "--tta",
    type=CommaList(str, "names with commas between"),
    default=InferenceSettings.tta,
    metavar="auto|none|flip|ms|ms+flip|adaptive",
    help="Test-time augmentation of the models: average over mirrored copies (flip) and six "
    "scales (ms); adaptive is ms+flip where one look sees change, and none elsewhere; auto is none "
    "on a CPU and ms+flip on a GPU. Several with commas between, for example none,ms,ms+flip.",
)
@grouped("inference", InferenceSettings, RUNNING_OPTIONS)
@bands_option
@normalize_option
@legend_option
@binary_option
@output_option("FILE", "Write all scores to a .json file, or a row per system to a .csv file.")
@_file_option("--matrix", "FILE.csv", "Write the SeK of every transition, a row per class before.")
@_file_option("--per-pair", "FILE.csv", "Write a row of scores for every pair.")
@click.option(
    "--bootstrap",
    type=click.IntRange(min=100),
    metavar="N",
    help="Draw the pairs N times with replacement: 95 % intervals of the scores, and of the "
    "differences to the first system.",
)
@seed_option
@sweep_options
@_file_option(
    "--plots",
    "DIR",
    "Draw the scores: confusion.png, categorical_sek.png, class_iou.png, and of models "
    "reliability.png: how often change is labelled by its probability.",
)
@_file_option("--panels", "DIR", "Draw images, truth and predictions of some pairs side by side.")
@click.option(
    "--panel-pairs",
    type=CommaList(str, "names with commas between"),
    metavar="NAME,NAME",
    show_default="the first 4",
    help="The pairs to draw.",
)
@overwrite_option
@json_option
@quiet_and_verbose
@gathered("files", ScoreFiles, [each.name for each in fields(ScoreFiles)])
def evaluate(
    truth: Path,
    model: tuple[str, ...],
    pred: tuple[Path, ...],
    tta: tuple[str, ...],
    inference: InferenceSettings,
    bands: tuple[int | str, ...] | None,
    normalize: str,
    legend: str | None,
    binary: bool,
    bootstrap: int | None,
    seed: int,
    sweep: Path | None,
    calibrate: Path | None,
    json: bool,
    quiet: bool,
    files: ScoreFiles,
) -> None:
    """Score maps that exist, or predict a labelled set and score it.

    TRUTH and --pred are folders: label1 and label2 with class maps of equal names (PNG or
    GeoTIFF, colors or indices), a prediction (from.tif, to.tif), or a folder of predictions; TRUTH
    also scenes as scd train takes them, with polygons too, and sets with masks of change, of which
    change alone is scored. Of a set with splits, test is used. 255 at either date leaves a pixel
    out. Several systems come in one table: models first, then folders.

    \b
    scd evaluate SECOND --pred maps
    scd evaluate SECOND --model runs/asn/best.safetensors --json
    scd evaluate SECOND -m fc.safetensors -m asn.safetensors --tta none,ms
    """
    from scdcli.datasets.legendfile import find_legend
    from scdcli.scoring.comparison import bootstrap as resample
    from scdcli.scoring.job import EvaluationJob

    _require_usable(files)
    refuse_legend_of_masks(legend, binary=binary)
    if pred and not model:
        _refuse_running_options()
    terminal = Terminal(quiet)
    given = find_legend(legend) if legend else None
    job = EvaluationJob(truth, model, pred, given, tta, inference, bands, normalize, binary)
    scoring = job.prepare(terminal.note, terminal.watch)
    asked = SweepFiles(sweep, calibrate, files.overwrite)
    sweeping = find_sweeping(job.names, scoring.systems, asked, inference.threshold)
    drawn = _choose_panels(scoring, files)
    sweeps = sweeping.sweeps if sweeping else None
    scoring = replace(scoring, panels=drawn, sweeps=sweeps)
    with terminal.when_stopped(lambda: NOTHING_KEPT):
        runs = scoring.score()
    resampled = resample(runs, bootstrap, seed) if bootstrap else None
    if runs[0].evaluation.labelled_like_masks:
        terminal.note(
            f"No pixel of {truth} is labelled as changed, and some are nodata, as which 255 "
            "counts. Are these masks of change (0 and 255)? Give --binary to score them."
        )
    _report(str(truth), runs, resampled, files, as_json=json)
    if sweeping:
        sweeping.write(terminal)
    if drawn:
        _draw(drawn, files, terminal)


def _refuse_running_options() -> None:
    """Without a model they are a mistake; in a configuration they may serve other runs."""
    source = click.get_current_context().get_parameter_source
    for name in RUNNING:
        if source(name) == click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(
                f"--{name} says how a model runs, but only maps that exist are scored; "
                f"name a model with --model, or leave --{name} out."
            )


def _require_usable(files: ScoreFiles) -> None:
    """Refuse what could not be written at the end."""
    from scdcli.errors import OutputError
    from scdcli.scoring.scorefiles import SCORE_SUFFIXES, TABLE_SUFFIXES, require_writable

    if files.panel_pairs and not files.panels:
        raise click.UsageError("--panel-pairs chooses pairs to draw: say where with --panels DIR.")
    if files.plots:
        from scdcli.scoring.figures.scorefigures import plot_files

        plot_files(files.plots, overwrite=files.overwrite)
    tables = [path for path in (files.matrix, files.per_pair) if path]
    scores = [files.output] if files.output else []
    require_writable(scores, SCORE_SUFFIXES, overwrite=files.overwrite)
    require_writable(tables, TABLE_SUFFIXES, overwrite=files.overwrite)
    resolved = [path.resolve() for path in (*scores, *tables)]
    for path in resolved:
        if resolved.count(path) > 1:
            raise OutputError(f"{path} is named for two outputs; give each its own file.")


def _choose_panels(scoring: "Scoring", files: ScoreFiles) -> "Panels | None":
    if not files.panels:
        return None
    from scdcli.scoring.figures.panels import Panels, choose_pairs, panel_files, picture_side

    chosen = choose_pairs(scoring.truth, list(files.panel_pairs or ()))
    panel_files(files.panels, chosen, overwrite=files.overwrite)
    return Panels(chosen, scoring.legend, picture_side(len(scoring.systems)))


def _report(
    truth: str,
    runs: list["Run"],
    resampled: "Bootstrap | None",
    files: ScoreFiles,
    *,
    as_json: bool,
) -> None:
    """Tables or the document on stdout, and the files that were asked for."""
    from scdcli.cli.tables.scores import show_scores
    from scdcli.files.whole import write_csv
    from scdcli.scoring.scorefiles import document, dumps, matrix_rows, pair_rows, write_scores

    whole = document(truth, runs, resampled)
    if as_json:
        click.echo(dumps(whole))
    else:
        show_scores(runs, resampled)
    if files.output:
        write_scores(files.output, whole, runs, resampled)
    if files.matrix:
        write_csv(files.matrix, matrix_rows(runs))
    if files.per_pair:
        write_csv(files.per_pair, pair_rows(runs))
    if files.plots:
        from scdcli.scoring.figures.scorefigures import write_plots

        write_plots(files.plots, runs)


def _draw(panels: "Panels", files: ScoreFiles, terminal: Terminal) -> None:
    from scdcli.files.whole import write_whole
    from scdcli.scoring.figures.panels import panel_files

    assert files.panels is not None
    pictures = panel_files(files.panels, panels.truth, overwrite=True)
    with terminal.progress("panels", len(pictures)) as bar:
        for number, (name, path) in enumerate(pictures.items(), 1):
            write_whole(path, panels.draw(name))
            bar.update(number, len(pictures))
