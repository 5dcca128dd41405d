"""A training job made ready: its start, network, data and protocols looked up."""

import os
from collections.abc import Callable
from dataclasses import replace

import torch

from scdcli.datasets.scan import Watch
from scdcli.errors import ModelError
from scdcli.legend import Legend
from scdcli.models.checkpoint import LoadedModel, load_model
from scdcli.models.device import pick_precision
from scdcli.models.networks import NETWORKS, NetworkSettings, output_kind
from scdcli.models.pretrained import read_encoder_weights
from scdcli.training.data import describe, training_set
from scdcli.training.distributed import Ranks
from scdcli.training.finetuning import describe_classes, trained_parameters
from scdcli.training.loop import Training
from scdcli.training.runfolder import refuse_run
from scdcli.training.settings import HardwareSettings, TrainingJob, TrainingSettings
from scdcli.training.stages import require_names
from scdcli.training.startweights import REVISES, require_same_network
from scdcli.training.trainer import Hardware

MOST_WORKERS = 8

KEPT = {
    "encoder": "the encoder stays as it is",
    "semantic": "all that names classes stays as it is",
}


def prepare(
    job: TrainingJob,
    device: torch.device,
    ranks: Ranks,
    note: Callable[[str], None],
    watch: Watch,
) -> Training:
    """Look up all that a job names and look through its data, mistyped names first.

    Args:
        job: What is asked for.
        device: Where to compute.
        ranks: The processes that train together.
        note: Called with a sentence for each thing to know.
        watch: Opens a progress by its title and the number of pairs to look through.

    Raises:
        DatasetError: A folder holds no set, or one with problems, or sets do not go together.
        ModelError: The job asks for something else than its ``init`` is built with.
        OutputError: The folder holds a run, and it is not to be continued.
        UnknownName: A name stands for nothing.
    """
    start = load_model(job.init) if job.init else None
    network = _network(job, start)
    # Weights go on with images as they know them.
    standardize = job.standardize or (start.header.normalization if start else "none")
    protocols = [replace(each, standardize=standardize) for each in (job.settings, job.second)]
    require_names(network, *protocols)
    weights = None
    if job.pretrained or job.encoder_weights:
        weights = read_encoder_weights(network.encoder, job.encoder_weights)
    precision = pick_precision(job.hardware.precision, device)
    if not job.resume:
        refuse_run(job.out)
    data = training_set(
        job.datasets,
        job.data,
        note,
        watch,
        chip=job.settings.augmentation.chip,
        seed=job.settings.seed,
        look=ranks.first,
        count=start.header.network.bands if start else None,
    )
    where = f"on {device}{'' if ranks.alone else f' in {ranks.count} processes'}"
    for line in describe(data, where):
        note(line)
    legend = data.legend
    if legend.coding.mask:
        require_change_branch(network.name, start)
        if start and start.header.network.classes > 1:
            # Labels say nothing of classes: what names them must not move.
            legend = start.header.legend
            protocols = [replace(each, freeze="semantic") for each in protocols]
    network = replace(network, bands=len(data.bands), classes=len(legend))
    if start:
        for line in _describe_start(start, network, legend, protocols[0]):
            note(line)
    settings, second = (replace(each, cover=data.cover) for each in protocols)
    hardware = Hardware(device, precision, workers_for(job.hardware, device, ranks), ranks)
    return Training(
        data,
        job.out,
        network,
        settings,
        hardware,
        second,
        start,
        weights,
        job.resume,
        job.half,
        job.calibrate,
    )


def workers_for(settings: HardwareSettings, device: torch.device, ranks: Ranks) -> int:
    """How many processes prepare the data of one that trains.

    A GPU waits for one core that augments (24 ms a pair of 512 x 512); a CPU has no core to spare.
    """
    if settings.workers is not None:
        return settings.workers
    if device.type == "cpu":
        return 0
    return min(MOST_WORKERS, (os.cpu_count() or 1) // ranks.local_count)


def _network(job: TrainingJob, start: LoadedModel | None) -> NetworkSettings:
    """The network to build, but for bands and classes; what nobody asks for is as in the start."""
    own = start.header.network if start else NetworkSettings()
    network = replace(
        own,
        name=own.name if job.network is None else job.network,
        blocks=own.blocks if job.blocks is None else job.blocks,
        encoder=own.encoder if job.encoder is None else job.encoder,
        width=own.width if job.width is None else job.width,
    )
    if start:
        require_same_network(start, network)
    return network


def require_change_branch(name: str, start: LoadedModel | None) -> None:
    """Refuse a network that cannot learn from masks of change.

    Raises:
        ModelError: It has none.
    """
    keeps = start is not None and start.header.network.classes > 1

    def able(each: str) -> bool:
        kind = output_kind(each)
        if keeps:
            return kind == "branches" and each not in REVISES
        return kind != "covers"

    if not able(name):
        what = "revises classes" if name in REVISES else "finds change by comparing classes"
        raise ModelError(
            f"{name} {what}, and masks of change have none; these can learn from masks"
            f"{' and keep the classes of a model' if keeps else ''}: "
            f"{', '.join(filter(able, NETWORKS))}."
        )


def _describe_start(
    start: LoadedModel, network: NetworkSettings, legend: Legend, settings: TrainingSettings
) -> list[str]:
    """Lines that say what of a model is taken over, and what of it is trained.

    Raises:
        ModelError: The set has another number of bands than the model.
    """
    require_same_network(start, replace(network, classes=start.header.network.classes))
    lines = [describe_classes(start, legend) or ""]
    known, wanted = start.header.normalization, settings.standardize
    if wanted != known:
        lines.append(
            f"{start.name} was trained with --standardize {known} and goes on with {wanted}."
        )
    if settings.freeze != "none":
        trained, every = trained_parameters(network, settings.freeze)
        lines.append(
            f"{trained / 1e6:.2f} M of {every / 1e6:.2f} M parameters are trained; "
            f"{KEPT[settings.freeze]}."
        )
    return [line for line in lines if line]
