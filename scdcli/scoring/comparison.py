"""Several systems on one set: their short names, and intervals of their differences."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

from scdcli.scoring.bootstrap import Floats, Interval, interval, resampled_scores, share_not_better
from scdcli.scoring.calibration import Histogram
from scdcli.scoring.evaluation import MASKED, UNMASKED, Evaluation
from scdcli.scoring.landcover import LandCover, resampled_cover
from scdcli.scoring.metrics import Undefined, Value

# Every run has them, so they say nothing of what a model is.
RUN_FILES = ("best", "last")

ONE_PAIR = (
    "the set has one pair: an interval tells how much scores depend on which pairs were drawn, and "
    "there is nothing to draw from. Score a set of many pairs"
)


@dataclass(frozen=True)
class Run:
    """The scores of one system with one test-time augmentation.

    Attributes:
        system: Its short name.
        tta: Test-time augmentation; None for maps that exist.
        evaluation: Its scores, and the counts behind them.
        origin: Folder of maps, or model and settings; JSON-ready.
        land_cover: Its scores for the land cover of every pixel; None for labels without it.
        confidence: Pixels by change probability and label; None of maps that exist.
    """

    system: str
    tta: str | None
    evaluation: Evaluation
    origin: dict[str, Any]
    land_cover: LandCover | None = None
    confidence: Histogram | None = None

    def headline(self) -> dict[str, Value]:
        """The scores it is known by, under the names they bear in files."""
        cover = self.land_cover.scores.headline() if self.land_cover else {}
        return self.evaluation.scores.headline() | self.evaluation.detection() | cover


def categorical_kind(runs: Sequence[Run]) -> str:
    """Which SeK of transitions is shown of some runs, the same of all: the paper's if all have it.

    Returns:
        `MASKED` or `UNMASKED` of `scdcli.scoring.evaluation`.
    """
    return UNMASKED if all(run.evaluation.mapped for run in runs) else MASKED


@dataclass(frozen=True)
class Difference:
    """How much higher a score is than the same score of another run.

    Attributes:
        value: On the set itself.
        interval: On its resamples, the same ones for both.
        not_better: Share of the resamples in which it is zero or less.
    """

    value: float
    interval: Interval
    not_better: float

    def to_dict(self) -> dict[str, Any]:
        """The difference as one JSON-ready entry."""
        return {"value": self.value, **asdict(self.interval), "not_better": self.not_better}


@dataclass(frozen=True)
class Bootstrap:
    """Intervals and differences of runs, from resamples of the pairs.

    Attributes:
        resamples: How many were drawn.
        seed: Random seed of the draws.
        intervals: Per run, an interval per headline score, None where the score is undefined;
            empty for a set of one pair.
        against: Per run, the index of the run it is compared with; None for the first.
        differences: Per run, a difference per headline score; empty for the first run.
    """

    resamples: int
    seed: int
    intervals: Sequence[dict[str, Interval | None]] = ()
    against: Sequence[int | None] = ()
    differences: Sequence[dict[str, Difference | None]] = ()


def bootstrap(runs: Sequence[Run], resamples: int, seed: int) -> Bootstrap:
    """Intervals of every run, and its differences to the first system.

    Every run sees the same resamples. A run is compared with the first system's at the same
    test-time augmentation, or else with the first run.
    """
    if runs[0].evaluation.pairs < 2:
        return Bootstrap(resamples, seed)
    counts = [[part.counts for part in run.evaluation.parts] for run in runs]
    values = resampled_scores(counts, runs[0].evaluation.classes, resamples, seed)
    for run, drawn in zip(runs, values, strict=True):
        if run.land_cover:
            drawn |= resampled_cover(run.land_cover, resamples, seed)
    scores = [run.headline() for run in runs]
    against = [_reference(runs, number) for number in range(len(runs))]
    intervals = [
        {
            name: None if isinstance(value, Undefined) else interval(drawn[name])
            for name, value in known.items()
        }
        for known, drawn in zip(scores, values, strict=True)
    ]
    differences: list[dict[str, Difference | None]] = [{} for _ in runs]
    for row, known, drawn, other in zip(differences, scores, values, against, strict=True):
        if other is not None:
            for name, value in known.items():
                shift = drawn[name] - values[other][name]
                row[name] = _difference(value, scores[other][name], shift)
    return Bootstrap(resamples, seed, intervals, against, differences)


def model_forms(name: str) -> list[str]:
    """Possible names of a model, shortest first: ``runs/asn/best.safetensors`` is ``asn``."""
    path = Path(name)
    if not path.suffix and path.name == name:
        return [name]
    *folders, stem = _parts(path.with_suffix(""))
    forms = []
    for depth in range(len(folders) + 1):
        place = folders[len(folders) - depth :]
        if depth and stem in RUN_FILES:
            forms.append("/".join(place))
        if depth or stem not in RUN_FILES:
            forms.append("/".join([*place, stem]))
    return forms or [stem]


def folder_forms(path: Path) -> list[str]:
    """Possible names of a folder of maps, shortest first: ``maps/asn`` is ``asn``."""
    parts = _parts(path)
    return ["/".join(parts[-depth:]) for depth in range(1, len(parts) + 1)] or [str(path)]


def short_names(forms: Sequence[Sequence[str]]) -> list[str]:
    """One name per system, each the shortest of its forms that no other system has.

    The same system given twice gets a number: ``asn``, ``asn #2``.
    """
    levels = [0] * len(forms)
    while True:
        names = [form[level] for form, level in zip(forms, levels, strict=True)]
        meant = Counter(
            name for name, _ in {(name, form[-1]) for name, form in zip(names, forms, strict=True)}
        )
        unclear = [
            number
            for number, name in enumerate(names)
            if meant[name] > 1 and levels[number] < len(forms[number]) - 1
        ]
        if not unclear:
            return _numbered(names)
        for number in unclear:
            levels[number] += 1


def run_titles(runs: Sequence[tuple[str, str | None]]) -> list[str]:
    """Titles of runs: the system, and ``asn, ms`` if there are several augmentations."""
    several = len({tta for _, tta in runs if tta}) > 1
    return _numbered([f"{system}, {tta}" if several and tta else system for system, tta in runs])


def _parts(path: Path) -> tuple[str, ...]:
    """The folders of a path from the root, as they were given: links keep their names."""
    return (path.resolve() if ".." in path.parts else path.absolute()).parts[1:]


def _numbered(names: Sequence[str]) -> list[str]:
    """The same names, with a number where one came before; all differ."""
    taken, numbered = set(names), []
    for place, name in enumerate(names):
        if name in names[:place]:
            free = (f"{name} #{number}" for number in count(2))
            name = next(each for each in free if each not in taken)
            taken.add(name)
        numbered.append(name)
    return numbered


def _reference(runs: Sequence[Run], number: int) -> int | None:
    if number == 0:
        return None
    first = runs[0].system
    if runs[number].system != first:
        for other, run in enumerate(runs):
            if (run.system, run.tta) == (first, runs[number].tta):
                return other
    return 0


def _difference(value: Value, reference: Value, differences: Floats) -> Difference | None:
    if isinstance(value, Undefined) or isinstance(reference, Undefined):
        return None
    middle = interval(differences)
    if middle is None:
        return None
    return Difference(value - reference, middle, share_not_better(differences))
