"""What one of several processes does in `test_distributed`; ``torchrun`` starts it.

Arguments: the folder with the set and the model, in which the outcome is written.
"""

import gc
import json
import sys
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path

import torch
from runs import train
from sets import find_samples
from torch.nn.parallel import DistributedDataParallel

from scdcli.datasets.augment import Augmentation
from scdcli.datasets.chips import Chips
from scdcli.errors import ScdError, TrainingError
from scdcli.legend import SECOND
from scdcli.models.checkpoint import load_model
from scdcli.models.networks import NetworkSettings
from scdcli.training import loop
from scdcli.training.distributed import connected, launched
from scdcli.training.runfolder import EpochLog
from scdcli.training.trainer import Hardware, TrainingSettings
from scdcli.training.validation import validate

ASN = NetworkSettings(width=0.125)
ATL = replace(ASN, name="asn-atl")
WHOLE = replace(ASN, name="fc-siam-diff")  # half the time of asn
SETTINGS = TrainingSettings(
    epochs=2,
    batch=4,
    optimizer="adamw",
    lr=1e-3,
    ema=0.9,
    class_weights="inverse",
    augmentation=Augmentation(chip=32),
)
ACCUMULATING = replace(SETTINGS, batch=2, accumulate=2)


def second_stage(folder, name, settings, hardware):
    """Losses and scores of training ψ, to which several processes make no difference."""
    samples = find_samples(folder / "set/train")
    start = load_model(str(folder / "asn.safetensors"))
    arguments = (samples, samples[:3], folder / name, ATL, SECOND, settings, hardware)
    return [asdict(e) for e in train(*arguments, start=start) if isinstance(e, EpochLog)]


def scores_of_validation(folder, hardware):
    model = load_model(str(folder / "asn.safetensors")).model
    samples = find_samples(folder / "set/train")
    found = validate(model, samples[:5], SECOND, hardware)
    return [found.loss, found.from_to.miou, found.stacked.miou]


def whole_network(folder, hardware):
    """Train with batch normalization and an average, stop and go on; a digest of all tensors."""
    samples = find_samples(folder / "set/train")
    out = folder / "whole"
    arguments = (samples, samples[:2], out, WHOLE, SECOND, SETTINGS, hardware)
    first = train(*arguments)
    while not isinstance(next(first), EpochLog):
        pass
    first.close()
    made = []
    original = loop.make_trainer
    loop.make_trainer = lambda *a: made.append(original(*a)) or made[-1]
    logs = [e for e in train(*arguments, resume=True) if isinstance(e, EpochLog)]
    loop.make_trainer = original
    digest = sha256()
    for model in (made[0].model, made[0].result):
        for tensor in model.state_dict().values():
            digest.update(tensor.contiguous().numpy().tobytes())
    return [log.epoch for log in logs], [log.loss for log in logs], digest.hexdigest()


def error_of_one(folder, hardware):
    """One process meets a sample that cannot be read; the message all of them end with."""
    samples = find_samples(folder / "set/train")
    samples[3] = replace(samples[3], after=folder / "gone.png")
    arguments = (samples, [], folder / "broken", ATL, SECOND, SETTINGS, hardware)
    try:
        list(train(*arguments, start=load_model(str(folder / "asn.safetensors"))))
    except ScdError as error:
        return str(error)


def loss_that_is_no_number(folder, hardware):
    """The message all end with when a rate is far too large."""
    samples = find_samples(folder / "set/train")
    settings = replace(SETTINGS, optimizer="sgd", lr=1e30, epochs=9)
    try:
        list(train(samples, [], folder / "ruined", WHOLE, SECOND, settings, hardware))
    except TrainingError as error:
        return str(error)


def trouble_of_one(ranks):
    """The second process meets an error that is none of ours; what each of them ends with."""
    try:
        with ranks.together():
            if not ranks.first:
                raise MemoryError
    except (ScdError, MemoryError) as error:
        return repr(error)


def main(folder):
    ranks = launched()
    gc.disable()  # cycles are left to whoever has to end them
    device = torch.device("cpu")
    hardware = Hardware(device, ranks=ranks)
    seen = []
    original = Chips.__getitem__

    def noting(self, number):
        if self.augmentation is not None:
            seen.append(divmod(number, len(self.samples)))
        return original(self, number)

    Chips.__getitem__ = noting
    with connected(ranks, device):
        mine = {
            "logs": second_stage(folder, "two", SETTINGS, hardware),
            "seen": list(seen),
            "trouble": trouble_of_one(ranks),
            "accumulated": second_stage(folder, "accumulated", ACCUMULATING, hardware),
            "validation": scores_of_validation(folder, hardware),
            "whole": whole_network(folder, hardware),
            "error": error_of_one(folder, hardware),
            "ruined": loss_that_is_no_number(folder, hardware),
        }
        everybody = ranks.gather(mine)
    if ranks.first:
        left = sum(type(each) is DistributedDataParallel for each in gc.get_objects())
        (folder / "left.json").write_text(json.dumps(left))
        (folder / "outcome.json").write_text(json.dumps(everybody))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
