"""A run in as many trainings as its network takes, one after the other.

A network that revises a trained one (`REVISES`) is given it, or the run trains it first, in a
folder of its own inside the run's. A run goes on at any point of either training.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from scdcli.errors import TrainingError, look_up
from scdcli.models.checkpoint import STANDARDIZATIONS, LoadedModel, load_model
from scdcli.models.networks import NetworkSettings, build, freeze
from scdcli.training.classweights import SCHEMES
from scdcli.training.confidence import ModelFitted
from scdcli.training.loop import StepDone, train
from scdcli.training.runfolder import BEST, EpochLog, holds_run, refuse_run
from scdcli.training.settings import TrainingSettings
from scdcli.training.startweights import REVISES
from scdcli.training.trainer import OPTIMIZERS, Hardware


@dataclass(frozen=True)
class Stage:
    """One training of a run begins."""

    network: str
    epochs: int
    out: Path


def require_names(network: NetworkSettings, *protocols: TrainingSettings) -> None:
    """Refuse names that stand for nothing, before hours go into data or a first stage.

    Raises:
        UnknownName: No such network, blocks, optimizer, class weights, normalization or part to
            freeze.
    """
    with torch.device("meta"):  # without memory and numbers
        built = build(network)
    for settings in protocols:
        freeze(built, settings.freeze)
        look_up("optimizer", settings.optimizer, OPTIMIZERS)
        look_up("class weights", settings.class_weights, SCHEMES)
        look_up("--standardize", settings.standardize, STANDARDIZATIONS)


def train_in_stages(
    out: Path,
    network: NetworkSettings,
    settings: TrainingSettings,
    second: TrainingSettings,
    hardware: Hardware,
    *,
    resume: bool = False,
    start: LoadedModel | None = None,
    **common: Any,  # noqa: ANN401  of `train`
) -> Iterator[Stage | StepDone | EpochLog | ModelFitted]:
    """Train a network, and before it the one it revises unless that is given.

    Args:
        out: The run's folder; the network to be revised goes to a folder of its name in it.
        network: What to train in the end.
        settings: The protocol of a network trained as a whole.
        second: The protocol of a network that revises another.
        hardware: Where to compute.
        resume: Continue the run in ``out``.
        start: A model whose weights to start from.
        common: Further arguments of `scdcli.training.loop.train`, for every stage.

    Raises:
        OutputError: ``out`` holds a run and ``resume`` is off.
        TrainingError: ``out`` holds a run that was given the network to be revised.
        UnknownName: A name of either stage stands for nothing; said before the first begins.
    """
    common["hardware"] = hardware
    if network.name not in REVISES:
        yield Stage(network.name, settings.epochs, out)
        yield from train(
            out=out, network=network, settings=settings, resume=resume, start=start, **common
        )
        return
    if start is None:
        revised = replace(network, name=REVISES[network.name])
        folder = out / revised.name
        require_names(network, second)
        # Not to be used itself; and a fit would change the file that the second stage goes by.
        first = common | {"calibrate": False}
        hardware.ranks.by_first(lambda: _require_own_first_stage(out, folder, resume=resume))
        yield from train_in_stages(folder, revised, settings, second, resume=resume, **first)
        with hardware.ranks.together():
            start = load_model(str(folder / BEST))
    yield Stage(network.name, second.epochs, out)
    yield from train(
        out=out, network=network, settings=second, resume=resume, start=start, **common
    )


def _require_own_first_stage(out: Path, folder: Path, *, resume: bool) -> None:
    """Before hours go into the first stage: nothing must stand in the way of the second."""
    if not resume:
        refuse_run(out)
    elif holds_run(out) and not holds_run(folder):
        raise TrainingError(
            f"{out} holds a training run, but no {folder.name} that it began with; resume it with "
            "the --init it was started with."
        )
