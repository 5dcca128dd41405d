"""The systems that `urban_protocol.py` measures: baselines and models, asked alike for maps."""

import contextlib
import csv
import io
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import baselines
import numpy as np
import rasterio
import torch
from rasterio.windows import Window

from scdcli.cli import main
from scdcli.cli.batch import SOME_FAILED
from scdcli.datasets.classmap import read_label
from scdcli.models.checkpoint import load_model
from scdcli.prediction.chain import Predictor, default_chip, default_supertile, predict_windows
from scdcli.prediction.tiling import Tiling
from scdcli.rasters.pair.coregister import open_registered
from scdcli.rasters.pair.methods import DEFAULT_METHOD
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.pair.settings import PairSettings
from scdcli.rasters.scene import open_scene
from scdcli.scoring.comparison import model_forms, short_names

RUNNING = ("--tta", "none")  # how every model runs; the threshold is its own
TIMED_SIDE, TIMED_RUNS = 512, 3


class Found(NamedTuple):
    """What a system says of a pair, (H, W) each; classes are None of one that knows none."""

    changed: np.ndarray  # uint8: 0 unchanged, 1 changed, 255 nodata
    score: np.ndarray  # float, 0..1
    from_class: np.ndarray | None = None
    to_class: np.ndarray | None = None


def read_band(path: Path) -> np.ndarray:
    """The first band of a file, (H, W)."""
    with open_scene(path) as dataset:
        return dataset.read(1)


@dataclass(frozen=True)
class Pairs:
    """Pairs of images that are read in one way; the files by name."""

    name: str
    files: dict[str, tuple[Path, Path]]
    bands: tuple[int, ...] | None = None
    coregister: bool = False

    @contextlib.contextmanager
    def open(self, name):
        """One pair as every system reads it."""
        settings = PairSettings(bands=self.bands)
        with open_registered(*self.files[name], settings, coregister=self.coregister) as pair:
            yield pair


@dataclass(frozen=True)
class BaselineSystem:
    """A change map of `baselines.py`."""

    name: str
    legend = None
    mean_std = None  # that each date is brought to

    @property
    def key(self):
        """What its results depend on."""
        return sha256(Path(baselines.__file__).read_bytes()).hexdigest()

    def maps(self, pairs: Pairs) -> Iterator[tuple[str, Found]]:
        for name in pairs.files:
            with pairs.open(name) as pair:
                whole = Window(0, 0, pair.grid.width, pair.grid.height)
                found = baselines.BASELINES[self.name](*pair.read(whole))
            yield name, Found(found.changed, found.score)

    def timed(self, pair):
        baselines.BASELINES[self.name](*pair.read(Window(0, 0, TIMED_SIDE, TIMED_SIDE)))


@dataclass(frozen=True)
class ModelSystem:
    """A model, run by `scd` without test-time augmentation at its own threshold."""

    name: str
    model: str  # name or file
    out: Path  # where its maps are kept
    device: str
    normalize: str = DEFAULT_METHOD

    @cached_property
    def loaded(self):
        return load_model(self.model)

    @property
    def key(self):
        return " ".join([self.loaded.sha256, *self.normalizing])

    @property
    def legend(self):
        return self.loaded.header.legend

    @property
    def mean_std(self):
        return self.loaded.mean_std

    @property
    def options(self):
        return ["--model", self.model, "--device", self.device, *self.normalizing, *RUNNING]

    @property
    def normalizing(self):
        """The option of a method other than the default."""
        return ["--normalize", self.normalize] if self.normalize != DEFAULT_METHOD else []

    def maps(self, pairs: Pairs) -> Iterator[tuple[str, Found]]:
        """Predicted as a user would predict them; what is there already is read again.

        Pairs that the normalization refuses are named and left out.
        """
        folder = self.out / f"{self.name.replace('/', '-')}-{self.key[:8]}" / pairs.name
        folder.mkdir(parents=True, exist_ok=True)
        table = folder / "pairs.csv"
        with table.open("w", newline="") as stream:
            rows = csv.writer(stream)
            rows.writerow(["before", "after", "output"])
            rows.writerows((*map(Path.resolve, both), n) for n, both in pairs.files.items())
        reading = ["--bands", ",".join(map(str, pairs.bands))] if pairs.bands else []
        reading += ["--coregister"] if pairs.coregister else []
        where = ["--pairs", table, "-o", folder, "--resume", "--vector", "none", "-q"]
        refusable = (SOME_FAILED,) if self.normalizing else ()
        scd("predict", *where, *reading, *self.options, allowed=refusable)
        for name in pairs.files:
            if not (folder / name).exists():
                print(f"{pairs.name} {name}: refused", flush=True)
                continue
            from_class, to_class = (read_label(folder / name / f"{d}.tif") for d in ("from", "to"))
            score = read_band(folder / name / "probability.tif")
            changed = np.where(from_class == 255, 255, from_class != 0).astype(np.uint8)
            yield name, Found(changed, np.where(score == 255, 0, score / 100), from_class, to_class)

    def evaluate(self, truth: Path):
        """The document of `scd evaluate` on a labelled set."""
        return json.loads(scd("evaluate", truth, *self.options, "--json", "-q"))

    def timed(self, pair):
        chip = default_chip(self.loaded)
        tiling = Tiling(chip, 0, default_supertile(self.loaded))
        threshold = self.loaded.header.threshold
        for _ in predict_windows(
            pair, Predictor(self.loaded, torch.device("cpu"), threshold, tiling=tiling)
        ):
            pass


