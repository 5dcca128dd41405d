"""Short trainings side by side: what a term of the loss does, and how systems learn over budgets.

Usage: scd simulate SET --pairs 240 --size 192; scd simulate SET --split test --pairs 60 --size 192
OMP_NUM_THREADS=1 python benchmarks/shortruns.py SET OUT [--systems NAME[+TERM],...] [--seeds 0,1,2]
[--score-at 240,720] ... A TERM is added to Eq. 9:

  balanced     changed and unchanged pixels count alike in the cross-entropy of change
  dice         one minus the Dice coefficient of change in each pair (Milletari et al. 2016)
  lovasz       Lovász-Softmax of change in each pair (Berman et al. 2018)
  consistency  classes alike where nothing changed, unlike elsewhere (Ding et al. 2022), times 1

All systems stand on EfficientNet-lite0 with its ImageNet weights as they are, so that its features
are made once for all of them, of the four quarters of every training pair. That makes a run take
seconds, and it is not how anybody would train. A seed draws the weights, and for all systems alike
the order of the quarters. The rate is constant, and what is scored is a moving average of the
weights (about the last tenth of the steps), so that one run has a score at every budget.

OUT/scores.csv gets a line as soon as a run gets to a budget; the same call goes on with what is
missing, seed by seed. Printed is a table per budget: means over the seeds in %, and differences
from the first system on the same seed with their 95 % intervals (Student's t). "SeK, own
τ" is that at the threshold that is best on the other half of the test pairs: a loss may move it.
Norms of gradients are those of the pyramids by the root of their parameters (mean of ten steps).
"""

import argparse
import csv
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from addedterms import TERMS
from overfit import gradient
from scipy.stats import t as student
from torch import Tensor, nn

from scdcli.datasets.classmap import read_label
from scdcli.legend import SECOND
from scdcli.models.networks import NETWORKS, NetworkSettings, build, initialize
from scdcli.models.networks.encoders import DateEncoder, EfficientNetLite, load_imagenet
from scdcli.models.networks.losses import ClassWeights, change_loss, inverse_frequency
from scdcli.models.networks.outputs import Logits, in_float, probabilities
from scdcli.models.pretrained import read_encoder_weights
from scdcli.prediction.decode import read
from scdcli.rasters.scene import open_scene
from scdcli.scoring.counting import JointCounts, count_joint
from scdcli.scoring.metrics import known, scores
from scdcli.training.trainer import WeightAverage

CLASSES = len(SECOND)
ENCODER = "efficientnet-lite0"
BALANCED = "balanced"
THRESHOLDS = [n / 10 for n in range(1, 10)]
SCORES = ("sek", "sek_own", "miou", "fscd")
NORMS = ("asp", "arp")
COLUMNS = ("system", "seed", "steps", "seconds", *SCORES, *NORMS)
WARM_UP = 10  # steps
STEP = 0.99  # the moving average keeps so much of itself, after a start in which it keeps less


def options() -> argparse.Namespace:
    """What is compared, and the budget."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("set", type=Path)
    parser.add_argument("out", type=Path)
    plain = "sscd-l"
    every = ",".join(f"{plain}+{term}" for term in (BALANCED, *TERMS))
    parser.add_argument("--systems", default=f"{plain},{every}")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--score-at", default="240", help="steps")
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--lr", type=float, default=0.003)
    parser.add_argument("--encoder-weights", type=Path, help="else those of the package")
    return parser.parse_args()


def main() -> None:
    """Seed by seed, so that what is stopped early has every system."""
    given = options()
    systems = given.systems.split(",")
    require_systems(systems)
    torch.set_num_threads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    table = given.out / "scores.csv"
    if not table.exists():
        write_row(table, COLUMNS)
    budgets = sorted(map(int, given.score_at.split(",")))
    encoder = Encoder(given)
    train, test = (Pairs(given.set / name, n, encoder) for name, n in (("train", 2), ("test", 1)))
    for seed in map(int, given.seeds.split(",")):
        for name in systems:
            if not {(name, str(seed), str(n)) for n in budgets} <= finished(table):
                for row in run(name, seed, budgets, train, test, given):
                    write_row(table, [name, seed, *row])
    for budget in budgets:
        print(f"\n{budget} steps\n\n{summary(table, systems, budget)}", flush=True)


def require_systems(systems: list[str]) -> None:
    """Refuse what there is not."""
    for name in systems:
        network, _, term = name.partition("+")
        if network not in NETWORKS or term not in ("", BALANCED, *TERMS):
            sys.exit(f"no system {name!r}; NAME[+TERM] of {[*NETWORKS]} and {[BALANCED, *TERMS]}.")


class Encoder:
    """What reads all images, once."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.body = EfficientNetLite(3, ENCODER)
        weights = read_encoder_weights(ENCODER, given.encoder_weights)
        load_imagenet(self.body, weights.tensors, weights.source)
        self.body.requires_grad_(False).eval()
        self.mean: Tensor | None = None
        self.std: Tensor | None = None

    @torch.no_grad()
    def read(self, images: Tensor) -> list[Tensor]:
        """Features of (N, 2, 3, S, S) uint8 of every scale, each (N, 2, C, s, s) bfloat16.

        Those of the first call give mean and spread to all.
        """
        if self.mean is None:
            values = images.float()
            self.mean, self.std = (f(values, (0, 1, 3, 4)) for f in (torch.mean, torch.std))
        found = []
        for part in images.split(8):
            standard = (part.float() - self.mean[:, None, None]) / self.std[:, None, None]
            with torch.autocast("cpu", torch.bfloat16):
                scales = self.body(standard.flatten(0, 1))
            found.append([x.bfloat16().unflatten(0, (-1, 2)) for x in scales])
        return [torch.cat(parts) for parts in zip(*found, strict=True)]


