"""Train the default model: pairs made on the device, real dates, self-training over time.

Usage: python benchmarks/gpu/default_model.py PACK.zip WEIGHTS.pth OUT --minutes 9

On a GPU in bf16, without one on the CPU for as long as it takes. The schedule follows the clock, so
a run ends in time whatever the machine does (with --steps, whichever comes first). Every minute OUT
gets `model.safetensors` (weights of the moving average) and `run.json` with all settings, beside
`log.csv`. `finish.py` makes a model file of it.

Three times, a teacher (the moving average) labels all dates of the places: what is confident and
the same at all dates of a place becomes a label; where it sees no change in a pair of dates, the
pair counts as unchanged there; where it sees some, the pair is left out.
"""

import argparse
import csv
import json
import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from math import cos, pi
from pathlib import Path

import numpy as np
import pack as packs
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from scdcli.models.networks import NetworkSettings, build, initialize
from scdcli.models.networks.encoders import load_imagenet
from scdcli.models.networks.losses import inverse_frequency
from scdcli.models.networks.outputs import in_float
from scdcli.training.live.bank import IGNORED, UNKNOWN, Bank, regions
from scdcli.training.live.camera import standardize
from scdcli.training.live.draws import Draws
from scdcli.training.live.pairs import Batch, make_batch

CLASSES = 5


@dataclass(frozen=True)
class Run:
    """All that decides what comes out, but for the clock."""

    network: str = "hrscd-str4"
    encoder: str = "efficientnet-lite0"
    width: float = 0.5
    batch: int = 64
    size: int = 256
    lr: float = 2e-3
    encoder_lr: float = 0.4  # times lr
    frozen: int = 0  # scales of the encoder that stay as they are, from the finest
    weight_decay: float = 0.02
    ema: float = 0.9985
    warmup: float = 0.02  # of the run
    labelled: float = 0.45  # share of scenes of one date
    real: bool = True  # scenes of two real dates
    drawn: float = 0.0  # share of scenes of a drawn world, if there is one
    teach_at: tuple[float, ...] = (0.3, 0.5, 0.72)  # of the run
    confident: float = 0.75
    taught_pairs: int = 1_000_000  # at most; fewer to try a run without a GPU
    unchanged_below: float = 0.12
    dice: float = 0.5
    consistency: float = 0.5
    positive: float = 2.0  # weight of changed pixels
    seed: int = 0


@dataclass
class Student:
    """What learns, and its moving average."""

    network: nn.Module
    average: nn.Module
    optimizer: torch.optim.Optimizer
    updates: int = 0