System = BaselineSystem | ModelSystem


def find_systems(
    models: list[str], out: Path, device: str, methods: Sequence[str] = (DEFAULT_METHOD,)
) -> list[System]:
    """All baselines, then the models with every method of normalization, each with a short name."""
    names = short_names([*([name] for name in baselines.BASELINES), *map(model_forms, models)])
    kept = names[: len(baselines.BASELINES)]
    found = zip(names[len(kept) :], models, strict=True)
    return [
        *map(BaselineSystem, kept),
        *(
            ModelSystem(titled(name, method), model, out / "maps", device, method)
            for name, model in found
            for method in methods
        ),
    ]


def titled(name: str, method: str) -> str:
    """What a model is called that runs with a method of normalization."""
    return name if method == DEFAULT_METHOD else f"{name}, {method}"


def scd(*arguments: object, allowed: Sequence[int] = ()) -> str:
    """Run a command of scd in this process and give back what it prints."""
    command = [str(argument) for argument in arguments]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        status = main(command, prog_name="scd", standalone_mode=False)
    if status and status not in allowed:
        raise SystemExit(f"scd {' '.join(command)} ended with {status}; --fresh starts over")
    return printed.getvalue()


def seconds(system: System) -> float:
    """Processor time for a pair of 512 × 512 pixels, the least of a few runs on one thread."""
    with tempfile.TemporaryDirectory() as folder, one_thread():
        paths = [Path(folder) / f"{date}.tif" for date in ("before", "after")]
        for path, pixels in zip(paths, timed_images(), strict=True):
            profile = {"count": 3, "height": TIMED_SIDE, "width": TIMED_SIDE, "dtype": "uint8"}
            with rasterio.open(path, "w", **profile, crs="EPSG:32650", transform=PLACE) as dataset:
                dataset.write(pixels)
        with open_pair(*paths, PairSettings(mean_std=system.mean_std)) as pair:
            return min(_cost(system, pair) for _ in range(TIMED_RUNS))


def timed_images():
    """Blocks of color, and the same with noise and a few other blocks, (3, side, side) uint8."""
    rng = np.random.default_rng(0)
    before = rng.integers(40, 216, (3, TIMED_SIDE // 16, TIMED_SIDE // 16))
    other = rng.random(before.shape[1:]) < 0.1
    after = np.where(other, before[:, ::-1], before)
    for squares in (before, after):
        pixels = np.kron(squares, np.ones((16, 16), int))
        yield np.clip(pixels + rng.normal(0, 8, pixels.shape), 0, 255).astype(np.uint8)


PLACE = rasterio.Affine(1.0, 0.0, 500_000.0, 0.0, -1.0, 4_000_000.0)


@contextlib.contextmanager
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _cost(system: System, pair) -> float:
    start = time.process_time()
    system.timed(pair)
    return time.process_time() - start
