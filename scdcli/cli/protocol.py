"""What is trained and how: options of ``scd train``, and the settings they stand for."""

from dataclasses import fields, replace
from typing import Any, NamedTuple

import click
from click.core import ParameterSource

from scdcli.cli.options.shared import grouped
from scdcli.datasets.augmentation import Augmentation
from scdcli.training.presets import preset, preset_rows
from scdcli.training.settings import SECOND_STAGE, TrainingSettings


def _ascending(
    ctx: click.Context, param: click.Parameter, pair: tuple[float, float]
) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise click.BadParameter(f"{pair[0]:g} {pair[1]:g}: give the lower value first.")
    return pair


def _take_preset(ctx: click.Context, param: click.Parameter, name: str | None) -> str | None:
    """Let a preset's values stand where neither the user nor the configuration gives any."""
    if name is not None:
        ctx.default_map = {**preset(name), **(ctx.default_map or {})}
    return name


def preset_table() -> str:
    """The presets for the help page, with click's mark that keeps lines as they are."""
    rows = preset_rows()
    widths = [max(map(len, column)) + 2 for column in zip(*rows, strict=True)]
    lines = [
        "".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\b\nPresets:\n" + "\n".join(f"  {line}" for line in lines)


PROTOCOL = (
    click.option(
        "--preset",
        metavar="paper|best",
        is_eager=True,
        callback=_take_preset,
        help="A table of option values, below; options given otherwise win.",
    ),
    click.option(
        "--network",
        default="asn",
        help="Network by name, or package.module:Class, a network of your own.",
    ),
    click.option("--blocks", default="residual", help="Basic blocks of the encoder paper."),
    click.option(
        "--encoder",
        default="paper",
        metavar="paper|efficientnet-lite0|efficientnet-lite2",
        help="What reads the images: the paper's own, or one with ImageNet weights, which "
        "hrscd-str1, -str3, -str4 and every asn can take.",
    ),
    click.option(
        "--width",
        type=click.FloatRange(0, 8, min_open=True),
        default=1.0,
        help="Multiplier of all channel counts.",
    ),
    click.option("--epochs", type=click.IntRange(min=1), default=TrainingSettings.epochs),
    click.option(
        "--patience",
        type=click.IntRange(min=1),
        show_default="none: all epochs",
        help="End the run after so many epochs without a better score on the validation pairs.",
    ),
    click.option(
        "--atl-epochs",
        type=click.IntRange(min=1),
        default=SECOND_STAGE.epochs,
        help="Of the second stage of asn-atl, which alone is trained with --init.",
    ),
    click.option(
        "--batch",
        type=click.IntRange(min=1),
        default=TrainingSettings.batch,
        help="Pairs per batch, over all processes together.",
    ),
    click.option(
        "--accumulate",
        type=click.IntRange(min=1),
        default=TrainingSettings.accumulate,
        help="Batches per step of the optimizer: as if --batch were so many times larger.",
    ),
    click.option("--optimizer", default=TrainingSettings.optimizer, metavar="sgd|adamw"),
    click.option(
        "--lr",
        type=click.FloatRange(0, min_open=True),
        default=TrainingSettings.lr,
        help="Initial learning rate (poly decay).",
    ),
    click.option(
        "--encoder-lr",
        type=click.FloatRange(min=0),
        default=TrainingSettings.encoder_lr,
        help="Times --lr, for the encoder: below 1 what it brings along is changed slowly.",
    ),
    click.option(
        "--momentum",
        type=click.FloatRange(0, 1, max_open=True),
        default=TrainingSettings.momentum,
        help="Of SGD.",
    ),
    click.option(
        "--weight-decay", type=click.FloatRange(min=0), default=TrainingSettings.weight_decay
    ),
    click.option(
        "--chip", type=click.IntRange(min=64), default=Augmentation.chip, help="Side in pixels."
    ),
    click.option(
        "--scale",
        type=(click.FloatRange(0.1, 10), click.FloatRange(0.1, 10)),
        default=Augmentation.scale,
        callback=_ascending,
        help="Random scale, low high.",
    ),
    click.option("--flip/--no-flip", default=Augmentation.flip, help="Random mirroring."),
    click.option(
        "--swap-dates/--no-swap-dates",
        default=Augmentation.swap_dates,
        help="Randomly swap the dates.",
    ),
    click.option(
        "--jitter",
        type=click.FloatRange(0, 2),
        default=Augmentation.jitter,
        help="Radiometric jitter.",
    ),
    click.option(
        "--standardize",
        metavar="none|per-date",
        show_default="that of the model of --init, else none",
        help="per-date: bring every image to one mean and spread by its own, so that the light and "
        "season of a date as a whole make no difference; predictions do the same.",
    ),
    click.option(
        "--ema",
        type=click.FloatRange(0, 1, max_open=True),
        default=TrainingSettings.ema,
        help="Decay of the moving average of weights, e.g. 0.999; 0 for none.",
    ),
    click.option(
        "--cover/--no-cover",
        default=None,  # which click would take for no
        show_default="where the set has cover1/ and cover2/",
        help="Train the classes on the land cover of every pixel, not only of changed ones.",
    ),
    click.option(
        "--class-weights",
        default=TrainingSettings.class_weights,
        metavar="none|inverse|sqrt|semantic",
        help="Weigh labels in the loss by one over their frequency (inverse), or its root (sqrt); "
        "semantic weighs classes, but not change.",
    ),
    click.option(
        "--atl-class-weights",
        default=SECOND_STAGE.class_weights,
        metavar="none|inverse|sqrt|semantic",
        help="The same in the second stage of asn-atl.",
    ),
)


class Protocol(NamedTuple):
    """What the options say; None where nothing is asked for: a model to start from decides then.

    Attributes:
        network: By name.
        blocks: Basic blocks of the encoder paper.
        encoder: What reads the images.
        width: Multiplier of all channel counts.
        standardize: How images are brought to one mean and spread.
        cover: Whether classes are learnt on every pixel.
        settings: Of a network trained as a whole.
        second: Of a network that revises another.
    """

    network: str | None
    blocks: str | None
    encoder: str | None
    width: float | None
    standardize: str | None
    cover: bool | None
    settings: TrainingSettings
    second: TrainingSettings


def _protocol(*, atl_epochs: int, atl_class_weights: str, **given: Any) -> Protocol:  # noqa: ANN401
    source = click.get_current_context().get_parameter_source
    asked = {name: given.pop(name) for name in ("network", "blocks", "encoder", "width")}
    asked |= {name: None for name in asked if source(name) == ParameterSource.DEFAULT}
    kept = {name: given.pop(name) for name in ("standardize", "cover")}
    drawn = Augmentation(**{each.name: given.pop(each.name) for each in fields(Augmentation)})
    settings = TrainingSettings(**given, augmentation=drawn)
    second = replace(settings, epochs=atl_epochs, class_weights=atl_class_weights)
    return Protocol(**asked, **kept, settings=settings, second=second)


protocol_options = grouped("protocol", _protocol, PROTOCOL)
"""All options that say what is trained and how, as ``protocol``."""


def refuse_options_of_the_first_stage(network: str | None) -> None:
    """With a model to revise there is no first stage; an option of it is a mistake."""
    from scdcli.training.startweights import REVISES

    if network not in REVISES:
        return
    source = click.get_current_context().get_parameter_source
    for name in ("epochs", "class_weights"):
        if source(name) == ParameterSource.COMMANDLINE:
            option = name.replace("_", "-")
            raise click.UsageError(
                f"with --init, {network} is trained in its second stage only; give "
                f"--atl-{option} instead of --{option}."
            )
