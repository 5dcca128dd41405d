"""Scores of the land cover of every pixel: one matrix of classes per date, both added up.

Matrices are oriented as in the paper: ``q[i, j]`` pixels are predicted as class ``i + 1`` and
labelled ``j + 1``. A pixel counts at each date by itself, where its class is known and predicted.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scdcli.datasets.layouts import COVERS
from scdcli.datasets.samples import LABEL_SUFFIXES, by_stem
from scdcli.datasets.sums import Sums
from scdcli.errors import DatasetError
from scdcli.legend import NODATA, UNCHANGED
from scdcli.scoring.bootstrap import Floats, draw_weights
from scdcli.scoring.counting import ClassMap, Counts, DateMaps
from scdcli.scoring.mappairs import ScoredWindow
from scdcli.scoring.mapsets import Files, LabelSet, listed
from scdcli.scoring.metrics import ABSENT, Undefined, Value, known, reasons

# Counted at a time: what is made of a pixel on the way takes some 50 bytes.
CHUNK_PIXELS = 1 << 18
NAMES = ("landcover_oa", "landcover_miou")
NO_KNOWN_PIXEL = Undefined("no pixel of known land cover has a predicted one")
COVER_STEMS = ("before_cover", "after_cover")  # as `scd predict --land-cover` writes them
NOT_LEARNT = Undefined("the model was not trained on the land cover of every pixel")
NONE_PREDICTED = Undefined("no land cover is predicted; scd predict --land-cover writes it")


@dataclass(frozen=True)
class CoverMatrices(Sums):
    """Pixels by predicted and labelled class.

    Attributes:
        before: At the earlier date, (K, K) int64.
        after: At the later date, (K, K) int64.
        missing: Pixels of known class without a predicted one, over both dates.
    """

    before: Counts
    after: Counts
    missing: int

    @classmethod
    def empty(cls, classes: int) -> "CoverMatrices":
        """No pixel counted yet."""
        none = np.zeros((classes, classes), dtype=np.int64)
        return cls(none, none, 0)

    @property
    def both(self) -> Counts:
        """Pixels of both dates, (K, K) int64."""
        return self.before + self.after


@dataclass(frozen=True)
class CoverScores:
    """Scores of one matrix, in [0, 1].

    Attributes:
        oa: Share of the pixels whose class is right.
        miou: Mean IoU of the classes that are labelled or predicted anywhere.
        iou: IoU of each class 1..K.
    """

    oa: Value
    miou: Value
    iou: tuple[Value, ...]

    def headline(self) -> dict[str, Value]:
        """The scores of `NAMES`."""
        return dict(zip(NAMES, (self.oa, self.miou), strict=True))


@dataclass(frozen=True)
class LandCover:
    """The scores of a system for the land cover of every pixel.

    Attributes:
        parts: The matrices of every pair, in the order of the set; empty ones where the land cover
            is not known. No parts at all for a system without land cover.
        total: Their sum.
        scores: Of both dates together.
    """

    parts: tuple[CoverMatrices, ...]
    total: CoverMatrices
    scores: CoverScores

    @classmethod
    def of(cls, parts: Sequence[CoverMatrices], classes: int) -> "LandCover":
        """The scores of all pairs together, of K classes."""
        total = sum(parts, CoverMatrices.empty(classes))
        return cls(tuple(parts), total, cover_scores(total.both))

    @classmethod
    def without(cls, why: Undefined, classes: int) -> "LandCover":
        """The result of a system that has no land cover to score, with the reason."""
        none = CoverScores(why, why, (why,) * classes)
        return cls((), CoverMatrices.empty(classes), none)

    @property
    def pixels(self) -> int:
        """Pixels that were scored, over both dates."""
        return int(self.total.both.sum())

    def reason(self) -> str | None:
        """Why there is no score; None where there is one."""
        return self.scores.oa.reason if isinstance(self.scores.oa, Undefined) else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; what is undefined is None."""
        iou = {str(index): known(each) for index, each in enumerate(self.scores.iou, start=1)}
        return {
            "landcover_pixels": self.pixels,
            "landcover_missing_pixels": self.total.missing,
            **{name: known(value) for name, value in self.scores.headline().items()},
            "landcover_iou": iou,
            "landcover_matrix_before": self.total.before.tolist(),
            "landcover_matrix_after": self.total.after.tolist(),
        }

    def undefined(self) -> dict[str, str]:
        """The reason of each score that is undefined, by its key."""
        iou = {f"landcover_iou.{i}": each for i, each in enumerate(self.scores.iou, start=1)}
        return reasons(self.scores.headline() | iou)


