"""Train systems of the paper side by side on pairs made on the device, and write the table.

Usage: python benchmarks/gpu/compare.py PACK.zip OUT --minutes 8

Every batch is made once, and every system learns from it: all see the same pairs in the same order
and take as many steps, with Eq. 9 as their loss and the classes of changed pixels only. The
schedule follows the clock, so that a run ends in time whatever the machine does (with --steps,
whichever comes first). Its last fifth belongs to the second stage: `asn-atl` revises the `asn`
beside it, with class weights from the pairs seen. Then all are scored on pairs made of every
eighth place of the pack, from which nothing was learnt; --minutes does not count that.

OUT gets `log.csv`, `scores.json` and `table.md`, with 95 % intervals over the test pairs.
"""

import argparse
import csv
import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pack as packs
import torch
from default_model import Clock, low_precision, rate
from torch import Tensor, nn

from scdcli.models.networks import NETWORKS, NetworkSettings, build, initialize
from scdcli.models.networks.losses import ClassWeights, change_loss, inverse_frequency
from scdcli.models.networks.outputs import in_float, probabilities
from scdcli.prediction.decode import read
from scdcli.scoring.bootstrap import interval, resampled_scores
from scdcli.scoring.counting import JointCounts, count_joint
from scdcli.scoring.metrics import known, scores
from scdcli.training.live.bank import IGNORED, UNKNOWN, Bank
from scdcli.training.live.draws import Draws
from scdcli.training.live.pairs import Batch, make_batch
from scdcli.training.startweights import REVISES

CLASSES = 5
TEST_EVERY = 8  # places
SHOWN = {
    "SeK": "sek_from_to",
    "SeK stacked": "sek_stacked",
    "mIoU": "miou",
    "F_scd": "fscd_from_to",
}
RESAMPLES = 1000


@dataclass(frozen=True)
class Comparison:
    """All that decides what comes out, but for the clock."""

    systems: str = "hrscd-str4,asn,asn-atl,asn-chained"
    width: float = 1.0
    batch: int = 16
    size: int = 256
    lr: float = 1e-3
    weight_decay: float = 0.02
    warmup: float = 0.03  # of the first stage
    second: float = 0.2  # of the run, for the second stage
    test_pairs: int = 512
    seed: int = 0


@dataclass
class Student:
    """A system that learns."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    weights: ClassWeights | None = None


Sources = list[tuple[Bank, float]]


def main() -> None:
    """Unpack, train, score, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--steps", type=int, help="end after so many, too")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    for name, value in asdict(Comparison()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    given = vars(parser.parse_args())
    settings = Comparison(**{name: given[name] for name in asdict(Comparison())})
    compare(settings, given)


def compare(settings: Comparison, given: dict) -> None:
    """The whole run."""
    names = require_systems(settings.systems)
    out: Path = given["out"]
    out.mkdir(parents=True, exist_ok=True)
    device = torch.device(given["device"])
    torch.backends.cudnn.benchmark = True
    unpacked = packs.unpack(given["pack"])
    banks = [(unpacked.large.to(device), 0.4), (unpacked.small.to(device), 0.6)]
    learnt, tested = ([(places(b, test), w) for b, w in banks] for test in (False, True))
    clock = Clock(given["minutes"] * 60, given["steps"])
    students, steps = learn(names, learnt, settings, clock, out, device)
    found = test(students, tested, settings, device)
    write(found, settings, steps, out)


def require_systems(text: str) -> list[str]:
    """The systems that are asked for.

    Raises:
        SystemExit: There is none of a name, its classes are no branches, or it revises one that is
            not among them.
    """
    names = text.split(",")
    for name in names:
        if name not in NETWORKS:
            raise SystemExit(f"no system {name!r}; choose among {', '.join(NETWORKS)}.")
        if name in REVISES and REVISES[name] not in names:
            raise SystemExit(f"{name} revises {REVISES[name]}; give both with --systems.")
    return names


def places(bank: Bank, test: bool) -> Bank:
    """The pairs of every eighth place, or those of the others."""
    place: dict[int, int] = {}
    for a, b in bank.pairs.tolist():  # the dates of a place follow one another
        place[a] = place[b] = place.get(a, place.get(b, a))
    order = {root: number for number, root in enumerate(sorted(set(place.values())))}
    mine = [(order[place[a]] % TEST_EVERY == 0) is test for a in bank.pairs[:, 0].tolist()]
    chosen = torch.tensor(mine, device=bank.pairs.device)
    names = ("pairs", "changed", "weights", "groups")
    return replace(bank, **{name: getattr(bank, name)[chosen] for name in names})


