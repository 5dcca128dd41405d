"""Temperature and threshold of a run's models, fitted to its validation pairs."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from scdcli.datasets.chips import Chips
from scdcli.datasets.samples import Sample
from scdcli.legend import Legend
from scdcli.models.checkpoint import LoadedModel, calibrate_model, load_model
from scdcli.scoring.fitting import Confidence, ConfidenceTally, Fit, fit
from scdcli.training.runfolder import BEST, LAST
from scdcli.training.trainer import Hardware
from scdcli.training.validation import score_part


@dataclass(frozen=True)
class CalibratedModel:
    """A model file that has its temperature and threshold.

    Attributes:
        path: The file.
        fit: Both, and what they were fitted to.
    """

    path: Path
    fit: Fit


def fit_models(
    out: Path, validation: list[Sample], legend: Legend, hardware: Hardware
) -> Iterator[CalibratedModel]:
    """Fit both models of a run, each to its own probabilities, and write that into their files.

    The tensors stay as they are, and a second call changes nothing. Processes share the pairs.

    Args:
        out: The run's folder.
        validation: Whole pairs, held out from training.
        legend: Classes of the labels, with the values they have there, which no model file holds.
        hardware: Where to compute.

    Raises:
        OutputError: A file cannot be written.
    """
    known: dict[int, Fit] = {}  # by epoch: the last one may be the best
    for path in (out / BEST, out / LAST):
        with hardware.ranks.together():
            loaded = load_model(str(path), hardware.device)
        epoch = loaded.header.training["epoch"]
        if epoch not in known:
            known[epoch] = fit(_confidence(loaded, validation, legend, hardware))
        with hardware.ranks.together():
            if hardware.ranks.first:
                _write(path, known[epoch])
        yield CalibratedModel(path, known[epoch])


def _confidence(
    loaded: LoadedModel, validation: list[Sample], legend: Legend, hardware: Hardware
) -> Confidence:
    """Labels and probabilities without a temperature, counted over all pairs."""
    header, ranks = loaded.header, hardware.ranks
    chips = Chips(
        validation, legend, bands=header.network.bands, cover=False, mean_std=loaded.mean_std
    )
    tally = ConfidenceTally(Confidence.empty(len(legend)))
    with ranks.together(), torch.inference_mode():
        for _, _, window in score_part(loaded.model, chips, hardware):
            tally.add(window)
    return sum(ranks.gather(tally.confidence), start=Confidence.empty(len(legend)))


def _write(path: Path, fitted: Fit) -> None:
    calibrate_model(
        path,
        path,
        threshold=fitted.threshold,
        temperature=fitted.temperature,
        record=fitted.record(),
    )
