"""The steps of an epoch: their samples, their learning rate, and one step of the optimizer.

A step on a batch in parts and processes is as if the batch were in one piece.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import get_total_norm

from scdcli.errors import TrainingError
from scdcli.models.device import autocast
from scdcli.models.networks.losses import change_loss, loss_totals
from scdcli.models.networks.outputs import in_float
from scdcli.training.distributed import Ranks
from scdcli.training.settings import TrainingSettings
from scdcli.training.trainer import Hardware, Trainer

Batch = dict[str, Tensor]


def optimize(trainer: Trainer, parts: Sequence[Batch], hardware: Hardware) -> float:
    """Move the weights by the gradient of the loss over all parts in all processes.

    A mean is over the pixels of them all, so the loss, and but for batch normalization the
    gradient, does not depend on how the batch is split.

    Args:
        trainer: What is trained.
        parts: The batches of this process, as `scdcli.datasets.chips.batches` gives them.
        hardware: Where to compute, and with whom.

    Returns:
        The loss. When it is not a finite number, the weights have not moved.
    """
    parts = [_moved(part, hardware.device) for part in parts]
    trainer.optimizer.zero_grad(set_to_none=True)
    own = [
        loss_totals(trainer.model.output, trainer.classes, _labels(part), trainer.weights)
        for part in parts
    ]
    totals = hardware.ranks.sum(torch.stack(own).sum(dim=0))
    loss = torch.zeros((), device=hardware.device)
    for part in parts:
        with _without_exchange(trainer, until=part is parts[-1]):
            share = _loss(trainer, part, hardware, totals)
            # The processes' gradients are averaged, their shares of the loss add up.
            scaled = trainer.scaler.scale(share * hardware.ranks.count)
            scaled.backward()  # type: ignore[no-untyped-call]
        loss += share.detach()
    loss = hardware.ranks.sum(loss)
    if torch.isfinite(loss):
        trainer.scaler.step(trainer.optimizer)
        trainer.scaler.update()
    return float(loss)


def gradient_norm(trainer: Trainer) -> Tensor:
    """The length of the gradient of the last step, over all parameters; (), on the device."""
    parameters = trainer.model.parameters()
    return get_total_norm([x.grad for x in parameters if x.grad is not None])


def _loss(trainer: Trainer, part: Batch, hardware: Hardware, totals: Tensor) -> Tensor:
    with autocast(hardware.device, hardware.precision):
        images = (
            part[name].contiguous(memory_format=torch.channels_last) for name in ("before", "after")
        )
        logits = trainer.forward(*images)
    semantic = 0.0 if trainer.masks else 1.0
    return change_loss(
        in_float(logits),
        *_labels(part),
        alpha=semantic,
        beta=semantic,
        weights=trainer.weights,
        totals=totals,
    )


def _labels(part: Batch) -> tuple[Tensor, Tensor, Tensor]:
    return part["from_label"], part["to_label"], part["changed"]


def _moved(part: Batch, device: torch.device) -> Batch:
    return {name: x.to(device, non_blocking=True) for name, x in part.items()}


def _without_exchange(trainer: Trainer, *, until: bool) -> AbstractContextManager[None]:
    """Gradients are exchanged once a step, with those of the last part."""
    if until or not isinstance(trainer.forward, DistributedDataParallel):
        return nullcontext()
    return trainer.forward.no_sync()


# Batches of a step, each a list of indices of samples.
Step = list[list[int]]


def require_divisible(pairs: int, settings: TrainingSettings, ranks: Ranks) -> None:
    """Refuse a batch that several processes cannot share.

    Raises:
        TrainingError: The batch is no multiple of their number, or larger than the set.
    """
    if ranks.alone:
        return
    batch, count = settings.batch, ranks.count
    if batch % count:
        nearest = max(1, round(batch / count)) * count
        raise TrainingError(
            f"--batch {batch} cannot be shared by {count} processes; give a multiple of {count}, "
            f"for example --batch {nearest}."
        )
    step = batch * settings.accumulate
    if pairs < step:
        raise TrainingError(
            f"the set has {pairs} training pairs and a step takes {step} on {count} processes; "
            "lower --batch or --accumulate, or use fewer processes."
        )


def plan_epoch(pairs: int, epoch: int, settings: TrainingSettings, ranks: Ranks) -> list[Step]:
    """This process's part of every step; together they are the steps of one process alone.

    Every sample comes at most once. What does not fill the last step is left out, because it would
    weigh its pairs more; a set smaller than a step is one step. Epochs count from 1.
    """
    generator = torch.Generator().manual_seed(settings.seed * 100_003 + epoch)
    order = torch.randperm(pairs, generator=generator).tolist()
    share = settings.batch // ranks.count
    step = settings.batch * settings.accumulate
    starts = range(0, max(1, pairs // step) * step, step)
    return [
        [
            order[first : first + settings.batch][ranks.rank * share : (ranks.rank + 1) * share]
            for first in range(start, min(start + step, pairs), settings.batch)
        ]
        for start in starts
    ]


def poly_rate(settings: TrainingSettings, done: int, steps: int) -> float:
    """The learning rate after ``done`` of ``steps`` steps."""
    remaining = 1 - done / steps
    return settings.lr * float(remaining**settings.poly_power)
