"""Training: labelled pairs in, a model file out; the paper's protocol is the default.

Everything random depends only on (seed, epoch, sample), so a run continued after a kill goes on as
if nothing had happened. Several processes train as one: `scdcli.training.distributed` says how they
agree.
"""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from scdcli.datasets.chips import Batches, Chips
from scdcli.datasets.pixelsizes import widen
from scdcli.datasets.samples import Sample
from scdcli.errors import ScdError, TrainingError, look_up
from scdcli.models.checkpoint import LoadedModel, ModelHeader, date_mean_std, save_model
from scdcli.models.device import is_out_of_memory
from scdcli.models.networks import NetworkSettings, learn
from scdcli.models.networks.losses import ClassWeights
from scdcli.models.pretrained import EncoderWeights
from scdcli.training.classweights import SCHEMES, class_weights
from scdcli.training.confidence import CalibratedModel, fit_models
from scdcli.training.data import TrainingSet
from scdcli.training.finetuning import with_classes
from scdcli.training.looks import keep_looks
from scdcli.training.optimization import (
    gradient_norm,
    optimize,
    plan_epoch,
    poly_rate,
    require_divisible,
)
from scdcli.training.runfolder import (
    BEST,
    EXTENDED,
    LAST,
    Curves,
    Earlier,
    EpochLog,
    require_run,
    start_run,
    write_confusion,
    write_log,
)
from scdcli.training.settings import SECOND_STAGE, TrainingSettings
from scdcli.training.startweights import require_same_legend, require_same_standardization
from scdcli.training.trainer import (
    Hardware,
    Trainer,
    exchange_gradients,
    make_trainer,
    restore,
    store,
)
from scdcli.training.validation import SCORES, Validation, logged, validate

HISTORY = ("epoch", "lr", "loss", "val_loss", "miou", "sek_from_to")


@dataclass(frozen=True)
class StepDone:
    """One optimizer step."""

    epoch: int
    step: int
    steps: int
    loss: float


@dataclass(frozen=True)
class Stopped:
    """The patience was over before the last epoch.

    Attributes:
        epoch: The last one that was trained.
        best: The one with the highest score.
    """

    epoch: int
    best: int


@dataclass(frozen=True)
class Training:
    """All that a training needs.

    Attributes:
        data: The labelled pairs; without validation pairs the last epoch is the best.
        out: The folder of the run.
        network: The network to build.
        settings: The protocol.
        hardware: Where to compute.
        second: The protocol of a network that revises another, once that is trained.
        start: A model of the network, or of the one it revises, whose weights to start from; where
            the labels are masks of change its classes stay.
        encoder_weights: What the encoder of a fresh network begins with.
        resume: Whether to continue the run in ``out``.
        half: Whether to store the model files in 16 bits.
        calibrate: Whether to fit temperature and threshold of the models to the validation pairs
            in the end.
    """

    data: TrainingSet
    out: Path
    network: NetworkSettings
    settings: TrainingSettings
    hardware: Hardware
    second: TrainingSettings = SECOND_STAGE
    start: LoadedModel | None = None
    encoder_weights: EncoderWeights | None = None
    resume: bool = False
    half: bool = False
    calibrate: bool = False


Event = StepDone | EpochLog | Stopped | CalibratedModel


