"""Running the systems that are compared over the labelled pairs."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scdcli.datasets.scan import Progress, Watch
from scdcli.legend import UNCHANGED, Legend
from scdcli.prediction.looks import Looks, describe_looks
from scdcli.prediction.tta import ADAPTIVE, spoken_looks
from scdcli.rasters.pair.bands import BandNames
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.pair.settings import PairSettings
from scdcli.scoring.calibration import Histogram
from scdcli.scoring.comparison import Run, run_titles
from scdcli.scoring.counting import JointCounts, count_joint
from scdcli.scoring.evaluation import PairCounts, count_set, largest_class, score_counts
from scdcli.scoring.fitting import Confidence, ConfidenceTally, ReliabilityTally, ThresholdSweep
from scdcli.scoring.landcover import (
    NOT_LEARNT,
    CoverTally,
    LandCover,
    find_covers,
    find_known,
    why_none,
)
from scdcli.scoring.mappairs import (
    Prediction,
    PredictPair,
    ScoredPair,
    ScoredWindow,
    WindowTally,
    pairs_of_files,
    pairs_of_predictor,
)
from scdcli.scoring.mapsets import Files, LabelSet, match
from scdcli.scoring.metrics import Undefined
from scdcli.scoring.systems import System

if TYPE_CHECKING:
    from scdcli.prediction.chain import Predictor
    from scdcli.scoring.figures.panels import Panels


class Counted(NamedTuple):
    """What was counted of one system."""

    parts: tuple[PairCounts, ...]
    land_cover: LandCover | None  # None for labels without it
    identified: JointCounts | None  # None where not every pixel's class is predicted
    confidence: Histogram | None  # None of maps that exist
    chips: Counter[str]  # as `describe_looks` counts them; of maps that exist none


@dataclass(frozen=True)
class Scoring:
    """Labels and systems, all that is needed to score them.

    Attributes:
        truth: The labels.
        systems: The systems, models first.
        legend: What all maps mean; None for indices that nobody declared.
        overrule: Whether it also holds for files that carry another one of its length.
        note: Called with a sentence for each thing to know of the maps.
        watch: Opens a progress by the title of a system and the number of pairs.
        panels: Keeps thumbnails of the maps; None if nothing is drawn.
        sweeps: Filled with the scores of each model at all thresholds; None if nobody asks.
    """

    truth: LabelSet
    systems: Sequence[System]
    legend: Legend | None
    overrule: bool
    note: Callable[[str], None]
    watch: Watch
    panels: "Panels | None" = None
    sweeps: dict[str, ThresholdSweep] | None = None

    def score(self) -> list[Run]:
        """The scores of every system, in order; all with one K."""
        # Without a legend nobody knows how many classes the land cover has.
        covers = find_known(self.truth) if self.legend and not self.truth.masks else {}
        counted: dict[str, Counted] = {}
        titles = run_titles([(system.name, system.tta) for system in self.systems])
        titled = dict(zip(titles, self.systems, strict=True))
        if self.panels:
            self.panels.predicted.update((title, {}) for title in titled)
        # Folders first: if one of them is wrong, no model has run for nothing.
        for title in sorted(titled, key=lambda title: titled[title].maps is None):
            counted[title] = self._count(title, titled[title], covers)
        present = (largest_class(part.counts) for each in counted.values() for part in each.parts)
        classes = len(self.legend) if self.legend else max(present)
        runs = [
            Run(
                system.name,
                system.tta,
                score_counts(counted[title].parts, self.legend, classes, counted[title].identified),
                system.describe()
                | ({"sweep": self.sweeps[title].to_dict()} if self.sweeps else {})
                | ({"chips": dict(counted[title].chips)} if system.predictor else {}),
                counted[title].land_cover,
                counted[title].confidence,
            )
            for title, system in titled.items()
        ]
        self._note_choices(runs, titles)
        return runs

    def _count(self, title: str, system: System, covers: dict[str, Files]) -> Counted:
        """All counts of a system, and the scores of the land cover where any is known."""
        if system.predictor:
            self.note(
                f"Model {system.name}, test-time augmentation {system.tta}, "
                f"on {system.predictor.where}."
            )
            if system.predictor.engine.note:
                self.note(system.predictor.engine.note)
        chips: Counter[str] = Counter()
        pairs, unscored = self._pairs(system, covers, chips)
        cover_tally = CoverTally(len(self.legend or ()))
        identified = IdentifiedTally()
        tallies: list[WindowTally] = [cover_tally, identified]
        confidence = ReliabilityTally(Histogram.empty())
        if system.predictor:
            tallies.append(confidence)
        if self.sweeps is not None and system.predictor:
            model = system.predictor
            tally = ConfidenceTally(Confidence.empty(1 if self.truth.masks else model.classes))
            tallies.append(tally)
            self.sweeps[title] = ThresholdSweep(
                title, system.name, system.tta, model.threshold, model.temperature, tally
            )
        if self.panels:
            tallies.append(self.panels.tally(title))
        with self.watch(title, len(self.truth.maps)) as progress:
            shown = _shown(pairs, len(self.truth.maps), progress)
            parts = count_set(shown, self.legend, tallies)
        land_cover = None
        if covers and unscored:
            land_cover = LandCover.without(unscored, cover_tally.classes)
        elif covers:
            land_cover = cover_tally.score(self.truth.maps)
        counted = confidence.histogram if system.predictor else None
        self._note_chips(title, system, chips)
        return Counted(parts, land_cover, identified.result(), counted, chips)

    def _pairs(
        self, system: System, covers: dict[str, Files], chips: Counter[str]
    ) -> tuple[Iterator[ScoredPair], Undefined | None]:
        """The pairs with the maps of a system, and why its land cover is not scored if so.

        The chips of a model are counted while the pairs are gone through.
        """
        if system.maps:
            maps = {name: files for name, (_, files) in match(self.truth, system.maps).items()}
            predicted = find_covers(maps) if self.legend and not self.truth.masks else {}
            unscored = why_none(covers, predicted)
            known = {} if unscored else covers
            pairs = pairs_of_files(
                self.truth, system.maps, self.legend, known, predicted, overrule=self.overrule
            )
            return pairs, unscored
        assert system.predictor is not None
        assert self.legend is not None
        unscored = None if system.maps_land_cover else NOT_LEARNT
        predict = predict_with(
            system.predictor,
            system.bands,
            normalize=system.normalize,
            change_only=self.truth.masks,
            chips=chips,
        )
        known = {} if unscored else covers
        pairs = pairs_of_predictor(self.truth, predict, self.legend, known, overrule=self.overrule)
        return pairs, unscored

    def _note_chips(self, title: str, system: System, chips: Counter[str]) -> None:
        if system.tta == ADAPTIVE:
            self.note(f"{title}: {spoken_looks(chips)}.")

    def _note_choices(self, runs: Sequence[Run], titles: Sequence[str]) -> None:
        first = runs[0].evaluation
        if first.legend is None:
            self.note(
                f"The maps carry no legend: K = {first.classes}, the largest index present. "
                "Name their classes with --legend."
            )
        titled = list(zip(titles, (run.evaluation for run in runs), strict=True))
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
    bands: BandNames | None,
    *,
    normalize: str = "none",
    change_only: bool = False,
    chips: Counter[str] | None = None,
) -> PredictPair:
    """A function that predicts a pair for `pairs_of_predictor`.

    Args:
        predictor: The model and how it is run.
        bands: Those it reads of the images; None for all but alpha.
        normalize: How AFTER is brought to the values of BEFORE.
        change_only: Whether all classes are given as one.
        chips: Counts the chips of every pair, as `describe_looks` names them.
    """
    from scdcli.prediction.chain import read_windows

    header = predictor.loaded.header
    settings = PairSettings(
        bands=bands,
        count=header.network.bands,
        normalize=normalize,
        mean_std=predictor.loaded.mean_std,
    )

    def predict(before: Path, after: Path) -> Iterator[Prediction]:
        looks = Looks()
        with open_pair(before, after, settings) as pair:
            for window, (maps, reading, valid, _, looked) in read_windows(pair, predictor):
                looks |= looked
                if change_only:
                    maps, reading = maps.as_change(), reading.as_change()
                yield Prediction.with_maps(window, maps, reading, valid)
        if chips is not None:
            chips.update(describe_looks(looks))

    return predict


def _shown(pairs: Iterator[ScoredPair], total: int, progress: Progress) -> Iterator[ScoredPair]:
    """The pairs as they come, with progress after each."""
    for number, pair in enumerate(pairs, 1):
        yield pair
        progress(number, total)


@dataclass
class IdentifiedTally:
    """Joint counts of the pixels labelled as changed, with the classes of every pixel.

    Attributes:
        counts: So far; of truth from, to, and class before, after as predicted without a mask.
        complete: Whether every window had the predicted class of every pixel.
    """

    counts: JointCounts = field(default_factory=JointCounts.empty)
    complete: bool = True

    def add(self, window: ScoredWindow) -> None:
        """Count a window."""
        covers = window.predicted.covers
        if covers is None:
            self.complete = False
            return
        changed = window.labelled & (window.labels[0] != UNCHANGED)
        from_class, to_class, before, after = (
            np.ascontiguousarray(each[changed]) for each in (*window.labels, *covers)
        )
        self.counts += count_joint((from_class, to_class, before, after))

    def result(self) -> JointCounts | None:
        """The counts; None where the class of some pixels is not predicted."""
        return self.counts if self.complete else None
