"""``scd train``: a labelled set in, a model file out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from scdcli.cli.options.shared import (
    Command,
    bands_option,
    device_option,
    fine_first,
    legend_option,
    output_option,
    quiet_option,
    seed_option,
    verbose_option,
    workers_option,
)
from scdcli.cli.protocol import preset_table, protocol, protocol_options
from scdcli.cli.sweeping import fitted_line
from scdcli.cli.terminal import Terminal

if TYPE_CHECKING:
    import torch

    from scdcli.legend import Legend
    from scdcli.models.checkpoint import LoadedModel
    from scdcli.models.networks import NetworkSettings
    from scdcli.training.distributed import Ranks
    from scdcli.training.runfolder import EpochLog
    from scdcli.training.stages import Stage

# What a model brings, unless the user gives it.
BROUGHT = ("network", "blocks", "width")

START = (
    click.option(
        "--init",
        metavar="NAME|FILE",
        default=None,
        help="Start from the weights of a model, which brings its network, blocks, width and "
        "normalization. Classes may be others: those of the same name are taken over, others start "
        "afresh. For asn-atl the asn to revise, or an asn-atl.",
    ),
    click.option(
        "--freeze",
        metavar="none|encoder",
        default="none",
        help="With --init: what stays as it is. With the encoder frozen fewer numbers are learnt "
        "from the labels, and a step takes less time.",
    ),
)


def start_options(command: Command) -> Command:
    """All options that say what a training starts from; `load_start` takes them."""
    for option in reversed(START):
        command = option(command)
    return command


def _whole_numbers(
    ctx: click.Context, param: click.Parameter, text: str | None
) -> tuple[int, ...] | None:
    if text is None:
        return None
    counts = [each.strip() for each in text.split(",")]
    if not all(each.isdecimal() and int(each) > 0 for each in counts):
        raise click.BadParameter(f"{text!r}: give whole numbers from 1, for example 3,1")
    return tuple(int(each) for each in counts)


DATA = (
    bands_option,
    legend_option,
    click.option(
        "--val-share",
        type=click.FloatRange(0, 1, max_open=True),
        default=0.05,
        help="Share of each set's training pairs held out to choose the best epoch, unless a set "
        "has a val folder or there is a split file; 0 for none. The test split is never touched.",
    ),
    click.option(
        "--split-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        default=None,
        show_default=False,
        help="Which pairs of the training folder train and which validate: a table with the "
        "columns name,split (train, val or test), or a name per line (these train, the others "
        "validate). Of several sets a name is SET/NAME.",
    ),
    click.option(
        "--repeat",
        metavar="N[,N...]",
        default=None,
        show_default="1 each",
        callback=_whole_numbers,
        help="How often the pairs of each DATASET come in an epoch, each time drawn differently.",
    ),
    click.option(
        "--chips-per-epoch",
        type=click.IntRange(min=1),
        default=None,
        show_default="area / chip²",
        help="Windows drawn from large scenes in an epoch, of all sets together.",
    ),
    click.option(
        "--pixel-size",
        type=(click.FloatRange(0, min_open=True), click.FloatRange(0, min_open=True)),
        default=None,
        show_default="as the images say",
        callback=fine_first,
        help="Finest and coarsest pixels in meters, of images without a georeference. The model "
        "then warns where it is given others.",
    ),
)


def data_options(command: Command) -> Command:
    """All options that say what is trained on."""
    for option in reversed(DATA):
        command = option(command)
    return command


def load_start(options: dict[str, Any]) -> "LoadedModel | None":
    """The model of ``--init``; what it brings goes into the options where the user gives nothing.

    Raises:
        ModelError: The user gives something else than the model is built with.
        UnknownName: No such model.
    """
    from scdcli.models.checkpoint import load_model
    from scdcli.models.networks import NetworkSettings
    from scdcli.training.startweights import require_fitting

    if not options["init"]:
        if options["freeze"] != "none":
            raise click.UsageError(
                f"--freeze {options['freeze']} keeps what is trained already; give a model with "
                "--init, or leave --freeze out."
            )
        return None
    start = load_model(options["init"])
    own = start.header.network
    # Weights go on with images as they know them.
    options["normalization"] = options["normalization"] or start.header.normalization
    source = click.get_current_context().get_parameter_source
    for option, value in zip(BROUGHT, (own.name, own.blocks, own.width), strict=True):
        if source(option) == ParameterSource.DEFAULT:
            options[option] = value
    name, blocks, width = (options[option] for option in BROUGHT)
    require_fitting(start, NetworkSettings(name, blocks, width, own.bands, own.classes))
    return start


def describe_start(
    start: "LoadedModel", network: "NetworkSettings", legend: "Legend", options: dict[str, Any]
) -> list[str]:
    """Lines that say what of a model is taken over, and what of it is trained.

    Raises:
        ModelError: The set has another number of bands than the model.
    """
    from dataclasses import replace

    from scdcli.training.finetuning import describe_classes, trained_parameters
    from scdcli.training.startweights import require_fitting

    require_fitting(start, replace(network, classes=start.header.network.classes))
    lines = [describe_classes(start, legend) or ""]
    known, wanted = start.header.normalization, options["normalization"]
    if wanted != known:
        lines.append(
            f"{start.name} was trained with --normalization {known} and goes on with {wanted}."
        )
    if options["freeze"] != "none":
        trained, every = trained_parameters(network, options["freeze"])
        lines.append(
            f"{trained / 1e6:.2f} M of {every / 1e6:.2f} M parameters are trained; the "
            f"{options['freeze']} stays as it is."
        )
    return [line for line in lines if line]


@click.command(epilog=preset_table())
@click.argument(
    "datasets", metavar="DATASET...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@output_option("RUN", "Folder of the run.", required=True)
@protocol_options
@data_options
@start_options
@click.option(
    "--calibrate/--no-calibrate",
    default=True,
    help="In the end fit the temperature and the threshold of both models to the validation pairs; "
    "without them, or with --no-calibrate, the threshold is 0.5.",
)
@click.option("--half", is_flag=True, help="Store the model files in 16 bits: half the size.")
@click.option("--precision", default="auto", metavar="auto|fp32|bf16|fp16")
@click.option("--threads", type=click.IntRange(min=1), default=None, help="CPU threads.")
@click.option(
    "--deterministic",
    is_flag=True,
    help="Use only algorithms that give the same bits every time; slower on a GPU.",
)
@click.option("--resume", is_flag=True, help="Continue the run in RUN after its last epoch.")
@seed_option
@device_option
@workers_option
@quiet_option
@verbose_option
def train(datasets: tuple[Path, ...], output: Path, quiet: bool, **options: Any) -> None:  # noqa: ANN401
    """Train a network on a labelled set, or on several together.

    DATASET holds im1, im2, label1 and label2, or large scenes, in it or in train/ (and val/);
    scd check DATASET says what is in it and what is wrong with it. Several sets have the same
    classes and as many bands. The defaults are the paper's protocol. RUN gets best.safetensors,
    last.safetensors, log.csv and curves.png.

    \b
    scd train SECOND -o runs/asn
    scd train SECOND -o runs/asn --resume
    scd train mine drawn unchanged --repeat 3,1,1 -o runs/mixed
    """
    import torch

    from scdcli.errors import ScdError
    from scdcli.models.device import deterministic
    from scdcli.training.distributed import connected, launched, pick_shared_device

    if options["threads"]:
        torch.set_num_threads(options["threads"])
    ranks = launched()
    terminal = Terminal(quiet or not ranks.first)
    speaks = ranks.local == 0  # until the processes are connected, one on each machine
    try:
        device = pick_shared_device(options["device"], ranks)
        with connected(ranks, device), deterministic(options["deterministic"]):
            speaks = ranks.first
            with ranks.together():
                arguments = _arguments(datasets, output, options, terminal, ranks, device)
            _run(output, terminal, options, arguments)
    except ScdError:
        if speaks:
            raise
        click.get_current_context().exit(1)
    if ranks.first:
        click.echo(output / "best.safetensors")


def _run(
    output: Path, terminal: Terminal, options: dict[str, Any], arguments: dict[str, Any]
) -> None:
    """Train, and show how it goes."""
    from scdcli.training.confidence import ModelFitted
    from scdcli.training.runfolder import EpochLog
    from scdcli.training.stages import Stage, train_in_stages

    with terminal.progress("training", None) as bar:
        for event in train_in_stages(
            output,
            resume=options["resume"],
            half=options["half"],
            calibrate=options["calibrate"],
            **arguments,
        ):
            if isinstance(event, Stage):
                stage = event
            elif isinstance(event, EpochLog):
                terminal.note(_epoch_line(event, stage))
            elif isinstance(event, ModelFitted):
                terminal.note(fitted_line(event.fitted, event.path))
            else:
                label = f"{stage.network} epoch {event.epoch}, loss {event.loss:.3f}"
                bar.update(event.step, event.steps, label)


def _arguments(
    datasets: tuple[Path, ...],
    output: Path,
    options: dict[str, Any],
    terminal: Terminal,
    ranks: "Ranks",
    device: "torch.device",
) -> dict[str, Any]:
    """What `scdcli.training.stages.train_in_stages` takes, from the options of the command."""
    from dataclasses import replace

    from scdcli.models.device import pick_precision
    from scdcli.models.networks import NetworkSettings
    from scdcli.training.data import describe, training_set
    from scdcli.training.runfolder import refuse_run
    from scdcli.training.stages import require_names
    from scdcli.training.trainer import Hardware

    # What is mistyped is said before a large set is looked through.
    start = load_start(options)
    protocols = protocol(options)
    network = NetworkSettings(options["network"], options["blocks"], options["width"])
    require_names(network, *protocols)
    precision = pick_precision(options["precision"], device)
    if not options["resume"]:
        refuse_run(output)
    count = start.header.network.bands if start else None
    repeat = _repeats(options["repeat"], len(datasets))
    data = training_set(
        datasets, options, repeat, terminal.note, terminal.watch, look=ranks.first, count=count
    )
    where = f"on {device}{'' if ranks.alone else f' in {ranks.count} processes'}"
    for line in describe(data, where):
        terminal.note(line)
    network = replace(network, bands=len(data.bands), classes=len(data.legend))
    for line in describe_start(start, network, data.legend, options) if start else ():
        terminal.note(line)
    settings, second = (replace(each, cover=data.cover) for each in protocols)
    return {
        "samples": data.samples,
        "validation": data.validation,
        "network": network,
        "legend": data.legend,
        "settings": settings,
        "second": second,
        "hardware": Hardware(device, precision, options["workers"], ranks),
        "start": start,
        "data": ", ".join(data.names),
        "pixel_size": data.pixel_size,
        "sets": data.sets,
    }


def _repeats(asked: tuple[int, ...] | None, sets: int) -> tuple[int, ...]:
    often = asked or (1,) * sets
    if len(often) != sets:
        raise click.UsageError(
            f"--repeat has {len(often)} {'number' if len(often) == 1 else 'numbers'} for {sets} "
            f"{'set' if sets == 1 else 'sets'}; give one for each, in the order of the sets."
        )
    return often


def _epoch_line(log: "EpochLog", stage: "Stage") -> str:
    parts = [f"{stage.network} epoch {log.epoch}/{stage.epochs}", f"loss {log.loss:.4f}"]
    scores = {"val loss": log.val_loss, "mIoU": log.miou, "SeK": log.sek_from_to}
    scores["land cover mIoU"] = log.landcover_miou
    parts += [f"{name} {value:.4f}" for name, value in scores.items() if value is not None]
    return ", ".join([*parts, f"{log.steps_per_second:.2f} steps/s"])
