"""Scores on held-out pairs while training."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from scdcli.decode import decode
from scdcli.device import autocast
from scdcli.labelled.chips import Chips, batches
from scdcli.labelled.samples import Sample
from scdcli.legend import Legend
from scdcli.networks.losses import ClassWeights, change_loss
from scdcli.networks.model import ChangeModel
from scdcli.networks.outputs import Logits, in_float, probabilities
from scdcli.rasters.normalize import Levels
from scdcli.scoring.counting import JointCounts, count_joint
from scdcli.scoring.metrics import ChangeScores, scores
from scdcli.training.trainer import Hardware


class Validation(NamedTuple):
    """Mean loss over the pairs, and the scores of one matrix over all of them."""

    loss: float
    from_to: ChangeScores
    stacked: ChangeScores


def validate(
    model: ChangeModel,
    samples: list[Sample],
    legend: Legend,
    hardware: Hardware,
    weights: ClassWeights | None = None,
    levels: Levels | None = None,
) -> Validation | None:
    """Loss and scores over whole pairs at τ = 0.5, one pair at a time; None without pairs.

    With ``levels`` each image is brought to them. Processes share the pairs; the result is that of
    one, to the bit.
    """
    if not samples:
        return None
    ranks = hardware.ranks
    chips = Chips(samples, legend, bands=len(model.mean), cover=False, levels=levels)
    with ranks.together():
        part = _validate_part(model, chips, hardware, weights)
    parts = ranks.gather(part)
    losses = [parts[i % ranks.count][0][i // ranks.count] for i in range(len(chips))]
    counts = sum((each[1] for each in parts), start=JointCounts.empty())
    found = scores(counts, len(legend))
    return Validation(float(np.mean(losses)), found.from_to, found.stacked)


@torch.inference_mode()
def _validate_part(
    model: ChangeModel, chips: Chips, hardware: Hardware, weights: ClassWeights | None
) -> tuple[list[float], JointCounts]:
    """Of this process's pairs, the loss of each and counts over all."""
    counts = JointCounts.empty()
    losses = []
    for logits, labels in predict_part(model, chips, hardware):
        losses.append(float(change_loss(logits, *labels, weights=weights)))
        likely = probabilities(logits)[0].cpu().numpy()
        decoded = decode(likely, model.output, len(chips.legend), threshold=0.5)
        from_label, to_label = (x[0].cpu().numpy().astype(np.uint8) for x in labels[:2])
        maps = (from_label, to_label, decoded.from_class, decoded.to_class)
        counts += count_joint(maps)
    return losses, counts


def predict_part(
    model: ChangeModel, chips: Chips, hardware: Hardware
) -> Iterator[tuple[Logits, tuple[Tensor, Tensor, Tensor]]]:
    """Of this process's pairs one after the other, in `torch.inference_mode` of the caller.

    Yields:
        Logits in float32, and the labels from, to and changed; (1, ..., H, W) on the device.
    """
    model.eval()
    mine = range(hardware.ranks.rank, len(chips), hardware.ranks.count)
    for batch in batches(chips, hardware.workers, batch_sampler=[[i] for i in mine]):
        batch = {name: x.to(hardware.device) for name, x in batch.items()}
        with autocast(hardware.device, hardware.precision):
            logits = model(batch["before"], batch["after"])
        yield in_float(logits), (batch["from_label"], batch["to_label"], batch["changed"])
