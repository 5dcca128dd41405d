"""What every network keeps to, as a test that anyone can run on a network of their own."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from scdcli.errors import ModelError, ScdError, look_up
from scdcli.models.networks import BLOCKS
from scdcli.models.networks.losses import change_loss
from scdcli.models.networks.outputs import OUTPUTS, Output

WIDTH = 0.125
# Bands, classes, height, width and number of pairs: sides need be no multiples of anything, and
# what takes a batch is looked at once.
CASES = ((3, 6, 64, 64, 2), (5, 2, 45, 71, 1))
TOLERANCE = 1e-4

# The channels of each part of an output, for K classes.
CHANNELS: dict[str, Callable[[int], dict[str, int]]] = {
    "branches": lambda k: {"from_class": k, "to_class": k, "change": 2},
    "types": lambda k: {"types": 1 + k * k},
    "covers": lambda k: {"from_class": k, "to_class": k},
}


def check_network(
    network: Callable[..., nn.Module], blocks: str = "residual", name: str | None = None
) -> None:
    """Build a small network, run it forth and back, and find what would fail in training or use.

    That it can be built, gives logits of the size of the images for any size, bands and classes,
    treats the pairs of a batch apart, keeps all it learns in its state, and that every parameter
    learns. Takes a second or two.

    Args:
        network: The class, or what builds a network of the keywords bands, classes, blocks and
            width.
        blocks: A name in `BLOCKS`.
        name: To call it in an error.

    Raises:
        ModelError: It does not keep to one of these.
    """
    name = name or str(getattr(network, "__name__", network))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for bands, classes, *sides, pairs in CASES:
            build = partial(_built, network, name, blocks, bands, classes)
            problems = _problems(build, torch.rand(2, pairs, bands, *sides), classes)
            tried = (
                f"tried with {bands} bands, {classes} classes and images of {sides[0]} by "
                f"{sides[1]} pixels."
            )
            try:
                problem = next(problems, None)
            except ScdError:
                raise
            except Exception as error:  # whatever somebody's code raises
                raise ModelError(
                    f"the network {name} cannot be run ({type(error).__name__}: {error}); {tried}"
                ) from error
            if problem:
                raise ModelError(f"the network {name} {problem}; {tried}")


def _built(
    network: Callable[..., nn.Module], name: str, blocks: str, bands: int, classes: int
) -> nn.Module:
    kind = look_up("blocks", blocks, BLOCKS)
    try:
        return network(bands=bands, classes=classes, blocks=kind, width=WIDTH)
    except Exception as error:  # whatever somebody's code raises
        raise ModelError(
            f"the network {name} cannot be built with the keywords bands, classes, blocks and "
            f"width ({type(error).__name__}: {error})."
        ) from error


def _problems(build: Callable[[], nn.Module], pair: Tensor, classes: int) -> Iterator[str]:
    """What is wrong, the first thing first; what follows may not hold any more."""
    model = build()
    if not isinstance(model, nn.Module):
        yield f"is a {type(model).__name__}, not a torch.nn.Module"
    output = getattr(model, "output", None)
    if output not in OUTPUTS:
        yield f"has the attribute output {output!r}, not one of {', '.join(OUTPUTS)}"
    with torch.no_grad():
        logits = model.eval()(*pair)
    yield from _shape_problems(logits, str(output), pair, classes)
    if pair.shape[1] == 1:
        return
    alone = pair[:, :1]
    with torch.no_grad():
        own = model(*alone)
        if not _alike(own, type(logits)(*(x[:1] for x in logits))):
            yield "gives a pair other logits alone than beside others, in evaluation mode"
        twin = build()
        twin.load_state_dict(model.state_dict())
        if not _alike(twin.eval()(*alone), own):
            yield "keeps something outside its state, so that its file would not hold it"
    yield from _gradient_problems(model.train(), pair, classes)


def _shape_problems(logits: Any, output: str, pair: Tensor, classes: int) -> Iterator[str]:  # noqa: ANN401
    if not isinstance(logits, OUTPUTS[output]):
        yield f"returns a {type(logits).__name__}, and output {output!r} is a {OUTPUTS[output]}"
    for part, channels in CHANNELS[output](classes).items():
        wanted = (pair.shape[1], channels, *pair.shape[-2:])
        found = tuple(getattr(logits, part).shape)
        if found != wanted:
            yield f"returns {part} of shape {found}, not {wanted}"
    if not all(torch.isfinite(each).all() for each in logits):
        yield "returns logits that are not numbers"


def _gradient_problems(model: nn.Module, pair: Tensor, classes: int) -> Iterator[str]:
    before, after = torch.randint(1, classes + 1, (2, pair.shape[1], *pair.shape[-2:]))
    changed = torch.randint(0, 2, before.shape)
    change_loss(model(*pair), before, after, changed).backward()  # type: ignore[no-untyped-call]
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    if not trained:
        yield "has no parameter to train"
    dead = [name for name, p in trained.items() if p.grad is None or not p.grad.abs().sum()]
    if dead:
        yield f"has parameters that get no gradient: {', '.join(dead[:5])} ({len(dead)} in all)"


def _alike(one: Output, other: Output) -> bool:
    return all(
        torch.allclose(x, y, rtol=TOLERANCE, atol=TOLERANCE)
        for x, y in zip(one, other, strict=True)
    )