def train(training: Training) -> Iterator[Event]:
    """Train a network as a whole and write the folder of the run.

    Yields:
        Every step, finished epoch and fitted model, and whether the patience was over.

    Raises:
        ModelError: ``start`` does not fit the network, or is missing.
        OutputError: ``out`` holds a run and ``resume`` is off.
        TrainingError: The loss is no longer a number, a resumed run has other settings, or there
            is patience without validation pairs.
        UnknownName: No such network, blocks, optimizer or class weights.
    """
    data, out, start = training.data, training.out, training.start
    samples, validation, legend = data.samples, data.validation, data.legend
    network, settings, hardware = training.network, training.settings, training.hardware
    look_up("class weights", settings.class_weights, SCHEMES)
    _require_scores(settings, validation)
    ranks = hardware.ranks
    require_divisible(len(samples), settings, ranks)
    described = asdict(settings) | {"network": asdict(network), "legend": legend.to_dict()}
    described |= {"pairs": len(samples), "validation_pairs": len(validation)}
    described |= {"bands": samples[0].bands} | ({"sets": data.sets} if data.sets else {})
    masks = legend.coding.mask
    kept = start.header if start and masks and network.classes > 1 else None
    names = kept.legend if kept else legend
    if start is not None:
        require_same_legend(start, network, names)
        require_same_standardization(start, network, settings.standardize, settings.freeze)
    described |= _origin(start, training.encoder_weights)
    defaults = asdict(TrainingSettings())
    earlier = ranks.by_first(lambda: require_run(out, described, defaults, resume=training.resume))
    torch.manual_seed(settings.seed)
    with ranks.together():
        start = start and with_classes(start, network, names)
        trainer = make_trainer(
            samples, network, settings, hardware, start, training.encoder_weights
        )
    exchange_gradients(trainer, hardware)
    weights = ranks.by_first(lambda: _weights(data, settings, network.classes))
    trainer.weights = weights.to(hardware.device) if weights else None
    trainer.masks = masks
    with ranks.together():
        if earlier:
            restore(trainer, out)
            described |= _extension(earlier, trainer, settings, out)
    mean_std = date_mean_std(trainer.model, settings.standardize)
    chips = Chips(
        samples,
        legend,
        bands=network.bands,
        cover=settings.cover,
        mean_std=mean_std,
        augmentation=settings.augmentation,
        seed=settings.seed,
    )
    with ranks.together():
        if ranks.first and (earlier is None or earlier.epochs < settings.epochs):
            start_run(out, described)
    header = ModelHeader(
        network=network,
        legend=names,
        normalization=settings.standardize,
        pixel_size=widen(data.pixel_size, settings.augmentation.scale),
        chip=settings.augmentation.chip,
        # Where nothing changed, a network over from-to types learns no class.
        land_cover=kept.land_cover if kept else settings.cover and trainer.model.output != "types",
        training=described | {"data": ", ".join(data.names)},
    )
    loader = Batches(chips, hardware.workers, pin_memory=hardware.device.type == "cuda")
    curves = Curves(out)
    unscored = _without_scores(trainer) if validation else None
    while not _ends(trainer, settings):
        epoch = len(trainer.logs) + 1
        if unscored is None:
            log = yield from _epoch(trainer, loader, len(chips), epoch, settings, hardware)
        else:
            log, unscored = unscored, None
        scoring = partial(
            validate,
            trainer.result,
            *(validation, legend, hardware, trainer.weights, mean_std),
            land_cover=header.land_cover and not masks,
        )
        started = time.perf_counter()
        scores, failed = _scored(scoring)
        spent = log.seconds + time.perf_counter() - started
        log = replace(log, **logged(scores), seconds=spent)
        best = _remember(trainer, log, scores)
        write = partial(_write, trainer, header, out, best=best, half=training.half)
        ranks.by_first(write)
        ranks.by_first(partial(curves.update, trainer.logs, last=_ends(trainer, settings)))
        if failed:
            raise failed
        yield log
    yield from _finish(training, trainer)


def _finish(training: Training, trainer: Trainer) -> Iterator[Stopped | CalibratedModel]:
    """What a run does after its last epoch; a second time it changes nothing."""
    data, out, hardware = training.data, training.out, training.hardware
    if len(trainer.logs) < training.settings.epochs:
        yield Stopped(len(trainer.logs), _best_epoch(trainer))
    if training.calibrate and data.validation:
        yield from fit_models(out, data.validation, data.legend, hardware)
    if trainer.confusion is not None:
        pairs = f"{len(data.validation)} validation pair{'s' * (len(data.validation) != 1)}"
        title = f"epoch {_best_epoch(trainer)}, {pairs}"
        drawing = partial(write_confusion, out, trainer.confusion, data.legend.names, title)
        hardware.ranks.by_first(drawing)
    looks = partial(keep_looks, out, data.samples, data.validation, data.legend, hardware)
    hardware.ranks.by_first(looks)


def _require_scores(settings: TrainingSettings, validation: list[Sample]) -> None:
    if settings.patience and not validation:
        raise TrainingError(
            f"--patience {settings.patience} counts epochs without a better score on the "
            "validation pairs, and there are none; leave it out, or hold some out with "
            "--val-share, a val folder or a split file."
        )


