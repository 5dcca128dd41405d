"""The changes of a pair, from Python: files or arrays in, a folder or arrays out."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from scdcli.errors import ModelError, PairError
from scdcli.files.folder import timestamp
from scdcli.legend import NODATA, Legend, transition_code
from scdcli.models import DEFAULT_MODEL
from scdcli.models.checkpoint import LoadedModel
from scdcli.models.requirements import read_requirements
from scdcli.polygons.area import measure_ground
from scdcli.polygons.strips import STRIP_PIXELS, Strip, find_runs
from scdcli.polygons.table import TransitionTally
from scdcli.prediction.chain import Predictor, read_windows
from scdcli.prediction.cleaning import Cleaning
from scdcli.prediction.fit import require_readable
from scdcli.prediction.likeness import judge_model
from scdcli.prediction.looks import Looks, describe_looks
from scdcli.prediction.outputfolder import require_usable
from scdcli.prediction.predictor import make_predictor
from scdcli.prediction.provenance import describe_cleaning, describe_prediction
from scdcli.prediction.settings import INFERENCE, OUTPUT, InferenceSettings, OutputSettings
from scdcli.prediction.write import write_prediction
from scdcli.rasters.grid import Grid
from scdcli.rasters.pair.arrays import pair_of_arrays
from scdcli.rasters.pair.coregister import open_registered
from scdcli.rasters.pair.open import Pair
from scdcli.rasters.pair.settings import DEFAULTS, PairSettings

Image = str | Path | NDArray[Any]
MOST_IN_MEMORY = 100_000_000  # pixels, which take 500 MB


@dataclass(frozen=True)
class Prediction:
    """The changes of a pair, in memory.

    Attributes:
        from_class: Class before where something changed, 1 to K; 0 unchanged, 255 nodata; (H, W)
            uint8, as the following.
        to_class: Class after.
        probability: Of change, percent, 0 to 100; 255 nodata.
        before_cover: Class before of every pixel, 1 to K; 255 nodata.
        after_cover: Class after of every pixel.
        grid: Where the pixels lie.
        legend: What the classes are.
        summary: What ``summary.json`` of a folder holds: inputs, model, settings, and the pixels
            and areas of every transition.
    """

    from_class: NDArray[np.uint8]
    to_class: NDArray[np.uint8]
    probability: NDArray[np.uint8]
    before_cover: NDArray[np.uint8]
    after_cover: NDArray[np.uint8]
    grid: Grid
    legend: Legend
    summary: dict[str, Any]

    @property
    def transition(self) -> NDArray[np.uint16]:
        """``from * 100 + to``; 0 unchanged, 65535 nodata; (H, W) uint16."""
        return transition_code(self.from_class, self.to_class)


@overload
def predict(
    before: Image,
    after: Image,
    out: None = None,
    *,
    model: str | Path | LoadedModel = ...,
    inference: InferenceSettings = ...,
    pair: PairSettings = ...,
    coregister: bool = ...,
    grid: Grid | None = ...,
    note: Callable[[str], None] = ...,
    progress: Callable[[float], None] | None = ...,
) -> Prediction: ...


@overload
def predict(
    before: Image,
    after: Image,
    out: str | Path,
    *,
    model: str | Path | LoadedModel = ...,
    inference: InferenceSettings = ...,
    pair: PairSettings = ...,
    coregister: bool = ...,
    grid: Grid | None = ...,
    output: OutputSettings = ...,
    note: Callable[[str], None] = ...,
    progress: Callable[[float], None] | None = ...,
) -> dict[str, Any]: ...


def predict(
    before: Image,
    after: Image,
    out: str | Path | None = None,
    *,
    model: str | Path | LoadedModel = DEFAULT_MODEL,
    inference: InferenceSettings = INFERENCE,
    pair: PairSettings = DEFAULTS,
    coregister: bool = False,
    grid: Grid | None = None,
    output: OutputSettings = OUTPUT,
    note: Callable[[str], None] = lambda sentence: None,
    progress: Callable[[float], None] | None = None,
) -> Prediction | dict[str, Any]:
    """Map what changed between two images of one place, as ``scd predict`` does.

    Args:
        before: The earlier image: a file, an address, or an array (C, H, W) in which NaN, or what
            a masked array masks, is no measurement. Its grid rules.
        after: The later image, of the same kind; a file is warped onto the grid of BEFORE.
        out: Folder to make, with the same files as ``scd predict -o`` writes; None to get the
            result in memory, for up to 100 million pixels.
        model: A bundled model by name, a model file, or a model that is loaded already.
        inference: How the model is run.
        pair: How the two images are read as a pair. Of arrays only scale and normalize count.
        coregister: Move AFTER over BEFORE by the shift between them; for files.
        grid: Where the pixels of arrays lie; None for a pixel grid, whose areas are pixels.
        output: What is written into the folder.
        note: Called with a sentence for each thing to know, such as that AFTER was warped.
        progress: Called with the share of pixels done, 0 to 1.

    Returns:
        Without a folder the maps and their summary, else the content of ``summary.json``.

    Raises:
        InputError: An image cannot be opened or read.
        PairError: The two cannot be compared, or are too large to be returned in memory.
        ModelError: The model file is damaged, or the model does not fit the images.
        OutputError: ``out`` exists or cannot be written.
        UnknownName: No such model, device, test-time augmentation or vector format.
    """
    if out is not None:
        inputs = (each for each in (before, after, model) if isinstance(each, str | Path))
        require_usable(Path(out), inputs, output)
    if not isinstance(before, np.ndarray) and not isinstance(after, np.ndarray):
        needs = (
            model.requirements if isinstance(model, LoadedModel) else read_requirements(str(model))
        )
        require_readable(before, after, pair, needs)
    predictor = make_predictor(model, inference, note=note)
    require_classes(predictor, output)
    with _opened(before, after, pair, coregister, grid, predictor.loaded) as opened:
        tell_of_pair(opened, note)
        if out is None:
            return predict_in_memory(opened, predictor, progress=progress)
        return write_prediction(opened, predictor, Path(out), output, progress=progress)


def require_classes(predictor: Predictor, output: OutputSettings) -> None:
    """Refuse to map the land cover with a model that knows of no classes.

    Raises:
        ModelError: It was trained on masks of change.
    """
    loaded = predictor.loaded
    if output.land_cover and loaded.header.legend.change_only:
        raise ModelError(
            f"The model {loaded.name} was trained on masks of change and tells no classes apart: "
            "there is no land cover to map. Leave --land-cover out, or choose a model with classes."
        )


def tell_of_pair(pair: Pair, note: Callable[[str], None]) -> None:
    """Say what was done to make the two comparable, and what is doubtful."""
    for sentence in pair.notes:
        note(f"Warning: {sentence}" if sentence in pair.warnings else sentence)


def predict_in_memory(
    pair: Pair, predictor: Predictor, *, progress: Callable[[float], None] | None = None
) -> Prediction:
    """The changes of an open pair, as arrays.

    Raises:
        InputError: An image cannot be read.
        ModelError: The model does not fit the images.
        PairError: The pair has more than 100 million pixels.
    """
    grid, legend = pair.grid, predictor.loaded.header.legend
    pixels = grid.height * grid.width
    if pixels > MOST_IN_MEMORY:
        raise PairError(
            f"the maps would have {grid.width} x {grid.height} pixels, more than the "
            f"{MOST_IN_MEMORY:,} that are returned in memory; give a folder to write them to, or "
            "choose a part with bounds."
        )
    fit = judge_model(predictor.loaded, pair)
    for line in fit.lines:
        predictor.say(line)
    layers = np.full((5, *grid.shape), NODATA, dtype=np.uint8)
    done, cleaning, looks = 0, Cleaning(), Looks()
    for window, predicted in read_windows(pair, predictor):
        cleaning = cleaning.and_of(predicted.cleaning)
        looks |= predicted.looks
        layers[(slice(None), *window.toslices())] = predicted.maps
        done += int(window.height * window.width)
        if progress:
            progress(done / pixels)
    from_class, to_class, probability, before_cover, after_cover = layers
    tally = TransitionTally(measure_ground(grid))
    for _ in tally.counting(find_runs(_strips(from_class, to_class, probability), tally.ground)):
        pass
    summary = describe_prediction(pair, predictor, None) | {
        "created": timestamp().isoformat(),
        "notes": [*pair.notes, *fit.notes, *fit.warnings],
        "warnings": [*pair.warnings, *fit.warnings],
        "cleaning": describe_cleaning(pair, predictor, cleaning),
        "chips": describe_looks(looks),
        **tally.to_dict(legend),
    }
    return Prediction(
        from_class, to_class, probability, before_cover, after_cover, grid, legend, summary
    )


def _strips(*layers: NDArray[np.uint8]) -> Iterator[Strip]:
    """From, to and probability as strips of a change map."""
    height, width = layers[0].shape
    rows = max(1, STRIP_PIXELS // width)
    for top in range(0, height, rows):
        from_class, to_class, probability = (layer[top : top + rows] for layer in layers)
        yield Strip(top, transition_code(from_class, to_class), probability)


@contextmanager
def _opened(
    before: Image,
    after: Image,
    settings: PairSettings,
    coregister: bool,
    grid: Grid | None,
    loaded: LoadedModel,
) -> Iterator[Pair]:
    """The pair, of files or of arrays."""
    if isinstance(before, np.ndarray) and isinstance(after, np.ndarray):
        if coregister:
            raise PairError("coregister is for images in files; move arrays beforehand.")
        yield pair_of_arrays(before, after, loaded.reads(settings), grid=grid)
        return
    if isinstance(before, np.ndarray) or isinstance(after, np.ndarray):
        raise PairError("one image is an array and the other is not; give two of one kind.")
    if grid is not None:
        raise PairError("grid is for arrays; files say themselves where they lie.")
    with open_registered(before, after, loaded.reads(settings), coregister=coregister) as pair:
        yield pair
