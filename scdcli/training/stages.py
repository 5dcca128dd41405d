"""A run in as many trainings as its network takes, one after the other.

A network that revises a trained one (`REVISES`) is given it, or the run trains it first, in a
folder of its own inside the run's. A run goes on at any point of either training.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from scdcli.errors import TrainingError, look_up
from scdcli.models.checkpoint import STANDARDIZATIONS, load_model
from scdcli.models.contract import check_network
from scdcli.models.networks import NetworkSettings, build, freeze
from scdcli.models.networks.own import allowed, is_own
from scdcli.training.classweights import SCHEMES
from scdcli.training.loop import Event, Training, train
from scdcli.training.runfolder import BEST, holds_run, planned_epochs, refuse_run
from scdcli.training.settings import TrainingSettings
from scdcli.training.startweights import REVISES
from scdcli.training.trainer import OPTIMIZERS


@dataclass(frozen=True)
class Stage:
    """One training of a run begins."""

    network: str
    epochs: int
    out: Path


def require_names(network: NetworkSettings, *protocols: TrainingSettings) -> None:
    """Refuse names that stand for nothing, before hours go into data or a first stage.

    Raises:
        UnknownName: No such network, blocks, optimizer, class weights, standardization or part to
            freeze.
        ModelError: A network of one's own does not keep to what networks do.
    """
    if is_own(network.name):
        check_network(allowed(network.name), network.blocks, network.name)
    with torch.device("meta"):  # without memory and numbers
        built = build(network)
    for settings in protocols:
        freeze(built, settings.freeze)
        look_up("optimizer", settings.optimizer, OPTIMIZERS)
        look_up("class weights", settings.class_weights, SCHEMES)
        look_up("--standardize", settings.standardize, STANDARDIZATIONS)


def train_in_stages(training: Training) -> Iterator[Stage | Event]:
    """Train a network, and before it the one it revises unless that is given as the start.

    The network to be revised goes to a folder of its name inside the folder of the run.

    Raises:
        OutputError: ``out`` holds a run and ``resume`` is off.
        TrainingError: ``out`` holds a run that was given the network to be revised, or one whose
            network to be revised is to get more epochs.
        UnknownName: A name of either stage stands for nothing; raised before the first begins.
    """
    network, out, ranks = training.network, training.out, training.hardware.ranks
    if network.name in REVISES and training.start is None:
        revised = replace(network, name=REVISES[network.name])
        folder = out / revised.name
        require_names(network, training.second)
        ranks.by_first(lambda: _require_own_first_stage(training, folder))
        # Not to be used itself; and a fit would change the file that the second stage goes by.
        first = replace(training, network=revised, out=folder, calibrate=False)
        yield from train_in_stages(first)
        with ranks.together():
            training = replace(training, start=load_model(str(folder / BEST)))
    if network.name in REVISES:
        training = replace(training, settings=training.second)
    yield Stage(network.name, training.settings.epochs, out)
    yield from train(training)


def _require_own_first_stage(training: Training, folder: Path) -> None:
    """Before hours go into the first stage: nothing must stand in the way of the second."""
    out, epochs = training.out, training.settings.epochs
    if not training.resume:
        refuse_run(out)
    elif not holds_run(out):
        return
    elif not holds_run(folder):
        raise TrainingError(
            f"{out} holds a training run, but no {folder.name} that it began with; resume it with "
            "the --init it was started with."
        )
    elif planned_epochs(folder) != epochs:
        raise TrainingError(
            f"{out} revises the {folder.name} that it trained for {planned_epochs(folder)} epochs, "
            f"not {epochs}; give that number, and more epochs of the revision with --atl-epochs."
        )