def _extension(
    earlier: Earlier, trainer: Trainer, settings: TrainingSettings, out: Path
) -> dict[str, Any]:
    """For the record: how many epochs a run was to have before it got more.

    Raises:
        TrainingError: It gets more before it is finished.
    """
    if earlier.epochs == settings.epochs:
        return {EXTENDED: earlier.extended} if earlier.extended else {}
    if len(trainer.logs) < earlier.epochs:
        raise TrainingError(
            f"{out} has finished {len(trainer.logs)} of its {earlier.epochs} epochs, and only a "
            f"finished run gets more; resume with {earlier.epochs} epochs first, or give another "
            "folder with -o."
        )
    return {EXTENDED: [*earlier.extended, earlier.epochs]}


def _weights(data: TrainingSet, settings: TrainingSettings, classes: int) -> ClassWeights | None:
    """What a pixel counts in the loss of a network of K classes."""
    scheme = settings.class_weights
    found = class_weights(data.samples, data.legend, scheme, cover=settings.cover)
    if found is None or len(data.legend) == classes:
        return found
    return replace(found, classes=torch.ones(classes))  # masks of change know of none


def _origin(start: LoadedModel | None, weights: EncoderWeights | None) -> dict[str, Any]:
    """Which weights a run begins with, for its record."""
    if start is not None:
        return {"init": {"name": start.name, "sha256": start.sha256}}
    if weights is not None:
        return {"encoder_weights": {"name": weights.source, "sha256": weights.sha256}}
    return {}


def _epoch(
    trainer: Trainer,
    loader: Batches,
    pairs: int,
    epoch: int,
    settings: TrainingSettings,
    hardware: Hardware,
) -> Generator[StepDone, None, EpochLog]:
    """Train for an epoch; its log has no scores yet."""
    started = time.perf_counter()
    losses, norms = [], []
    for step in _steps(trainer, loader, pairs, epoch, settings, hardware):
        losses.append(step.loss)
        norms.append(gradient_norm(trainer))
        yield step
    spent = time.perf_counter() - started
    _settle(trainer, epoch, hardware)
    return EpochLog(
        epoch=epoch,
        lr=trainer.optimizer.param_groups[0]["lr"],
        loss=sum(losses) / len(losses),
        **logged(None),
        steps_per_second=len(losses) / spent,
        seconds=spent,
        gradient_norm=_mean(torch.stack(norms)),
    )


def _mean(norms: Tensor) -> float | None:
    """The mean of what are numbers: in 16 bits some gradients overflow, and move nothing."""
    known = norms[torch.isfinite(norms)]
    return float(known.mean()) if len(known) else None


def _scored(
    scoring: Callable[[], Validation | None],
) -> tuple[Validation | None, ScdError | None]:
    """The scores of an epoch, or else what kept them from being found.

    An epoch may take hours, and is kept either way.
    """
    try:
        with _memory(_SMALLER_VALIDATION):
            return scoring(), None
    except ScdError as error:  # of one process in all of them
        return None, error


def _without_scores(trainer: Trainer) -> EpochLog | None:
    """The last epoch of a resumed run, taken back to be scored, if it could not be."""
    if trainer.logs and trainer.logs[-1].val_loss is None:
        return trainer.logs.pop()
    return None


def _steps(
    trainer: Trainer,
    loader: Batches,
    pairs: int,
    epoch: int,
    settings: TrainingSettings,
    hardware: Hardware,
) -> Iterator[StepDone]:
    learn(trainer.model)
    ranks = hardware.ranks
    plan = plan_epoch(pairs, epoch, settings, ranks)
    loading = loader.of([epoch * pairs + i for i in batch] for step in plan for batch in step)
    loaded = ranks.in_step(loading, hardware.device)
    for step, planned in enumerate(plan, start=1):
        done = (epoch - 1) * len(plan) + step - 1
        rate = poly_rate(settings, done, settings.epochs * len(plan))
        for group in trainer.optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        with _memory(_smaller_batch(settings)), _more_than_a_pixel(settings):
            loss = optimize(trainer, list(islice(loaded, len(planned))), hardware)
        if not isfinite(loss):
            raise TrainingError(
                f"the loss is {loss} at step {step} of epoch {epoch}; {_kept(epoch)}"
            )
        if trainer.average is not None:
            trainer.average.update(trainer.model)
        yield StepDone(epoch, step, len(plan), loss)


