"""Train every system of the paper under one budget on drawn pairs, and write the table.

Usage: python examples/compare_systems.py OUT [--systems asn,hrscd-str4] [--seeds 0,1,2] ...

All is done with `scd` commands, which are printed. What is finished already is not done again, so
a stopped comparison goes on where it was, and several can share OUT with different systems. The
set is the same whatever the seeds: they draw weights, order and augmentation. OUT gets the set, a
folder per run, `scores.csv` with a line per run, and `table.md` with mean ± standard deviation.
"""

import argparse
import csv
import json
import math
import statistics
import subprocess
import sys
from pathlib import Path

from scdcli.models.networks import NETWORKS

SCORES = {
    "SeK": "sek_from_to",
    "SeK stacked": "sek_stacked",
    "mIoU": "miou",
    "F_scd": "fscd_from_to",
}
FIRST_STAGE = {"asn-atl": "asn"}  # systems that start from another's model


def options() -> argparse.Namespace:
    """What is compared, and the budget all share; the defaults suit two CPU cores."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--systems", default=",".join(NETWORKS))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--blocks", default="residual")
    parser.add_argument("--pairs", type=int, default=600, help="training pairs")
    parser.add_argument("--test-pairs", type=int, default=150)
    parser.add_argument("--size", type=int, default=256, help="side of a pair in pixels")
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--chip", type=int, default=128)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--atl-epochs", type=int, default=2)
    parser.add_argument("--tta", default="none")
    parser.add_argument(
        "--train",
        default="--optimizer adamw --lr 0.003 --scale 0.8 1.25 --swap-dates --no-cover "
        "--precision bf16",
        help="further options of scd train, for all systems alike",
    )
    return parser.parse_args()


def scd(*arguments: object) -> str:
    """Run a command of scd and give back what it prints."""
    command = [str(argument) for argument in arguments]
    print("scd", *command, flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "scdcli", *command], check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def make_set(given: argparse.Namespace) -> Path:
    """The labelled set, the same for all runs; its training and test pairs are different worlds."""
    folder: Path = given.out / "set"
    for split, pairs in (("train", given.pairs), ("test", given.test_pairs)):
        if not (folder / split).exists():
            scd("simulate", folder, "--split", split, "--pairs", pairs, "--size", given.size, "-q")
    return folder


def run_system(system: str, seed: int, data: Path, given: argparse.Namespace) -> None:
    """Train and score one system; a stopped training is resumed."""
    run = given.out / "runs" / f"{system}-{seed}"
    if (run / "test.json").exists():
        return
    duration = ["--epochs", given.epochs]
    if system in FIRST_STAGE:
        first = given.out / "runs" / f"{FIRST_STAGE[system]}-{seed}" / "last.safetensors"
        if not first.exists():
            run_system(FIRST_STAGE[system], seed, data, given)
        duration = ["--init", first, "--atl-epochs", given.atl_epochs]
    network = ["--network", system, "--blocks", given.blocks, "--width", given.width]
    budget = ["--chip", given.chip, "--batch", given.batch, *duration, "--val-share", 0]
    scd(
        "train",
        data,
        "-o",
        run,
        *network,
        *budget,
        *given.train.split(),
        "--seed",
        seed,
        "--resume",
    )
    model = ["--model", run / "last.safetensors", "--tta", given.tta]
    windows = ["--chip", given.size, "--overlap", 0]
    scores = scd("evaluate", data / "test", *model, *windows, "--json", "-q")
    (run / "test.json").write_text(scores, encoding="utf-8")


def collect(out: Path) -> dict[str, dict[int, dict[str, float]]]:
    """Scores in percent by system and seed, of all finished runs, systems in the paper's order."""
    found: dict[str, dict[int, dict[str, float]]] = {}
    for system in NETWORKS:
        for path in sorted(out.glob(f"runs/{system}-[0-9]*/test.json")):
            scored = json.loads(path.read_text(encoding="utf-8"))
            seed = int(path.parent.name.removeprefix(f"{system}-"))
            values = {name: _percent(scored[key]) for name, key in SCORES.items()}
            found.setdefault(system, {})[seed] = values
    return found


def write_tables(out: Path) -> str:
    """Write ``scores.csv`` and ``table.md``; returns the latter."""
    found = collect(out)
    with (out / "scores.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["system", "seed", *SCORES])
        for system, runs in found.items():
            for seed, values in runs.items():
                writer.writerow([system, seed, *(f"{value:.4f}" for value in values.values())])
    lines = [f"| system | {' | '.join(SCORES)} | seeds |", "|---" * (len(SCORES) + 2) + "|"]
    for system, runs in found.items():
        cells = (_spread([values[name] for values in runs.values()]) for name in SCORES)
        lines.append(f"| `{system}` | {' | '.join(cells)} | {len(runs)} |")
    table = "\n".join(lines) + "\n"
    (out / "table.md").write_text(table, encoding="utf-8")
    return table


def _percent(score: float | None) -> float:
    """Undefined scores are nan, and so is a mean with one: that of the others says too much."""
    return math.nan if score is None else 100 * score


def _spread(values: list[float]) -> str:
    mean = f"{statistics.fmean(values):.2f}"
    return f"{mean} ± {statistics.stdev(values):.2f}" if len(values) > 1 else mean


def main() -> None:
    """Seed by seed, so that a comparison stopped early has every system."""
    given = options()
    systems = given.systems.split(",")
    strange = sorted(set(systems) - set(NETWORKS))
    if strange:
        sys.exit(f"no system {strange[0]!r}; choose among {', '.join(NETWORKS)}.")
    data = make_set(given)
    for seed in map(int, given.seeds.split(",")):
        for system in systems:
            run_system(system, seed, data, given)
            print(write_tables(given.out), flush=True)


if __name__ == "__main__":
    main()
