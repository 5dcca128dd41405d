"""Whether everything that runs on a GPU does, and how fast: ten checks on drawn pairs.

Usage: python benchmarks/gpu/smoke.py OUT [--device cpu] [--only same,trains] [--size 512]

About five minutes on a GPU of the H100's class. Every check prints what it found; one that fails
says why and stops no other, and the exit status is then 1. What needs a GPU is passed over without
one. OUT gets the pairs, the runs and `results.json`.
"""

import argparse
import json
import math
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from scdcli.datasets.augmentation import Augmentation
from scdcli.datasets.chips import Chips
from scdcli.datasets.layouts import list_samples
from scdcli.datasets.samples import Sample
from scdcli.errors import TrainingError
from scdcli.legend import SECOND, URBAN
from scdcli.models.checkpoint import load_model, read_tensors
from scdcli.models.device import autocast, deterministic, pick_precision
from scdcli.models.networks import NetworkSettings, build
from scdcli.models.networks.losses import change_loss
from scdcli.models.networks.outputs import in_float
from scdcli.prediction.chain import Predictor, look_at
from scdcli.prediction.tiling import Tiling
from scdcli.training.data import TrainingSet
from scdcli.training.loop import Training
from scdcli.training.runfolder import BEST, LAST, EpochLog
from scdcli.training.settings import TrainingSettings
from scdcli.training.stages import train_in_stages
from scdcli.training.trainer import Hardware

PAIRS = 24
STEPS = 5  # of an epoch
PAPER = {"pairs": 2968, "batch": 4, "epochs": 50}  # of SECOND, Section VI-A


@dataclass(frozen=True)
class Bench:
    """What the checks share."""

    out: Path
    device: torch.device
    size: int
    samples: list[Sample]

    @property
    def gpu(self) -> bool:
        """Whether there is one."""
        return self.device.type == "cuda"

    def images(self, count: int) -> tuple[Tensor, Tensor]:
        """Both dates of so many pairs, (N, 3, size, size) float32 on the device."""
        chips = Chips(self.samples, SECOND, bands=3, cover=False)
        items = [chips[index % len(chips)] for index in range(count)]
        before, after = (torch.stack([x[date] for x in items]) for date in ("before", "after"))
        return before.to(self.device), after.to(self.device)

    def wait(self) -> None:
        """Until the GPU has done what it was told."""
        if self.gpu:
            torch.cuda.synchronize()


class CheckError(Exception):
    """A check did not hold."""


def require(held: bool, sentence: str) -> None:
    """Raise the sentence unless something held."""
    if not held:
        raise CheckError(sentence)