def learn(
    names: list[str],
    banks: Sources,
    settings: Comparison,
    clock: Clock,
    out: Path,
    device: torch.device,
) -> tuple[dict[str, Student], int]:
    """All systems after their last step, and how many steps were taken."""
    first = 1 - settings.second if any(name in REVISES for name in names) else 1.0
    draws = Draws.seeded(settings.seed, device)
    students = {n: start(n, settings, device) for n in names if n not in REVISES}
    running, seen, step, ticked = students, Seen(device), 0, time.perf_counter()

    def second_stage() -> dict[str, Student]:
        return {n: revise(n, students, settings, seen, device) for n in names if n in REVISES}

    log = out / "log.csv"
    log.unlink(missing_ok=True)
    append(log, ["step", "seconds", *names])
    while (share := clock.share(step)) < 1:
        second = share >= first
        if second and running is students:
            running = second_stage()
        batch = make_batch(banks, banks, settings.batch, settings.size, draws)
        labels = labels_of(batch)
        seen.add(labels)
        done = (share - first) / (1 - first) if second else share / first
        step += 1
        losses = {n: optimize(each, batch, labels, settings, done) for n, each in running.items()}
        if step % 20 == 0 or step == 1:
            told = {name: loss.item() for name, loss in losses.items()}
            seconds = round(time.perf_counter() - ticked, 1)
            append(log, [step, seconds, *(f"{told[n]:.4f}" if n in told else "" for n in names)])
            if not np.isfinite(list(told.values())).all():
                raise SystemExit(f"a loss is no number at step {step}: {told}")
    if running is students:
        running = second_stage()
    print(f"{step} steps in {time.perf_counter() - ticked:.0f} s on {device}", flush=True)
    both = students | running
    return {name: both[name] for name in names}, step


