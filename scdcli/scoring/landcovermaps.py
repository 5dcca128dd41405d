"""Where the land cover of a set and of its predictions lies, read to be scored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from rasterio.windows import Window

from scdcli.datasets.classmap import LabelMap, label_windows, unknown_class
from scdcli.datasets.layouts import COVERS
from scdcli.datasets.stems import by_stem
from scdcli.errors import DatasetError
from scdcli.legend import NODATA, UNCHANGED, Legend
from scdcli.scoring.counting import ClassMap
from scdcli.scoring.landcover import CoverMatrices, DateMaps, LandCover, count_cover
from scdcli.scoring.mappairs import open_maps
from scdcli.scoring.mapsets import NAMES_SHOWN, Files, LabelSet, find_images, match
from scdcli.scoring.metrics import Undefined

COVER_STEMS = ("before_cover", "after_cover")  # as `scd predict --land-cover` writes them
NOT_LEARNT = Undefined("the model was not trained on the land cover of every pixel")
NONE_PREDICTED = Undefined("no land cover is predicted; scd predict --land-cover writes it")


def find_covers(maps: Mapping[str, Files]) -> dict[str, Files]:
    """Land cover before and after, of the pairs that have it: in cover1 and cover2, or beside.

    Args:
        maps: From and to map by name of the pair.

    Raises:
        DatasetError: A pair has land cover of one date only.
    """
    listing = cache(by_stem)
    found: dict[str, Files] = {}
    for name, (from_map, _) in maps.items():
        folder, stem = from_map.parent, from_map.stem
        second = folder.name == "label1"
        places = [folder.parent / cover for cover in COVERS] if second else [folder, folder]
        stems = (stem, stem) if second else COVER_STEMS
        before, after = (
            listing(place).get(each) for place, each in zip(places, stems, strict=True)
        )
        if before and after:
            found[name] = before, after
        elif before or after:
            gone = int(before is not None)
            raise DatasetError(
                f"{before or after} exists, but not {places[gone] / stems[gone]}: land cover is "
                "for both dates or for none."
            )
    return found


def find_known(truth: LabelSet, legend: Legend, *, overrule: bool) -> "CoverTruth | None":
    """What is known of the land cover of a set; None for a set without any.

    Raises:
        DatasetError: A pair has land cover of one date only.
    """
    maps = {name: files for name, files in truth.maps.items() if name not in truth.scenes}
    covers = find_covers(maps)
    return CoverTruth(truth, covers, legend, overrule) if covers else None


@dataclass(frozen=True)
class CoverTruth:
    """The known land cover of a set.

    Attributes:
        truth: The set.
        covers: Its land cover by name of the pair; not all pairs need have it.
        legend: The classes.
        overrule: Whether they also hold for files that carry others as many.
    """

    truth: LabelSet
    covers: dict[str, Files]
    legend: Legend
    overrule: bool

    def score_files(self, predictions: LabelSet) -> LandCover:
        """Scores of predictions in files; without a value where some of them are not there.

        Raises:
            DatasetError: Maps of a pair do not lie on one grid, or hold what the legend has not.
        """
        pairs = match(self.truth, predictions).items()
        found = find_covers({name: maps for name, (_, maps) in pairs})
        gaps = [name for name in self.covers if name not in found]
        if gaps:
            return self.without(self._missing(gaps))
        return self.score({name: self._count_files(name, found[name]) for name in self.covers})

    def without(self, why: Undefined) -> LandCover:
        """What a system without land cover scores."""
        return LandCover.without(why, len(self.legend))

    def score(self, counted: dict[str, CoverMatrices]) -> LandCover:
        """Scores of the matrices of the pairs, by name."""
        none = CoverMatrices.empty(len(self.legend))
        parts = [counted.get(name, none) for name in self.truth.maps]
        return LandCover.of(parts, len(self.legend))

    def count(self, name: str, window: Window, predicted: DateMaps) -> CoverMatrices:
        """The matrices of a window of a pair.

        Raises:
            DatasetError: The labels hold what the legend has not.
        """
        files = (*self.truth.maps[name], *self.covers[name])
        with open_maps(files, self.legend, self.overrule) as maps:
            return self._count(maps, window, predicted)

    def _count_files(self, name: str, predicted: Files) -> CoverMatrices:
        files = (*self.truth.maps[name], *self.covers[name], *predicted)
        total = CoverMatrices.empty(len(self.legend))
        with open_maps(files, self.legend, self.overrule) as maps:
            for window in label_windows(maps):
                found = (maps[4].read(window), maps[5].read(window))
                for index, path in zip(found, predicted, strict=True):
                    _require_everywhere(index, path)
                    self._require_known(index, path)
                total += self._count(maps, window, found)
        return total

    def _count(
        self, maps: Sequence[LabelMap], window: Window, predicted: DateMaps
    ) -> CoverMatrices:
        """Of labels and land cover, the first four of the maps."""
        from_label, to_label, before, after = (each.read(window) for each in maps[:4])
        for index, path in zip((before, after), (maps[2].path, maps[3].path), strict=True):
            self._require_known(index, path)
        labelled = (from_label != NODATA) & (to_label != NODATA)
        return count_cover((before, after), predicted, labelled, len(self.legend))

    def _require_known(self, index: ClassMap, path: Path) -> None:
        unknown = index[(index > len(self.legend)) & (index != NODATA)]
        if unknown.size:
            value = int(unknown[0])
            raise unknown_class(str(path), value, int((unknown == value).sum()), self.legend)

    def _missing(self, gaps: Sequence[str]) -> Undefined:
        if len(gaps) == len(self.covers):
            return NONE_PREDICTED
        more = len(gaps) - NAMES_SHOWN
        listed = ", ".join(gaps[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
        return Undefined(
            f"{len(gaps)} of {len(self.covers)} pairs of known land cover have no predicted one "
            f"({listed})"
        )


@dataclass(frozen=True)
class CoverTally:
    """Counts land cover while a model predicts it; nothing is predicted twice.

    Attributes:
        known: The truth.
        names: The pairs with known land cover by their images.
        counted: Matrices of each of them so far.
    """

    known: CoverTruth
    names: dict[Files, str]
    counted: dict[str, CoverMatrices] = field(default_factory=dict)

    @classmethod
    def of(cls, known: CoverTruth) -> "CoverTally":
        """Nothing counted yet."""
        images = find_images(known.truth)
        return cls(known, {images[name]: name for name in known.covers})

    def see(self, images: Files, window: Window, predicted: DateMaps) -> None:
        """Count a window of the pair of these images.

        Raises:
            DatasetError: The labels hold what the legend has not.
        """
        name = self.names.get(images)
        if name is not None:
            found = self.known.count(name, window, predicted)
            self.counted[name] = self.counted[name] + found if name in self.counted else found

    def score(self) -> LandCover:
        """The scores of all that was counted."""
        return self.known.score(self.counted)


def _require_everywhere(index: ClassMap, path: Path) -> None:
    holes = int((index == UNCHANGED).sum())
    if holes:
        raise DatasetError(
            f"{path} holds 0 in {'1 pixel' if holes == 1 else f'{holes} pixels'}, but a predicted "
            f"land cover has a class everywhere, or {NODATA} for nodata; write it with scd predict "
            "--land-cover."
        )
