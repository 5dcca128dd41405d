"""Labelled sets composed from single-date labelled images: changes put into real places."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scdcli.datasets.indexpng import write_index_png
from scdcli.errors import DatasetError
from scdcli.legend import Legend
from scdcli.simulation.compose.compose import ComposedPair, Composition, compose_pair
from scdcli.simulation.compose.library import Library
from scdcli.simulation.compose.roles import find_roles
from scdcli.simulation.pairset import PairsSummary, Progress, Seed, write_set
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
        sources: The folders they are from and the keys of their labels, by name; for the record.
    """

    library: Library
    legend: Legend
    settings: Composition
    sources: tuple[tuple[str, str | None], ...] = ()

    def make(self, seed: Seed) -> ComposedPair:
        """The pair of a seed."""
        return compose_pair(self.library, self.settings, seed)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why pairs may come out poor, as sentences."""
        settings, held = self.settings, self.library.contents
        finest, coarsest = settings.pixel_size
        found = []
        sides = np.array([contents.area**0.5 for contents in held])
        if self.library.odds[sides < settings.size * sqrt(finest * coarsest)].sum() > 0.5:
            found.append(
                f"Most labelled images show less than a pair does ({np.median(sides):.0f} m square "
                f"are usual, and pairs {settings.size * finest:.0f} to "
                f"{settings.size * coarsest:.0f} m wide): much of the pairs will be empty; give a "
                "smaller --size or finer --pixel-size."
            )
        best = min(contents.pixel_size for contents in held)
        if best > COARSE * coarsest:
            found.append(
                f"The labelled images have pixels of {best:.3g} m or more, and the pairs of "
                f"{finest:.3g} to {coarsest:.3g} m: they will be blurred; give --pixel-size."
            )
        return tuple(found)

    def write_map(self, path: Path, index: NDArray[np.uint8]) -> None:
        """Write a class map of indices."""
        write_index_png(path, index, self.legend)


def open_composer(
    sources: Sequence[Source], legend: Legend, settings: Composition | None = None
) -> Composer:
    """A composer for some folders of labelled images; looks through all of them once.

    Raises:
        DatasetError: A folder holds no labelled images, or labels that nobody explained, or
            all are of one class.
        InputError: An image cannot be read.
    """
    settings = settings or Composition()
    side = settings.size * settings.pixel_size[1]
    blocks = Blocks([block for source in sources for block in find_blocks(source, side)], legend)
    library = Library(blocks, list(blocks.contents()), find_roles(legend))
    if not library.classes:
        raise DatasetError(
            f"the labels in {', '.join(str(source.folder) for source in sources)} have none of the "
            f"classes of legend {legend.name!r}; say what they mean with --source."
        )
    if len(library.classes) == 1:
        raise DatasetError(
            f"all that is labelled in {', '.join(str(source.folder) for source in sources)} is "
            f"{legend[library.classes[0]].name!r}; nothing can change into another class. Label "
            "other classes too, or add another folder with --from-labels."
        )
    named = tuple((each.folder.name, each.key.name if each.key else None) for each in sources)
    return Composer(library, legend, settings, named)


def shortfall(settings: Composition, made: PairsSummary) -> str | None:
    """That far less changed than was aimed at, as a sentence; None where that is not so."""
    aim = settings.change * (1 - settings.unchanged)
    if made.pairs < ENOUGH_PAIRS or made.changed_share >= aim / 4:
        return None
    return (
        f"{made.changed_share:.1%} of the pixels changed, and {aim:.1%} was aimed at: hardly "
        "anything fitted. Label more classes, or more of the images."
    )


def write_composed(
    out: Path,
    composer: Composer,
    pairs: int,
    *,
    seed: int = 0,
    split: str = "train",
    overwrite: bool = False,
    workers: int = 1,
    progress: Progress | None = None,
) -> PairsSummary:
    """Compose a labelled set; `scdcli.simulation.pairset.write_set` says what it looks like.

    Raises:
        OutputError: The split exists, or cannot be written.
    """
    return write_set(
        out,
        composer,
        pairs,
        size=composer.settings.size,
        seed=seed,
        split=split,
        made_from={
            "from_labels": [{"folder": folder, "source": key} for folder, key in composer.sources],
            "legend": composer.legend.to_dict(),
            **asdict(composer.settings),
        },
        overwrite=overwrite,
        workers=workers,
        progress=progress,
    )