class Kept(nn.Module):
    """Stands in a network for the encoder: gives the features of the batch at hand."""

    features: list[Tensor]

    def forward(self, _: Tensor) -> list[Tensor]:
        return self.features


class Pairs:
    """Parts of the pairs of a split, in memory.

    Attributes:
        labels: From and to, 0 where nothing changed; (N, 2, S, S) int64.
        features: Of the encoder, of every scale.
    """

    def __init__(self, folder: Path, parts: int, encoder: Encoder) -> None:
        """Read them all, and cut each in so many parts along either side."""
        names = sorted(path.name for path in (folder / "im1").iterdir())

        def cut(read: Callable[[Path], np.ndarray], *dates: str) -> Tensor:
            whole = np.stack([[read(folder / date / n) for date in dates] for n in names])
            side = whole.shape[-1] // parts
            rows = torch.from_numpy(whole).split(side, dim=-2)
            return torch.cat([x for row in rows for x in row.split(side, dim=-1)])

        self.labels = cut(lambda path: read_label(path, SECOND), "label1", "label2").long()
        self.features = encoder.read(cut(pixels, "im1", "im2"))

    def give(self, network: nn.Module, chosen: Tensor) -> Logits:
        """What a network says of some of them."""
        kept = next(x for x in network.modules() if isinstance(x, Kept))
        kept.features = [torch.cat((x[chosen, 0], x[chosen, 1])) for x in self.features]
        blank = torch.zeros(len(chosen), 3, *self.labels.shape[-2:])  # only its size counts
        with torch.autocast("cpu", torch.bfloat16):
            return in_float(network(blank, blank))


def pixels(path: Path) -> np.ndarray:
    """(3, H, W) uint8."""
    with open_scene(path) as dataset:
        return dataset.read()


def run(
    name: str, seed: int, budgets: list[int], train: Pairs, test: Pairs, given: argparse.Namespace
) -> Iterator[list[object]]:
    """Train one system; a row for each budget, but for name and seed."""
    system, _, term = name.partition("+")
    torch.manual_seed(seed)
    settings = NetworkSettings(system, width=given.width, classes=CLASSES, encoder=ENCODER)
    network = build(settings)
    initialize(network)
    next(x for x in network.modules() if isinstance(x, DateEncoder)).body = Kept()
    network = network.to(memory_format=torch.channels_last)
    weights = balance(train.labels) if term == BALANCED else None
    optimizer = torch.optim.AdamW(network.parameters(), given.lr, weight_decay=1e-4)
    average = WeightAverage(network, STEP)
    norms, started = [], time.process_time()
    passes = 1 + budgets[-1] * given.batch // len(train.labels)
    draw = torch.Generator().manual_seed(seed)
    order = torch.cat([torch.randperm(len(train.labels), generator=draw) for _ in range(passes)])
    for step, chosen in enumerate(order.split(given.batch)[: budgets[-1]], start=1):
        for group in optimizer.param_groups:
            group["lr"] = given.lr * min(1, step / WARM_UP)
        network.train()
        logits, labels = train.give(network, chosen), train.labels[chosen]
        truth = (labels[:, 0], labels[:, 1], (labels[:, 0] > 0).long())
        loss = change_loss(logits, *truth, weights=weights)
        if term in TERMS:
            loss = loss + TERMS[term](logits, truth)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        average.update(network)
        norms.append([gradient(network, part) for part in NORMS])
        if step in budgets:
            seconds = round(time.process_time() - started, 1)
            found = score(average.model, test)
            of_parts = [
                None if x[0] is None else np.mean(x) for x in zip(*norms[-10:], strict=True)
            ]
            cells = ["" if x is None else f"{x:.4g}" for x in (*found, *of_parts)]
            print(name, seed, step, seconds, *cells, flush=True)
            yield [step, seconds, *cells]