def main() -> None:
    """Unpack, train, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("weights", type=Path, help="of the encoder, as its package has them")
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=9)
    parser.add_argument("--steps", type=int, help="end after so many, too")
    parser.add_argument("--workers", type=int, default=8, help="processes beside this one")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument(
        "--init", type=Path, help="a model.safetensors of an earlier run to go on from"
    )
    parser.add_argument(
        "--world", type=Path, help="pairs of `scd simulate WORLD --legend urban` for --drawn"
    )
    parser.add_argument("--keep-every", type=float, default=60, help="seconds")
    for name, value in asdict(Run()).items():
        if isinstance(value, bool):
            parser.add_argument(f"--{name}", action=argparse.BooleanOptionalAction, default=value)
        elif isinstance(value, tuple):
            parser.add_argument(f"--{name.replace('_', '-')}", type=fractions, default=value)
        else:
            parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    given = vars(parser.parse_args())
    run = Run(**{name: given[name] for name in asdict(Run())})
    if bool(run.drawn) != bool(given["world"]):
        parser.error("--drawn SHARE and --world FOLDER go together.")
    train(run, given)


def fractions(text: str) -> tuple[float, ...]:
    """Numbers with commas between; none for an empty text."""
    return tuple(float(part) for part in text.split(",") if part)


def train(run: Run, given: dict) -> None:
    """The whole run."""
    started = time.perf_counter()
    out: Path = given["out"]
    out.mkdir(parents=True, exist_ok=True)
    device = torch.device(given["device"])
    torch.manual_seed(run.seed)
    torch.backends.cudnn.benchmark = True
    unpacked = packs.unpack(given["pack"])
    require_places(unpacked, run, given["pack"])
    large, places = unpacked.large.to(device), unpacked.small.to(device)
    world = packs.drawn(given["world"]).to(device) if run.drawn else None
    student = start_student(run, given["weights"], device, given["init"])
    weights = class_weights((large, places)).to(device)
    draws = Draws.seeded(run.seed, device)
    pool = ProcessPoolExecutor(given["workers"], multiprocessing.get_context("spawn"))
    list(pool.map(regions, [np.zeros((8, 8), np.uint8)] * 16))  # started before the clock
    first = places
    clock = Clock(given["minutes"] * 60, given["steps"])
    lessons, kept, step = list(run.teach_at), time.perf_counter(), 0
    log, batches = Log(out, started, run.batch), Ahead(run, draws)
    print(f"unpacked in {time.perf_counter() - started:.0f} s, on {device}", flush=True)
    while (share := clock.share(step)) < 1:
        if lessons and share >= lessons[0] and run.real:
            lessons.pop(0)
            places = taught(student.average, first, unpacked, run, pool)
        batch = batches.next(sources(large, places, run), world)
        for group, scale in zip(student.optimizer.param_groups, (run.encoder_lr, 1.0), strict=True):
            group["lr"] = run.lr * scale * rate(share, run.warmup)
        step += 1
        log.add(step, optimize(student, batch, weights, run, device))
        if time.perf_counter() - kept > given["keep_every"]:
            keep(student.average, out, run, step)
            kept = time.perf_counter()
    keep(student.average, out, run, step)
    pool.shutdown(wait=False, cancel_futures=True)
    peak = torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else 0
    print(f"{step} steps in {time.perf_counter() - started:.0f} s, {peak:.1f} GiB", flush=True)


def require_places(unpacked: packs.Unpacked, run: Run, path: Path) -> None:
    """Refuse a pack without what the settings learn from, before the clock runs."""
    pairs = unpacked.small.pairs
    if run.real and not bool((pairs[:, 0] != pairs[:, 1]).any()):
        raise SystemExit(
            f"{path}: none of its {len(pairs)} pairs is of two dates of one place, from which real "
            "light and seasons are learnt; pack some with pack.py, or give --no-real."
        )


class Log:
    """Means over 20 steps, in a table; ends a run whose loss is no number."""

    def __init__(self, out: Path, started: float, batch: int) -> None:
        self.started, self.ticked, self.batch = started, time.perf_counter(), batch
        self.losses: list[Tensor] = []
        self.table = csv.writer((out / "log.csv").open("w", buffering=1))
        parts = ("loss", "cover", "change", "dice", "consistency")
        self.table.writerow(["step", "seconds", *parts, "pairs_per_s"])

    def add(self, step: int, loss: Tensor) -> None:
        """One step's loss and parts, (5,); read every 20 steps, since reading makes a GPU wait."""
        self.losses.append(loss)
        if step % 20:
            return
        mean = torch.stack(self.losses).mean(dim=0).tolist()
        now = time.perf_counter()
        speed = len(self.losses) * self.batch / (now - self.ticked)
        self.losses, self.ticked = [], now
        seconds = round(now - self.started, 1)
        self.table.writerow([step, seconds, *(round(x, 4) for x in mean), round(speed, 1)])
        if not np.isfinite(mean[0]):
            raise SystemExit(f"the loss is {mean[0]} at step {step}")


class Ahead:
    """Makes the next batch beside the step that learns from this one, where that is a processor."""

    def __init__(self, run: Run, draws: Draws) -> None:
        self.run, self.draws = run, draws
        self.thread = ThreadPoolExecutor(1) if draws.device.type == "cpu" else None
        self.coming: Future[Batch] | None = None

    def next(self, banks: list[tuple[Bank, float]], world: Bank | None) -> Batch:
        """A batch of ``banks``, on a processor one that was begun with those of the last call.

        Nothing of a drawn ``world`` is pasted into anything.
        """
        scenes = [(bank, share * (1 - self.run.drawn)) for bank, share in banks]
        if world is not None:
            scenes.append((world, self.run.drawn))
        settings = (scenes, banks, self.run.batch, self.run.size, self.draws)
        if self.thread is None:
            return make_batch(*settings)
        ready = self.coming.result() if self.coming else make_batch(*settings)
        self.coming = self.thread.submit(make_batch, *settings)
        return ready


class Clock:
    """How much of a run is over, by time or by steps."""

    def __init__(self, seconds: float, steps: int | None) -> None:
        self.started, self.seconds, self.steps = time.perf_counter(), seconds, steps

    def share(self, step: int) -> float:
        """From 0; 1 and more when it is over."""
        by_time = (time.perf_counter() - self.started) / self.seconds
        return max(by_time, step / self.steps) if self.steps else by_time


def rate(share: float, warmup: float) -> float:
    """Rising over ``warmup``, then half a cosine down to a hundredth."""
    if share < warmup:
        return (share + 1e-3) / (warmup + 1e-3)
    return 0.01 + 0.99 * (1 + cos(pi * min(1.0, (share - warmup) / (1 - warmup)))) / 2


def sources(large: Bank, places: Bank, run: Run) -> list[tuple[Bank, float]]:
    """Banks and how often they are drawn from."""
    if not run.real:  # what has one date alone
        alone = places.pairs[:, 0] == places.pairs[:, 1]
        places = replace(places, weights=places.weights * alone)
        return [(large, 0.8), (places, 0.2)]
    return [(large, run.labelled), (places, 1 - run.labelled)]


