"""The model a training starts from: fresh, or with the weights of a trained one."""

from collections.abc import Sequence
from dataclasses import fields

from torch import nn

from scdcli.checkpoint import LoadedModel
from scdcli.errors import ModelError, TrainingError
from scdcli.labelled.bandstatistics import band_statistics
from scdcli.labelled.samples import Sample
from scdcli.legend import Legend
from scdcli.networks import NetworkSettings, build, initialize
from scdcli.networks.model import ChangeModel

# A network that revises a trained and from then on frozen one: that network's name, and its
# attribute inside.
REVISES = {"asn-atl": "asn"}


def start_model(
    samples: Sequence[Sample], network: NetworkSettings, start: LoadedModel | None = None
) -> ChangeModel:
    """A model to train.

    Where a part of it is frozen, it keeps the normalization that part was trained with; otherwise
    the normalization is that of the samples.

    Args:
        samples: The training pairs.
        network: What to build.
        start: A model of the same network, or of the one it revises, whose weights to take.

    Raises:
        ModelError: ``start`` is of another network, or missing where there is one to revise.
        TrainingError: The images have another number of bands than the network.
        UnknownName: No such network or blocks.
    """
    built = build(network)
    if start is not None:
        _require_fitting(start, network)
        revised = start.header.network.name != network.name
        part = getattr(built, REVISES[network.name]) if revised else built
        part.load_state_dict(start.model.network.state_dict())
    elif network.name in REVISES:
        raise ModelError(
            f"{network.name} revises a trained {REVISES[network.name]} and none is given; give "
            "one with --init."
        )
    else:
        initialize(built)
    if start is not None and is_frozen(built):
        return ChangeModel(built, start.model.mean.tolist(), start.model.std.tolist())
    return ChangeModel(built, *_normalization(samples, network.bands))


def is_frozen(network: nn.Module) -> bool:
    """Whether a part of it is not to be trained."""
    return not all(parameter.requires_grad for parameter in network.parameters())


def require_same_legend(start: LoadedModel, network: NetworkSettings, legend: Legend) -> None:
    """Refuse to revise a model that tells other classes apart than the labels do.

    Raises:
        ModelError: The class names differ.
    """
    there, here = _class_names(start.header.legend), _class_names(legend)
    if network.name in REVISES and there != here:
        raise ModelError(
            f"{start.name} has the classes {', '.join(there)} and the labels have "
            f"{', '.join(here)}; {network.name} needs a model trained on the same classes."
        )


def describe_other_classes(start: LoadedModel, legend: Legend) -> str | None:
    """One sentence where the classes a model starts from are not those it is to learn."""
    there, here = _class_names(start.header.legend), _class_names(legend)
    if there == here:
        return None
    return (
        f"{start.name} knows the classes {', '.join(there)}; what it knows of them becomes the "
        f"start of {', '.join(here)}, in this order."
    )


def _class_names(legend: Legend) -> list[str]:
    return [each.name for each in legend.classes]


def _require_fitting(start: LoadedModel, network: NetworkSettings) -> None:
    other = start.header.network
    names = {network.name, REVISES.get(network.name, network.name)}
    differing = [
        f"{field.name} {getattr(other, field.name)} there and {getattr(network, field.name)} here"
        for field in fields(NetworkSettings)
        if getattr(other, field.name) != getattr(network, field.name)
        and not (field.name == "name" and other.name in names)
    ]
    if differing:
        raise ModelError(
            f"{start.name} cannot be the start of this training: {', '.join(differing)}; give a "
            f"model of the network {' or '.join(sorted(names))} with the same settings, or start "
            "without --init."
        )


def _normalization(samples: Sequence[Sample], bands: int) -> tuple[list[float], list[float]]:
    mean, std = band_statistics(samples)
    if len(mean) != bands:
        raise TrainingError(
            f"{samples[0].before} has {len(mean)} bands, the network is built for "
            f"{bands}; build it for {len(mean)}, or choose {bands} of them with --bands."
        )
    return mean, std