_SMALLER_VALIDATION = (
    "whole validation pairs, which are scored one by one. The epoch is kept, but for its scores: "
    "--resume finds them first, with --device cpu if need be."
)


def _smaller_batch(settings: TrainingSettings) -> str:
    if settings.batch == 1:
        smaller = f"a smaller --chip, for example {settings.augmentation.chip // 2}"
    else:
        half, parts = settings.batch // 2, settings.accumulate * 2
        smaller = f"--batch {half} --accumulate {parts}, which trains alike"
    return (
        f"a batch of {settings.batch} chips of {settings.augmentation.chip} pixels; give "
        f"{smaller}, or a smaller --width."
    )


@contextmanager
def _memory(wanted: str) -> Iterator[None]:
    """Turn a lack of memory into one sentence."""
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise TrainingError(f"the memory is too small for {wanted}") from error


@contextmanager
def _more_than_a_pixel(settings: TrainingSettings) -> Iterator[None]:
    """Turn a batch that leaves batch normalization a single value into one sentence."""
    try:
        yield
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        chip = settings.augmentation.chip
        raise TrainingError(
            f"a batch of one chip of {chip} pixels is a single pixel in the deepest layer, of "
            f"which no mean and spread can be taken; give a larger --batch, or --chip {2 * chip}."
        ) from error


def _settle(trainer: Trainer, epoch: int, hardware: Hardware) -> None:
    """One state in all processes, and none of it ruined.

    The last step of an epoch may ruin the weights after its loss was still a number.
    """
    with hardware.ranks.together():
        for model in (trainer.model, trainer.result):
            for name, tensor in model.state_dict().items():
                if not torch.isfinite(tensor).all():
                    raise TrainingError(
                        f"the weights of {name} are no longer numbers at the end of epoch {epoch}; "
                        f"{_kept(epoch)}"
                    )
    for model in (trainer.model, trainer.result):
        hardware.ranks.share_buffers(model)


def _kept(epoch: int) -> str:
    kept = "no epoch was finished before"
    if epoch > 1:
        kept = f"the models after epoch {epoch - 1} are kept in the run's folder"
    return f"{kept}. Lower --lr, or train with --precision fp32."


def _remember(trainer: Trainer, log: EpochLog, scores: Validation | None) -> bool:
    """Take up the epoch; whether it is the best so far."""
    trainer.logs.append(log)
    # Without validation the last epoch is the result, as in the paper.
    rank = _rank(log, masks=trainer.masks)
    best = trainer.best is None or (rank is not None and rank > trainer.best)
    if best:
        trainer.best = rank
        trainer.confusion = scores.matrix if scores else None
    return best


def _rank(log: EpochLog, *, masks: bool) -> float | None:
    if log.val_loss is None:
        return None
    if masks and log.miou is not None:
        return log.miou
    # SeK is what counts; while it is undefined the loss decides, far below any SeK.
    return log.sek_from_to if log.sek_from_to is not None else -1e6 - log.val_loss


def _best_epoch(trainer: Trainer) -> int:
    """The first epoch of the highest rank; 0 where none has one."""
    ranks = {log.epoch: _rank(log, masks=trainer.masks) for log in trainer.logs}
    known = {epoch: rank for epoch, rank in ranks.items() if rank is not None}
    return max(known, key=known.__getitem__, default=0)


def _ends(trainer: Trainer, settings: TrainingSettings) -> bool:
    """Whether no epoch follows."""
    done, patience = len(trainer.logs), settings.patience
    over = patience is not None and done - _best_epoch(trainer) >= patience
    return done >= settings.epochs or over


def _history(logs: Sequence[EpochLog]) -> dict[str, list[float | None]]:
    """The course of a run, a list of all epochs for each of `HISTORY`."""
    return {name: [getattr(log, name) for log in logs] for name in HISTORY}


def _write(trainer: Trainer, header: ModelHeader, out: Path, *, best: bool, half: bool) -> None:
    log = trainer.logs[-1]
    header = replace(
        header,
        training=header.training | {"epoch": log.epoch, "history": _history(trainer.logs)},
        scores={name: getattr(log, name) for name in SCORES[:3]},
    )
    save_model(out / LAST, trainer.result, header, half=half)
    if best:
        save_model(out / BEST, trainer.result, header, half=half)
    write_log(out, trainer.logs)
    store(trainer, out)