def append(table: Path, row: list[object]) -> None:
    """One more line of a table."""
    with table.open("a", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerow(row)


class Seen:
    """How often each label occurs in what was learnt from."""

    def __init__(self, device: torch.device) -> None:
        self.classes = torch.zeros(CLASSES + 1, dtype=torch.int64, device=device)
        self.change = torch.zeros(2, dtype=torch.int64, device=device)

    def add(self, labels: tuple[Tensor, Tensor, Tensor]) -> None:
        """Count a batch."""
        for label in labels[:2]:
            known = torch.where(label == IGNORED, UNKNOWN, label)
            self.classes += torch.bincount(known.flatten(), minlength=CLASSES + 1)
        self.change += torch.stack([(labels[2] == value).sum() for value in (0, 1)])

    def weights(self) -> ClassWeights:
        """Inverse frequency, as in the second stage of `scd train`."""
        classes = inverse_frequency(self.classes[1:].tolist())
        return ClassWeights(classes, inverse_frequency(self.change.tolist()))


def start(name: str, settings: Comparison, device: torch.device) -> Student:
    """A fresh system."""
    torch.manual_seed(settings.seed)
    network = build(NetworkSettings(name, width=settings.width, classes=CLASSES))
    initialize(network)
    return student(network, settings, device)


def revise(
    name: str, students: dict[str, Student], settings: Comparison, seen: Seen, device: torch.device
) -> Student:
    """The second stage of a system that has learnt."""
    torch.manual_seed(settings.seed)
    network = build(NetworkSettings(name, width=settings.width, classes=CLASSES))
    inside = getattr(network, REVISES[name])
    inside.load_state_dict(students[REVISES[name]].network.state_dict())
    return replace(student(network, settings, device), weights=seen.weights().to(device))


def student(network: nn.Module, settings: Comparison, device: torch.device) -> Student:
    """A network on its device, with its optimizer."""
    network = network.to(device, memory_format=torch.channels_last)
    learning = [p for p in network.parameters() if p.requires_grad]
    fused = device.type == "cuda"
    optimizer = torch.optim.AdamW(
        learning, settings.lr, weight_decay=settings.weight_decay, fused=fused
    )
    return Student(network, optimizer)


def labels_of(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Class before and after, 0 unchanged and 255 not known, and change; (B, S, S) int64 each."""
    both = (batch.covers != UNKNOWN).all(dim=1)
    changed = batch.changed == 1
    unknown = (batch.changed == IGNORED) | (changed & ~both)
    dates = (
        torch.where(unknown, IGNORED, torch.where(changed, batch.covers[:, date], 0))
        for date in (0, 1)
    )
    from_label, to_label = dates
    return from_label, to_label, batch.changed


def optimize(
    learner: Student,
    batch: Batch,
    labels: tuple[Tensor, Tensor, Tensor],
    settings: Comparison,
    done: float,
) -> Tensor:
    """One step at a share of the stage; the loss."""
    for group in learner.optimizer.param_groups:
        group["lr"] = settings.lr * rate(done, settings.warmup)
    learner.network.train()
    with low_precision(batch.before.device):
        logits = in_float(learner.network(*images(batch)))
    loss = change_loss(logits, *labels, weights=learner.weights)
    learner.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(learner.network.parameters(), 3.0)
    learner.optimizer.step()
    return loss.detach()


def images(batch: Batch) -> list[Tensor]:
    """Both dates as networks read them fastest."""
    return [x.contiguous(memory_format=torch.channels_last) for x in (batch.before, batch.after)]


@torch.inference_mode()
def test(
    students: dict[str, Student], banks: Sources, settings: Comparison, device: torch.device
) -> dict[str, list[JointCounts]]:
    """The counts of every test pair, of each system."""
    draws = Draws.seeded(settings.seed + 1, device)
    found: dict[str, list[JointCounts]] = {name: [] for name in students}
    for each in students.values():
        each.network.eval()
    while len(next(iter(found.values()))) < settings.test_pairs:
        batch = make_batch(banks, banks, settings.batch, settings.size, draws)
        truth = torch.stack(labels_of(batch)[:2], dim=1).to(torch.uint8).cpu().numpy()
        for name, each in students.items():
            with low_precision(device):
                logits = in_float(each.network(*images(batch)))
            likely = probabilities(logits).cpu().numpy()
            for labels, probability in zip(truth, likely, strict=True):
                maps = read(probability, each.network.output, CLASSES).at(0.5)
                found[name].append(count_joint((*labels, maps.from_class, maps.to_class)))
    return {name: counts[: settings.test_pairs] for name, counts in found.items()}


def write(found: dict[str, list[JointCounts]], settings: Comparison, steps: int, out: Path) -> None:
    """The table for people and the scores behind it."""
    drawn = resampled_scores(list(found.values()), CLASSES, RESAMPLES, settings.seed)
    lines = [
        f"Width {settings.width:g}, {steps} steps of {settings.batch} pairs of "
        f"{settings.size} x {settings.size}, {settings.test_pairs} test pairs; in %, with 95 % "
        "intervals over the test pairs.\n",
        f"| system | {' | '.join(SHOWN)} | SeK against `{next(iter(found))}` |",
        "|---" * (len(SHOWN) + 2) + "|",
    ]
    document: dict[str, object] = asdict(settings) | {"steps": steps, "torch": torch.__version__}
    first: float | None = None
    for (name, counts), resampled in zip(found.items(), drawn, strict=True):
        whole = scores(sum(counts, JointCounts.empty()), CLASSES).headline()
        values = {key: known(whole[key]) for key in SHOWN.values()}
        document[name] = values
        cells = [cell(value, resampled[key]) for key, value in values.items()]
        sek, difference = values["sek_from_to"], ""
        if resampled is drawn[0]:
            first = sek
        else:
            apart = None if sek is None or first is None else sek - first
            difference = cell(apart, resampled["sek_from_to"] - drawn[0]["sek_from_to"])
        lines.append(f"| `{name}` | {' | '.join(cells)} | {difference} |")
    (out / "scores.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    table = "\n".join(lines) + "\n"
    (out / "table.md").write_text(table, encoding="utf-8")
    print(table)


def cell(value: float | None, resampled: np.ndarray) -> str:
    """A score and its interval, in %; a dash where it is undefined."""
    between = interval(resampled)
    if value is None or between is None:
        return "-"
    return f"{100 * value:.1f} [{100 * between.low:.1f}, {100 * between.high:.1f}]"


if __name__ == "__main__":
    main()
