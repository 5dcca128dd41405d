"""The model a training starts from: the options, and what it brings with it."""

from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from scdcli.cli.options.shared import Command

if TYPE_CHECKING:
    from scdcli.legend import Legend
    from scdcli.models.checkpoint import LoadedModel
    from scdcli.models.networks import NetworkSettings

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
    """All options that say what a training starts from; `start_model` takes them."""
    for option in reversed(START):
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
