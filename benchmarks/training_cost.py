"""What every network costs: parameters, multiply-adds, and memory and time of a training step.

Usage: python benchmarks/training_cost.py [--steps 2] [--networks asn,hrscd-str4] [--batch 4]
       [--size 512] [--width 1] [--precision bf16] [--device auto]
Without --steps nothing is computed, and it takes seconds. With --steps N every network makes N
steps of the paper's optimizer on random pictures, in a process of its own. On a CPU memory is the
peak of that process above what it took with its libraries loaded, on a GPU the most that PyTorch
had allocated. Both hold weights, gradients, momentum, activations and the batch. The last step is
timed.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from scdcli.models.device import pick_device, pick_precision
from scdcli.models.networks import NETWORKS, NetworkSettings, build, initialize
from scdcli.models.networks.model import ChangeModel
from scdcli.training.optimization import optimize
from scdcli.training.trainer import OPTIMIZERS, Hardware, Trainer, TrainingSettings

GIB = 1 << 30


def static_cost(settings, size):
    """Millions of parameters, and GMAC of one pair; no memory is touched."""
    with torch.device("meta"):
        network = build(settings)
        pair = [torch.empty(1, settings.bands, size, size) for _ in "ab"]
    parameters = sum(each.numel() for each in network.parameters())
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(*pair)
    return parameters / 1e6, counter.get_total_flops() / 2e9


def step_cost(settings, options):
    """GiB and seconds of a step, in this process."""
    device = pick_device(options.device)
    hardware = Hardware(device, pick_precision(options.precision, device))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    network = build(settings)
    initialize(network)
    model = ChangeModel(network, [100.0] * settings.bands, [50.0] * settings.bands).to(device)
    model = model.to(memory_format=torch.channels_last)
    optimizer = OPTIMIZERS["sgd"](model, TrainingSettings())
    scaler = torch.amp.GradScaler(device.type, enabled=hardware.precision == torch.float16)
    trainer = Trainer(model.train(), model, settings.classes, optimizer, None, scaler)
    shape = (options.batch, options.size, options.size)
    changed = torch.rand(shape) < 0.2
    batch = {
        name: torch.rand(shape[0], settings.bands, *shape[1:]) * 255 for name in ("before", "after")
    }
    for name in ("from_label", "to_label"):
        batch[name] = torch.randint(1, settings.classes + 1, shape) * changed
    batch["changed"] = changed.long()
    for _ in range(options.steps):
        start = time.perf_counter()
        optimize(trainer, [batch], hardware)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds = time.perf_counter() - start
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / GIB, seconds
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return (after - before) / GIB, seconds


def in_own_process(name):
    """The same, where nothing else has raised the peak; None when it ended without an answer."""
    command = [sys.executable, str(Path(__file__)), *sys.argv[1:], "--child", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(
            f"{name}: {(done.stderr.strip() or f'ended with {done.returncode}').splitlines()[-1]}"
        )
        return None
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", default=",".join(NETWORKS), help="names, comma-separated")
    parser.add_argument("--blocks", default="residual")
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--size", type=int, default=512, help="pixels of a side")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument(
        "--steps", type=int, default=0, help="training steps to measure; 2 to warm up"
    )
    parser.add_argument("--precision", default="bf16")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()

    def settings(name):
        return NetworkSettings(name, blocks=options.blocks, width=options.width)

    if options.child:
        print(json.dumps(step_cost(settings(options.child), options)))
        return
    print(f"{'network':<16}{'parameters':>12}{'multiply-adds':>15}", end="")
    print(f"{'memory':>12}{'step':>10}" if options.steps else "")
    for name in options.networks.split(","):
        parameters, gmac = static_cost(settings(name), options.size)
        row = f"{name:<16}{parameters:10.2f} M{gmac:13.1f} G"
        measured = in_own_process(name) if options.steps else None
        if measured:
            row += f"{measured[0]:8.2f} GiB{measured[1]:8.2f} s"
        print(row, flush=True)


if __name__ == "__main__":
    main()
