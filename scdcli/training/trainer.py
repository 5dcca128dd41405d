"""The moving parts of a training run: settings, model, optimizer, average, and their state."""

import copy
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from scdcli.datasets.samples import Sample
from scdcli.errors import look_up
from scdcli.models.checkpoint import FORMAT, LoadedModel, read_tensors, write_tensors
from scdcli.models.networks import NetworkSettings, encoders, freeze
from scdcli.models.networks.losses import ClassWeights
from scdcli.models.networks.model import ChangeModel
from scdcli.models.pretrained import EncoderWeights
from scdcli.scoring.counting import Counts
from scdcli.training.distributed import ALONE, Ranks
from scdcli.training.runfolder import STATE, EpochLog
from scdcli.training.settings import TrainingSettings
from scdcli.training.startweights import start_model


class WeightAverage:
    """Average of all weights and batch statistics; ``model`` is ready for validation."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        """Start from a copy of ``model``; ``decay`` is reached after a short warm-up."""
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay
        self.updates = 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move the average toward ``model``."""
        self.updates += 1
        # Early on the average follows quickly, or the random start would linger in it.
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        averaged, current = self.model.state_dict(), model.state_dict()
        moving = [name for name, tensor in current.items() if tensor.is_floating_point()]
        # Hundreds of small tensors in one call: on a GPU each call costs more than its work.
        torch._foreach_lerp_([averaged[n] for n in moving], [current[n] for n in moving], 1 - decay)
        for name in current.keys() - set(moving):
            averaged[name].copy_(current[name])


@dataclass(frozen=True)
class Hardware:
    """Where and how to compute; none of it belongs to the protocol."""

    device: torch.device
    precision: torch.dtype = torch.float32
    workers: int = 0  # of each process
    ranks: Ranks = ALONE


def _sgd(model: ChangeModel, settings: TrainingSettings) -> torch.optim.Optimizer:
    return torch.optim.SGD(
        _trained(model, settings),
        lr=settings.lr,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
    )


def _adamw(model: ChangeModel, settings: TrainingSettings) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        _trained(model, settings), lr=settings.lr, weight_decay=settings.weight_decay
    )


def _trained(model: ChangeModel, settings: TrainingSettings) -> list[dict[str, Any]]:
    """Groups of parameters, each with the ``scale`` of its learning rate."""
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if settings.encoder_lr == 1:
        return [{"params": learning, "scale": 1.0}]
    inside = {id(each) for encoder in encoders(model) for each in encoder.parameters()}
    return [
        {"params": [p for p in learning if (id(p) in inside) is encoder], "scale": scale}
        for encoder, scale in ((False, 1.0), (True, settings.encoder_lr))
    ]


# An optimizer is made from the model and the settings; its state must be tensors and numbers.
OPTIMIZERS = {"sgd": _sgd, "adamw": _adamw}


@dataclass
class Trainer:
    """The moving parts of a run: model, optimizer, average, and the history so far."""

    model: ChangeModel
    forward: nn.Module  # the model as it is called for gradients
    classes: int  # K
    optimizer: torch.optim.Optimizer
    average: WeightAverage | None
    scaler: torch.amp.GradScaler
    weights: ClassWeights | None = None  # of the loss, on the device
    masks: bool = False  # labels say where something changed, but not what
    logs: list[EpochLog] = field(default_factory=list)
    best: float | None = None
    confusion: Counts | None = None  # of the best epoch on the validation pairs

    @property
    def result(self) -> ChangeModel:
        """The model to validate and keep: the average when there is one."""
        if self.average is None:
            return self.model
        assert isinstance(self.average.model, ChangeModel)
        return self.average.model


def make_trainer(
    samples: list[Sample],
    network: NetworkSettings,
    settings: TrainingSettings,
    hardware: Hardware,
    start: LoadedModel | None = None,
    encoder_weights: EncoderWeights | None = None,
) -> Trainer:
    """A model with the statistics of its data, and what trains it.

    Args:
        samples: The training pairs.
        network: What to build.
        settings: The protocol.
        hardware: Where to compute.
        start: A model whose weights to start from; fresh ones without it.
        encoder_weights: What a fresh network's encoder begins with.

    Raises:
        ModelError: ``start`` does not fit the network, or is missing.
        TrainingError: The images have another number of bands than the network.
        UnknownName: No such network, blocks, optimizer or part to freeze.
    """
    make_optimizer = look_up("optimizer", settings.optimizer, OPTIMIZERS)
    model = start_model(samples, network, start, encoder_weights).to(hardware.device)
    freeze(model.network, settings.freeze)
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if not hardware.ranks.alone and hardware.device.type == "cuda":
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
    average = WeightAverage(model, settings.ema) if settings.ema else None
    scaling = hardware.precision == torch.float16
    scaler = torch.amp.GradScaler(hardware.device.type, enabled=scaling)
    optimizer = make_optimizer(model, settings)
    return Trainer(model, model, network.classes, optimizer, average, scaler)


def exchange_gradients(trainer: Trainer, hardware: Hardware) -> None:
    """Let gradients be averaged where several processes train; all of them must get here."""
    if not hardware.ranks.alone:
        devices = [hardware.device] if hardware.device.type == "cuda" else None
        trainer.forward = DistributedDataParallel(trainer.model, device_ids=devices)


def store(trainer: Trainer, out: Path) -> None:
    """Write all that `restore` needs to go on as if the run had never stopped."""
    tensors = {f"model/{name}": x for name, x in trainer.model.state_dict().items()}
    if trainer.average is not None:
        averaged = trainer.average.model.state_dict()
        tensors |= {f"average/{name}": x for name, x in averaged.items()}
    for index, entry in trainer.optimizer.state_dict()["state"].items():
        for key, value in entry.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer/{index}/{key}"] = value
    progress = {
        "logs": [asdict(log) for log in trainer.logs],
        "best": trainer.best,
        "confusion": None if trainer.confusion is None else trainer.confusion.tolist(),
        "average_updates": trainer.average.updates if trainer.average else 0,
        "scaler": trainer.scaler.state_dict(),
    }
    write_tensors(out / STATE, tensors, {"format": FORMAT, "progress": progress})


def restore(trainer: Trainer, out: Path) -> None:
    """Bring a fresh trainer to the last finished epoch of the run in ``out``."""
    tensors, description = read_tensors(out / STATE)
    progress = description["progress"]

    def part(prefix: str) -> dict[str, Tensor]:
        return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

    trainer.model.load_state_dict(part("model/"))
    if trainer.average is not None:
        trainer.average.model.load_state_dict(part("average/"))
        trainer.average.updates = progress["average_updates"]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in part("optimizer/").items():
        index, key = name.split("/")
        state.setdefault(int(index), {})[key] = tensor
    groups = trainer.optimizer.state_dict()["param_groups"]
    trainer.optimizer.load_state_dict({"state": state, "param_groups": groups})
    _lay_out_as_parameters(trainer.optimizer)
    if trainer.scaler.is_enabled() and progress["scaler"]:
        trainer.scaler.load_state_dict(progress["scaler"])
    trainer.logs = [EpochLog(**log) for log in progress["logs"]]
    trainer.best = progress["best"]
    confusion = progress.get("confusion")  # not in runs from before it was kept
    trainer.confusion = None if confusion is None else np.array(confusion, dtype=np.int64)


def _lay_out_as_parameters(optimizer: torch.optim.Optimizer) -> None:
    """Give what the optimizer remembers the memory layout of its parameters.

    A file keeps none, and fused optimizers leave their fast path where layouts differ.
    """
    for parameter, entry in optimizer.state.items():
        for key, value in entry.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                entry[key] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
