"""Training: labelled pairs in, a model file out; the paper's protocol is the default.

Everything random depends only on (seed, epoch, sample), so a run continued after a kill goes on as
if nothing had happened.
"""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from scdcli.checkpoint import LoadedModel, ModelHeader, save_model
from scdcli.chips import Chips, batches
from scdcli.classweights import class_weights, require_scheme
from scdcli.device import autocast
from scdcli.errors import TrainingError
from scdcli.legend import Legend
from scdcli.networks import NetworkSettings
from scdcli.networks.losses import change_loss
from scdcli.networks.outputs import in_float
from scdcli.runfolder import BEST, LAST, EpochLog, require_run, start_run, write_log
from scdcli.samples import Sample
from scdcli.startweights import require_same_legend
from scdcli.trainer import Hardware, Trainer, TrainingSettings, make_trainer, restore, store
from scdcli.validation import known, validate


@dataclass(frozen=True)
class StepDone:
    """One optimizer step."""

    epoch: int
    step: int
    steps: int
    loss: float


def train(
    samples: list[Sample],
    validation: list[Sample],
    out: Path,
    network: NetworkSettings,
    legend: Legend,
    settings: TrainingSettings,
    hardware: Hardware,
    *,
    resume: bool = False,
    half: bool = False,
    start: LoadedModel | None = None,
    data: str = "",
) -> Iterator[StepDone | EpochLog]:
    """Train and write the run's folder; yields every step and every finished epoch.

    Args:
        samples: Training pairs.
        validation: Pairs held out for choosing the best epoch; may be empty.
        out: The run's folder.
        network: What to build.
        legend: Classes of the labels.
        settings: The protocol.
        hardware: Where to compute.
        resume: Continue the run in ``out``.
        start: A model whose weights to start from: of the same network, or of the one it revises.
        half: Store the model files in 16 bits.
        data: What the data is, for the model's header.

    Raises:
        ModelError: ``start`` does not fit the network, or is missing.
        OutputError: ``out`` holds a run and ``resume`` is off.
        TrainingError: The loss is no longer a number, or a resumed run has other settings.
        UnknownName: No such network, blocks, optimizer or class weights.
    """
    require_scheme(settings.class_weights)
    described = asdict(settings) | {"network": asdict(network), "legend": legend.to_dict()}
    described |= {"pairs": len(samples), "validation_pairs": len(validation)}
    if start is not None:
        require_same_legend(start, network, legend)
        described |= {"init": {"name": start.name, "sha256": start.sha256}}
    resuming = require_run(out, described, resume=resume)
    torch.manual_seed(settings.seed)
    trainer = make_trainer(samples, network, settings, hardware, start)
    weights = class_weights(samples, legend, settings.class_weights, cover=settings.cover)
    trainer.weights = weights.to(hardware.device) if weights else None
    if resuming:
        restore(trainer, out)
    else:
        start_run(out, described)
    chips = Chips(
        samples,
        legend,
        bands=network.bands,
        cover=settings.cover,
        augmentation=settings.augmentation,
        seed=settings.seed,
    )
    for epoch in range(len(trainer.logs) + 1, settings.epochs + 1):
        started = time.perf_counter()
        chips.epoch = epoch
        loss = 0.0
        step = None
        for step in _steps(trainer, chips, epoch, settings, hardware):
            loss += step.loss / step.steps
            yield step
        training_seconds = time.perf_counter() - started
        assert step is not None
        _require_finite(trainer, epoch)
        found = validate(trainer.result, validation, legend, hardware, trainer.weights)
        log = EpochLog(
            epoch=epoch,
            lr=trainer.optimizer.param_groups[0]["lr"],
            loss=loss,
            val_loss=found.loss if found else None,
            miou=known(found.from_to.miou) if found else None,
            sek_from_to=known(found.from_to.sek) if found else None,
            sek_stacked=known(found.stacked.sek) if found else None,
            score_from_to=known(found.from_to.score) if found else None,
            steps_per_second=step.steps / training_seconds,
            seconds=time.perf_counter() - started,
        )
        header = ModelHeader(
            network=network,
            legend=legend,
            chip=settings.augmentation.chip,
            land_cover=settings.cover and trainer.model.output != "types",
            training=described | {"data": data, "epoch": epoch},
            scores={name: getattr(log, name) for name in ("miou", "sek_from_to", "sek_stacked")},
        )
        _keep(trainer, log, header, out, half=half)
        yield log


