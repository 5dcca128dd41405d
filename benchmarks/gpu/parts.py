"""Train the default model in short with one part left out or exchanged at a time, side by side.

Usage: python benchmarks/gpu/parts.py PACK.zip WEIGHTS.pth OUT --steps 150 --minutes 2

All variants take as many steps; they share the GPU, so their speeds say nothing. OUT gets a folder
for each, as `default_model.py` writes it.
"""

import argparse
import subprocess
import sys
from pathlib import Path

VARIANTS = {
    "whole": [],
    "one-date": ["--no-real"],
    "untaught": ["--teach-at", ""],
    "no-consistency": ["--consistency", "0"],
    "asn": ["--network", "asn", "--width", "0.35"],
}


def main() -> None:
    """Start all, wait for all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(VARIANTS))
    given, others = parser.parse_known_args()
    script = Path(__file__).with_name("default_model.py")
    running = {}
    for name in given.only:
        out = given.out / name
        out.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, str(script), str(given.pack), str(given.weights), str(out)]
        limits = ["--steps", str(given.steps), "--minutes", str(given.minutes), "--workers", "6"]
        with (out / "run.log").open("w") as log:
            running[name] = subprocess.Popen(
                [*command, *limits, *others, *VARIANTS[name]], stdout=log, stderr=subprocess.STDOUT
            )
    for name, process in running.items():
        process.wait()
        lines = (given.out / name / "run.log").read_text().splitlines()
        print(name, process.returncode, *lines[-3:], sep="\n  ", flush=True)


if __name__ == "__main__":
    main()
