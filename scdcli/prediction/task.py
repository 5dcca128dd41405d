"""Supertiles as work for other processes: what travels to them, and what they do with it.

A process opens the pair and the model once, and keeps both for the supertiles that follow.
"""

import atexit
import os
import platform
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from scdcli import __version__
from scdcli.errors import InputError, ModelError, ScdError
from scdcli.files.naming import is_remote, name_of
from scdcli.models import bundled_models
from scdcli.models.checkpoint import LoadedModel, load_model
from scdcli.models.device import PRECISIONS
from scdcli.prediction.chain import Predictor, find_supertiles
from scdcli.prediction.journal import Layers
from scdcli.prediction.layers import compute_layers
from scdcli.prediction.predictor import make_predictor
from scdcli.prediction.settings import InferenceSettings
from scdcli.prediction.tiling import Supertile, Tiling
from scdcli.rasters.grid import Grid
from scdcli.rasters.pair.glance import Source
from scdcli.rasters.pair.open import Pair, open_pair
from scdcli.rasters.pair.settings import OF_WHOLE, PairSettings

PINNED = ("torch", "onnxruntime")  # other versions of these give other last bits


@dataclass(frozen=True)
class Model:
    """A model as it travels.

    Attributes:
        name: A bundled model, or the name of a file.
        sha256: Of the file.
        content: Of the file; None for a bundled model, which is everywhere.
        inference: How it is run, with nothing left open.
        tiling: Chips and supertiles.
        versions: Of what computes, by package.
    """

    name: str
    sha256: str
    content: bytes | None
    inference: InferenceSettings
    tiling: Tiling
    versions: dict[str, str]


@dataclass(frozen=True)
class Task:
    """What all supertiles of a pair have in common.

    Attributes:
        key: Of this task alone.
        model: What predicts.
        images: Both files or addresses, as every process finds them.
        sizes: Theirs in bytes, to tell another file of the same name; None for an address.
        settings: How the pair is read, with all that was found out about its values.
        grid: Where the result lies.
        land_cover: Whether the class of every pixel at each date is wanted, too.
    """

    key: str
    model: Model
    images: tuple[str, str]
    sizes: tuple[int | None, int | None]
    settings: PairSettings
    grid: Grid
    land_cover: bool


def describe_task(pair: Pair, predictor: Predictor, *, land_cover: bool) -> Task:
    """The work on a pair, as it travels.

    Raises:
        InputError: The pair is in memory, where no other process finds it.
    """
    sources = [each for each in pair.glances if isinstance(each, Source)]
    if len(sources) < 2:
        raise InputError("arrays are predicted in this process; other processes read files.")
    images = [_everywhere(source.scene.path) for source in sources]
    aoi = pair.settings.aoi
    known = replace(
        pair.settings,
        bands=pair.bands,
        after_bands=pair.after_bands,
        stretch=pair.stretch,
        normalization=pair.normalization,
        statistics=OF_WHOLE,  # which nobody computes again: they are known
        aoi=None if aoi is None else _everywhere(aoi),
    )
    return Task(
        uuid4().hex,
        _describe_model(predictor),
        (images[0], images[1]),
        (_size(images[0]), _size(images[1])),
        known,
        pair.grid,
        land_cover,
    )


def compute(task: Task, number: int) -> Layers:
    """Predict one supertile of a pair, in whatever process this runs.

    Args:
        task: What all its supertiles have in common.
        number: Which of them, from 0.

    Returns:
        What `scdcli.prediction.layers.compute_layers` gives.

    Raises:
        InputError: This process cannot do it, or not with the same result; says where it runs.
    """
    return _thread.submit(_compute, task, number).result()


def _compute(task: Task, number: int) -> Layers:
    try:
        opened = _open(task)
        tile = opened.tiles[number]
        (layers,) = compute_layers(
            opened.pair, [tile], opened.predictor, land_cover=task.land_cover
        )
        return layers
    except ScdError as error:
        # Of a kind that travels: not all take a sentence alone.
        raise InputError(f"{error} (on {platform.node()})") from None


class _Opened(NamedTuple):
    key: str
    pair: Pair
    tiles: list[Supertile]
    predictor: Predictor
    stack: ExitStack


