"""A simulation as it is asked for: which pairs to make, from what, and where to write them."""

from dataclasses import dataclass
from pathlib import Path

from scdcli.datasets.legendfile import find_legend
from scdcli.errors import UnknownName
from scdcli.legend import LEGENDS, SECOND, URBAN, Legend
from scdcli.simulation.compose.compose import Composition
from scdcli.simulation.composed import Composer, open_composer
from scdcli.simulation.drawn import DEMO_SEED, WORLD_LEGENDS, World, write_demo
from scdcli.simulation.pairset import PairsSummary, Progress, write_set
from scdcli.simulation.sources import Source, SourceKey, find_source

DEMO_SIZE = 1600
PAIR_SIZE = 512


@dataclass(frozen=True)
class LabelSettings:
    """The labelled images that pairs are composed from, and how; None for the default.

    Attributes:
        folders: Where they lie; none for pairs of the drawn world.
        keys: What their labels mean: none, one for all folders, or one for each.
        pixel_size: Finest and coarsest pixels of the pairs, in meters.
        change: Share of changed pixels to aim at, on average, where something changed.
        unchanged: Share of pairs in which nothing changed.
        strength: Of the differences that are no change; 0 none, 1 as between real dates.
    """

    folders: tuple[Path, ...] = ()
    keys: tuple[str, ...] = ()
    pixel_size: tuple[float, float] | None = None
    change: float | None = None
    unchanged: float | None = None
    strength: float | None = None

    def composition(self, size: int) -> Composition:
        """How pairs of a size are composed."""
        names = ("pixel_size", "change", "unchanged", "strength")
        chosen = {name: value for name in names if (value := getattr(self, name)) is not None}
        return Composition(size, **chosen)


@dataclass(frozen=True)
class SimulationJob:
    """What `scd simulate` is asked for.

    Attributes:
        out: Folder of the set, or of the demo scene.
        size: Height and width in pixels; None for 512, of the demo scene 1600.
        split: Name of the split; another split is other pairs.
        workers: Processes to make the pairs with.
        seed: Which pairs; None for 0, of the demo scene its own.
        legend: Name or file of the legend; None for SECOND, of the demo scene and of pairs from
            labels URBAN.
        labels: What pairs are composed from; without folders they are drawn.
        overwrite: Replace what is there.
    """

    out: Path
    size: int | None = None
    split: str = "train"
    workers: int = 1
    seed: int | None = None
    legend: str | None = None
    labels: LabelSettings = LabelSettings()
    overwrite: bool = False

    def composer(self) -> Composer | None:
        """What composes the pairs from labelled images; None where they are drawn.

        Raises:
            DatasetError: A folder holds no labelled images, or a label holds a value that neither
                key nor legend explains.
            InputError: An image cannot be read.
            UnknownName: No such legend or key.
        """
        folders = self.labels.folders
        if not folders:
            return None
        legend = find_legend(self.legend or URBAN.name)
        keys: list[SourceKey | None] = [find_source(key, legend) for key in self.labels.keys]
        keys = keys * len(folders) if len(keys) == 1 else keys or [None] * len(folders)
        sources = [Source(folder, key) for folder, key in zip(folders, keys, strict=True)]
        return open_composer(sources, legend, self.labels.composition(self.size or PAIR_SIZE))

    def write_demo(self) -> None:
        """Draw the demo scene.

        Raises:
            OutputError: The folder exists, or cannot be written.
            UnknownName: The world is not drawn in this legend.
        """
        world = self._world(self.size or DEMO_SIZE, URBAN)
        seed = DEMO_SEED if self.seed is None else self.seed
        write_demo(self.out, world, seed=seed, overwrite=self.overwrite)

    def write_pairs(
        self, pairs: int, composer: Composer | None, progress: Progress | None = None
    ) -> PairsSummary:
        """Write the labelled set.

        Raises:
            OutputError: The split exists, or cannot be written.
            UnknownName: The world is not drawn in this legend.
        """
        return write_set(
            self.out,
            composer or self._world(self.size or PAIR_SIZE, SECOND),
            pairs,
            seed=self.seed or 0,
            split=self.split,
            overwrite=self.overwrite,
            workers=self.workers,
            progress=progress,
        )

    def _world(self, size: int, default: Legend) -> World:
        name = self.legend or default.name
        if name not in WORLD_LEGENDS:
            raise UnknownName("legend of the drawn world", name, WORLD_LEGENDS)
        return World(size, LEGENDS[name])
