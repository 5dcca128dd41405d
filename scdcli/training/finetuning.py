"""A trained model as the start of a training on other classes: what of it is taken over."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import torch
from torch import nn

from scdcli.legend import Legend
from scdcli.models.checkpoint import LoadedModel
from scdcli.models.networks import NetworkSettings, build, class_head, freeze
from scdcli.models.networks.model import ChangeModel
from scdcli.training.startweights import inner_model


@dataclass(frozen=True)
class TakenClasses:
    """The classes to learn, matched with those of a trained model.

    Attributes:
        places: For each of them its place among the model's classes, from 0; None for a new one.
        taken: Names of those the model has.
        new: Names of those it has not.
        left: Names of classes of the model that are not to be learnt.
    """

    places: list[int | None]
    taken: list[str]
    new: list[str]
    left: list[str]


def taken_classes(there: Legend, here: Legend) -> TakenClasses:
    """Classes of a model found again by name, whatever their order, colors and capitals."""
    known = {each.name.casefold(): place for place, each in enumerate(there.classes)}
    places = [known.get(each.name.casefold()) for each in here.classes]
    names = list(zip(here.classes, places, strict=True))
    return TakenClasses(
        places,
        [each.name for each, place in names if place is not None],
        [each.name for each, place in names if place is None],
        [each.name for place, each in enumerate(there.classes) if place not in places],
    )


def with_classes(start: LoadedModel, network: NetworkSettings, legend: Legend) -> LoadedModel:
    """A model whose weights are a start for a network over other classes.

    Its class head has a row for each of them: the trained one where the model has a class of that
    name, a fresh one otherwise. All else is as trained. Of a network that revises another, the one
    inside is taken where that is what is to be trained.

    Args:
        start: The trained model.
        network: What is to be trained.
        legend: The classes to learn.
    """
    start = inner_model(start, network)
    classes = taken_classes(start.header.legend, legend)
    known = len(start.header.legend)
    if classes.places == list(range(known)):
        return start
    settings = replace(start.header.network, classes=len(legend))
    built = build(settings)
    _take_over(built, start.model.network, classes.places, known)
    model = ChangeModel(built, start.model.mean.tolist(), start.model.std.tolist())
    header = replace(start.header, network=settings, legend=legend)
    return replace(start, model=model, header=header)


def describe_classes(start: LoadedModel, legend: Legend) -> str | None:
    """A sentence on which classes of a model are kept, new or dropped; None if all are kept."""
    classes = taken_classes(start.header.legend, legend)
    if not classes.new and not classes.left:
        return None
    parts = [
        (classes.taken, "known to it"),
        (classes.new, "new, which start afresh"),
        (classes.left, "of the model, which are dropped"),
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