def main() -> None:
    """Make pairs, run the checks, keep what they found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(CHECKS))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    data = given.out / "pairs"
    simulate = [sys.executable, "-m", "scdcli", "simulate", str(data), "--pairs", str(PAIRS)]
    simulate += ["--size", str(given.size), "--workers", "4", "--overwrite", "-q"]
    subprocess.run(simulate, check=True)
    samples, problems = list_samples(data / "train")
    assert not problems, problems
    bench = Bench(given.out, torch.device(given.device), given.size, samples)
    results: dict[str, Any] = {}
    for name in given.only:
        started = time.perf_counter()
        try:
            results[name] = CHECKS[name](bench)
        except Exception as error:  # the other checks are worth their time all the same
            results[name] = {"failed": str(error) or repr(error)}
            if not isinstance(error, CheckError):
                traceback.print_exc()
        results[name]["seconds"] = round(time.perf_counter() - started, 1)
        print(name, json.dumps(results[name]), flush=True)
        (given.out / "results.json").write_text(json.dumps(results, indent=1))
    sys.exit(any("failed" in found for found in results.values()))


@torch.inference_mode()
def same(bench: Bench) -> dict[str, Any]:
    """The bundled model says on the device what it says on a CPU."""
    before, after = bench.images(4)

    def predict(device: torch.device, precision: torch.dtype) -> Tensor:
        predictor = Predictor(
            load_model("urban", device), device, 0.5, precision, tiling=Tiling(bench.size, 0, 6)
        )
        return look_at(predictor, before.to(device), after.to(device)).probabilities.cpu()

    expected = predict(torch.device("cpu"), torch.float32)
    found = predict(bench.device, torch.float32)
    rough = predict(bench.device, torch.bfloat16)
    apart = (found - expected).abs().max().item()
    k = len(URBAN)
    decided = ((rough[:, -1] >= 0.5) == (expected[:, -1] >= 0.5)).float().mean().item()
    alike = [
        (rough[:, part].argmax(1) == expected[:, part].argmax(1)).float().mean().item()
        for part in (slice(0, k), slice(k, 2 * k))
    ]
    require(apart < 1e-3, f"probabilities in fp32 are {apart:.2g} apart")
    require(decided > 0.99, f"bf16 finds the same change on {decided:.4f} of the pixels only")
    return {"apart in fp32": apart, "change alike in bf16": decided, "classes alike": min(alike)}


def trains(bench: Bench) -> dict[str, Any]:
    """Two epochs in mixed precision with everything on; the models load on a CPU."""
    settings = replace(brief(bench), ema=0.9, accumulate=2)
    logs = run(bench, "trains", "asn", settings, precision="auto", workers=4)
    require(all(math.isfinite(log.loss) for log in logs), f"losses {[log.loss for log in logs]}")
    for name in (BEST, LAST):
        load_model(str(bench.out / "trains" / name))
    return {"losses": [round(log.loss, 3) for log in logs]}


def resumes(bench: Bench) -> dict[str, Any]:
    """A run that was cut off ends in the bits of one that was not."""
    found = {}
    for precision in ("fp32", "fp16") if bench.gpu else ("fp32",):
        whole, cut = f"whole-{precision}", f"cut-{precision}"
        with deterministic():
            run(bench, whole, "asn", precision=precision)
            run(bench, cut, "asn", precision=precision, stop_after=1)
            run(bench, cut, "asn", precision=precision, resume=True)
        found[precision] = equal(bench, whole, cut)
        require(found[precision], f"resumed in {precision} it differs")
    return found


def repeats(bench: Bench) -> dict[str, Any]:
    """With deterministic algorithms two runs are one."""
    found = {}
    for network, blocks in (
        ("asn", "residual"),
        ("asn-atl", "residual"),
        ("asn", "xception"),
        ("asn", "se"),
    ):
        name = f"{network}-{blocks}"
        with deterministic():
            for turn in ("first", "second"):
                run(bench, f"{name}-{turn}", network, blocks=blocks)
        found[name] = equal(bench, f"{name}-first", f"{name}-second")
        require(found[name], f"{name} gave two results")
    return found


def memory(bench: Bench) -> dict[str, Any]:
    """Too little memory: prediction halves its batch, training ends with a sentence."""
    if not bench.gpu:
        return {"passed over": "no GPU"}
    from scdcli.prediction.chain import Chip, _predict_chips

    said: list[str] = []
    total = torch.cuda.get_device_properties(bench.device).total_memory
    before, after = (x.cpu().numpy() for x in bench.images(64))
    chips = [
        Chip((i, 0), b, a, b[0] >= 0)  # type: ignore[arg-type]
        for i, (b, a) in enumerate(zip(before, after, strict=True))
    ]
    loaded = load_model("urban", bench.device)
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(1.5e9 / total, bench.device)
    try:
        predictor = Predictor(
            loaded, bench.device, 0.5, tiling=Tiling(bench.size, 0, 6), batch=64, say=said.append
        )
        with torch.inference_mode():
            done = sum(1 for _ in _predict_chips(iter(chips), predictor, None))
        sentence = ""
        try:
            run(bench, "memory", "asn", replace(brief(bench), batch=24))
        except TrainingError as error:
            sentence = str(error)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, bench.device)
        torch.cuda.empty_cache()
    require(done == len(chips), f"{done} of {len(chips)} chips were predicted")
    require(len(said) == 1, f"halving was said {len(said)} times")
    require("memory is too small" in sentence, f"training said: {sentence!r}")
    return {"batch": predictor.fitting.size, "said": said, "training": sentence}


@torch.inference_mode()
def throughput(bench: Bench) -> dict[str, Any]:
    """Megapixels per second of forward passes, and peak memory."""
    found = {}
    loaded = load_model("urban", bench.device)
    for precision in ("fp32", pick_name(bench)):
        for tta in ("none", "ms+flip"):
            for batch in (1, 8, 16) if bench.gpu else (1,):
                predictor = Predictor(
                    loaded,
                    bench.device,
                    0.5,
                    pick_precision(precision, bench.device),
                    tta,
                    Tiling(bench.size, 0, 6),
                    batch,
                )
                images = bench.images(batch)
                seconds, peak = timed(bench, lambda p=predictor, i=images: look_at(p, *i))
                rate = batch * bench.size**2 / 1e6 / seconds
                found[f"{precision} {tta} {batch}"] = [round(rate, 2), round(peak, 2)]
    return {"Mpx/s, GiB": found}


def steps(bench: Bench) -> dict[str, Any]:
    """Seconds per training step by what may cost something."""
    found = {}
    fast = pick_name(bench)
    for name, settings, precision, workers in (
        ("plain", {}, fast, 4),
        ("fp32", {}, "fp32", 4),
        ("no workers", {}, fast, 0),
        ("weight averaging", {"ema": 0.9}, fast, 4),
    ):
        epochs = 3
        folder = f"steps-{name.replace(' ', '-')}"
        protocol = replace(brief(bench), epochs=epochs, **settings)
        logs = run(bench, folder, "asn", protocol, precision=precision, workers=workers)
        found[name] = round(1 / logs[-1].steps_per_second, 4)
    return {"s per step": found}


def hours(bench: Bench) -> dict[str, Any]:
    """Hours of the paper's 50 epochs on one GPU and on four, rows of the table in the docs.

    Four share a step, one pair for each: theirs is a step of one pair, without the exchange. What
    prepares the data is not in it.
    """
    rows, found = [], {}
    for precision in dict.fromkeys(("fp32", pick_name(bench))):
        for gpus in (1, 4):
            cells = []
            for network in ("hrscd-str4", "asn"):
                learning = learner(bench, network, PAPER["batch"] // gpus)
                seconds, _ = timed(bench, partial(learn, *learning, precision=precision))
                found[f"{network} {precision} {gpus}"] = round(seconds, 4)
                cells.append(f"{paper_hours(seconds):.1f} h")
            rows.append(f"| {gpus}, {precision} | {' | '.join(cells)} |")
    print(*rows, sep="\n")
    return {"s per step": found, "hours": rows}


def paper_hours(seconds: float) -> float:
    """How long the paper's first stage takes with so many seconds per step."""
    return PAPER["pairs"] // PAPER["batch"] * PAPER["epochs"] * seconds / 3600


