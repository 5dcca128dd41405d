"""What is asked of a simulation, and the pairs it means: drawn, or of labelled images."""

from dataclasses import dataclass
from pathlib import Path

from scdcli.datasets.legendfile import find_legend
from scdcli.errors import UnknownName
from scdcli.legend import LEGENDS, SECOND, URBAN, Legend
from scdcli.simulation.compose.compose import Composition
from scdcli.simulation.composed import Composer, open_composer, write_composed
from scdcli.simulation.drawn import (
    DEMO_SEED,
    DEMO_SIZE,
    PAIR_SIZE,
    WORLD_LEGENDS,
    write_demo,
    write_pairs,
)
from scdcli.simulation.pairset import PairsSummary, Progress
from scdcli.simulation.sources import Source, SourceKey, find_source


@dataclass(frozen=True)
class LabelSettings:
    """Labelled images of one date that pairs are composed from; None for the usual.

    Attributes:
        folders: Where they lie.
        keys: What their labels mean: none, one for all folders, or one for each.
        pixel_size: Finest and coarsest pixels of the pairs, in meters.
        change: Share of changed pixels to aim at, on average, where something changed.
        unchanged: Share of pairs in which nothing changed.
        strength: Of the differences that are no change.
    """

    folders: tuple[Path, ...] = ()
    keys: tuple[str, ...] = ()
    pixel_size: tuple[float, float] | None = None
    change: float | None = None
    unchanged: float | None = None
    strength: float | None = None

    def composition(self, size: int) -> Composition:
        """How pairs of a size are composed."""
        chosen = {
            "change": self.change,
            "unchanged": self.unchanged,
            "strength": self.strength,
        }
        given = {name: value for name, value in chosen.items() if value is not None}
        return Composition(size, self.pixel_size or Composition.pixel_size, **given)


@dataclass(frozen=True)
class SimulationJob:
    """What is asked of a simulation.

    Attributes:
        out: Folder of the set, or of the demo scene.
        pairs: How many to make; None for one georeferenced demo scene.
        size: Side in pixels; None for 512, of the demo scene 1600.
        split: The pairs belong to it; another split is other pairs.
        workers: Processes to make them with.
        seed: Which world; None for 0, the demo scene has its own.
        legend: Classes; None for urban, of drawn pairs second.
        labels: What pairs are composed from; without folders they are drawn.
        overwrite: Replace what is there.
    """

    out: Path
    pairs: int | None = None
    size: int | None = None
    split: str = "train"
    workers: int = 1
    seed: int | None = None
    legend: str | None = None
    labels: LabelSettings = LabelSettings()
    overwrite: bool = False

    def composer(self) -> Composer | None:
        """What composes the pairs; None where they are drawn.

        Raises:
            DatasetError: A folder holds no labelled images, or labels that nobody explained.
            InputError: An image cannot be read.
            UnknownName: No such legend or key.
        """
        folders = self.labels.folders
        if not folders:
            return None
        legend = find_legend(self.legend or URBAN.name)
        found: list[SourceKey | None] = [find_source(key, legend) for key in self.labels.keys]
        meanings = found * len(folders) if len(found) == 1 else found or [None] * len(folders)
        sources = [Source(folder, key) for folder, key in zip(folders, meanings, strict=True)]
        return open_composer(sources, legend, self.labels.composition(self.size or PAIR_SIZE))

    def write_demo(self) -> None:
        """Draw the demo scene.

        Raises:
            OutputError: The folder exists, or cannot be written.
            UnknownName: The world is not drawn in this legend.
        """
        write_demo(
            self.out,
            seed=DEMO_SEED if self.seed is None else self.seed,
            size=self.size or DEMO_SIZE,
            legend=self._world_legend(URBAN),
            overwrite=self.overwrite,
        )

    def write_pairs(
        self, pairs: int, composer: Composer | None, progress: Progress | None = None
    ) -> PairsSummary:
        """Write the labelled set.

        Raises:
            OutputError: The split exists, or cannot be written.
            UnknownName: The world is not drawn in this legend.
        """
        seed = self.seed or 0
        if composer:
            return write_composed(
                self.out,
                composer,
                pairs,
                seed=seed,
                split=self.split,
                overwrite=self.overwrite,
                workers=self.workers,
                progress=progress,
            )
        return write_pairs(
            self.out,
            pairs,
            size=self.size or PAIR_SIZE,
            seed=seed,
            split=self.split,
            legend=self._world_legend(SECOND),
            overwrite=self.overwrite,
            workers=self.workers,
            progress=progress,
        )

    def _world_legend(self, usual: Legend) -> Legend:
        """The legend that the world is drawn in."""
        name = self.legend or usual.name
        if name not in WORLD_LEGENDS:
            raise UnknownName("legend of the drawn world", name, WORLD_LEGENDS)
        return LEGENDS[name]
