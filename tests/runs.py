"""Trainings of a tiny network on the CPU, to the end or as if killed."""

import torch

from scdcli.datasets.augment import Augmentation
from scdcli.legend import SECOND
from scdcli.models.checkpoint import read_tensors
from scdcli.models.networks import NetworkSettings
from scdcli.training import loop
from scdcli.training.data import TrainingSet
from scdcli.training.runfolder import EpochLog
from scdcli.training.trainer import Hardware, TrainingSettings

TINY = NetworkSettings("fc-siam-diff", width=0.125)  # half the time of asn


CPU = Hardware(torch.device("cpu"))


QUICK = TrainingSettings(
    epochs=3,
    batch=2,
    optimizer="adamw",
    lr=3e-3,
    ema=0.9,
    augmentation=Augmentation(chip=32, swap_dates=True, jitter=0.3),
)


def train(samples, validation, out, network, legend, settings, hardware=CPU, **options):
    """The events of a training on these pairs."""
    data = TrainingSet(samples, validation, legend)
    return loop.train(loop.Training(data, out, network, settings, hardware, **options))


def run(samples, out, settings=QUICK, *, stop_after=None, **kwargs):
    """Train to the end, or as if killed right after an epoch was written."""
    logs = []
    events = train(samples[1:], samples[:1], out, TINY, SECOND, settings, **kwargs)
    for event in events:
        if isinstance(event, EpochLog):
            logs.append(event)
            if event.epoch == stop_after:
                events.close()
                break
    return logs


def tensors(path):
    return read_tensors(path)[0]