def start_student(
    run: Run, weights: Path, device: torch.device, init: Path | None = None
) -> Student:
    """A network with the encoder's weights, or all weights of an earlier run, and its optimizer."""
    settings = NetworkSettings(run.network, width=run.width, classes=CLASSES, encoder=run.encoder)
    network = build(settings)
    initialize(network)
    tensors = torch.load(weights, map_location="cpu", weights_only=True)
    load_imagenet(network.semantic_encoder.body, tensors, weights.name)
    if init is not None:
        network.load_state_dict(load_file(init))
    network = network.to(device, memory_format=torch.channels_last)
    for part in still(network, run):
        part.requires_grad_(False)
    body = {id(p) for p in network.semantic_encoder.body.parameters()}
    learning = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in learning if (id(p) in body) == inside]} for inside in (True, False)
    ]
    optimizer = torch.optim.AdamW(
        groups, run.lr, weight_decay=run.weight_decay, fused=device.type == "cuda"
    )
    average = build(settings).to(device, memory_format=torch.channels_last).eval()
    average.load_state_dict(network.state_dict())
    average.requires_grad_(False)
    return Student(network, average, optimizer)


def class_weights(banks: tuple[Bank, ...]) -> Tensor:
    """Half of the imbalance of what is known, mended; (CLASSES,)."""
    counts = sum(torch.bincount(b.covers.flatten().long(), minlength=CLASSES + 1) for b in banks)
    return inverse_frequency(counts[1 : CLASSES + 1].tolist(), power=0.5).clamp(max=4)


def optimize(
    student: Student, batch: Batch, weights: Tensor, run: Run, device: torch.device
) -> Tensor:
    """One step; the loss and its parts, (5,)."""
    student.network.train()
    for part in still(student.network, run):
        part.eval()  # its statistics, too
    with low_precision(device):
        images = (
            x.contiguous(memory_format=torch.channels_last) for x in (batch.before, batch.after)
        )
        logits = in_float(student.network(*images))
    parts = torch.stack(terms(logits, batch, weights, run))
    loss = (parts * parts.new_tensor([1, 1, run.dice, run.consistency])).sum()
    student.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(student.network.parameters(), 3.0)
    student.optimizer.step()
    follow(student, run.ema)
    return torch.cat((loss.detach()[None], parts.detach()))


def still(network: nn.Module, run: Run) -> list[nn.Module]:
    """The parts of the encoder that do not learn."""
    body = network.semantic_encoder.body
    return [body.stem, *body.blocks[: body.ends[run.frozen - 1] + 1]] if run.frozen else []


def low_precision(device: torch.device) -> torch.autocast | nullcontext:
    """bf16 where the device multiplies matrices of it: on GPUs and processors with AMX."""
    if device.type == "cpu" and not torch.cpu._is_amx_tile_supported():
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16)


def terms(logits, batch: Batch, weights: Tensor, run: Run) -> list[Tensor]:
    """Land cover, change, Dice of change, and disagreement where nothing changed."""
    cover = sum(
        F.cross_entropy(x, target - 1, weights, ignore_index=-1)
        for x, target in zip(logits[:2], (batch.covers[:, 0], batch.covers[:, 1]), strict=True)
    )
    counts = batch.changed != IGNORED
    target = (batch.changed == 1).float()
    score = logits.change[:, 1] - logits.change[:, 0]
    pixel = F.binary_cross_entropy_with_logits(
        score, target, reduction="none", pos_weight=score.new_tensor(run.positive)
    )
    change = (pixel * counts).sum() / counts.sum().clamp(min=1)
    likely = score.sigmoid() * counts
    dice = 1 - (2 * (likely * target).sum() + 1) / (likely.sum() + (target * counts).sum() + 1)
    same = (batch.changed == 0).float()
    apart = (logits.from_class.softmax(1) - logits.to_class.softmax(1)).square().sum(dim=1)
    consistency = (apart * same).sum() / same.sum().clamp(min=1)
    return [cover, change, dice, consistency]


@torch.no_grad()
def follow(student: Student, decay: float) -> None:
    """Move the average toward what learns."""
    student.updates += 1
    decay = min(decay, (1 + student.updates) / (10 + student.updates))
    mine, theirs = student.average.state_dict(), student.network.state_dict()
    floats = [name for name, x in mine.items() if x.is_floating_point()]
    torch._foreach_lerp_([mine[n] for n in floats], [theirs[n] for n in floats], 1 - decay)


