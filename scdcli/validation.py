"""Scores on held-out pairs while training."""

from typing import NamedTuple

import numpy as np
import torch

from scdcli.chips import Chips, batches
from scdcli.counting import JointCounts, count_joint
from scdcli.dataset import Sample
from scdcli.decode import decode
from scdcli.device import autocast
from scdcli.legend import Legend
from scdcli.metrics import ChangeScores, Undefined, Value, scores
from scdcli.networks import Logits
from scdcli.networks.losses import asn_loss
from scdcli.networks.model import ChangeModel
from scdcli.trainer import Hardware


class Validation(NamedTuple):
    """Mean loss over the pairs, and the scores of one matrix over all of them."""

    loss: float
    from_to: ChangeScores
    stacked: ChangeScores


def validate(
    model: ChangeModel, samples: list[Sample], legend: Legend, hardware: Hardware
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
            logits = Logits(*(x.float() for x in logits))
            labels = (batch["from_label"], batch["to_label"], batch["changed"])
            losses.append(float(asn_loss(logits, *labels)))
            likely = [x.softmax(dim=1)[0].cpu().numpy() for x in logits]
            decoded = decode(likely[0], likely[1], likely[2][1:], threshold=0.5)
            from_label, to_label = (x[0].cpu().numpy().astype(np.uint8) for x in labels[:2])
            maps = (from_label, to_label, decoded.from_class, decoded.to_class)
            counts += count_joint(maps)
    found = scores(counts, len(legend))
    return Validation(float(np.mean(losses)), found.from_to, found.stacked)


def known(value: Value) -> float | None:
    """The value of a score, None where it is undefined."""
    return None if isinstance(value, Undefined) else value