def _steps(
    trainer: Trainer, chips: Chips, epoch: int, settings: TrainingSettings, hardware: Hardware
) -> Iterator[StepDone]:
    trainer.model.train()
    order = torch.Generator().manual_seed(settings.seed * 100_003 + epoch)
    whole = len(chips) >= settings.batch  # a short last batch would weigh its pairs more
    steps = len(chips) // settings.batch if whole else 1
    loaded = batches(
        chips,
        hardware.workers,
        batch_size=settings.batch,
        shuffle=True,
        generator=order,
        drop_last=whole,
        pin_memory=hardware.device.type == "cuda",
    )
    for step, batch in enumerate(loaded, start=1):
        done = (epoch - 1) * steps + step - 1
        for group in trainer.optimizer.param_groups:  # poly
            group["lr"] = (
                settings.lr * (1 - done / (settings.epochs * steps)) ** settings.poly_power
            )
        batch = {name: x.to(hardware.device, non_blocking=True) for name, x in batch.items()}
        loss = _optimize(trainer, batch, hardware)
        if not torch.isfinite(loss):
            raise TrainingError(
                f"the loss is {float(loss)} at step {step} of epoch {epoch}; {_kept(epoch)}"
            )
        if trainer.average is not None:
            trainer.average.update(trainer.model)
        yield StepDone(epoch, step, steps, float(loss))


def _require_finite(trainer: Trainer, epoch: int) -> None:
    """The last step of an epoch may ruin the weights after its loss was still a number."""
    for model in (trainer.model, trainer.result):
        for name, tensor in model.state_dict().items():
            if not torch.isfinite(tensor).all():
                raise TrainingError(
                    f"the weights of {name} are no longer numbers at the end of epoch {epoch}; "
                    f"{_kept(epoch)}"
                )


def _kept(epoch: int) -> str:
    kept = "no epoch was finished before"
    if epoch > 1:
        kept = f"the models after epoch {epoch - 1} are kept in the run's folder"
    return f"{kept}. Lower --lr, or train with --precision fp32."


def _optimize(trainer: Trainer, batch: dict[str, Tensor], hardware: Hardware) -> Tensor:
    trainer.optimizer.zero_grad(set_to_none=True)
    with autocast(hardware.device, hardware.precision):
        images = (x.contiguous(memory_format=torch.channels_last) for x in _images(batch))
        logits = trainer.model(*images)
    labels = (batch["from_label"], batch["to_label"], batch["changed"])
    loss = change_loss(in_float(logits), *labels, weights=trainer.weights)
    if torch.isfinite(loss):
        trainer.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        trainer.scaler.step(trainer.optimizer)
        trainer.scaler.update()
    return loss.detach()


def _images(batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    return batch["before"], batch["after"]


def _keep(trainer: Trainer, log: EpochLog, header: ModelHeader, out: Path, *, half: bool) -> None:
    trainer.logs.append(log)
    save_model(out / LAST, trainer.result, header, half=half)
    # Without validation the last epoch is the result, as in the paper.
    rank = _rank(log)
    if rank is None or trainer.best is None or rank > trainer.best:
        trainer.best = rank
        save_model(out / BEST, trainer.result, header, half=half)
    write_log(out, trainer.logs)
    store(trainer, out)


def _rank(log: EpochLog) -> float | None:
    if log.val_loss is None:
        return None
    # SeK is what counts; while it is undefined the loss decides, far below any SeK.
    return log.sek_from_to if log.sek_from_to is not None else -1e6 - log.val_loss
