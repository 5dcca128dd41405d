"""``scd predict``: two images in, a folder of maps, polygons and tables out; or a table of such."""

from collections.abc import Iterator
from contextlib import contextmanager
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scdcli.cli.batch import SOME_FAILED, Shard, batch_options, open_batch, open_folders, run_batch
from scdcli.cli.onepair import (
    output_folder,
    predict_pair,
    require_readable_images,
    require_usable_output,
)
from scdcli.cli.options.output import require_zone_file, writing_options
from scdcli.cli.options.pair import pair_options
from scdcli.cli.options.shared import (
    inference_options,
    json_option,
    model_option,
    output_option,
    quiet_and_verbose,
)
from scdcli.cli.terminal import WIDE, Terminal, open_console, shown_hectares, shown_percent
from scdcli.prediction.settings import InferenceSettings, OutputSettings, PredictionJob
from scdcli.rasters.pair.settings import PairSettings

SHOWN_TRANSITIONS = 10

if TYPE_CHECKING:
    from scdcli.prediction.chain import Predictor
    from scdcli.prediction.cluster import Cluster


@click.command()
@click.argument("images", nargs=-1, metavar="[BEFORE AFTER]")
@output_option("DIR", "Folder of the result; <before>__<after> if not given.")
@batch_options
@model_option
@inference_options
@pair_options
@writing_options
@click.option(
    "--scheduler",
    metavar="WHERE",
    help="Predict with the workers of a Dask scheduler: its address as tcp://HOST:8786, its file, "
    "or local:N for N processes on this machine. Wants scdcli[dask]; all machines must see the "
    "images under the same path.",
)
@click.option(
    "--profile",
    is_flag=True,
    help="Also show seconds and million pixels a second of each stage: read, network, blend, "
    "clean, write, polygons; the first five work side by side. summary.json has them in any case.",
)
@json_option
@quiet_and_verbose
def predict(
    images: tuple[str, ...],
    output: Path | None,
    pairs: Path | None,
    shard: Shard,
    model: str,
    inference: InferenceSettings,
    pair: PairSettings,
    coregister: bool,
    writing: OutputSettings,
    scheduler: str | None,
    profile: bool,
    json: bool,
    quiet: bool,
) -> None:
    """Map what changed between two images of one place.

    AFTER is brought onto the grid of BEFORE when they differ. DIR gets from.tif, to.tif,
    transition.tif, probability.tif, changes.gpkg, transitions.csv, summary.json, a QGIS project
    changes.qgz, preview.png, and report.html, the page to look at first.

    With --pairs one model maps many pairs, and DIR also gets index.html, changes.gpkg and
    transitions.csv of all together. A pair that fails stops no other; the exit status is then 3.
    With --json every pair is a line of JSON as soon as it is done.

    \b
    scd predict before.tif after.tif
    scd predict 2009.tif 2018.tif -o changes --bands 1,2,3 --vector gpkg,geojson
    scd predict --pairs pairs.csv -o maps --resume
    scd predict --pairs 2009 2018 -o maps
    """
    _require_one_kind(images, pairs, shard)
    terminal = Terminal(quiet, stages=profile)
    job = PredictionJob(model, inference, pair, coregister, writing)
    if pairs is None:
        before, after = images
        out = output or output_folder(before, after)
        _predict_one(before, after, out, job, scheduler, terminal, json)
        return
    if images:
        batch = open_folders(pairs, Path(images[0]), output, shard, terminal)
    else:
        batch = open_batch(pairs, output, shard, terminal)
    with _workers(scheduler, terminal) as cluster:
        failed = run_batch(batch, _predictor(job, terminal), job, terminal, cluster, as_json=json)
    if failed:
        click.get_current_context().exit(SOME_FAILED)


@contextmanager
def _workers(scheduler: str | None, terminal: Terminal) -> "Iterator[Cluster | None]":
    """The workers of a scheduler, if there is to be one."""
    if scheduler is None:
        yield None
        return
    from scdcli.prediction.cluster import open_cluster

    with open_cluster(scheduler) as cluster:
        terminal.note(f"The workers of {scheduler} predict; this process writes.")
        yield cluster


