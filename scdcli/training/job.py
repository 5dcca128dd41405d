"""From what is asked of a training to what is trained: start, network, data, protocols."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch

from scdcli.datasets.scan import Watch
from scdcli.legend import Legend
from scdcli.models.checkpoint import LoadedModel, load_model
from scdcli.models.device import pick_precision
from scdcli.models.networks import NetworkSettings
from scdcli.models.pretrained import EncoderWeights, read_encoder_weights
from scdcli.training.confidence import ModelFitted
from scdcli.training.data import TrainingSet, describe, training_set
from scdcli.training.distributed import Ranks
from scdcli.training.finetuning import describe_classes, trained_parameters
from scdcli.training.loop import StepDone
from scdcli.training.runfolder import EpochLog, refuse_run
from scdcli.training.settings import TrainingJob, TrainingSettings
from scdcli.training.stages import Stage, require_names, train_in_stages
from scdcli.training.startweights import require_same_network
from scdcli.training.trainer import Hardware


@dataclass(frozen=True)
class Training:
    """All that a job means, looked up and looked through.

    Attributes:
        job: What was asked for.
        network: What is built.
        settings: The protocol of a network trained as a whole.
        second: The protocol of a network that revises another.
        data: What is trained on.
        hardware: Where to compute.
        start: The model whose weights it starts from.
        encoder_weights: What a fresh encoder begins with.
    """

    job: TrainingJob
    network: NetworkSettings
    settings: TrainingSettings
    second: TrainingSettings
    data: TrainingSet
    hardware: Hardware
    start: LoadedModel | None
    encoder_weights: EncoderWeights | None = None

    def run(self) -> Iterator[Stage | StepDone | EpochLog | ModelFitted]:
        """Train, stage by stage.

        Raises:
            ScdError: As `scdcli.training.stages.train_in_stages`.
        """
        job, data = self.job, self.data
        yield from train_in_stages(
            job.out,
            self.network,
            self.settings,
            self.second,
            self.hardware,
            resume=job.resume,
            start=self.start,
            encoder_weights=self.encoder_weights,
            samples=data.samples,
            validation=data.validation,
            legend=data.legend,
            half=job.half,
            calibrate=job.calibrate,
            data=", ".join(data.names),
            pixel_size=data.pixel_size,
            sets=data.sets,
        )


def prepare(
    job: TrainingJob,
    device: torch.device,
    ranks: Ranks,
    note: Callable[[str], None],
    watch: Watch,
) -> Training:
    """Look up all that a job names, and look through its data; a mistyped name is said first.

    Args:
        job: What is asked for.
        device: Where to compute.
        ranks: The processes that train together.
        note: Gets a sentence for each thing to know.
        watch: Opens what is told how many labels have been looked through.

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
    network = replace(network, bands=len(data.bands), classes=len(data.legend))
    if start:
        for line in _describe_start(start, network, data.legend, protocols[0]):
            note(line)
    settings, second = (replace(each, cover=data.cover) for each in protocols)
    hardware = Hardware(device, precision, job.hardware.workers, ranks)
    return Training(job, network, settings, second, data, hardware, start, weights)


def _network(job: TrainingJob, start: LoadedModel | None) -> NetworkSettings:
    """What to build, but for bands and classes; what nobody asks for is as in the start."""
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
            f"{trained / 1e6:.2f} M of {every / 1e6:.2f} M parameters are trained; the "
            f"{settings.freeze} stays as it is."
        )
    return [line for line in lines if line]
