"""Running the systems that are compared over the labelled pairs."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scdcli.datasets.scan import Progress, Watch
from scdcli.legend import Legend
from scdcli.prediction.decode import Decoded
from scdcli.rasters.pair.open import Pair, open_pair
from scdcli.rasters.pair.settings import PairSettings
from scdcli.scoring.comparison import Run, run_titles
from scdcli.scoring.evaluation import PairCounts, count_set, evaluate, largest_class
from scdcli.scoring.fitting import Confidence, Tally
from scdcli.scoring.landcover import NOT_LEARNT, CoverTally, CoverTruth, LandCover, find_known
from scdcli.scoring.mappairs import (
    PairOfMaps,
    PredictedWindow,
    PredictPair,
    pairs_of_files,
    pairs_of_predictor,
)
from scdcli.scoring.mapsets import LabelSet, match
from scdcli.scoring.systems import System

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rasterio.windows import Window

    from scdcli.prediction.chain import Predictor
    from scdcli.scoring.figures.panels import Panels
    from scdcli.scoring.figures.sweepfiles import Swept


@dataclass(frozen=True)
class Sweeps:
    """What the models say of the labels at every threshold, gathered while they are scored.

    Attributes:
        tallies: Per title of a run.
        found: Per title of a run that is through.
    """

    tallies: dict[str, Tally] = field(default_factory=dict)
    found: "dict[str, Swept]" = field(default_factory=dict)

    def tally(self, title: str, classes: int) -> Tally:
        """What gathers under a title, of a model of K classes."""
        return self.tallies.setdefault(title, Tally(Confidence.empty(classes)))

    def describe(self, title: str, system: System) -> dict[str, Any]:
        """What was found under a title, JSON-ready; all its pairs have been seen."""
        from scdcli.scoring.figures.sweepfiles import Swept

        predictor = system.predictor
        assert predictor is not None
        self.found[title] = Swept(
            title,
            system.name,
            system.tta,
            predictor.threshold,
            predictor.temperature,
            self.tallies[title].confidence,
        )
        return {"sweep": self.found[title].to_dict()}


@dataclass(frozen=True)
class Scoring:
    """What holds for all systems while they are scored.

    Attributes:
        truth: The labels.
        legend: What all maps mean.
        overrule: Whether it also holds for files that carry another one of its length.
        panels: Keeps what it draws of the maps as they pass by.
        note: Gets a sentence on what was chosen or what to know of the maps.
        watch: Opens what is told how many pairs of a system are done.
        sweeps: Gathers what models say at all thresholds; None if nobody asks for it.
    """

    truth: LabelSet
    legend: Legend | None
    overrule: bool
    panels: "Panels | None"
    note: Callable[[str], None]
    watch: Watch
    sweeps: "Sweeps | None" = None

    def score(self, systems: Sequence[System]) -> list[Run]:
        """The scores of every system, in order; all with one K."""
        # Without a legend nobody knows how many classes the land cover has.
        known = None
        if self.legend:
            known = find_known(self.truth, self.legend, overrule=self.overrule)
        parts: dict[str, tuple[PairCounts, ...]] = {}
        covers: dict[str, LandCover | None] = {}
        titles = run_titles([(system.name, system.tta) for system in systems])
        titled = dict(zip(titles, systems, strict=True))
        if self.panels:
            self.panels.predicted.update((title, {}) for title in titled)
        # Folders first: if one of them is wrong, no model has run for nothing.
        for title in sorted(titled, key=lambda title: titled[title].maps is None):
            parts[title], covers[title] = self._count(title, titled[title], known)
        present = (largest_class(part.counts) for each in parts.values() for part in each)
        classes = len(self.legend) if self.legend else max(present)
        runs = [
            Run(
                system.name,
                system.tta,
                evaluate(parts[title], self.legend, classes),
                system.describe() | self._swept(title, system),
                covers[title],
            )
            for title, system in titled.items()
        ]
        self._note_choices(runs, titles)
        return runs

    def _count(
        self, title: str, system: System, known: CoverTruth | None
    ) -> "tuple[tuple[PairCounts, ...], LandCover | None]":
        tally = CoverTally.of(known) if known and system.maps_land_cover else None
        if system.predictor:
            self.note(
                f"Model {system.name}, test-time augmentation {system.tta}, "
                f"on {system.predictor.device}."
            )
        with self.watch(title, len(self.truth.maps)) as progress:
            pairs = self._pairs(title, system, tally)
            counts = count_set(_shown(pairs, len(self.truth.maps), progress), self.legend)
        return counts, _land_cover(known, tally, system) if known else None

    def _pairs(self, title: str, system: System, tally: CoverTally | None) -> Iterator[PairOfMaps]:
        if system.maps:
            if self.panels:
                found = match(self.truth, system.maps).items()
                self.panels.read(title, {name: maps for name, (_, maps) in found})
            return pairs_of_files(self.truth, system.maps, self.legend, overrule=self.overrule)
        assert system.predictor is not None
        assert self.legend is not None
        classes = system.predictor.classes
        said = self.sweeps.tally(title, classes) if self.sweeps else None
        predict = predict_with(
            system.predictor, system.bands, tally, said, normalize=system.normalize
        )
        if self.panels:
            predict = self.panels.watch(title, predict)
        pairs = pairs_of_predictor(self.truth, predict, self.legend, overrule=self.overrule)
        return map(said.watch, pairs) if said else pairs

    def _swept(self, title: str, system: System) -> dict[str, Any]:
        return self.sweeps.describe(title, system) if self.sweeps else {}

    def _note_choices(self, runs: Sequence[Run], titles: Sequence[str]) -> None:
        found = runs[0].found
        if found.legend is None:
            self.note(
                f"The maps carry no legend: K = {found.classes}, the largest index present. "
                "Name their classes with --legend."
            )
        titled = list(zip(titles, (run.found for run in runs), strict=True))
        for title, each in titled:
            if each.incomplete_pixels:
                whose = f" by {title}" if len(runs) > 1 else ""
                self.note(
                    f"{each.incomplete_pixels} pixels are predicted{whose} as changed at one "
                    "date only: unchanged in the from-to scores, as given in the stacked scores."
                )
        if len({each.pixels for _, each in titled}) > 1:
            listed = ", ".join(f"{title} {each.pixels:,}" for title, each in titled)
            self.note(f"Nodata differs, so the systems are scored on different pixels: {listed}.")


def predict_with(
    predictor: "Predictor",
    bands: tuple[int, ...] | None,
    tally: CoverTally | None = None,
    said: Tally | None = None,
    *,
    normalize: str = "none",
) -> PredictPair:
    """What predicts a pair, for `pairs_of_predictor`; tallies see land cover and probabilities."""
    from scdcli.prediction.chain import predict_windows

    count = predictor.loaded.header.network.bands
    settings = PairSettings(
        bands=bands, count=count, normalize=normalize, levels=predictor.loaded.levels
    )

    def predict(before: Path, after: Path) -> Iterator[PredictedWindow]:
        with open_pair(before, after, settings) as pair:
            found = _watched(pair, predictor, said) if said else predict_windows(pair, predictor)
            for window, decoded, _ in found:
                yield window, decoded.from_class, decoded.to_class
                # Only now is it sure that the labels have the size of the image.
                if tally:
                    covers = (decoded.before_cover, decoded.after_cover)
                    tally.see((before, after), window, covers)

    return predict


def _watched(
    pair: Pair, predictor: "Predictor", said: Tally
) -> "Iterator[tuple[Window, Decoded, NDArray[np.bool_]]]":
    """As `predict_windows`; the tally sees every window once its labels have been read."""
    from scdcli.prediction.chain import read_windows

    for window, reading, valid in read_windows(pair, predictor):
        yield window, reading.at(predictor.threshold).masked(valid), valid
        said.see(reading, valid)


def _land_cover(known: CoverTruth, tally: CoverTally | None, system: System) -> LandCover:
    """What a system that has been run scores of the land cover."""
    if tally:
        return tally.score()
    return known.score_files(system.maps) if system.maps else known.without(NOT_LEARNT)


def _shown(pairs: Iterator[PairOfMaps], total: int, progress: Progress) -> Iterator[PairOfMaps]:
    """The pairs as they come, with a word on each that is done."""
    for number, pair in enumerate(pairs, 1):
        yield pair
        progress(number, total)