def _require_one_kind(images: tuple[str, ...], table: Path | None, shard: Shard) -> None:
    """Refuse a call that gives neither two images nor a table or two folders, or both."""
    if table is not None and images and not (len(images) == 1 and table.is_dir()):
        raise click.UsageError("Give BEFORE and AFTER or --pairs, not both.")
    if table is not None and table.is_dir() and not images:
        raise click.UsageError(
            f"{table} is a folder: give a second one with the later images, --pairs {table} AFTERS."
        )
    if table is None and len(images) != 2:
        raise click.UsageError(
            f"Give BEFORE and AFTER ({len(images)} of 2 images given), or --pairs with a table."
        )
    if table is None and shard.total > 1:
        raise click.UsageError("--shard takes a part of a table; give one with --pairs.")


def _predict_one(
    before: str,
    after: str,
    out: Path,
    job: PredictionJob,
    scheduler: str | None,
    terminal: Terminal,
    as_json: bool,
) -> None:
    require_usable_output(out, before, after, job)
    require_readable_images(before, after, job)
    with _workers(scheduler, terminal) as cluster:
        predictor = _predictor(job, terminal)
        summary = predict_pair(before, after, out, predictor, job, terminal, cluster)
    if not terminal.quiet and not as_json:
        show_summary(summary)
        _say_what_to_open(out, terminal)
    click.echo(dumps(summary, ensure_ascii=False) if as_json else out)


def _predictor(job: PredictionJob, terminal: Terminal) -> "Predictor":
    """The model, once the options are such that it can be of use."""
    from scdcli.polygons.files.vector import require_formats
    from scdcli.prediction.predict import require_classes
    from scdcli.prediction.predictor import make_predictor

    require_formats(job.output.formats)
    require_zone_file(job.output.zones, job.output.zone_names)
    if not job.output.formats and job.output.simplify:
        terminal.note("--simplify is for polygons, of which --vector none has none.")
    predictor = make_predictor(job.model, job.inference, note=terminal.note)
    require_classes(predictor, job.output)
    if job.output.land_cover and not predictor.loaded.header.land_cover:
        terminal.note(
            f"The model {predictor.loaded.name} has learnt classes on changed pixels only: its "
            "land cover elsewhere is a guess."
        )
    return predictor


def _say_what_to_open(out: Path, terminal: Terminal) -> None:
    """Where to look first, of what was written."""
    from scdcli.reporting.page import REPORT

    page, project = out / REPORT, out / "changes.qgz"
    if page.is_file():
        terminal.note(f"Look at {page} in a browser first.")
    if project.is_file():
        terminal.note(
            f"{project} opens in QGIS with images, maps and polygons; transitions.csv has all "
            "areas."
        )


def show_summary(summary: dict[str, Any]) -> None:
    """The largest transitions as a table on stderr, and the others as one line."""
    from rich.table import Table

    from scdcli.legend import Legend

    unit = "hectares" if summary["valid"]["hectares"] is not None else "pixels"
    console = open_console(stderr=True)
    table = Table(box=None, header_style="bold")
    # Names would be broken in two columns that are narrower than they are.
    wide = console.width >= WIDE
    for name in ("from", "to") if wide else ("from → to",):
        table.add_column(name, overflow="fold")
    for name in (unit, "% of area" if wide else "%"):
        table.add_column(name, justify="right", no_wrap=True)

    def named(first: str, second: str = "") -> tuple[str, ...]:
        return (first, second) if wide else (f"{first} → {second}" if second else first,)

    def cells(extent: dict[str, Any]) -> tuple[str, str]:
        amount = extent[unit]
        shown = shown_hectares(amount) if unit == "hectares" else f"{amount:,}"
        return shown, "" if extent["percent"] is None else shown_percent(extent["percent"])

    legend = Legend.from_dict(summary["model"]["legend"])
    # Of change alone the sum says it all.
    listed = [] if legend.change_only else summary["transitions"]
    ordered = sorted(listed, key=lambda row: -row["pixels"])
    # One line for one other transition would say less than that transition.
    shown = ordered if len(ordered) == SHOWN_TRANSITIONS + 1 else ordered[:SHOWN_TRANSITIONS]
    for row in shown:
        table.add_row(*named(row["from_name"], row["to_name"]), *cells(row))
    others = ordered[len(shown) :]
    if others:
        rest = {name: sum(row[name] for row in others) for name in (unit, "percent")}
        table.add_row(*named(f"{len(others)} others"), *cells(rest))
    for name in ("changed", "unchanged"):
        table.add_row(*named(name), *cells(summary[name]), style="bold")
    console.print(table)
