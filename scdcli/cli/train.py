"""``scd train``: a labelled set in, a model file out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scdcli.cli.options import (
    device_option,
    legend_option,
    output_option,
    quiet_option,
    seed_option,
    workers_option,
)
from scdcli.cli.terminal import Terminal

if TYPE_CHECKING:
    from scdcli.legend import Legend
    from scdcli.runfolder import EpochLog
    from scdcli.stages import Stage


def _ascending(
    ctx: click.Context, param: click.Parameter, pair: tuple[float, float]
) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise click.BadParameter(f"{pair[0]:g} {pair[1]:g}: give the lower value first.")
    return pair


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@output_option("RUN", "Folder of the run.", required=True)
@click.option("--network", default="asn", help="Network by name.")
@click.option("--blocks", default="residual", help="Basic blocks of the encoders.")
@click.option(
    "--width",
    type=click.FloatRange(0, 8, min_open=True),
    default=1.0,
    help="Multiplier of all channel counts.",
)
@click.option("--bands", type=click.IntRange(min=1), default=3, help="Bands of the images.")
@legend_option
@click.option("--epochs", type=click.IntRange(min=1), default=50)
@click.option(
    "--atl-epochs",
    type=click.IntRange(min=1),
    default=20,
    help="Of the second stage of asn-atl, which alone is trained with --init.",
)
@click.option("--batch", type=click.IntRange(min=1), default=4, help="Pairs per step.")
@click.option("--optimizer", default="sgd", metavar="sgd|adamw")
@click.option(
    "--lr",
    type=click.FloatRange(0, min_open=True),
    default=0.005,
    help="Initial learning rate (poly decay).",
)
@click.option("--momentum", type=click.FloatRange(0, 1, max_open=True), default=0.9, help="Of SGD.")
@click.option("--weight-decay", type=click.FloatRange(min=0), default=1e-4)
@click.option("--chip", type=click.IntRange(min=64), default=512, help="Side in pixels.")
@click.option(
    "--scale",
    type=(click.FloatRange(0.1, 10), click.FloatRange(0.1, 10)),
    default=(0.5, 2.0),
    callback=_ascending,
    help="Random scale, low high.",
)
@click.option("--flip/--no-flip", default=True, help="Random mirroring.")
@click.option("--swap-dates/--no-swap-dates", default=False, help="Randomly swap the dates.")
@click.option("--jitter", type=click.FloatRange(0, 2), default=0.0, help="Radiometric jitter.")
@click.option(
    "--ema",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    help="Decay of the moving average of weights, e.g. 0.999; 0 for none.",
)
@click.option(
    "--cover/--no-cover",
    default=None,
    show_default="where the set has cover1/ and cover2/",
    help="Train the classes on the land cover of every pixel, not only of changed ones.",
)
@click.option(
    "--class-weights",
    default="none",
    metavar="none|inverse|sqrt",
    help="Weigh labels in the loss by one over their frequency (inverse), or its root (sqrt).",
)
@click.option(
    "--atl-class-weights",
    default="inverse",
    metavar="none|inverse|sqrt",
    help="The same in the second stage of asn-atl.",
)
@click.option(
    "--val-share",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.05,
    help="Share of the training pairs held out to choose the best epoch, unless there is a val "
    "folder; 0 for none. The test split is never touched.",
)
@click.option(
    "--init",
    metavar="NAME|FILE",
    default=None,
    help="Start from the weights of a model of the same network, for example to go on with other "
    "data or settings; for asn-atl of the asn to revise, or of an asn-atl.",
)
@click.option("--half", is_flag=True, help="Store the model files in 16 bits: half the size.")
@click.option("--precision", default="auto", metavar="auto|fp32|bf16|fp16")
@click.option("--threads", type=click.IntRange(min=1), default=None, help="CPU threads.")
@click.option("--resume", is_flag=True, help="Continue the run in RUN after its last epoch.")
@seed_option
@device_option
@workers_option
@quiet_option
def train(dataset: Path, output: Path, quiet: bool, **options: Any) -> None:  # noqa: ANN401
    """Train a network on a labelled set.

    DATASET holds im1, im2, label1 and label2, in it or in train/ (and val/). The defaults are the
    paper's protocol. RUN gets best.safetensors, last.safetensors, log.csv and curves.png.

    \b
    scd train SECOND -o runs/asn
    scd train SECOND -o runs/asn --resume
    """
    from scdcli.runfolder import EpochLog
    from scdcli.stages import Stage, train_in_stages

    _refuse_options_of_the_first_stage(options)
    terminal = Terminal(quiet)
    arguments = _arguments(dataset, terminal, options)
    with terminal.progress("training", None) as bar:
        for event in train_in_stages(
            output, resume=options["resume"], half=options["half"], **arguments
        ):
            if isinstance(event, Stage):
                stage = event
            elif isinstance(event, EpochLog):
                terminal.note(_epoch_line(event, stage))
            else:
                label = f"{stage.network} epoch {event.epoch}, loss {event.loss:.3f}"
                bar.update(event.step, event.steps, label)
    click.echo(output / "best.safetensors")


def _refuse_options_of_the_first_stage(options: dict[str, Any]) -> None:
    """With a model to revise there is no first stage; an option of it is a mistake."""
    if options["network"] != "asn-atl" or options["init"] is None:
        return
    source = click.get_current_context().get_parameter_source
    for name in ("epochs", "class_weights"):
        if source(name) == click.core.ParameterSource.COMMANDLINE:
            option = name.replace("_", "-")
            raise click.UsageError(
                f"with --init, asn-atl is trained in its second stage only; give --atl-{option} "
                f"instead of --{option}."
            )


def _arguments(dataset: Path, terminal: Terminal, options: dict[str, Any]) -> dict[str, Any]:
    """What `scdcli.training.train` takes, from the options of the command."""
    from dataclasses import replace

    import torch

    from scdcli.augment import Augmentation
    from scdcli.checkpoint import load_model
    from scdcli.device import pick_device, pick_precision
    from scdcli.errors import DatasetError
    from scdcli.networks import NetworkSettings
    from scdcli.samples import find_samples, find_split, no_set, split_validation
    from scdcli.trainer import Hardware, TrainingSettings

    if options["threads"]:
        torch.set_num_threads(options["threads"])
    folder = find_split(dataset, "train")
    if folder is None:
        raise no_set(dataset)
    samples = find_samples(folder)
    val_folder = find_split(dataset, "val")
    if val_folder is not None:
        validation = find_samples(val_folder)
    else:
        samples, validation = split_validation(samples, options["val_share"], options["seed"])
    legend = _legend(samples[0].from_label, options["legend"])
    has_cover = all(sample.from_cover for sample in samples)
    cover = has_cover if options["cover"] is None else options["cover"]
    if cover and not has_cover:
        raise DatasetError(f"{folder} has no cover1 and cover2; leave --cover out.")
    device = pick_device(options["device"])
    hardware = Hardware(device, pick_precision(options["precision"], device), options["workers"])
    terminal.note(
        f"{len(samples)} training and {len(validation)} validation pairs of {dataset.name}; "
        f"classes learnt on {'every pixel' if cover else 'changed pixels'}; on {device}."
    )
    augmentation = Augmentation(
        **{key: options[key] for key in ("chip", "scale", "flip", "swap_dates", "jitter")}
    )
    protocol = (
        *("epochs", "batch", "optimizer", "lr", "momentum", "weight_decay", "ema", "seed"),
        "class_weights",
    )
    settings = TrainingSettings(
        **{key: options[key] for key in protocol}, cover=cover, augmentation=augmentation
    )
    return {
        "samples": samples,
        "validation": validation,
        "network": NetworkSettings(
            options["network"], options["blocks"], options["width"], options["bands"], len(legend)
        ),
        "legend": legend,
        "settings": settings,
        "second": replace(
            settings, epochs=options["atl_epochs"], class_weights=options["atl_class_weights"]
        ),
        "hardware": hardware,
        "start": load_model(options["init"]) if options["init"] else None,
        "data": dataset.name,
    }


def _legend(label: Path, name: str | None) -> "Legend":
    """The legend asked for, or the one that the labels carry or have the colors of."""
    from scdcli.errors import DatasetError
    from scdcli.labels import open_label
    from scdcli.legendfile import find_legend

    if name:
        return find_legend(name)
    with open_label(label) as opened:
        if opened.legend is None:
            raise DatasetError(
                f"{label} holds indices, and copies of one set differ in their order; say which "
                "classes they are with --legend, for example --legend second if 1 is water, "
                "2 n.v.g. surface, 3 low vegetation, 4 tree, 5 building and 6 playground."
            )
        return opened.legend


def _epoch_line(log: "EpochLog", stage: "Stage") -> str:
    parts = [f"{stage.network} epoch {log.epoch}/{stage.epochs}", f"loss {log.loss:.4f}"]
    scores = {"val loss": log.val_loss, "mIoU": log.miou, "SeK": log.sek_from_to}
    parts += [f"{name} {value:.4f}" for name, value in scores.items() if value is not None]
    return ", ".join([*parts, f"{log.steps_per_second:.2f} steps/s"])
