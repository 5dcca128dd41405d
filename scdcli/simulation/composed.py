"""Labelled sets composed from single-date labelled images: changes put into real places."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scdcli.datasets.indexpng import write_index_png
from scdcli.errors import DatasetError
from scdcli.legend import Legend
from scdcli.simulation.compose.compose import Composition, compose_pair
from scdcli.simulation.compose.library import Library
from scdcli.simulation.compose.roles import find_roles
from scdcli.simulation.pairset import MadePair, PairsSummary, Seed
from scdcli.simulation.sources import Blocks, Source, find_blocks

COARSE = 1.5  # by which images may be coarser than the pairs made of them
ENOUGH_PAIRS = 8  # to tell that too little changed


@dataclass(frozen=True)
class Composer:
    """Makes pairs out of a library.

    Attributes:
        library: Labelled images.
        legend: Their classes.
        settings: How pairs are composed.
        sources: Names of their folders and of the keys of their labels, for the record.
    """

    library: Library
    legend: Legend
    settings: Composition
    sources: tuple[tuple[str, str | None], ...] = ()

    @property
    def size(self) -> int:
        """Height and width of the pairs in pixels."""
        return self.settings.size

    @property
    def record(self) -> dict[str, Any]:
        """What the pairs are made from, so that they can be made again."""
        return {
            "from_labels": [{"folder": folder, "source": key} for folder, key in self.sources],
            "legend": self.legend.to_dict(),
            **asdict(self.settings),
        }

    def make(self, seed: Seed) -> MadePair:
        """The pair of a seed."""
        return compose_pair(self.library, self.settings, seed)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why pairs may come out poor, as sentences."""
        settings = self.settings
        finest, coarsest = settings.pixel_size
        warnings = []
        sides = np.array([contents.area**0.5 for contents in self.library.contents])
        if self.library.odds[sides < settings.size * sqrt(finest * coarsest)].sum() > 0.5:
            warnings.append(
                f"Most labelled images show less than a pair does ({np.median(sides):.0f} m square "
                f"are usual, and pairs {settings.size * finest:.0f} to "
                f"{settings.size * coarsest:.0f} m wide): much of the pairs will be empty; give a "
                "smaller --size or finer --pixel-size."
            )
        best = min(contents.pixel_size for contents in self.library.contents)
        if best > COARSE * coarsest:
            warnings.append(
                f"The labelled images have pixels of {best:.3g} m or more, and the pairs of "
                f"{finest:.3g} to {coarsest:.3g} m: they will be blurred; give --pixel-size."
            )
        return tuple(warnings)

    def write_map(self, path: Path, index: NDArray[np.uint8]) -> None:
        """Write a class map of indices."""
        write_index_png(path, index, self.legend)


def open_composer(
    sources: Sequence[Source], legend: Legend, settings: Composition | None = None
) -> Composer:
    """A composer for folders of labelled images, all of which it reads once.

    Raises:
        DatasetError: A folder holds no labelled images, or a label holds a value that neither key
            nor legend explains, or all labels are of one class.
        InputError: An image cannot be read.
    """
    settings = settings or Composition()
    side = settings.size * settings.pixel_size[1]
    blocks = Blocks([block for source in sources for block in find_blocks(source, side)], legend)
    library = Library(blocks, find_roles(legend))
    folders = ", ".join(str(source.folder) for source in sources)
    if not library.classes:
        raise DatasetError(
            f"the labels in {folders} have none of the classes of legend {legend.name!r}; say what "
            "they mean with --source."
        )
    if len(library.classes) == 1:
        raise DatasetError(
            f"all that is labelled in {folders} is {legend[library.classes[0]].name!r}; nothing "
            "can change into another class. Label other classes too, or add another folder with "
            "--from-labels."
        )
    named = tuple((each.folder.name, each.key.name if each.key else None) for each in sources)
    return Composer(library, legend, settings, named)


def shortfall(settings: Composition, made: PairsSummary) -> str | None:
    """A sentence where less than a quarter of the aim changed; None where it did not fall short."""
    aim = settings.change * (1 - settings.unchanged)
    if made.pairs < ENOUGH_PAIRS or made.changed_share >= aim / 4:
        return None
    return (
        f"{made.changed_share:.1%} of the pixels changed, and {aim:.1%} was aimed at: hardly "
        "anything fitted. Label more classes, or more of the images."
    )
