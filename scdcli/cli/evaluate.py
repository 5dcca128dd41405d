"""``scd evaluate``: labels and predictions in, scores out."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scdcli.cli.options import (
    json_option,
    legend_option,
    output_option,
    overwrite_option,
    quiet_option,
    running_options,
)
from scdcli.cli.predictor import make_predictor
from scdcli.cli.scoretable import show_scores
from scdcli.cli.terminal import Bar, Terminal

if TYPE_CHECKING:
    from scdcli.evaluation import Evaluation
    from scdcli.inference import Predictor
    from scdcli.labelsets import LabelSet
    from scdcli.legend import Legend
    from scdcli.mappairs import PairOfMaps


@click.command()
@click.argument("truth", type=click.Path(path_type=Path))
@click.option(
    "--pred",
    type=click.Path(path_type=Path),
    metavar="DIR",
    show_default=False,
    help="Predicted maps to score, matched by name; without it a model predicts them.",
)
@running_options
@legend_option
@output_option("FILE", "Write the JSON document to this file too.")
@overwrite_option
@json_option
@quiet_option
def evaluate(
    truth: Path,
    pred: Path | None,
    output: Path | None,
    **options: Any,  # noqa: ANN401
) -> None:
    """Score maps that exist, or predict a labelled set and score it.

    TRUTH and --pred are folders: label1 and label2 with class maps of equal names (PNG or
    GeoTIFF, colors or indices), a prediction (from.tif, to.tif), or a folder of predictions. Of a
    set with splits, test is used. 255 at either date leaves a pixel out.

    \b
    scd evaluate SECOND --pred maps
    scd evaluate SECOND --model runs/asn/best.safetensors --json
    """
    if pred and options["model"]:
        raise click.UsageError("--pred scores maps that exist and --model predicts: give one.")
    if output:
        _require_free(output, overwrite=options["overwrite"])
    terminal = Terminal(options["quiet"])
    predictor = None if pred else make_predictor(options, terminal)
    found = _evaluate(truth, pred, predictor, terminal, options["legend"])
    sides = {"truth": str(truth), "predictions": str(pred) if pred else None}
    sides |= {"model": None, "settings": None} if predictor is None else _described(predictor)
    document = json.dumps(sides | found.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
    if options["json"]:
        click.echo(document)
    else:
        show_scores(found)
    if output:
        _write(output, document)


def _described(predictor: "Predictor") -> dict[str, Any]:
    from scdcli.provenance import describe_model, describe_run

    return {"model": describe_model(predictor.loaded), "settings": describe_run(predictor)}


def _evaluate(
    truth_folder: Path,
    folder: Path | None,
    predictor: "Predictor | None",
    terminal: Terminal,
    legend_name: str | None,
) -> "Evaluation":
    from scdcli.evaluation import score_maps
    from scdcli.labelsets import find_predictions, find_truth
    from scdcli.legendfile import find_legend
    from scdcli.mappairs import files_legend, pairs_of_files

    given = find_legend(legend_name) if legend_name else None
    truth = find_truth(truth_folder)
    predictions = find_predictions(folder) if folder else None
    for side in (truth, predictions):
        if side and side.note:
            terminal.note(side.note)
    legend: Legend | None
    if predictor:
        legend, pairs = _predicted_pairs(truth, given, predictor)
    else:
        assert predictions is not None
        legend = given or files_legend(truth, predictions)
        pairs = pairs_of_files(truth, predictions, legend, overrule=given is not None)
    with terminal.progress("pairs", len(truth.maps)) as bar:
        found = score_maps(_shown(pairs, len(truth.maps), bar), legend)
    _note_choices(found, terminal)
    return found


def _predicted_pairs(
    truth: "LabelSet", given: "Legend | None", predictor: "Predictor"
) -> tuple["Legend", Iterator["PairOfMaps"]]:
    """The pairs of a labelled set with the maps that a model predicts for them."""
    from scdcli.errors import DatasetError
    from scdcli.inference import predict_windows
    from scdcli.mappairs import PredictedWindow, pairs_of_predictor
    from scdcli.pair import open_pair

    known = predictor.loaded.header.legend
    if given and len(given) != len(known):
        raise DatasetError(
            f"legend {given.name!r} has {len(given)} classes, but the model "
            f"{predictor.loaded.name} predicts {len(known)}; choose a model with the legend of the "
            "labels."
        )

    def predict(before: Path, after: Path) -> Iterator[PredictedWindow]:
        with open_pair(before, after) as pair:
            for window, decoded, _ in predict_windows(pair, predictor):
                yield window, decoded.from_class, decoded.to_class

    legend = given or known
    return legend, pairs_of_predictor(truth, predict, legend, overrule=given is not None)


def _note_choices(found: "Evaluation", terminal: Terminal) -> None:
    if found.legend is None:
        terminal.note(
            f"The maps carry no legend: K = {found.classes}, the largest index present. "
            "Name their classes with --legend."
        )
    if found.incomplete_pixels:
        terminal.note(
            f"{found.incomplete_pixels} pixels are predicted as changed at one date only: "
            "unchanged in the from-to scores, as given in the stacked scores."
        )


def _shown(pairs: Iterator["PairOfMaps"], total: int, bar: Bar) -> Iterator["PairOfMaps"]:
    """The pairs as they come, with the bar moved on after each."""
    for number, pair in enumerate(pairs, 1):
        yield pair
        bar.update(number, total)


def _require_free(path: Path, *, overwrite: bool) -> None:
    from scdcli.errors import OutputError

    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists; replace it with --overwrite, or name another file.")
    if path.is_dir() or not path.parent.is_dir():
        problem = (
            "is a folder" if path.is_dir() else f"cannot be written: {path.parent} is no folder"
        )
        raise OutputError(f"{path} {problem}; name a file.")


def _write(path: Path, document: str) -> None:
    """The document whole or not at all."""
    from scdcli.errors import OutputError

    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(document + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        partial.unlink(missing_ok=True)