def count_cover(
    truth: DateMaps, predicted: DateMaps, labelled: NDArray[np.bool_], classes: int
) -> CoverMatrices:
    """The matrices of one window.

    Args:
        truth: Class of every pixel; 0 and 255 are not known.
        predicted: The same as predicted; 255 is nodata. No index of either is above K otherwise.
        labelled: Where a pixel counts at all, (H, W) bool.
        classes: K.
    """
    rows = max(1, CHUNK_PIXELS // max(1, labelled.shape[1]))
    total = CoverMatrices.empty(classes)
    for top in range(0, len(labelled), rows):
        part = slice(top, top + rows)
        dates = [
            _count_date(labels[part], covers[part], labelled[part], classes)
            for labels, covers in zip(truth, predicted, strict=True)
        ]
        (before, missing_before), (after, missing_after) = dates
        total += CoverMatrices(before, after, missing_before + missing_after)
    return total


def _count_date(
    labels: ClassMap, predicted: ClassMap, labelled: NDArray[np.bool_], classes: int
) -> tuple[Counts, int]:
    """The matrix of one date, and how many pixels of known class have no predicted one."""
    counts = labelled & (labels != UNCHANGED) & (labels != NODATA)
    both = counts & (predicted != NODATA)
    rows, columns = (each[both].astype(np.int64) - 1 for each in (predicted, labels))
    cells = np.bincount(rows * classes + columns, minlength=classes**2)
    return cells.reshape(classes, classes), int(counts.sum()) - int(both.sum())


def cover_scores(matrix: Counts) -> CoverScores:
    """The scores of a matrix of K classes, (K, K) int64."""
    hits, unions = _hits_and_unions(matrix)
    iou: tuple[Value, ...] = tuple(
        hit / union if union else ABSENT
        for hit, union in zip(hits.tolist(), unions.tolist(), strict=True)
    )
    defined = [each for each in iou if not isinstance(each, Undefined)]
    if not defined:
        return CoverScores(NO_KNOWN_PIXEL, NO_KNOWN_PIXEL, iou)
    return CoverScores(int(hits.sum()) / int(matrix.sum()), sum(defined) / len(defined), iou)


def resampled_cover(cover: LandCover, resamples: int, seed: int) -> dict[str, Floats]:
    """The scores of `NAMES` in resamples of the pairs, (R,) float64 each, nan where undefined.

    The resamples are those of `scdcli.scoring.bootstrap.resampled_scores` for the same pairs.
    """
    if not cover.parts:
        return {name: np.full(resamples, np.nan) for name in NAMES}
    rows = np.array([_hits_and_unions(part.both) for part in cover.parts], dtype=np.float64)
    totals = np.array([part.both.sum() for part in cover.parts], dtype=np.float64)
    blocks: list[tuple[Floats, Floats]] = []
    for weights in draw_weights(len(totals), resamples, seed):
        hits, unions = weights @ rows[:, 0], weights @ rows[:, 1]
        present = unions > 0
        iou = np.divide(hits, unions, out=np.zeros_like(hits), where=present)
        oa = _divided(hits.sum(axis=1), weights @ totals)
        blocks.append((oa, _divided(iou.sum(axis=1), present.sum(axis=1))))
    columns = zip(*blocks, strict=True)
    return {name: np.concatenate(each) for name, each in zip(NAMES, columns, strict=True)}


def _hits_and_unions(matrix: Counts) -> tuple[Counts, Counts]:
    """Pixels of each class in both maps, and in either, (K,) each."""
    hits = matrix.diagonal()
    return hits, matrix.sum(axis=0) + matrix.sum(axis=1) - hits


def _divided(part: Floats, whole: NDArray[Any]) -> Floats:
    return np.asarray(part / np.where(whole == 0, np.nan, whole))


def find_covers(maps: Mapping[str, Files]) -> dict[str, Files]:
    """Land cover before and after, of the pairs that have it: in cover1 and cover2, or beside.

    Raises:
        DatasetError: A pair has land cover of one date only.
    """
    listing = cache(partial(by_stem, suffixes=LABEL_SUFFIXES))
    covers: dict[str, Files] = {}
    for name, (from_map, _) in maps.items():
        folder, stem = from_map.parent, from_map.stem
        second = folder.name == "label1"
        places = [folder.parent / each for each in COVERS] if second else [folder, folder]
        stems = (stem, stem) if second else COVER_STEMS
        before, after = (
            listing(place).get(each) for place, each in zip(places, stems, strict=True)
        )
        if before and after:
            covers[name] = before, after
        elif before or after:
            gone = int(before is not None)
            raise DatasetError(
                f"{before or after} exists, but not {places[gone] / stems[gone]}: land cover is "
                "for both dates or for none."
            )
    return covers


def find_known(truth: LabelSet) -> dict[str, Files]:
    """The known land cover of a set by name of the pair; not all pairs need to have it.

    Raises:
        DatasetError: A pair has land cover of one date only.
    """
    maps = {name: files for name, files in truth.maps.items() if name not in truth.scenes}
    return find_covers(maps)


def why_none(known: Collection[str], predicted: Collection[str]) -> Undefined | None:
    """Why predictions in files have no score of the land cover; None where they have one."""
    gaps = [name for name in known if name not in predicted]
    if not gaps:
        return None
    if len(gaps) == len(known):
        return NONE_PREDICTED
    return Undefined(
        f"{len(gaps)} of {len(known)} pairs of known land cover have no predicted one "
        f"({listed(gaps)})"
    )


@dataclass(frozen=True)
class CoverTally:
    """Land cover of a set, counted where it is known and predicted.

    Attributes:
        classes: K.
        counted: Matrices by name of the pair, of those that have any.
    """

    classes: int
    counted: dict[str, CoverMatrices] = field(default_factory=dict)

    def add(self, window: ScoredWindow) -> None:
        """Count a window; one whose land cover is not known or not predicted is passed over."""
        predicted = window.predicted.covers
        if window.covers is None or predicted is None:
            return
        counts = count_cover(window.covers, predicted, window.labelled, self.classes)
        before = self.counted.get(window.pair)
        self.counted[window.pair] = counts if before is None else before + counts

    @property
    def total(self) -> CoverMatrices:
        """The matrices of all pairs together."""
        return sum(self.counted.values(), CoverMatrices.empty(self.classes))

    def score(self, names: Iterable[str]) -> LandCover:
        """The scores of the pairs of these names."""
        none = CoverMatrices.empty(self.classes)
        return LandCover.of([self.counted.get(name, none) for name in names], self.classes)
