"""A trained model as the start of a training on other classes: what of it is taken over."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import torch
from torch import nn

from scdcli.legend import Legend
from scdcli.models.checkpoint import LoadedModel
from scdcli.models.networks import NetworkSettings, build, class_head, freeze
from scdcli.models.networks.model import ChangeModel
from scdcli.training.startweights import inner_model


def places_of_classes(there: Legend, here: Legend) -> list[int | None]:
    """The place of each class to learn among those of a model, from 0; None for a new class.

    Classes are found by name, whatever their order, colors and capitals.
    """
    known = {name.casefold(): place for place, name in enumerate(there.names)}
    return [known.get(name.casefold()) for name in here.names]


def with_classes(start: LoadedModel, network: NetworkSettings, legend: Legend) -> LoadedModel:
    """A model whose weights are a start for a network over other classes.

    Its class head has a row for each of them: the trained one where the model has a class of that
    name, a fresh one otherwise. All else is as trained. Of a network that revises another, the one
    inside is taken where that is what is to be trained.
    """
    start = inner_model(start, network)
    places = places_of_classes(start.header.legend, legend)
    known = len(start.header.legend)
    if places == list(range(known)):
        return start
    settings = replace(start.header.network, classes=len(legend))
    built = build(settings)
    _take_over(built, start.model.network, places, known)
    model = ChangeModel(built, start.model.mean.tolist(), start.model.std.tolist())
    header = replace(start.header, network=settings, legend=legend)
    return replace(start, model=model, header=header)


def describe_classes(start: LoadedModel, legend: Legend) -> str | None:
    """A sentence on which classes of a model are kept, new or dropped; None if all are kept."""
    there = start.header.legend
    places = places_of_classes(there, legend)
    pairs = list(zip(legend.names, places, strict=True))
    new = [name for name, place in pairs if place is None]
    left = [name for place, name in enumerate(there.names) if place not in places]
    if not new and not left:
        return None
    parts = [
        ([name for name, place in pairs if place is not None], "known to it"),
        (new, "new, which start afresh"),
        (left, "of the model, which are dropped"),
    ]
    listed = "; ".join(f"{', '.join(names)} ({what})" for names, what in parts if names)
    return f"All weights of {start.name} are taken over but those of classes: {listed}."


def trained_parameters(network: NetworkSettings, frozen: str) -> tuple[int, int]:
    """The number of parameters that are trained with a part frozen, and of all."""
    with torch.device("meta"):
        built = build(network)
    freeze(built, frozen)
    sizes = [(each.numel(), each.requires_grad) for each in built.parameters()]
    return sum(size for size, trained in sizes if trained), sum(size for size, _ in sizes)


@torch.no_grad()
def _take_over(
    built: nn.Module, trained: nn.Module, places: Sequence[int | None], known: int
) -> None:
    """Copy all weights of a network of so many known classes into one of other classes."""
    head, old = class_head(built), class_head(trained)
    prefix = next(name for name, each in built.named_modules() if each is head)
    own = built.state_dict()  # the tensors themselves
    for name, tensor in trained.state_dict().items():
        if not name.startswith(f"{prefix}."):
            own[name].copy_(tensor)
    for row, place in enumerate(_rows(str(built.output), places, known)):
        if place is not None:
            for fresh, taken in zip(head.parameters(), old.parameters(), strict=True):
                fresh[row] = taken[place]


def _rows(output: str, places: Sequence[int | None], known: int) -> list[int | None]:
    """For each channel of the class head that of the trained one, None for a fresh one."""
    if output != "types":
        return list(places)
    types = [
        None if before is None or after is None else 1 + before * known + after
        for before, after in product(places, places)
    ]
    return [0, *types]
