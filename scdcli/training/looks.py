"""What the images of a run look like, for its models to warn of others."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from scdcli.datasets.augmentation import Augmentation
from scdcli.datasets.chips import Batches, Chips
from scdcli.datasets.samples import Sample
from scdcli.legend import Legend
from scdcli.models.checkpoint import LoadedModel, describe_familiar, load_model
from scdcli.models.familiarity import SIDE, Familiarity, features, fit
from scdcli.training.runfolder import BEST, LAST
from scdcli.training.trainer import Hardware

QUANTILE = 0.95  # of held-out windows are ordinary
MOST = 150  # pairs of a set that are looked at
LEAST = 20  # windows below which the quantile would be a matter of chance


def keep_looks(
    out: Path, training: list[Sample], held_out: list[Sample], legend: Legend, hardware: Hardware
) -> None:
    """Write into both models of a run what images they know, where there is enough to judge by.

    A window of each pair is looked at, of a scene one for each chip of an epoch; those held out say
    how far from the training images is still ordinary. With fewer than `LEAST` of either kind, and
    for networks without an encoder of single dates, the files stay as they are. A second call
    changes nothing.

    Args:
        out: The run's folder.
        training: The pairs learnt from.
        held_out: Others of the same kind.
        legend: Classes of the labels, with the values they have there.
        hardware: Where to compute.

    Raises:
        ScdError: A pair cannot be read, or a file not be written.
    """
    if min(len(training), len(held_out)) < LEAST:
        return
    known: dict[int, Familiarity] = {}  # by epoch: the last one may be the best
    for path in (out / BEST, out / LAST):
        loaded = load_model(str(path), hardware.device)
        epoch = loaded.header.training["epoch"]
        if epoch not in known:
            learnt, others = (_describe(loaded, each, legend) for each in (training, held_out))
            if learnt is None or others is None:
                return
            known[epoch] = fit(learnt, others, QUANTILE)
        describe_familiar(path, path, known[epoch])


def _describe(loaded: LoadedModel, samples: list[Sample], legend: Legend) -> Tensor | None:
    """Features of a window of both dates of up to `MOST` pairs, (2N, F), on the CPU."""
    chips = Chips(
        samples,
        legend,
        bands=loaded.header.network.bands,
        cover=False,
        mean_std=loaded.mean_std,
        augmentation=Augmentation(SIDE, scale=(1.0, 1.0), flip=False),
    )
    chosen = np.random.default_rng(0).permutation(len(samples))[:MOST]
    device = loaded.model.mean.device
    rows = []
    for batch in Batches(chips, 0).of([index] for index in sorted(chosen)):
        images = torch.cat((batch["before"], batch["after"])).to(device)
        row = features(loaded.model, images)
        if row is None:
            return None
        rows.append(row.float().cpu())
    return torch.cat(rows)