def syncs(bench: Bench) -> dict[str, Any]:
    """How often one training step waits for the GPU."""
    if not bench.gpu:
        return {"passed over": "no GPU"}
    model, optimizer, batch = learner(bench)
    learn(model, optimizer, batch)
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            learn(model, optimizer, batch)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    places = sorted({f"{Path(w.filename).name}:{w.lineno}" for w in caught})
    require(len(caught) <= 5, f"{len(caught)} waits, at {places}")
    return {"waits": len(caught), "at": places}


def exchange(bench: Bench) -> dict[str, Any]:
    """One process alone with everything that several use."""
    backend = "nccl" if bench.gpu else "gloo"
    store = dist.HashStore()
    dist.init_process_group(backend, store=store, rank=0, world_size=1)
    try:
        model, _, batch = learner(bench)
        if bench.gpu:
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
        shared = DistributedDataParallel(model, device_ids=[bench.device] if bench.gpu else None)
        optimizer = torch.optim.SGD(shared.parameters(), 0.01)
        losses = [learn(shared, optimizer, batch) for _ in range(3)]
    finally:
        dist.destroy_process_group()
    require(all(map(math.isfinite, losses)), f"losses {losses}")
    return {"backend": backend, "losses": [round(loss, 3) for loss in losses]}


CHECKS: dict[str, Callable[[Bench], dict[str, Any]]] = {
    "same": same,
    "trains": trains,
    "resumes": resumes,
    "repeats": repeats,
    "memory": memory,
    "throughput": throughput,
    "steps": steps,
    "hours": hours,
    "syncs": syncs,
    "exchange": exchange,
}


