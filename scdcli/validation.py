"""Scores on held-out pairs while training."""

from typing import NamedTuple

import numpy as np
import torch

from scdcli.chips import Chips, batches
from scdcli.counting import JointCounts, count_joint
from scdcli.decode import decode
from scdcli.device import autocast
from scdcli.legend import Legend
from scdcli.metrics import ChangeScores, Undefined, Value, scores
from scdcli.networks.losses import ClassWeights, change_loss
from scdcli.networks.model import ChangeModel
from scdcli.networks.outputs import in_float, probabilities
from scdcli.samples import Sample
from scdcli.trainer import Hardware


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
) -> Validation | None:
    """Loss and scores over whole pairs at τ = 0.5, one pair at a time; None without pairs."""
    if not samples:
        return None
    model.eval()
    counts = JointCounts.empty()
    losses = []
    chips = Chips(samples, legend, bands=len(model.mean), cover=False)
    with torch.inference_mode():
        for batch in batches(chips, hardware.workers, batch_size=1):
            batch = {name: x.to(hardware.device) for name, x in batch.items()}
            with autocast(hardware.device, hardware.precision):
                logits = model(batch["before"], batch["after"])
            logits = in_float(logits)
            labels = (batch["from_label"], batch["to_label"], batch["changed"])
            losses.append(float(change_loss(logits, *labels, weights=weights)))
            likely = probabilities(logits)[0].cpu().numpy()
            decoded = decode(likely, model.output, len(legend), threshold=0.5)
            from_label, to_label = (x[0].cpu().numpy().astype(np.uint8) for x in labels[:2])
            maps = (from_label, to_label, decoded.from_class, decoded.to_class)
            counts += count_joint(maps)
    found = scores(counts, len(legend))
    return Validation(float(np.mean(losses)), found.from_to, found.stacked)


def known(value: Value) -> float | None:
    """The value of a score, None where it is undefined."""
    return None if isinstance(value, Undefined) else value
