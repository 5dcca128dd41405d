"""Run by test_write_killed: kills predictions at random moments and takes them up again.

Usage: python kills.py FOLDER KILLS SIGNAL...; FOLDER holds before.tif and after.tif. Prints JSON,
what came of each signal (KILL, INT).
Forks instead of starting processes anew: to import torch takes longer than to predict.
"""

import json
import os
import random
import signal
import sys
import time
import traceback
from hashlib import sha256
from itertools import count
from pathlib import Path

import torch
from standins import Thresholds, loaded

from scdcli.files.folder import LOCK
from scdcli.files.interruption import owning_the_process
from scdcli.prediction import journal
from scdcli.prediction.chain import Predictor
from scdcli.prediction.settings import OutputSettings
from scdcli.prediction.tiling import Tiling
from scdcli.prediction.write import write_prediction
from scdcli.rasters.pair.open import open_pair

MOST_ROUNDS = 100
journal.KEEP_EVERY = 0  # so that kills come between the chips of a supertile, too


def predict(folder: Path, out: Path) -> None:
    tiling = Tiling(64, 16, 2)
    predictor = Predictor(loaded(Thresholds()), torch.device("cpu"), 0.5, tiling=tiling)
    settings = OutputSettings(resume=True, formats=("gpkg", "geojson"))
    with open_pair(folder / "before.tif", folder / "after.tif") as pair:
        write_prediction(pair, predictor, out, settings)


def attempt(folder: Path, out: Path, seconds: float | None, number: int) -> int | None:
    """Predict in a process of its own; its status, None if the signal ended it."""
    child = os.fork()
    if child == 0:
        try:
            with owning_the_process():
                predict(folder, out)
            os._exit(0)
        except KeyboardInterrupt:
            os._exit(130)
        finally:
            traceback.print_exc()
            os._exit(1)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, number)  # a child that has ended is there until it is waited for
    _, status = os.waitpid(child, 0)
    return None if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def digests(out: Path) -> dict[str, str]:
    return {
        path.name: sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.iterdir())
        if path.name != "summary.json"  # holds the seconds
    }


def kill(folder: Path, wanted: int, number: int, whole: dict[str, str], duration: float) -> dict:
    """What came of it: counts of kills, of what failed or was wrong, and names of files."""
    random.seed(0)
    kills = failures = wrecks = resumed = rounds = 0
    different = []
    while (kills < wanted or not resumed) and rounds < MOST_ROUNDS and not failures:
        rounds, before = rounds + 1, kills
        out = folder / f"out{number}-{rounds}"
        # Later and later, so that a round ends on a busy machine too.
        for patience in count(10):
            status = attempt(folder, out, random.uniform(0, duration * patience / 10), number)
            if status == 0:
                break
            kills += status in (None, 130)
            failures += status not in (None, 130)
            # A kill between the naming of the folder and the end leaves the lock for the next run.
            wrecks += out.exists() and {**digests(out), LOCK: ""} != {**whole, LOCK: ""}
            if failures:
                break
        if kills == before:  # the first run had to read what later ones find in memory
            duration *= 0.8
        if not failures:
            summary = json.loads((out / "summary.json").read_text())
            resumed += summary["supertiles_resumed"] > 0
            different += [
                name for name, digest in digests(out).items() if digest != whole.get(name)
            ]
    left = [path.name for path in folder.iterdir() if path.name.startswith(".")]
    said = {"kills": kills, "failures": failures, "wrecks": wrecks, "resumed": resumed}
    return said | {"different": different, "left": left, "files": len(whole), "rounds": rounds}


def main() -> None:
    folder, wanted = Path(sys.argv[1]), int(sys.argv[2])
    start = time.monotonic()
    attempt(folder, folder / "whole", None, 0)
    whole, duration = digests(folder / "whole"), time.monotonic() - start
    numbers = {name: signal.Signals[f"SIG{name}"] for name in sys.argv[3:]}
    found = {name: kill(folder, wanted, n, whole, duration) for name, n in numbers.items()}
    sys.stdout.write(json.dumps(found))


main()
