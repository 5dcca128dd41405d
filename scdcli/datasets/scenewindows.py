"""Windows of large scenes as labelled pairs: drawn at random, or as they are laid out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from rasterio.windows import Window

from scdcli.datasets.augment import LabelledPair, augment
from scdcli.datasets.augmentation import Augmentation
from scdcli.datasets.dataset import change_map, fill_unmeasured, labelled_pair
from scdcli.datasets.samples import Part, Sample
from scdcli.datasets.scenelabels import Drawn, open_scene_labels, read_drawn
from scdcli.legend import NODATA, Legend
from scdcli.rasters.grid import Grid
from scdcli.rasters.pair.mappings import MeanStd
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.pair.settings import PairSettings

# Windows without a single label are drawn again, so often at most.
DRAWS = 8


@dataclass(frozen=True)
class PreparedScene:
    """All that is settled once per scene, so that a window costs no more than its own pixels.

    Files are opened for every window: an open file must not cross threads or processes.
    """

    sample: Sample
    grid: Grid
    settings: PairSettings
    drawn: Drawn
    legend: Legend

    def read(self, part: Part) -> LabelledPair:
        """Images and labels of a window of the grid of BEFORE, in its size.

        Raises:
            ScdError: A file cannot be read there, or a label holds what the legend does not know.
        """
        sample = self.sample
        window = Window(part.left, part.top, part.width, part.height)
        with (
            open_pair(sample.before, sample.after, self.settings) as pair,
            open_scene_labels(sample, self.grid, self.legend, self.drawn) as read_classes,
        ):
            before, after, valid = pair.read(window)
            from_label, to_label = read_classes(window)
        changed = change_map(from_label, to_label, sample.name)
        for image in (before, after):
            fill_unmeasured(image, valid)
        return labelled_pair(before, after, valid, from_label, to_label, changed)


class Scenes:
    """The scenes of a set, each prepared once, whatever parts of them are asked for."""

    def __init__(
        self, samples: Sequence[Sample], legend: Legend, mean_std: MeanStd | None = None
    ) -> None:
        """Open every scene once; samples that are no scenes are passed over.

        Raises:
            ScdError: Files cannot be read, or do not fit each other.
        """
        wholes = dict.fromkeys(_whole(sample) for sample in samples if sample.windowed)
        self._prepared = {whole: prepare(whole, legend, mean_std) for whole in wholes}

    def read(
        self, sample: Sample, augmentation: Augmentation | None, rng: np.random.Generator
    ) -> LabelledPair:
        """A random chip of the sample's part, augmented; without augmentation the part itself.

        Raises:
            ScdError: A file cannot be read there, or a label holds what the legend does not know.
        """
        scene = self._prepared[_whole(sample)]
        part = sample.part or Part(0, 0, *scene.grid.shape)
        if augmentation is None:
            return scene.read(part)
        low, high = np.log(augmentation.scale)
        # The window is read in the size that the scale asks for, and not larger.
        side = max(8, round(augmentation.chip / float(np.exp(rng.uniform(low, high)))))
        factor = augmentation.chip / side
        for _ in range(DRAWS):
            pair = scene.read(_random_window(part, side, rng))
            if (pair.changed != NODATA).any():
                break
        return augment(pair, replace(augmentation, scale=(factor, factor)), rng)


def prepare(sample: Sample, legend: Legend, mean_std: MeanStd | None = None) -> PreparedScene:
    """A scene made ready for reading windows.

    Raises:
        ScdError: Its files cannot be read, or do not fit each other.
    """
    settings = PairSettings(bands=sample.bands, mean_std=mean_std)
    with open_pair(sample.before, sample.after, settings) as pair:
        drawn = read_drawn(sample, pair.grid, legend)
        known = replace(
            settings,
            bands=pair.bands,
            after_bands=pair.after_bands,
            stretch=pair.stretch,
            normalization=pair.normalization,
        )
        return PreparedScene(sample, pair.grid, known, drawn, legend)


def _whole(sample: Sample) -> Sample:
    """The whole scene of a sample, named alike for all its parts."""
    return replace(sample, name=str(sample.before), part=None)


def _random_window(part: Part, side: int, rng: np.random.Generator) -> Part:
    top, height = _place(part.top, part.height, side, rng)
    left, width = _place(part.left, part.width, side, rng)
    return Part(top, left, height, width)


def _place(start: int, length: int, side: int, rng: np.random.Generator) -> tuple[int, int]:
    """Start and length of a window at a random place; all of it where there is no more."""
    if length <= side:
        return start, length
    return int(rng.integers(start, start + length - side + 1)), side
