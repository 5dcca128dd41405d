"""How fast pairs are made while training, against `scd simulate --from-labels`, on one core.

Usage: python benchmarks/gpu/making.py PACK.zip FOLDER [FOLDER ...] --source NAME [--size 256]

The pack is what trains the default model; the folders are labelled images of the same kind. Both
make pairs of one size in this process, and the second writes them, as the command does; seconds are
those of the processor.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pack as packs
import torch

from scdcli.legend import URBAN
from scdcli.simulation.composed import open_composer
from scdcli.simulation.job import LabelSettings
from scdcli.simulation.pairset import write_set
from scdcli.simulation.sources import Source, find_source
from scdcli.training.live.draws import Draws
from scdcli.training.live.pairs import make_batch


def main() -> None:
    """Make pairs both ways, print rates and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--source", required=True)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--pairs", type=int, default=48)
    given = parser.parse_args()
    torch.set_num_threads(1)
    unpacked = packs.unpack(given.pack)
    banks = [(unpacked.large, 0.4), (unpacked.small, 0.6)]
    draws = Draws.seeded(0, torch.device("cpu"))
    key = find_source(given.source, URBAN)
    sources = [Source(folder, key) for folder in given.folders]
    composer = open_composer(sources, URBAN, LabelSettings().composition(given.size))

    def live() -> None:
        for _ in range(given.pairs // 8):
            make_batch(banks, banks, 8, given.size, draws)

    def composed() -> None:
        with TemporaryDirectory() as folder:
            write_set(Path(folder) / "set", composer, given.pairs)

    rates = {}
    for name, make in (("while training", live), ("scd simulate", composed)):
        make()  # what is read once is read
        started = time.process_time()
        make()
        rates[name] = given.pairs / (time.process_time() - started)
        print(f"{name}: {rates[name]:.2f} pairs per second")
    print(f"ratio {rates['while training'] / rates['scd simulate']:.1f}")


if __name__ == "__main__":
    main()
