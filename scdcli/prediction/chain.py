"""From a pair of scenes to class maps, window by window.

Read → batch → network → blend → decode → clean is one chain of generators in bounded memory. Three
threads work on it: one reads, one runs the network, and the caller's does what follows, while the
network is at the next chips already, also those of the next supertile. Every forward pass has one
fixed shape (the last batch is padded), so on a CPU the result does not depend on how the scene is
split into supertiles.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import NamedTuple

import numpy as np
import torch
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window
from torch import Tensor

from scdcli.errors import ModelError
from scdcli.models.checkpoint import LoadedModel
from scdcli.models.device import BatchSize, autocast, is_out_of_memory
from scdcli.models.engines import Engine
from scdcli.polygons.area import central_pixel
from scdcli.prediction.ahead import ahead
from scdcli.prediction.chipstore import ChipStore, PredictedChip, chip_store
from scdcli.prediction.cleaning import Cleaning, clean, reach
from scdcli.prediction.decode import READOUTS, ClassMaps, Reading, read
from scdcli.prediction.doubt import is_doubtful
from scdcli.prediction.fit import wrong_bands
from scdcli.prediction.journal import UnfinishedSupertile
from scdcli.prediction.looks import Looks, looks_from, looks_of
from scdcli.prediction.profile import Profile
from scdcli.prediction.settings import KEEP_ALL, MappingUnit
from scdcli.prediction.tiling import (
    Blend,
    Supertile,
    Tiling,
    grown,
    inside,
    overlap,
    supertiles,
    taper,
)
from scdcli.prediction.tta import ADAPTIVE, PLAIN, TTA, View
from scdcli.prediction.views import sum_views
from scdcli.rasters.grid import Grid
from scdcli.rasters.pair.open import Pair

MOST_STRIDES = 4  # along a side of a supertile
CHANNELS_AT_MOST = 21  # that so large a supertile holds in about 320 MB


@dataclass(frozen=True)
class Chip:
    """Both dates in one window, padded to its size where it reaches beyond the scene.

    Attributes:
        window: Where the chip lies; may reach beyond the scene.
        before: (C, height, width) float32.
        after: (C, height, width) float32.
        valid: Where both dates have measurements, (h, w) bool of the part inside the scene.
    """

    window: Window
    before: NDArray[np.float32]
    after: NDArray[np.float32]
    valid: NDArray[np.bool_]


def read_chips(
    pair: Pair, tile: Supertile, mean: NDArray[np.float32], around: int = 0
) -> Iterator[Chip]:
    """The chips of a supertile, in order, without those that have no say in a wanted pixel.

    Args:
        pair: The two scenes.
        tile: Whose chips to read.
        mean: Values, (C,), that replace both dates where either has no measurement.
        around: How far off a pixel may have a say.

    Raises:
        InputError: An image cannot be read.
    """
    bottom, right = pair.whole.row_off + pair.whole.height, pair.whole.col_off + pair.whole.width
    for window in tile.chips:
        height = min(window.height, bottom - window.row_off)
        width = min(window.width, right - window.col_off)
        inside = Window(window.col_off, window.row_off, width, height)
        if not pair.wanted(grown(inside, around)).any():
            continue
        # With what lies around the part and the area: a network sees it in the whole, too.
        before, after, valid = pair.read_around(inside)
        before[:, ~valid] = mean[:, None]
        after[:, ~valid] = mean[:, None]
        # Mirrored, not zero: an edge the network never saw would look like a change of cover.
        pad = ((0, 0), (0, window.height - height), (0, window.width - width))
        before, after = (np.pad(x, pad, mode="symmetric") for x in (before, after))
        yield Chip(window, before, after, valid)


@dataclass(frozen=True)
class Predictor:
    """A model and how to run it.

    Attributes:
        loaded: The model.
        device: Where it runs.
        threshold: Change probability, 0 to 1, from which a pixel counts as changed.
        precision: Floating-point type of the forward passes.
        tta: Name of the test-time augmentation, a key of `TTA`.
        tiling: Chips and supertiles.
        batch: Chips per forward pass that were asked for.
        say: Called with a sentence for each thing to know.
        unit: Minimum mapping unit.
        threshold_from: ``model``, or ``option`` where the user gave the threshold.
        engine: What runs the network; PyTorch if not given.
        profile: Where the time goes.
        fitting: Chips per forward pass that fit the memory.
    """

    loaded: LoadedModel
    device: torch.device
    threshold: float
    precision: torch.dtype = torch.float32
    tta: str = "none"
    tiling: Tiling = field(default_factory=Tiling)
    batch: int = 1
    say: Callable[[str], None] = lambda sentence: None
    unit: MappingUnit = KEEP_ALL
    threshold_from: str = "model"
    engine: Engine = None  # type: ignore[assignment]
    profile: Profile = field(default_factory=Profile)
    fitting: BatchSize = field(init=False)

    def __post_init__(self) -> None:
        """Start with the batch that was asked for."""
        if self.engine is None:
            object.__setattr__(self, "engine", Engine("torch", self.loaded.model))
        object.__setattr__(self, "fitting", BatchSize(self.batch, self.say))

    @property
    def where(self) -> str:
        """The device, and the engine where it is another than PyTorch, for a person."""
        name = self.engine.name
        return str(self.device) if name == "torch" else f"{self.device} with {name}"

    @property
    def views(self) -> tuple[View, ...]:
        """The views that a prediction is averaged over."""
        return TTA[self.tta]

    @property
    def classes(self) -> int:
        """Number of classes, K."""
        return len(self.loaded.header.legend)

    @property
    def output(self) -> str:
        """Kind of the network's output, a key of `READOUTS`."""
        return self.loaded.model.output

    @property
    def temperature(self) -> float:
        """The temperature T that calibrates the change probability."""
        return self.loaded.header.temperature


