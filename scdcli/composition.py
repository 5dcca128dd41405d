"""Labelled sets composed from single-date labelled images: changes put into real places."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scdcli.errors import DatasetError
from scdcli.labelled.indexpng import write_index_png
from scdcli.labelled.sources import Blocks, Source, find_blocks
from scdcli.legend import Legend
from scdcli.pairset import PairsSummary, Progress, Seed, write_set
from scdcli.synthesis.compose import ComposedPair, Composition, compose_pair
from scdcli.synthesis.library import Library
from scdcli.synthesis.roles import find_roles


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

    def write_map(self, path: Path, index: NDArray[np.uint8]) -> None:
        """Write a class map of indices."""
        write_index_png(path, index, self.legend)


def open_composer(
    sources: Sequence[Source], legend: Legend, settings: Composition | None = None
) -> Composer:
    """A composer for some folders of labelled images; looks through all of them once.

    Raises:
        DatasetError: A folder holds no labelled images, or labels that nobody explained.
        InputError: An image cannot be read.
    """
    blocks = Blocks([block for source in sources for block in find_blocks(source)], legend)
    library = Library(blocks, list(blocks.contents()), find_roles(legend))
    if not library.classes:
        raise DatasetError(
            f"the labels in {', '.join(str(source.folder) for source in sources)} have none of the "
            f"classes of legend {legend.name!r}; say what they mean with --source."
        )
    named = tuple((each.folder.name, each.key.name if each.key else None) for each in sources)
    return Composer(library, legend, settings or Composition(), named)


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
    """Compose a labelled set; `scdcli.pairset.write_set` says what it looks like.

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
