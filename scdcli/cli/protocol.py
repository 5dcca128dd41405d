"""What is trained and how: options of ``scd train``, and the settings they stand for."""

from typing import TYPE_CHECKING, Any

import click

from scdcli.cli.options.shared import Command
from scdcli.training.presets import preset, preset_rows

if TYPE_CHECKING:
    from scdcli.training.trainer import TrainingSettings


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
        default=None,
        is_eager=True,
        callback=_take_preset,
        help="A table of option values, below; options given otherwise win.",
    ),
    click.option("--network", default="asn", help="Network by name."),
    click.option("--blocks", default="residual", help="Basic blocks of the encoders."),
    click.option(
        "--width",
        type=click.FloatRange(0, 8, min_open=True),
        default=1.0,
        help="Multiplier of all channel counts.",
    ),
    click.option("--epochs", type=click.IntRange(min=1), default=50),
    click.option(
        "--atl-epochs",
        type=click.IntRange(min=1),
        default=20,
        help="Of the second stage of asn-atl, which alone is trained with --init.",
    ),
    click.option(
        "--batch",
        type=click.IntRange(min=1),
        default=4,
        help="Pairs per batch, over all processes together.",
    ),
    click.option(
        "--accumulate",
        type=click.IntRange(min=1),
        default=1,
        help="Batches per step of the optimizer: as if --batch were so many times larger.",
    ),
    click.option("--optimizer", default="sgd", metavar="sgd|adamw"),
    click.option(
        "--lr",
        type=click.FloatRange(0, min_open=True),
        default=0.005,
        help="Initial learning rate (poly decay).",
    ),
    click.option(
        "--momentum", type=click.FloatRange(0, 1, max_open=True), default=0.9, help="Of SGD."
    ),
    click.option("--weight-decay", type=click.FloatRange(min=0), default=1e-4),
    click.option("--chip", type=click.IntRange(min=64), default=512, help="Side in pixels."),
    click.option(
        "--scale",
        type=(click.FloatRange(0.1, 10), click.FloatRange(0.1, 10)),
        default=(0.5, 2.0),
        callback=_ascending,
        help="Random scale, low high.",
    ),
    click.option("--flip/--no-flip", default=True, help="Random mirroring."),
    click.option("--swap-dates/--no-swap-dates", default=False, help="Randomly swap the dates."),
    click.option("--jitter", type=click.FloatRange(0, 2), default=0.0, help="Radiometric jitter."),
    click.option(
        "--normalization",
        default=None,
        metavar="none|per-date",
        show_default="that of the model of --init, else none",
        help="per-date: bring every image to one mean and spread by its own, so that the light and "
        "season of a date as a whole make no difference; predictions do the same.",
    ),
    click.option(
        "--ema",
        type=click.FloatRange(0, 1, max_open=True),
        default=0.0,
        help="Decay of the moving average of weights, e.g. 0.999; 0 for none.",
    ),
    click.option(
        "--cover/--no-cover",
        default=None,
        show_default="where the set has cover1/ and cover2/",
        help="Train the classes on the land cover of every pixel, not only of changed ones.",
    ),
    click.option(
        "--class-weights",
        default="none",
        metavar="none|inverse|sqrt",
        help="Weigh labels in the loss by one over their frequency (inverse), or its root (sqrt).",
    ),
    click.option(
        "--atl-class-weights",
        default="inverse",
        metavar="none|inverse|sqrt",
        help="The same in the second stage of asn-atl.",
    ),
)


def protocol_options(command: Command) -> Command:
    """All options that say what is trained and how; `protocol` takes them."""
    for option in reversed(PROTOCOL):
        command = option(command)
    return command


def protocol(options: dict[str, Any]) -> tuple["TrainingSettings", "TrainingSettings"]:
    """Settings of a network trained as a whole, and of one that revises another.

    Of these only ``cover`` is still open: whether the set has land cover is not looked at here.
    """
    from dataclasses import replace

    from scdcli.datasets.augment import Augmentation
    from scdcli.training.trainer import TrainingSettings

    _refuse_options_of_the_first_stage(options)
    drawn = ("chip", "scale", "flip", "swap_dates", "jitter")
    same = (
        *("epochs", "batch", "accumulate", "optimizer", "lr", "momentum", "weight_decay"),
        *("ema", "class_weights", "freeze", "seed", "preset"),
    )
    settings = TrainingSettings(
        **{name: options[name] for name in same},
        normalization=options["normalization"] or "none",
        augmentation=Augmentation(**{name: options[name] for name in drawn}),
    )
    second = replace(
        settings, epochs=options["atl_epochs"], class_weights=options["atl_class_weights"]
    )
    return settings, second


def _refuse_options_of_the_first_stage(options: dict[str, Any]) -> None:
    """With a model to revise there is no first stage; an option of it is a mistake."""
    from scdcli.training.startweights import REVISES

    if options["network"] not in REVISES or options["init"] is None:
        return
    source = click.get_current_context().get_parameter_source
    for name in ("epochs", "class_weights"):
        if source(name) == click.core.ParameterSource.COMMANDLINE:
            option = name.replace("_", "-")
            raise click.UsageError(
                f"with --init, {options['network']} is trained in its second stage only; give "
                f"--atl-{option} instead of --{option}."
            )
