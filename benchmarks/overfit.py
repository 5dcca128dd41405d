"""Whether a system can learn a few pairs by heart, and what its pyramids do meanwhile.

Usage: python benchmarks/overfit.py [--systems hrscd-str4,asn] [--steps 300] [--pairs 8] ...

A fault of wiring shows where a system cannot: a part that gets no gradient, a branch that drowns
the others. All pairs are one batch, without augmentation; the scores are those on the same pairs,
as they are predicted. Every --every steps a line has

- loss, SeK (from-to) and mIoU in %;
- the norm of the gradient of each part of the network, by the square root of its parameters;
- `pairs/deep`: the root mean square of what the pairs of aSP and of aRP add to the change decoder,
  over that of the feature they are added to.

`NAME+zero` starts with the last normalization of the pair branches at 0, so that the change
decoder begins without them. A system takes one to three minutes of one core as it stands.
"""

import argparse
import csv
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from scdcli.models.networks import NETWORKS, NetworkSettings, build, initialize
from scdcli.models.networks.losses import change_loss
from scdcli.models.networks.outputs import in_float, probabilities
from scdcli.models.networks.trunk import PYRAMID_LEVEL
from scdcli.prediction.decode import read
from scdcli.scoring.counting import JointCounts, count_joint
from scdcli.scoring.metrics import known, scores
from scdcli.simulation.world import draw_pair
from scdcli.simulation.world.pair import MINIMUM_SIZE

CLASSES = 6
OPTIMIZERS = {"adamw": torch.optim.AdamW, "sgd": partial(torch.optim.SGD, momentum=0.9)}
ZERO = "+zero"
PARTS = ("semantic_encoder", "semantic_decoder", "change_encoder", "change_decoder", "asp", "arp")


def main() -> None:
    """One system after the other, lines as they come."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--systems", default="hrscd-str4,asn-wo-asp-arp,asn,asn-chained")
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--size", type=int, default=64, help="side of a pair in pixels")
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--every", type=int, default=30)
    parser.add_argument("--optimizer", choices=OPTIMIZERS, default="adamw")
    parser.add_argument("--lr", type=float, default=0.003)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    systems = given.systems.split(",")
    strange = [name for name in systems if name.removesuffix(ZERO) not in NETWORKS]
    if strange:
        sys.exit(f"no system {strange[0]!r}; choose among {', '.join(NETWORKS)}.")
    torch.set_num_threads(given.threads)
    batch = draw(given.pairs, given.size)
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(
        [
            "system",
            "step",
            "seconds",
            "loss",
            "SeK",
            "mIoU",
            *PARTS,
            "asp pairs/deep",
            "arp pairs/deep",
        ]
    )
    for name in systems:
        for row in learn(name, batch, given):
            table.writerow([name, *row])
            sys.stdout.flush()


def draw(pairs: int, size: int) -> list[Tensor]:
    """Images before and after, standardized, (N, 3, H, W); labels from and to, (N, H, W)."""
    world = max(size, MINIMUM_SIZE)
    middle = slice((world - size) // 2, (world + size) // 2)
    made = [draw_pair(seed, world, world) for seed in range(pairs)]
    images, labels = (
        np.stack([[getattr(each, name)[..., middle, middle] for each in made] for name in names])
        for names in (("before", "after"), ("from_class", "to_class"))
    )
    axes = (0, 1, 3, 4)  # all but the bands
    mean, std = (part(axis=axes, keepdims=True) for part in (images.mean, images.std))
    standardized = torch.from_numpy(((images - mean) / std).astype(np.float32))
    return [*standardized, *torch.from_numpy(labels.astype(np.int64))]


def learn(name: str, batch: list[Tensor], given: argparse.Namespace) -> Iterator[list[object]]:
    """Rows of the table, from before the first step to after the last."""
    torch.manual_seed(given.seed)
    network = build(NetworkSettings(name.removesuffix(ZERO), width=given.width, classes=CLASSES))
    initialize(network)
    if name.endswith(ZERO):
        silence(network)
    network = network.to(memory_format=torch.channels_last)
    optimizer = OPTIMIZERS[given.optimizer](network.parameters(), lr=given.lr, weight_decay=1e-4)
    before, after, from_label, to_label = batch
    changed = (from_label > 0).long()
    started = time.perf_counter()
    for step in range(given.steps + 1):
        network.train()
        with pair_scales(network) as scales, torch.autocast("cpu", torch.bfloat16):
            logits = in_float(network(before, after))
        loss = change_loss(logits, from_label, to_label, changed)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if step % given.every == 0:
            norms = [gradient(network, part) for part in PARTS]
            numbers = [
                loss.item(),
                *score(network, batch),
                *norms,
                scales.get("asp"),
                scales.get("arp"),
            ]
            cells = ["" if x is None else f"{x:.4g}" for x in numbers]
            yield [step, round(time.perf_counter() - started), *cells]
        for group in optimizer.param_groups:
            group["lr"] = given.lr * (1 - step / (given.steps + 1)) ** 0.9
        optimizer.step()


def silence(network: nn.Module) -> None:
    """Let the pair branches give 0 at the start."""
    for _, fusion in pair_branches(network):
        nn.init.zeros_(fusion.convolve[0][1].weight)


def pair_branches(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """What fuses the pairs of each pyramid there is."""
    parts = {name: getattr(network, name, None) for name in ("asp", "arp")}
    return [(n, x.pairs) for n, x in parts.items() if x is not None and x.pairs is not None]


@contextmanager
def pair_scales(network: nn.Module) -> Iterator[dict[str, float]]:
    """Of a forward pass inside, what each pair branch adds over what it is added to."""
    sizes: dict[str, float] = {}
    handles = []

    def watch(module: nn.Module, name: str) -> None:
        def keep(_: nn.Module, __: object, out: Tensor) -> None:
            sizes[name] = out.detach().square().mean().sqrt().item()

        handles.append(module.register_forward_hook(keep))

    branches = pair_branches(network)
    for name, fusion in branches:
        watch(fusion, name)
    if branches:
        watch(network.change_decoder.levels[PYRAMID_LEVEL - 1], "deep")
    ratios: dict[str, float] = {}
    yield ratios
    for handle in handles:
        handle.remove()
    ratios |= {name: sizes[name] / sizes["deep"] for name, _ in branches}


def gradient(network: nn.Module, name: str) -> float | None:
    """Norm of the gradient of a part by the root of its parameters; None without that part."""
    part = getattr(network, name, None)
    if part is None:
        return None
    gradients = [p.grad for p in part.parameters() if p.grad is not None]
    count = sum(g.numel() for g in gradients)
    return float(torch.stack([g.square().sum() for g in gradients]).sum().sqrt() / count**0.5)


@torch.no_grad()
def score(network: nn.Module, batch: list[Tensor]) -> tuple[float | None, float | None]:
    """SeK (from-to) and mIoU in %, of the pairs as they are predicted."""
    network.eval()
    before, after, from_label, to_label = batch
    counts = JointCounts.empty()
    for index, each in enumerate(probabilities(network(before, after)).numpy()):
        maps = read(each, network.output, CLASSES).at(0.5)
        truth = (from_label[index].numpy(), to_label[index].numpy())
        labels = [x.astype(np.uint8) for x in truth]
        counts += count_joint((*labels, maps.from_class, maps.to_class))
    found = scores(counts, CLASSES).from_to
    return tuple(None if (x := known(v)) is None else 100 * x for v in (found.sek, found.miou))


if __name__ == "__main__":
    main()