def default_chip(loaded: LoadedModel) -> int:
    """512 pixels, or more if the model was trained on larger chips."""
    return max(512, loaded.header.chip)


def default_overlap(chip: int) -> int:
    """64 pixels, or a quarter of a smaller chip than 256."""
    return min(Tiling.overlap, chip // 4)


def default_supertile(loaded: LoadedModel) -> int:
    """Side of a supertile in strides: 4, or fewer where many channels would fill the memory."""
    channels = READOUTS[loaded.model.output].channels(len(loaded.header.legend))
    fitting = int(MOST_STRIDES * (CHANNELS_AT_MOST / channels) ** 0.5)
    return max(1, min(MOST_STRIDES, fitting))


def require_bands(loaded: LoadedModel, pair: Pair) -> None:
    """Refuse a pair the model cannot read.

    Raises:
        ModelError: The model was trained on another number of bands, or on other dates
            that these are not brought to.
    """
    problem = wrong_bands(loaded.requirements, pair.count)
    if problem:
        raise ModelError(problem)
    if pair.mean_std != loaded.mean_std:
        raise ModelError(
            f"the model {loaded.name} wants each date at {loaded.mean_std}, and the pair has "
            f"{pair.mean_std}; open it with PairSettings(mean_std=...) of the model."
        )


class Predicted(NamedTuple):
    """What is predicted of a supertile core; arrays are (H, W).

    Attributes:
        maps: Class maps, clean; 255 where a date has no measurement or nothing is wanted.
        reading: Change probability and classes of each pixel by itself, before any threshold.
        valid: Where both dates are measured and a result is wanted.
        cleaning: How many pixels cleaning has changed.
        looks: What was looked at how often.
    """

    maps: ClassMaps
    reading: Reading
    valid: NDArray[np.bool_]
    cleaning: Cleaning
    looks: Looks


def unit_pixels(pair: Pair, predictor: Predictor) -> int:
    """The minimum mapping unit in pixels of the size in the middle of the whole scene.

    Raises:
        InputError: It is in square metres, which cannot be measured in the CRS of the pair.
    """
    if predictor.unit.in_pixels:
        return predictor.unit.pixels(None)
    whole = pair.whole
    origin = pair.grid.transform @ Affine.translation(whole.col_off, whole.row_off)
    size = central_pixel(Grid(whole.height, whole.width, origin, pair.grid.crs))
    return predictor.unit.pixels(size and size[0] * size[1])


def find_supertiles(pair: Pair, predictor: Predictor) -> Iterator[Supertile]:
    """The supertiles of what is wanted of a pair."""
    around = reach(unit_pixels(pair, predictor))
    return supertiles(*pair.grid.shape, predictor.tiling, pair.whole, around)


def predict_windows(
    pair: Pair, predictor: Predictor
) -> Iterator[tuple[Window, ClassMaps, Cleaning]]:
    """Class maps of the whole scene, one supertile core after the other.

    Yields:
        The window, its class maps (255 where a date has no measurement), and how many pixels
        cleaning has changed.

    Raises:
        InputError: An image cannot be read.
        ModelError: The network gives values that are not numbers, or wants other bands.
    """
    for window, predicted in read_windows(pair, predictor):
        yield window, predicted.maps, predicted.cleaning


def read_windows(pair: Pair, predictor: Predictor) -> Iterator[tuple[Window, Predicted]]:
    """As `predict_windows`, with change probabilities and classes before any threshold."""
    require_bands(predictor.loaded, pair)
    tiles = list(find_supertiles(pair, predictor))
    with (
        chip_store(tiles) as store,
        closing(read_supertiles(pair, tiles, predictor, store)) as read,
    ):
        for tile, predicted in zip(tiles, read, strict=True):
            yield tile.core, predicted


def read_supertiles(
    pair: Pair,
    tiles: Sequence[Supertile],
    predictor: Predictor,
    store: ChipStore | None = None,
    unfinished: Iterable[UnfinishedSupertile] | None = None,
) -> Generator[Predicted, None, None]:
    """All that is predicted of supertile cores, one after the other.

    The result of each depends on nothing but the pixels under its chips: it is the same in the
    whole of a scene and in any part. What has not been used up is to be closed: threads are at work
    on the supertiles that follow.

    Args:
        pair: The two scenes.
        tiles: The supertiles.
        predictor: Model and how to run it.
        store: Chips that other supertiles have predicted, and gets those that others want.
        unfinished: What an earlier run left of each; is asked for when one is begun, and offered
            the sums after every chip.

    Raises:
        InputError: An image cannot be read.
        ModelError: The network gives values that are not numbers.
    """
    profile = predictor.profile
    seen: set[Window] = set()
    # While a supertile is decoded and cleaned, as many chips of the next wait as that takes.
    most = max(2, predictor.tiling.supertile**2 // 3)
    with closing(ahead(_predict_supertiles(pair, tiles, predictor, store, unfinished), most)) as it:
        for sums, chip in it:
            if chip is not None:
                with profile.timing("blend"):
                    sums.add(chip)
                seen.update(sums.tile.chips[: sums.done])
                profile.reach(len(seen))
            else:
                seen.update(sums.tile.chips)
                profile.reach(len(seen))
                predicted = _decode(pair, sums, predictor)
                del sums  # the next has its own, and one is as much as may be in memory
                yield predicted


class Sums:
    """What the chips of a supertile have added up to.

    Attributes:
        tile: The supertile.
        done: How many of its chips, in their order, are added or have nothing to add.
        valid: Where both dates are measured, (H, W) bool of its reach.
        looks: The chips that are added.
    """

    def __init__(
        self, tile: Supertile, predictor: Predictor, unfinished: UnfinishedSupertile | None
    ) -> None:
        """Start with what an earlier run left, or nothing."""
        channels = READOUTS[predictor.output].channels(predictor.classes)
        self.tile, self.done, self.looks = tile, 0, Looks()
        self.valid = np.zeros((tile.reach.height, tile.reach.width), dtype=bool)
        self._blend = Blend(tile.reach, channels, taper(tile.shape, predictor.tiling))
        self._places = {window: number for number, window in enumerate(tile.chips, start=1)}
        self._unfinished = unfinished
        if unfinished and (layers := unfinished.load()):
            self._blend.restore(layers)
            self.valid[:] = layers["valid"]
            self.done, self.looks = int(layers["chips"]), looks_from(layers["looks"])

    def add(self, chip: PredictedChip) -> None:
        """Add the next chip, and offer the sums to be kept."""
        self._blend.add(chip.window, chip.probabilities)
        valid_part, chip_part = overlap(self.tile.reach, chip.window, chip.valid.shape)
        self.valid[valid_part] = chip.valid[chip_part]
        self.done = self._places[chip.window]
        self.looks[chip.window.row_off, chip.window.col_off] = chip.again
        if self._unfinished:
            counted = {"chips": np.array(self.done), "looks": looks_of(self.looks)}
            self._unfinished.offer({**self._blend.state(), "valid": self.valid, **counted})

    def mean(self) -> NDArray[np.float32]:
        """Blended probabilities (P, H, W) of the reach. Ends the sums."""
        return self._blend.mean()


def _decode(pair: Pair, sums: Sums, predictor: Predictor) -> Predicted:
    """What the sums say of a supertile core."""
    tile, measured = sums.tile, sums.valid
    legend, threshold = predictor.loaded.header.legend, predictor.threshold
    replaceable = legend.replaceable_indices()
    with predictor.profile.timing("blend"):
        blended = sums.mean()
        reading = read(
            blended,
            predictor.output,
            predictor.classes,
            temperature=predictor.temperature,
            replaceable=replaceable,
        )
    maps, core = reading.at(threshold), inside(tile.core, tile.reach)
    valid = measured[core] & pair.wanted(tile.core)
    cleaning = Cleaning()
    if unit := unit_pixels(pair, predictor):
        with predictor.profile.timing("clean"):
            cleaned = clean(
                blended,
                reading,
                measured,
                threshold,
                unit,
                output=predictor.output,
                classes=predictor.classes,
                replaceable=replaceable,
            )
        maps = maps._replace(from_class=cleaned.from_class, to_class=cleaned.to_class)
        cleaning = cleaned.within(core, valid)
    maps = ClassMaps._make(layer[core] for layer in maps).with_nodata(valid)
    # Copied: behind a view all of its reach would stay in memory.
    reading = Reading._make(layer[core].copy() for layer in reading)
    return Predicted(maps, reading, valid, cleaning, sums.looks)


class Look(NamedTuple):
    """What a network says of chips.

    Attributes:
        probabilities: (B, P, H, W) float32, the mean over the views; P as
            `scdcli.models.networks.outputs.probabilities` gives it.
        again: Numbers of the chips that were looked at again, in other views than the plain one.
    """

    probabilities: Tensor
    again: list[int]


@torch.inference_mode()
def look_at(
    predictor: Predictor,
    before: Tensor,
    after: Tensor,
    valid: Sequence[NDArray[np.bool_]] | None = None,
) -> Look:
    """Class and change probabilities of chips, in one view or the mean over several.

    The plain view comes first; with the adaptive augmentation it decides, of each chip by itself,
    whether the others follow. Otherwise they do, if there are any.

    Args:
        predictor: Model, views and device.
        before: (B, C, H, W) float32 in the units of the images.
        after: The same at the later date.
        valid: Where both dates of each chip have measurements, (h, w) of its first rows and
            columns; everywhere if not given.
    """
    others = tuple(view for view in predictor.views if view != PLAIN)
    # On a CPU the result must not depend on the split, so every pass has one shape; a GPU rounds
    # differently from card to card in any case, and would compute the filling for nothing.
    fill = predictor.device.type == "cpu"
    forward, size = predictor.engine.forward, predictor.fitting.size
    # One context for all views: at its end the weights that it rounded are forgotten.
    with autocast(predictor.device, predictor.precision):
        total = sum_views(forward, before, after, (PLAIN,), size, fill=fill)
        again = list(range(len(before))) if others else []
        if predictor.tta == ADAPTIVE:
            again = [
                chip
                for chip in again
                if _is_doubtful(predictor, total[chip], None if valid is None else valid[chip])
            ]
        if again:
            left = sum_views(forward, before[again], after[again], others, size, fill=fill)
            total[again] = (total[again] + left) / len(predictor.views)
    return Look(total, again)


def _is_doubtful(
    predictor: Predictor, probabilities: Tensor, valid: NDArray[np.bool_] | None
) -> bool:
    """Whether the plain view of a chip, (P, H, W), leaves doubt where it has measurements."""
    reading = read(
        probabilities.cpu().numpy(),
        predictor.output,
        predictor.classes,
        temperature=predictor.temperature,
    )
    change = reading.change
    if valid is not None:
        change = change[: valid.shape[0], : valid.shape[1]][valid]
    return is_doubtful(change, predictor.threshold)


def _predict_supertiles(
    pair: Pair,
    tiles: Sequence[Supertile],
    predictor: Predictor,
    store: ChipStore | None,
    unfinished: Iterable[UnfinishedSupertile] | None,
) -> Generator[tuple[Sums, PredictedChip | None], None, None]:
    """The chips of each supertile with its sums, to which they are not added; None at its end."""
    for tile, part in zip(tiles, repeat(None) if unfinished is None else unfinished, strict=False):
        sums = Sums(tile, predictor, part)
        left = replace(tile, chips=tile.chips[sums.done :])
        # Begun only when all before are predicted, so that the store has what it can have.
        chips = ahead(_find_chips(pair, left, predictor, store), predictor.batch + 1)
        with closing(chips):
            for chip in _predict_chips(chips, predictor, store):
                yield sums, chip
        yield sums, None


def _find_chips(
    pair: Pair, tile: Supertile, predictor: Predictor, store: ChipStore | None
) -> Generator[Chip | PredictedChip, None, None]:
    """The chips of a supertile, in order: from the store, or read."""
    mean = predictor.loaded.model.mean.cpu().numpy()
    around = reach(unit_pixels(pair, predictor))

    def found() -> Iterator[Chip | PredictedChip]:
        for window in tile.chips:
            known = store.take(window) if store else None
            if known:
                yield known
            else:
                yield from read_chips(pair, replace(tile, chips=(window,)), mean, around)

    yield from predictor.profile.timing_each("read", found())


def _predict_chips(
    chips: Iterator[Chip | PredictedChip], predictor: Predictor, store: ChipStore | None
) -> Iterator[PredictedChip]:
    """All chips with their probabilities, in order; all-nodata chips are passed over."""
    waiting: list[Chip | PredictedChip] = []
    unknown: list[Chip] = []
    for chip in chips:
        if not chip.valid.any():
            continue
        waiting.append(chip)
        if isinstance(chip, Chip):
            unknown.append(chip)
        if len(unknown) in (0, predictor.batch):
            yield from _in_order(waiting, unknown, predictor, store)
            waiting, unknown = [], []
    yield from _in_order(waiting, unknown, predictor, store)


def _in_order(
    waiting: list[Chip | PredictedChip],
    unknown: list[Chip],
    predictor: Predictor,
    store: ChipStore | None,
) -> Iterator[PredictedChip]:
    """Chips that wait, after those of them that are unknown have been predicted as one batch."""
    fresh = iter(_run(unknown, predictor) if unknown else ())
    for chip in waiting:
        if isinstance(chip, PredictedChip):
            yield chip
            continue
        predicted = next(fresh)
        if store:
            store.keep(predicted)
        yield predicted


def _run(batch: list[Chip], predictor: Predictor) -> list[PredictedChip]:
    """A batch with its probabilities."""
    while (predicted := _attempt(batch, predictor)) is None:
        predictor.fitting.halve(predictor.tiling.chip)
    for chip in predicted:
        if not np.isfinite(chip.probabilities).all():
            raise ModelError(
                f"the model {predictor.loaded.name} gives values that are not numbers at "
                f"{chip.window}; use another model, or --precision fp32."
            )
    predictor.profile.count_chips(len(batch))
    return predicted


def _attempt(batch: list[Chip], predictor: Predictor) -> list[PredictedChip] | None:
    """The chips with their probabilities; None where the memory is too small.

    The exception holds the tensors of the failed pass: they are only released by returning.
    """
    size = predictor.fitting.size
    try:
        with predictor.profile.timing("network"):
            return [
                predicted
                for start in range(0, len(batch), size)
                for predicted in _forward(batch[start : start + size], predictor)
            ]
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        return None


def _forward(chips: list[Chip], predictor: Predictor) -> list[PredictedChip]:
    stacks = (np.stack([getattr(chip, date) for chip in chips]) for date in ("before", "after"))
    before, after = (torch.from_numpy(stack).to(predictor.device) for stack in stacks)
    look = look_at(predictor, before, after, [chip.valid for chip in chips])
    values = look.probabilities.cpu().numpy()
    return [
        PredictedChip(chip.window, chip.valid, values[number], number in look.again)
        for number, chip in enumerate(chips)
    ]
