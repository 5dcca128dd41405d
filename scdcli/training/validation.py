"""Scores on held-out pairs while training."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from rasterio.windows import Window
from torch import Tensor

from scdcli.datasets.chips import Batches, Chips
from scdcli.datasets.classmap import read_label
from scdcli.datasets.samples import Sample
from scdcli.legend import Legend
from scdcli.models.device import autocast
from scdcli.models.networks.losses import ClassWeights, change_loss, class_count
from scdcli.models.networks.model import ChangeModel
from scdcli.models.networks.outputs import Output, in_float, probabilities
from scdcli.prediction.decode import read
from scdcli.rasters.pair.mappings import MeanStd
from scdcli.scoring.counting import Counts, JointCounts, count_joint, stacked_matrix
from scdcli.scoring.landcover import CoverTally, LandCover
from scdcli.scoring.mappairs import Prediction, ScoredWindow
from scdcli.scoring.metrics import ChangeScores, Value, known, scores
from scdcli.training.trainer import Hardware

SCORES = ("miou", "sek_from_to", "sek_stacked", "score_from_to", "landcover_miou")


Labels = tuple[Tensor, Tensor, Tensor]
"""From, to and changed; (1, H, W) int64 each."""


class Validation(NamedTuple):
    """Mean loss over the pairs, and the scores of one matrix over all of them.

    Attributes:
        class_iou: By name of the class; None where it occurs nowhere.
        matrix: (K + 1, K + 1) int64, of `scdcli.scoring.counting.stacked_matrix`.
    """

    loss: float
    from_to: ChangeScores
    stacked: ChangeScores
    landcover_miou: Value
    class_iou: dict[str, float | None]
    matrix: Counts


def validate(
    model: ChangeModel,
    samples: list[Sample],
    legend: Legend,
    hardware: Hardware,
    weights: ClassWeights | None = None,
    mean_std: MeanStd | None = None,
    *,
    land_cover: bool = False,
) -> Validation | None:
    """Loss and scores over whole pairs at τ = 0.5, one pair at a time; None without pairs.

    Processes share the pairs; the result is that of one process, to the bit.

    Args:
        model: The model.
        samples: The pairs.
        legend: Classes of the labels.
        hardware: Where to compute.
        weights: Class weights of the loss.
        mean_std: The mean and spread that each image is brought to.
        land_cover: Whether to score the land cover, too, of the pairs that have it.
    """
    if not samples:
        return None
    ranks = hardware.ranks
    chips = Chips(samples, legend, bands=len(model.mean), cover=False, mean_std=mean_std)
    semantic = 0.0 if legend.coding.mask else 1.0
    losses, counts, covers = [], JointCounts.empty(), CoverTally(len(legend))
    with ranks.together(), torch.inference_mode():
        for logits, labels, window in score_part(model, chips, hardware, land_cover=land_cover):
            loss = change_loss(logits, *labels, alpha=semantic, beta=semantic, weights=weights)
            losses.append(float(loss))
            counts += count_joint((*window.labels, *window.predicted.classes))
            covers.add(window)
    parts = ranks.gather((losses, counts, covers.total))
    losses = [parts[i % ranks.count][0][i // ranks.count] for i in range(len(chips))]
    counts = sum((each[1] for each in parts), start=JointCounts.empty())
    whole = scores(counts, len(legend))
    cover = LandCover.of([each[2] for each in parts], len(legend)).scores
    return Validation(
        loss=float(np.mean(losses)),
        from_to=whole.from_to,
        stacked=whole.stacked,
        landcover_miou=cover.miou,
        class_iou=dict(zip(legend.names, map(known, whole.class_iou), strict=True)),
        matrix=stacked_matrix(counts, len(legend)),
    )


def logged(validation: Validation | None) -> dict[str, Any]:
    """Loss, `SCORES` and IoU under their names in an `EpochLog`; None where undefined."""
    if validation is None:
        return dict.fromkeys(("val_loss", *SCORES, "class_iou"))
    first, cover = validation.from_to, validation.landcover_miou
    values = (first.miou, first.sek, validation.stacked.sek, first.score, cover)
    named = dict(zip(SCORES, map(known, values), strict=True))
    return {"val_loss": validation.loss, **named, "class_iou": validation.class_iou}


def score_part(
    model: ChangeModel, chips: Chips, hardware: Hardware, *, land_cover: bool = False
) -> Iterator[tuple[Output, Labels, ScoredWindow]]:
    """Score the pairs of this process one after the other, at τ = 0.5.

    The caller is in `torch.inference_mode`.

    Yields:
        Logits and labels as of `predict_part`, and the whole pair as one window at τ = 0.5; with
        ``land_cover`` also that of the pairs that have it.
    """
    mine = chips.samples[hardware.ranks.rank :: hardware.ranks.count]
    for sample, (logits, labels) in zip(mine, predict_part(model, chips, hardware), strict=True):
        likely = probabilities(logits)[0].cpu().numpy()
        replaceable = chips.legend.replaceable_indices()
        reading = read(likely, model.output, class_count(logits), replaceable=replaceable)
        if chips.legend.coding.mask:
            reading = reading.as_change()
        from_label, to_label = (x[0].cpu().numpy().astype(np.uint8) for x in labels[:2])
        height, width = shape = from_label.shape
        whole = Window(0, 0, width, height)
        predicted = Prediction.of(whole, reading, threshold=0.5)
        covers = None
        if land_cover and sample.from_cover and sample.to_cover:
            before, after = sample.from_cover, sample.to_cover
            covers = read_label(before, chips.legend), read_label(after, chips.legend)
        window = ScoredWindow(sample.name, shape, (from_label, to_label), predicted, covers)
        yield logits, labels, window


def predict_part(
    model: ChangeModel, chips: Chips, hardware: Hardware
) -> Iterator[tuple[Output, Labels]]:
    """Predict the pairs of this process one after the other.

    The caller is in `torch.inference_mode`.

    Yields:
        Logits in float32, and the labels from, to and changed; (1, ..., H, W) on the device.
    """
    model.eval()
    mine = range(hardware.ranks.rank, len(chips), hardware.ranks.count)
    for batch in Batches(chips, hardware.workers).of([i] for i in mine):
        batch = {name: x.to(hardware.device) for name, x in batch.items()}
        with autocast(hardware.device, hardware.precision):
            logits = model(batch["before"], batch["after"])
        yield in_float(logits), (batch["from_label"], batch["to_label"], batch["changed"])
