"""Whether two images can be compared: problems, warnings, and facts about both."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rasterio.io import DatasetReader

from scdcli.errors import ModelError, ScdError
from scdcli.files.naming import crs_name, file_name, name_of
from scdcli.models import DEFAULT_MODEL
from scdcli.models.requirements import Requirements, read_requirements
from scdcli.polygons.area import PIXELS, central_pixel, measure_ground
from scdcli.prediction.fit import Remarks, band_advice, judge_fit, wrong_bands
from scdcli.rasters.grid import Grid
from scdcli.rasters.pair.coregister import Registration, open_and_register
from scdcli.rasters.pair.open import Pair, open_pair
from scdcli.rasters.pair.radiometry import PairValues, findings, sample_values
from scdcli.rasters.pair.report import DATES
from scdcli.rasters.pair.settings import PairSettings
from scdcli.rasters.scene import open_scene

MODEL_BANDS = 3  # that the bundled models read


@dataclass(frozen=True)
class PairReport:
    """Whether two images can be compared, and what is known of them.

    Attributes:
        scenes: Size, CRS and bands of BEFORE and of AFTER, JSON-ready; None for one that cannot be
            opened.
        problems: Why the two cannot be compared, as errors of `open_pair`; empty when they can.
        warnings: What may be taken for change, or makes the result doubtful.
        notes: What is done to make the two comparable.
        match: How they are read as a pair, JSON-ready; None with problems.
        values: How bright they are and how much is measured; None with problems.
        registration: The shift between them; None with problems.
    """

    scenes: tuple[dict[str, Any] | None, dict[str, Any] | None]
    problems: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    match: dict[str, Any] | None = None
    values: PairValues | None = None
    registration: Registration | None = None

    @property
    def verdict(self) -> str:
        """``comparable``, ``comparable with warnings`` or ``not comparable``."""
        if self.problems:
            return "not comparable"
        return "comparable with warnings" if self.warnings else "comparable"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "verdict": self.verdict,
            "problems": list(self.problems),
            "warnings": list(self.warnings),
            "notes": list(self.notes),
            "before": self.scenes[0],
            "after": self.scenes[1],
            "match": self.match,
            "values": self.values and self.values.to_dict(),
            "registration": self.registration and self.registration.to_dict(),
        }


def check_pair(
    before: str | Path,
    after: str | Path,
    settings: PairSettings,
    *,
    coregister: bool = False,
    needs: Requirements | None = None,
    judge: Callable[[Pair], Remarks] | None = None,
) -> PairReport:
    """Check two images as `scd predict` would read them, from samples of their pixels.

    Args:
        before: The earlier image.
        after: The later image.
        settings: How they are to be read.
        coregister: Try to move AFTER over BEFORE.
        needs: What the model that they are for expects; None where no model is named.
        judge: What else is to be said of a pair that the model can read.
    """
    scenes = (_scene(before, settings), _scene(after, settings))
    try:
        with open_and_register(before, after, settings, coregister=coregister) as (
            pair,
            registration,
        ):
            fit = _judge(needs, pair)
            if judge is not None:
                fit = fit.and_also(judge(pair))
            values = sample_values(pair)
            names = (name_of(before), name_of(after))
            return PairReport(
                scenes,
                problems=(),
                warnings=(
                    *pair.warnings,
                    *fit.warnings,
                    *(registration.notes if registration.doubtful else ()),
                    *findings(values, names),
                ),
                notes=(
                    *(note for note in pair.notes if note not in pair.warnings),
                    *(() if registration.doubtful else registration.notes),
                    *fit.notes,
                ),
                match=_match(pair),
                values=values,
                registration=registration,
            )
    except ScdError as error:
        return PairReport(scenes, tuple(_problems(str(error), before, after, settings)))


def _problems(
    first: str, before: str | Path, after: str | Path, settings: PairSettings
) -> Iterator[str]:
    """The first problem, then those that remain when the pair is opened with ever fewer demands."""
    easier = replace(settings, bands=(1,), after_bands=None, count=None, bounds=None, aoi=None)
    attempts = [(before, before, easier), (after, after, easier), (before, after, easier)]
    easier = replace(easier, strict=False)
    attempts += [(before, after, easier), (before, after, replace(easier, scale=(0.0, 1.0)))]
    reported = {first}
    yield first
    for one, other, asked in attempts:
        try:
            with open_pair(one, other, asked):
                pass
        except ScdError as error:
            if str(error) not in reported:
                reported.add(str(error))
                yield str(error)


def _scene(path: str | Path, settings: PairSettings) -> dict[str, Any] | None:
    try:
        with open_scene(path, allow_vrt=settings.allow_vrt) as dataset:
            grid = Grid(dataset.height, dataset.width, dataset.transform, dataset.crs)
            return {
                "name": file_name(path),
                "driver": dataset.driver,
                "width": grid.width,
                "height": grid.height,
                "crs": crs_name(grid.crs),
                "pixel_size": list(grid.pixel_size),
                "nodata": None if dataset.nodata is None else str(dataset.nodata),
                "bands": _bands(dataset),
                "taken": _date_taken(dataset),
            }
    except ScdError:
        return None


def _bands(dataset: DatasetReader) -> list[dict[str, Any]]:
    return [
        {"number": number, "name": name, "kind": kind.name, "type": dtype}
        for number, name, kind, dtype in zip(
            dataset.indexes, dataset.descriptions, dataset.colorinterp, dataset.dtypes, strict=True
        )
    ]


def _date_taken(dataset: DatasetReader) -> str | None:
    """When the image was taken, as its tags have it."""
    dates = (dataset.tags(ns=namespace).get(name) for namespace, name in DATES)
    return next(filter(None, dates), None)


def _judge(needs: Requirements | None, pair: Pair) -> Remarks:
    """How the model fits the pair; where none is named, how the default one does.

    Raises:
        ModelError: The named model cannot read the pair.
    """
    if needs is not None:
        problem = wrong_bands(needs, pair.count)
        if problem:
            raise ModelError(problem)
        return judge_fit(needs, pair)
    default = read_requirements(DEFAULT_MODEL)
    if default is not None and pair.count == default.bands:
        return judge_fit(default._replace(name=f"{default.name} (the default)"), pair)
    used = "1 band is" if pair.count == 1 else f"{pair.count} bands are"
    warning = (
        f"{used} in use, and the bundled models read {MODEL_BANDS}; "
        f"{band_advice(MODEL_BANDS, pair.count)}, or use a model of your own."
    )
    return Remarks(warnings=(warning,))


def _match(pair: Pair) -> dict[str, Any]:
    """How the two are read as a pair, and the size of what is read, JSON-ready."""
    ground = measure_ground(pair.grid)
    area = float(ground.area.mean()) * pair.grid.height * pair.grid.width
    record = {
        name: each for name, each in pair.provenance.items() if name not in ("before", "after")
    }
    return record | {
        "pixel_meters": central_pixel(pair.grid),
        "pixels": pair.grid.height * pair.grid.width,
        "hectares": None if ground.unit == PIXELS else round(area / 1e4, 4),
    }