@torch.inference_mode()
def views(network: nn.Module, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Probabilities of classes and change, averaged over two flips of whole tiles."""
    device = before.device
    images = [standardize(x.float() / 255) for x in (before, after)]
    total: list[Tensor] = []
    for axes in ((), (3,)):
        with low_precision(device):
            logits = in_float(
                network(
                    *(x.flip(axes).contiguous(memory_format=torch.channels_last) for x in images)
                )
            )
        found = [x.softmax(1).flip(axes) for x in logits]
        total = found if not total else [a + b for a, b in zip(total, found, strict=True)]
    return total[0] / 2, total[1] / 2, total[2][:, 1] / 2


def taught(
    teacher: nn.Module, first: Bank, unpacked: packs.Unpacked, run: Run, pool: ProcessPoolExecutor
) -> Bank:
    """The places with what the teacher is sure of, where nothing else is known."""
    teacher.eval()
    device = first.images.device
    tiles, size = first.images.shape[0], first.size
    likely = torch.zeros(tiles, CLASSES, size, size, dtype=torch.float16, device=device)
    times = torch.zeros(tiles, device=device)
    changed = torch.zeros(len(first.pairs), size, size, dtype=torch.float16, device=device)
    several = (first.pairs[:, 0] != first.pairs[:, 1]).nonzero()[: run.taught_pairs, 0]
    for part in several.split(32):
        a, b = first.pairs[part].unbind(1)
        for one, two in ((a, b), (b, a)):
            from_class, to_class, change = views(teacher, first.images[one], first.images[two])
            changed[part] += change.half() / 2
            for index, found in ((one, from_class), (two, to_class)):
                likely.index_add_(0, index, found.half())
                times.index_add_(0, index, torch.ones(len(index), device=device))
    likely = likely / times.clamp(min=1)[:, None, None, None].half()
    covers = pseudo_labels(likely, times, changed, first, run)
    barren = torch.from_numpy(unpacked.barren).to(device)
    covers[barren & (covers == packs.VEGETATION)] = UNKNOWN
    covers = torch.where(first.covers != UNKNOWN, first.covers, covers)
    quiet = (first.changed == IGNORED) & (changed < run.unchanged_below)
    unjudged = (first.changed == IGNORED).flatten(1).all(dim=1)[:, None, None]
    known = torch.where(quiet & unjudged, 0, first.changed)
    objects = np.stack(list(pool.map(regions, covers.cpu().numpy(), chunksize=16)))
    share = (covers != UNKNOWN).float().mean().item()
    calm = (known[several] == 0).float().mean().item()
    print(f"taught: {share:.2f} of the ground known, {calm:.2f} of pairs unchanged", flush=True)
    return replace(
        first, covers=covers, objects=torch.from_numpy(objects).to(device), changed=known
    )


def pseudo_labels(likely: Tensor, times: Tensor, changed: Tensor, first: Bank, run: Run) -> Tensor:
    """Classes that are likely at a date and on average over the dates of its place, else 0."""
    covers = torch.zeros_like(first.covers)
    for dates, pairs in dates_of_places(first):
        if not bool(times[dates].all()):
            continue
        mine = likely[dates].float()
        moved = (changed[pairs] > 0.3).any(dim=0)
        mean = torch.where(moved[None, None], mine, mine.mean(dim=0, keepdim=True))
        sure, best = mean.max(dim=1)
        agreed = (mine.argmax(dim=1) == best) & (sure > run.confident + 0.12 * moved)
        covers[dates] = torch.where(agreed, best + 1, UNKNOWN).to(covers.dtype)
    return covers


def dates_of_places(bank: Bank) -> Iterator[tuple[Tensor, Tensor]]:
    """Of each place of several dates, its tiles and its pairs."""
    place: dict[int, int] = {}
    for a, b in bank.pairs.tolist():
        root = place.get(a, place.get(b, a))
        place[a] = place[b] = root
    tiles: dict[int, list[int]] = {}
    pairs: dict[int, list[int]] = {}
    for tile, root in place.items():
        tiles.setdefault(root, []).append(tile)
    for index, (a, _) in enumerate(bank.pairs.tolist()):
        pairs.setdefault(place[a], []).append(index)
    for root, members in tiles.items():
        if len(members) > 1:
            device = bank.pairs.device
            yield torch.tensor(members, device=device), torch.tensor(pairs[root], device=device)


def keep(average: nn.Module, out: Path, run: Run, step: int) -> None:
    """Write the weights, whole or not at all, and what made them."""
    tensors = {
        name: (x.half() if x.ndim > 1 else x).contiguous().cpu()
        for name, x in average.state_dict().items()
    }
    save_file(tensors, out / "model.safetensors.part")
    (out / "model.safetensors.part").replace(out / "model.safetensors")
    described = asdict(run) | {
        "steps": step,
        "pairs": step * run.batch,
        "torch": torch.__version__,
    }
    (out / "run.json").write_text(json.dumps(described, indent=1))


if __name__ == "__main__":
    main()