def balance(labels: Tensor) -> ClassWeights:
    """Inverse frequency of unchanged and changed, classes alike."""
    changed = int((labels[:, 0] > 0).sum())
    change = inverse_frequency([labels[:, 0].numel() - changed, changed])
    return ClassWeights(torch.ones(CLASSES), change)


@torch.no_grad()
def score(network: nn.Module, test: Pairs) -> list[float | None]:
    """`SCORES` over the test pairs, in %."""
    network.eval()
    halves = [{t: JointCounts.empty() for t in THRESHOLDS} for _ in range(2)]
    for index in range(len(test.labels)):
        logits = test.give(network, torch.tensor([index]))
        reading = read(probabilities(logits)[0].numpy(), network.output, CLASSES)
        truth = test.labels[index].numpy().astype(np.uint8)
        for threshold, counts in halves[index % 2].items():
            maps = reading.at(threshold)
            halves[index % 2][threshold] = counts + count_joint(
                (*truth, maps.from_class, maps.to_class)
            )
    best = [max(half, key=lambda t: sek(half[t]) or -1) for half in halves]
    own = halves[0][best[1]] + halves[1][best[0]]
    whole = scores(halves[0][0.5] + halves[1][0.5], CLASSES).from_to
    values = (known(whole.sek), sek(own), known(whole.miou), known(whole.fscd))
    return [None if x is None else 100 * x for x in values]


def sek(counts: JointCounts) -> float | None:
    """From-to, as a share."""
    return known(scores(counts, CLASSES).from_to.sek)


def write_row(table: Path, row: object) -> None:
    """One more line."""
    with table.open("a", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerow(row)


def rows_of(table: Path) -> list[dict[str, str]]:
    """All lines by column."""
    with table.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def finished(table: Path) -> set[tuple[str, str, str]]:
    """System, seed and steps of what is done."""
    return {(row["system"], row["seed"], row["steps"]) for row in rows_of(table)}


def summary(table: Path, systems: list[str], budget: int) -> str:
    """The table of one budget, in Markdown."""
    lines = [
        "| system | SeK | SeK, own τ | mIoU | F_scd | against the first: SeK | own τ | mIoU "
        "| seeds |",
        "|---" * 9 + "|",
    ]
    rows = [row for row in rows_of(table) if row["steps"] == str(budget)]
    by_seed = {
        name: {row["seed"]: row for row in rows if row["system"] == name} for name in systems
    }
    first = by_seed[systems[0]]
    for name, runs in by_seed.items():
        if runs:
            means = [spread([float(row[key] or "nan") for row in runs.values()]) for key in SCORES]
            apart = [
                interval([float(runs[s][key]) - float(first[s][key]) for s in runs if s in first])
                for key in SCORES[:3]
            ]
            apart = [""] * 3 if name == systems[0] else apart
            lines.append(f"| `{name}` | {' | '.join([*means, *apart])} | {len(runs)} |")
    return "\n".join(lines)


def spread(values: list[float]) -> str:
    """Mean and standard deviation."""
    mean = f"{np.mean(values):.2f}"
    return f"{mean} ± {np.std(values, ddof=1):.2f}" if len(values) > 1 else mean


def interval(values: list[float]) -> str:
    """Mean and its 95 % interval by Student's t."""
    if not values:
        return ""
    mean, count = np.mean(values), len(values)
    if count == 1:
        return f"{mean:+.2f}"
    half = student.ppf(0.975, count - 1) * np.std(values, ddof=1) / count**0.5
    return f"{mean:+.2f} [{mean - half:+.2f}, {mean + half:+.2f}]"


if __name__ == "__main__":
    main()
