"""Scores on held-out pairs while training."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scdcli.datasets.chips import Chips, batches
from scdcli.datasets.classmap import read_label
from scdcli.datasets.samples import Sample
from scdcli.legend import NODATA, Legend
from scdcli.models.device import autocast
from scdcli.models.networks.losses import ClassWeights, change_loss
from scdcli.models.networks.model import ChangeModel
from scdcli.models.networks.outputs import Output, in_float, probabilities
from scdcli.prediction.decode import Decoded, decode
from scdcli.rasters.pair.mappings import Levels
from scdcli.scoring.counting import JointCounts, count_joint
from scdcli.scoring.landcover import CoverMatrices, LandCover, count_cover
from scdcli.scoring.mapsets import Files
from scdcli.scoring.metrics import ChangeScores, Value, known, scores
from scdcli.training.trainer import Hardware

SCORES = ("miou", "sek_from_to", "sek_stacked", "score_from_to", "landcover_miou")


class Validation(NamedTuple):
    """Mean loss over the pairs, and the scores of one matrix over all of them."""

    loss: float
    from_to: ChangeScores
    stacked: ChangeScores
    landcover_miou: Value


def validate(
    model: ChangeModel,
    samples: list[Sample],
    legend: Legend,
    hardware: Hardware,
    weights: ClassWeights | None = None,
    levels: Levels | None = None,
    *,
    land_cover: bool = False,
) -> Validation | None:
    """Loss and scores over whole pairs at τ = 0.5, one pair at a time; None without pairs.

    With ``levels`` each image is brought to them. With ``land_cover`` that of the pairs that have
    it is scored, too. Processes share the pairs; the result is that of one, to the bit.
    """
    if not samples:
        return None
    ranks = hardware.ranks
    chips = Chips(samples, legend, bands=len(model.mean), cover=False, levels=levels)
    with ranks.together():
        part = _validate_part(model, chips, hardware, weights, land_cover=land_cover)
    parts = ranks.gather(part)
    losses = [parts[i % ranks.count][0][i // ranks.count] for i in range(len(chips))]
    counts = sum((each[1] for each in parts), start=JointCounts.empty())
    found = scores(counts, len(legend))
    cover = LandCover.of([each[2] for each in parts], len(legend)).scores
    return Validation(float(np.mean(losses)), found.from_to, found.stacked, cover.miou)


def logged(found: Validation | None) -> dict[str, float | None]:
    """Loss and `SCORES` under their names in an `EpochLog`; None where undefined."""
    if found is None:
        return dict.fromkeys(("val_loss", *SCORES))
    first, cover = found.from_to, found.landcover_miou
    values = (first.miou, first.sek, found.stacked.sek, first.score, cover)
    return {"val_loss": found.loss, **dict(zip(SCORES, map(known, values), strict=True))}


@torch.inference_mode()
def _validate_part(
    model: ChangeModel,
    chips: Chips,
    hardware: Hardware,
    weights: ClassWeights | None,
    *,
    land_cover: bool,
) -> tuple[list[float], JointCounts, CoverMatrices]:
    """Of this process's pairs, the loss of each, counts over all and matrices of the land cover."""
    counts = JointCounts.empty()
    matrices = CoverMatrices.empty(len(chips.legend))
    losses = []
    mine = chips.samples[hardware.ranks.rank :: hardware.ranks.count]
    for sample, (logits, labels) in zip(mine, predict_part(model, chips, hardware), strict=True):
        losses.append(float(change_loss(logits, *labels, weights=weights)))
        likely = probabilities(logits)[0].cpu().numpy()
        decoded = decode(likely, model.output, len(chips.legend), threshold=0.5)
        from_label, to_label = (x[0].cpu().numpy().astype(np.uint8) for x in labels[:2])
        maps = (from_label, to_label, decoded.from_class, decoded.to_class)
        counts += count_joint(maps)
        if land_cover and sample.from_cover and sample.to_cover:
            files = (sample.from_cover, sample.to_cover)
            labelled = (labels[2][0] != NODATA).cpu().numpy()
            matrices += _count_cover(files, decoded, labelled, chips.legend)
    return losses, counts, matrices


def _count_cover(
    files: Files, decoded: Decoded, labelled: NDArray[np.bool_], legend: Legend
) -> CoverMatrices:
    before, after = (read_label(path, legend) for path in files)
    predicted = (decoded.before_cover, decoded.after_cover)
    return count_cover((before, after), predicted, labelled, len(legend))


def predict_part(
    model: ChangeModel, chips: Chips, hardware: Hardware
) -> Iterator[tuple[Output, tuple[Tensor, Tensor, Tensor]]]:
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
