"""An evaluation as Python or the command line asks for it, and the scoring it leads to."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from scdcli.datasets.classmap import open_label
from scdcli.datasets.layouts import is_drawn
from scdcli.datasets.legendfile import find_legend
from scdcli.datasets.scan import Progress, Watch
from scdcli.legend import Legend
from scdcli.models import DEFAULT_MODEL
from scdcli.prediction.settings import INFERENCE, InferenceSettings
from scdcli.prediction.tta import find_tta
from scdcli.rasters.pair.methods import DEFAULT_METHOD
from scdcli.scoring.comparison import Run, folder_forms, model_forms, short_names
from scdcli.scoring.mapsets import LabelSet, find_images, find_predictions, find_truth, match
from scdcli.scoring.run import Scoring
from scdcli.scoring.systems import System, shared_legend

if TYPE_CHECKING:
    from scdcli.prediction.chain import Predictor


@dataclass(frozen=True)
class EvaluationJob:
    """An evaluation that is asked for; the fields are what `evaluate` takes, under its names."""

    truth: Path
    models: tuple[str, ...] = ()
    predictions: tuple[Path, ...] = ()
    legend: Legend | None = None
    tta: tuple[str, ...] = (InferenceSettings.tta,)
    inference: InferenceSettings = INFERENCE
    bands: tuple[int | str, ...] | None = None
    normalize: str = DEFAULT_METHOD
    binary: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The models: those that are asked for, or the default one."""
        return self.models if self.models or self.predictions else (DEFAULT_MODEL,)

    def prepare(self, note: Callable[[str], None], watch: Watch) -> Scoring:
        """Find labels and systems, and what can be wrong with them before any of them runs.

        Raises:
            DatasetError: A folder has none of the known shapes, the labels have no images for a
                model, or maps do not match them.
            ModelError: A model file is damaged.
            UnknownName: No such model, device, precision or test-time augmentation.
        """
        truth = find_truth(self.truth, binary=self.binary)
        systems = self._systems(truth)
        _note_choices(truth, systems, note)
        legend = shared_legend(systems, truth, self.legend)
        return Scoring(truth, systems, legend, self.legend is not None, note, watch)

    def _systems(self, truth: LabelSet) -> list[System]:
        """Models, once per test-time augmentation, then folders."""
        if self.names:
            find_images(truth)
        maps = [find_predictions(folder, masks=truth.masks) for folder in self.predictions]
        for each in maps:
            match(truth, each)
        forms = [*map(model_forms, self.names), *map(folder_forms, self.predictions)]
        names, models = short_names(forms), len(self.names)
        folders = zip(names[models:], self.predictions, maps, strict=True)
        return [
            System(name, predictor, self.bands, self.normalize)
            for name, model in zip(names[:models], self.names, strict=True)
            for predictor in self._predictors(model)
        ] + [System(name, folder=folder, maps=each) for name, folder, each in folders]

    def _predictors(self, model: str) -> "list[Predictor]":
        """One per test-time augmentation; the model is loaded once."""
        # Imports torch, which scoring maps that exist does without.
        from scdcli.prediction.predictor import make_predictor

        first = make_predictor(model, replace(self.inference, tta=self.tta[0]))
        gpu = first.device.type == "cuda"
        chosen = dict.fromkeys(find_tta(name, gpu=gpu) for name in self.tta)
        return [replace(first, tta=tta) for tta in chosen]


@contextmanager
def _unwatched(title: str, total: int) -> Iterator[Progress]:
    yield lambda done, total: None


def evaluate(
    truth: str | Path,
    *,
    models: Sequence[str | Path] = (),
    predictions: Sequence[str | Path] = (),
    legend: str | Legend | None = None,
    tta: Sequence[str] = EvaluationJob.tta,
    inference: InferenceSettings = INFERENCE,
    bands: Sequence[int] | None = None,
    normalize: str = DEFAULT_METHOD,
    binary: bool = False,
    note: Callable[[str], None] = lambda sentence: None,
    watch: Watch = _unwatched,
) -> list[Run]:
    """Score maps that exist, or models on a labelled set, as ``scd evaluate`` does.

    Args:
        truth: Folder of the labels, of any form that ``scd evaluate`` takes.
        models: Bundled models by name, or model files.
        predictions: Folders of maps that exist. Without them and without models the default model
            is scored.
        legend: What the labels mean: a built-in legend by name, a TOML or JSON file, or a legend;
            None for what labels or models say.
        tta: Test-time augmentations, each of which is scored with every model.
        inference: How the models are run, but for ``tta``.
        bands: Band numbers the models read of the images, from 1; None for all but alpha.
        normalize: How AFTER is brought to the values of BEFORE: none, match or pif.
        binary: Whether the labels are masks of change, whatever the layout: then change alone is
            scored.
        note: Called with a sentence for each thing to know.
        watch: Called with the title of a system and the number of pairs; gives a context whose
            value is called with (pairs done, pairs).

    Returns:
        What each system scored: models first, once per test-time augmentation, then folders.

    Raises:
        DatasetError: A folder has none of the known shapes, or what is in it does not match.
        InputError: A file cannot be read.
        ModelError: A model file is damaged, or a model does not fit the images.
        UnknownName: No such model, legend, device, precision or test-time augmentation.
    """
    job = EvaluationJob(
        Path(truth),
        tuple(map(str, models)),
        tuple(map(Path, predictions)),
        find_legend(legend) if isinstance(legend, str) else legend,
        tuple(tta),
        inference,
        None if bands is None else tuple(bands),
        normalize,
        binary,
    )
    return job.prepare(note, watch).score()


def _note_choices(truth: LabelSet, systems: Sequence[System], note: Callable[[str], None]) -> None:
    """Say which of the maps are used where there was a choice, and what is left out of them."""
    for side in (truth, *(system.maps for system in systems)):
        if side and side.note:
            note(side.note)
    hidden = sum(any(map(_is_transparent, dict.fromkeys(each))) for each in truth.maps.values())
    if hidden:
        note(
            f"{hidden} of {len(truth.maps)} labels have transparent pixels, which count as nodata "
            'unless the legend file says transparent = "unchanged".'
        )


def _is_transparent(label: Path) -> bool:
    if is_drawn(label):
        return False
    with open_label(label) as opened:
        return opened.transparent