def brief(bench: Bench) -> TrainingSettings:
    """A protocol of a few steps."""
    return TrainingSettings(
        epochs=2, batch=4, optimizer="adamw", lr=1e-3, augmentation=Augmentation(bench.size)
    )


def run(
    bench: Bench,
    name: str,
    network: str,
    settings: TrainingSettings | None = None,
    *,
    blocks: str = "residual",
    precision: str = "fp32",
    workers: int = 0,
    stop_after: int | None = None,
    resume: bool = False,
) -> list[EpochLog]:
    """Train in a folder of that name; the epochs, up to one after which it is cut off."""
    settings = settings or brief(bench)
    hardware = Hardware(bench.device, pick_precision(precision, bench.device), workers)
    count = min(len(bench.samples) - 2, STEPS * settings.batch * settings.accumulate)
    data = TrainingSet(bench.samples[:count], bench.samples[-2:], SECOND)
    built = NetworkSettings(network, blocks, width=1.0 if bench.gpu else 0.125)
    training = Training(
        data, bench.out / name, built, settings, hardware, second=settings, resume=resume
    )
    logs: list[EpochLog] = []
    events: Iterator[Any] = train_in_stages(training)
    for event in events:
        if isinstance(event, EpochLog):
            logs.append(event)
            if len(logs) == stop_after:
                break
    events.close()  # type: ignore[attr-defined]
    return logs


def equal(bench: Bench, one: str, other: str) -> bool:
    """Whether the models of two runs have the same bits."""
    first, second = (read_tensors(bench.out / name / LAST)[0] for name in (one, other))
    return all(torch.equal(first[name], second[name]) for name in first)


def learner(
    bench: Bench, network: str = "asn", pairs: int = 2
) -> tuple[nn.Module, torch.optim.Optimizer, dict[str, Tensor]]:
    """A network, what trains it, and a batch of so many pairs."""
    settings = NetworkSettings(network, width=1.0 if bench.gpu else 0.125)
    model = build(settings).to(bench.device, memory_format=torch.channels_last).train()
    chips = Chips(bench.samples, SECOND, bands=3, cover=False)
    items = [chips[index % len(chips)] for index in range(pairs)]
    batch = {name: torch.stack([x[name] for x in items]).to(bench.device) for name in items[0]}
    for name in ("before", "after"):
        batch[name] = (batch[name] - 128) / 64
    return model, torch.optim.AdamW(model.parameters(), 1e-3), batch


def learn(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch: dict[str, Tensor],
    *,
    precision: str = "fp32",
) -> float:
    """One step; its loss, which is read and so waited for."""
    device = batch["before"].device
    with autocast(device, pick_precision(precision, device)):
        logits = in_float(model(batch["before"], batch["after"]))
    loss = change_loss(logits, batch["from_label"], batch["to_label"], batch["changed"])
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return float(loss.detach())


def timed(bench: Bench, act: Callable[[], object]) -> tuple[float, float]:
    """Median seconds of a call, and the peak of its memory in GiB."""
    act()
    if bench.gpu:
        torch.cuda.reset_peak_memory_stats()
    seconds = []
    for _ in range(5 if bench.gpu else 1):
        bench.wait()
        started = time.perf_counter()
        act()
        bench.wait()
        seconds.append(time.perf_counter() - started)
    peak = torch.cuda.max_memory_allocated() / 2**30 if bench.gpu else 0.0
    return sorted(seconds)[len(seconds) // 2], peak


def pick_name(bench: Bench) -> str:
    """The faster precision of the device."""
    return "bf16" if bench.gpu else "fp32"


if __name__ == "__main__":
    main()
