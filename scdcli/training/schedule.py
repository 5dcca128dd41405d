"""The samples of each step of an epoch, and its learning rate."""

import torch

from scdcli.errors import TrainingError
from scdcli.training.distributed import Ranks
from scdcli.training.settings import TrainingSettings

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
    weigh its pairs more; a set smaller than a step is one step.

    Args:
        pairs: Number of samples.
        epoch: From 1.
        settings: Of which batch, accumulate and seed count.
        ranks: Who shares the batches.
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