_thread = ThreadPoolExecutor(1)  # a pair is not shared between threads
_opened: list[_Opened] = []  # the last one, if any
_loaded: dict[str, Predictor] = {}  # likewise, by the hash of its model


@atexit.register
def _close() -> None:
    """Close at the end what is open, without a word: GDAL's environment is another thread's."""
    with suppress(Exception):
        while _opened:
            _opened.pop().stack.close()


def _open(task: Task) -> _Opened:
    """The pair and the model of a task, opened now or for its last supertile."""
    if _opened and _opened[0].key == task.key:
        return _opened[0]
    while _opened:
        _opened.pop().stack.close()
    predictor = _predictor(task.model)
    for image, size in zip(task.images, task.sizes, strict=True):
        if (here := _size(image)) is not None and here != size:
            raise InputError(
                f"{name_of(image)} has {here} bytes here and {size} where the prediction was "
                "started; all machines must see the same images under the same path."
            )
    with ExitStack() as stack:
        pair = stack.enter_context(open_pair(*task.images, task.settings))
        if pair.grid != task.grid:
            raise InputError(
                f"{name_of(task.images[0])} lies elsewhere than where the prediction was started; "
                "all machines must see the same images under the same path."
            )
        tiles = list(find_supertiles(pair, predictor))
        _opened.append(_Opened(task.key, pair, tiles, predictor, stack.pop_all()))
    return _opened[0]


def _predictor(model: Model) -> Predictor:
    """What predicts, made now or for an earlier pair."""
    key = repr(replace(model, content=None))
    if key not in _loaded:
        here = _versions(model.inference.engine)
        if here != model.versions:
            raise ModelError(
                f"{_listed(here)} are installed here, and {_listed(model.versions)} where the "
                "prediction was started; install the same."
            )
        _loaded.clear()
        made = make_predictor(_load(model), model.inference)
        _loaded[key] = replace(made, tiling=model.tiling)
    return _loaded[key]


def _load(model: Model) -> LoadedModel:
    if model.content is None:
        loaded = load_model(model.name)
    else:
        with tempfile.TemporaryDirectory(prefix="scd-") as folder:
            path = Path(folder) / model.name
            path.write_bytes(model.content)
            loaded = load_model(str(path))
    if loaded.sha256 != model.sha256:
        raise ModelError(f"the bundled model {model.name} is another one here; install the same.")
    return loaded


def _describe_model(predictor: Predictor) -> Model:
    loaded = predictor.loaded
    bundled = loaded.given in bundled_models()
    content = None if bundled else Path(loaded.given).read_bytes()
    if content is not None and sha256(content).hexdigest() != loaded.sha256:
        raise ModelError(f"{loaded.given} has changed since it was loaded; start again.")
    inference = InferenceSettings(
        device=predictor.device.type,  # which GPU of its own is each machine's to choose
        precision=next(n for n, kind in PRECISIONS.items() if kind == predictor.precision),
        engine=predictor.engine.name,
        tta=predictor.tta,
        threshold=predictor.threshold,
        mmu=str(predictor.unit),
        chip=predictor.tiling.chip,
        overlap=predictor.tiling.overlap,
        batch=predictor.batch,
    )
    versions = _versions(predictor.engine.name)
    name = loaded.given if bundled else Path(loaded.given).name
    return Model(name, loaded.sha256, content, inference, predictor.tiling, versions)


def _versions(engine: str) -> dict[str, str]:
    """Versions of what has a say in the last bit, by package."""
    found = {"scdcli": __version__}
    for package in PINNED:
        if package in ("torch", engine):
            try:
                found[package] = version(package)
            except PackageNotFoundError:
                found[package] = "missing"
    return found


def _listed(versions: dict[str, str]) -> str:
    return ", ".join(f"{package} {number}" for package, number in versions.items())


def _everywhere(path: str | Path) -> str:
    """A path that does not depend on the working folder."""
    return str(path) if is_remote(path) else os.path.abspath(path)  # noqa: PTH100  follows no link


def _size(path: str) -> int | None:
    try:
        return None if is_remote(path) else Path(path).stat().st_size
    except OSError:  # what opens it says it better
        return None
