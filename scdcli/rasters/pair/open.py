"""Two scenes of one place on the grid of the earlier one, read window by window."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from scdcli.errors import PairError
from scdcli.rasters.alignment import Alignment, align, in_crs_of, offset_in, on_one_turn
from scdcli.rasters.collar import CollarFacts, collar_left, compression, find_collar, without
from scdcli.rasters.georeference import place_scene, read_crs
from scdcli.rasters.grid import Grid
from scdcli.rasters.pair.bands import BandChoice, choose_bands
from scdcli.rasters.pair.extent import AreaOfInterest, crop_to_bounds, read_aoi
from scdcli.rasters.pair.glance import Glanced, Source
from scdcli.rasters.pair.mappings import MeanStd
from scdcli.rasters.pair.normalization import Normalization, find_normalization
from scdcli.rasters.pair.report import (
    NOT_ASSUMED,
    PairPlan,
    about_file,
    is_assumed,
    notes,
    provenance,
    warnings,
)
from scdcli.rasters.pair.sample import sample_pair
from scdcli.rasters.pair.settings import DEFAULTS, OF_PART, PairSettings
from scdcli.rasters.pair.statistics import Facts, Statistics, chosen_statistics
from scdcli.rasters.pair.stretch import (
    DateSource,
    Stretch,
    find_stretch,
    fixed_stretch,
    is_taken_as_is,
    sample,
)
from scdcli.rasters.pair.units import pair_units
from scdcli.rasters.scene import Reader, Scene, open_scene, scene_reader
from scdcli.rasters.warp import warped_reader

GDAL_CACHE = 256 << 20  # bytes: rasterio hands a number over as it is

BYTES = (0.0, 255.0)


@dataclass(frozen=True)
class Pair:
    """Two scenes on one grid, open for reading; of several threads one reads at a time.

    Attributes:
        settings: What it was opened with.
        grid: The grid of BEFORE, or the part of it asked for, of which a result is wanted.
        whole: Where all of BEFORE lies, in pixels of that part.
        bands: Band numbers used of BEFORE, from 1.
        after_bands: Those used of AFTER, in the same order.
        notes: One sentence for each thing done to make the two comparable, or to look twice at.
        warnings: Those of the notes that say why the result may be wrong.
        provenance: JSON-ready record of the inputs and of what was done.
        share: Share of the grid that AFTER covers, 0 to 1.
        stretch: What maps values to 0..255; None where uint8 is used as it is.
        aoi: The area outside of which no result is wanted; None for all of the grid.
        read_before: Reads the chosen bands of BEFORE in a window, (C, h, w) float32, NaN where
            nothing is measured, before stretch and normalization; also beyond the part.
        read_after: The same of AFTER.
        normalization: What maps values after the stretch; None where nothing does.
        coregister: Whether AFTER was to be moved over BEFORE by the shift between them.
        turn: Is held while either is read: GDAL's datasets are not for two threads at once.
        glances: Both dates for reading them coarsely, to look at.
    """

    settings: PairSettings
    grid: Grid
    whole: Window
    bands: tuple[int, ...]
    after_bands: tuple[int, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    provenance: dict[str, Any]
    share: float
    stretch: Stretch | None
    aoi: AreaOfInterest | None
    read_before: Reader
    read_after: Reader
    glances: tuple[Glanced, Glanced]
    normalization: Normalization | None = None
    coregister: bool = False
    turn: Lock = field(default_factory=Lock, repr=False, compare=False)

    @property
    def count(self) -> int:
        """Number of bands C."""
        return len(self.bands)

    @property
    def mean_std(self) -> MeanStd | None:
        """What each date is brought to; None where it is not."""
        return self.normalization.mean_std if self.normalization else None

    def read(
        self, window: Window
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
        """Both dates of one window that lies inside the grid.

        Returns:
            Before and after, (C, h, w) float32 in 0..255 or as the normalization has it, and where
            both hold measurements, (h, w) bool, false outside the area of interest; pixels not
            valid are 0 in both.

        Raises:
            InputError: A file cannot be read there.
        """
        inside = self.wanted(window)
        if not inside.any():
            nothing = np.zeros((2, self.count, *inside.shape), dtype=np.float32)
            return nothing[0], nothing[1], inside
        before, after, valid = self.read_around(window)
        valid &= inside
        before[:, ~valid] = 0
        after[:, ~valid] = 0
        return before, after, valid

    def wanted(self, window: Window) -> NDArray[np.bool_]:
        """Of which pixels of a window a result is wanted, (h, w): inside grid and area."""
        rows = np.arange(window.row_off, window.row_off + window.height)
        cols = np.arange(window.col_off, window.col_off + window.width)
        inside = np.logical_and.outer(
            (rows >= 0) & (rows < self.grid.height), (cols >= 0) & (cols < self.grid.width)
        )
        return inside if self.aoi is None else inside & self.aoi.inside(window)

    def read_around(
        self, window: Window
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
        """As `read`, of a window anywhere on the whole of BEFORE, whether wanted or not.

        The pixels are the same whatever part and area are wanted.
        """
        with self.turn:
            before, after = self.read_before(window), self.read_after(window)
        valid = np.isfinite(before[0]) & np.isfinite(after[0])
        if self.stretch is not None:
            before, after = self.stretch.apply(before), self.stretch.apply(after)
        if self.normalization is not None:
            before, after = self.normalization.apply(before, after)
        before[:, ~valid] = 0
        after[:, ~valid] = 0
        return before, after, valid


@contextmanager
def open_pair(
    before: str | Path, after: str | Path, settings: PairSettings = DEFAULTS
) -> Iterator[Pair]:
    """Two scenes as one pair on the grid of the first.

    Args:
        before: The earlier scene; its grid rules.
        after: The later scene, warped onto that grid where it does not lie on it.
        settings: Bands, values and places to read.

    Raises:
        InputError: A file cannot be opened or read, or is of a kind that cannot be compared.
        PairError: CRS, grid, overlap, bands or types do not allow a comparison.
    """
    with ExitStack() as stack:
        stack.enter_context(rasterio.Env(**_cache_limit()))
        first, second = _open_scenes(before, after, settings, stack)
        plan = _with_values(_match(first, second, settings), stack)
        read_before, read_after = _open_readers(plan, stack)
        pair = Pair(
            settings=settings,
            grid=plan.grid,
            whole=plan.whole,
            bands=plan.bands.before,
            after_bands=plan.bands.after,
            notes=tuple(notes(plan)),
            warnings=tuple(warnings(plan)),
            provenance=provenance(plan),
            share=plan.alignment.share,
            stretch=plan.stretch,
            aoi=plan.aoi,
            read_before=read_before,
            read_after=read_after,
            glances=_glances(plan),
        )
        yield normalized(pair, (first.name, second.name), plan.statistics)


def match_pair(
    before: str | Path, after: str | Path, settings: PairSettings = DEFAULTS
) -> BandChoice:
    """The bands of a pair, by its metadata alone: what that shows to be wrong is said at once.

    Raises:
        InputError: A file cannot be opened, or is of a kind that cannot be compared.
        PairError: CRS, grid, overlap or bands do not allow a comparison.
    """
    with ExitStack() as stack:
        return _match(*_open_scenes(before, after, settings, stack), settings).bands


def _open_scenes(
    before: str | Path, after: str | Path, settings: PairSettings, stack: ExitStack
) -> tuple[Scene, Scene]:
    assumed = settings.assume_crs and read_crs(settings.assume_crs, "--assume-crs")
    first, second = (
        place_scene(
            stack.enter_context(open_scene(path, allow_vrt=settings.allow_vrt)), path, assumed
        )
        for path in (before, after)
    )
    return first, second


def _open_readers(pair: PairPlan, stack: ExitStack) -> tuple[Reader, Reader]:
    """What reads both scenes on the grid of the pair."""
    first, second, alignment = pair.first, pair.second, pair.onto_whole
    # All is read on the whole grid: a part must have the very pixels of the whole.
    if first.points:
        read_before = _warped(first, first.grid, pair.bands.before, stack)
    else:
        read_before = _plain(first, pair.bands.before)
    if alignment.offset is None:
        read_after = _warped(second, alignment.grid, pair.bands.after, stack)
    else:
        read_after = _plain(second, pair.bands.after, alignment.offset)
    return _of_part(read_before, pair.whole), _of_part(pair.units.bring(read_after), pair.whole)


def _of_part(read: Reader, whole: Window) -> Reader:
    """A reader of windows of the whole grid, as one of windows of the part."""

    def read_part(window: Window) -> NDArray[np.float32]:
        top, left = window.row_off - whole.row_off, window.col_off - whole.col_off
        return read(Window(left, top, window.width, window.height))

    return read_part


def _glances(pair: PairPlan) -> tuple[Source, Source]:
    """Both scenes for pictures: collars and units, which change no picture much, are left alone."""
    first, second, alignment = pair.first, pair.second, pair.alignment
    offset = None
    if first.points is None:
        row, col = offset_in(first.grid, pair.grid)
        offset = (-row, -col)
    return (
        Source(first, pair.grid, pair.bands.before, offset),
        Source(second, alignment.grid, pair.bands.after, alignment.offset),
    )


def _plain(scene: Scene, bands: tuple[int, ...], offset: tuple[int, int] = (0, 0)) -> Reader:
    """Reads a scene pixel by pixel, without what is masked."""
    read = scene_reader(scene.dataset, bands, scene.path, offset)
    if scene.masked is None:
        return read
    return without(read, scene_reader(scene.masked, (1,), scene.path, offset))


def _warped(scene: Scene, grid: Grid, bands: tuple[int, ...], stack: ExitStack) -> Reader:
    """Reads a scene as it lies on a grid, without what a masked pixel has a part in."""
    read = stack.enter_context(warped_reader(scene, grid, bands))
    if scene.masked is None:
        return read
    mask = replace(scene, dataset=scene.masked)
    return without(read, stack.enter_context(warped_reader(mask, grid, (1,))))


def normalized(pair: Pair, names: tuple[str, str], statistics: Statistics | None = None) -> Pair:
    """The pair with its values normalized, as its settings want it."""
    settings = pair.settings
    mean_std = settings.mean_std
    if mean_std and len(mean_std.mean) != pair.count:
        mean_std = None  # what predicts says that the number of bands is wrong
    if mean_std is None and settings.normalize == "none":
        return pair
    read, sampled = pair.read_around, pair.whole
    if settings.statistics == OF_PART:
        read, sampled = pair.read, Window(0, 0, pair.grid.width, pair.grid.height)
    if statistics is not None:
        normalization = statistics.normalization(mean_std, names)
    else:
        normalization = settings.normalization or find_normalization(
            sample_pair(read, sampled, pair.count), settings.normalize, mean_std, names
        )
    return replace(
        pair,
        normalization=normalization,
        notes=(*pair.notes, *normalization.notes),
        provenance=pair.provenance | {"normalization": normalization.record},
    )


def _match(first: Scene, second: Scene, settings: PairSettings) -> PairPlan:
    """Settle bands and place of a pair, which takes no pixel of it."""
    if second.points is None:
        grid = in_crs_of(first.grid, second.grid)
        second = replace(second, grid=on_one_turn(first.grid, grid))
    bands = choose_bands(first, second, settings.bands, settings.after_bands, count=settings.count)
    grid, aoi = _choose_part(first, settings)
    onto_whole = alignment = _align(first, second, first.grid, settings)
    row, col = offset_in(first.grid, grid)
    if grid != first.grid:
        alignment = _align(first, second, grid, settings)
        offset = onto_whole.offset
        offset = None if offset is None else (offset[0] - row, offset[1] - col)
        alignment = replace(alignment, offset=offset)  # not decided again
    if settings.strict and alignment.differences:
        raise PairError(
            f"{first.name} and {second.name} are not on the same grid: "
            f"{'; '.join(alignment.differences)}. Leave out --strict to have the second "
            "warped onto the first."
        )
    statistics = chosen_statistics(settings)
    if statistics is not None:
        statistics.require_fitting(
            _facts(first, second, bands, settings), (first.name, second.name)
        )
    return PairPlan(
        first,
        second,
        settings,
        bands,
        statistics=statistics,
        units=pair_units(first, second, bands),
        collars=(CollarFacts(), CollarFacts()),
        grid=grid,
        whole=Window(-col, -row, first.grid.width, first.grid.height),
        aoi=aoi,
        alignment=alignment,
        onto_whole=onto_whole,
        stretch=None,
    )


def _with_values(plan: PairPlan, stack: ExitStack) -> PairPlan:
    """The same pair with what its pixels settle: the collars, and how values are mapped."""
    plan = _with_collars(plan, stack)
    if plan.statistics is not None:
        return replace(plan, stretch=plan.statistics.stretch)
    stretch = plan.settings.stretch or find_stretch(
        plan.settings.scale, _date_sources(plan), len(plan.bands.before)
    )
    if stretch is None and plan.units.applied:
        stretch = fixed_stretch(BYTES, len(plan.bands.before))  # what leaves the range is clipped
    return replace(plan, stretch=stretch)


def _with_collars(plan: PairPlan, stack: ExitStack) -> PairPlan:
    """The same pair with what is known of the collars of both scenes."""
    first, of_first = _about_collar(plan.first, plan.bands.before, plan.settings, stack)
    second, of_second = _about_collar(plan.second, plan.bands.after, plan.settings, stack)
    return replace(plan, first=first, second=second, collars=(of_first, of_second))


def _about_collar(
    scene: Scene, bands: tuple[int, ...], settings: PairSettings, stack: ExitStack
) -> tuple[Scene, CollarFacts]:
    """The scene with its collar masked if that is asked for, and what is known of the collar."""
    if scene.dataset.nodata is None:
        return scene, CollarFacts()
    lossy = compression(scene.dataset)
    if settings.nodata_tolerance is not None:
        collar = stack.enter_context(find_collar(scene, bands, settings.nodata_tolerance))
        return replace(scene, masked=collar.dataset), CollarFacts(lossy, masked=collar.pixels)
    return scene, CollarFacts(lossy, collar_left(scene, bands) if lossy else None)


def _choose_part(first: Scene, settings: PairSettings) -> tuple[Grid, AreaOfInterest | None]:
    """The part of the BEFORE grid to read, and the area of interest on it."""
    grid, aoi = first.grid, None
    if settings.bounds:
        crs = read_crs(settings.bounds_crs, "--bounds-crs") if settings.bounds_crs else None
        grid = crop_to_bounds(grid, settings.bounds, crs, first.name)
    if settings.aoi:
        aoi = read_aoi(settings.aoi, grid, first.name)
        grid = aoi.grid
    pixels = grid.height * grid.width
    if pixels > settings.max_pixels:
        raise PairError(
            f"{first.name} is to be read on {grid.width} x {grid.height} pixels, {pixels:.3g} in "
            f"all, more than the {settings.max_pixels:.3g} of --max-pixels. Choose a part with "
            "--bounds or --aoi, or raise --max-pixels if the size is right."
        )
    return grid, aoi


def _align(first: Scene, second: Scene, part: Grid, settings: PairSettings) -> Alignment:
    names = (first.name, second.name)
    after = second.grid if second.points is None else second.points.about
    try:
        alignment = align(first.grid, after, names, settings.shift, part)
    except PairError as error:
        said = [each for scene in (first, second) for each in about_file(scene)]
        if settings.assume_crs and not any(map(is_assumed, (first, second))):
            said.append(f"({NOT_ASSUMED})")
        if not said:
            raise
        raise PairError(" ".join([str(error), *said])) from error
    if second.points is None:
        return alignment
    placed = f"{second.name} is placed by {second.points.count} ground control points"
    return replace(alignment, offset=None, differences=(placed,))


def _cache_limit() -> dict[str, int]:
    """GDAL keeps 5 % of the machine's memory in blocks unless told otherwise before the first."""
    return {} if "GDAL_CACHEMAX" in os.environ else {"GDAL_CACHEMAX": GDAL_CACHE}


def sample_dates(
    before: str | Path, after: str | Path, settings: PairSettings, per_axis: int
) -> tuple[Facts, list[NDArray[np.float32]]]:
    """What statistics of a pair hold for, and the pixels that its stretch is made of.

    At least 2 windows along either side are read.

    Returns:
        The facts, and (C, N) float32 of either date; no pixels where no stretch depends on any.

    Raises:
        InputError: A file cannot be opened or read.
        PairError: CRS, grid, overlap, bands or types do not allow a comparison.
    """
    with ExitStack() as stack:
        stack.enter_context(rasterio.Env(**_cache_limit()))
        plan = _match(*_open_scenes(before, after, settings, stack), settings)
        facts = _facts(plan.first, plan.second, plan.bands, settings)
        plan = _with_collars(plan, stack)
        dates = _date_sources(plan)
        if settings.scale is not None or is_taken_as_is(dates):
            return facts, []
        return facts, [sample(date.read, date.part, per_axis) for date in dates]


def _facts(first: Scene, second: Scene, bands: BandChoice, settings: PairSettings) -> Facts:
    """What statistics of a pair hold for."""
    types = (
        first.dataset.dtypes[bands.before[0] - 1],
        second.dataset.dtypes[bands.after[0] - 1],
    )
    return Facts(bands.before, bands.after, types, settings.scale, settings.normalize)


def _date_sources(pair: PairPlan) -> tuple[DateSource, DateSource]:
    """Both dates as a stretch samples them."""
    first, second, bands = pair.first, pair.second, pair.bands
    window, alignment = Window(0, 0, first.dataset.width, first.dataset.height), pair.onto_whole
    if pair.settings.statistics == OF_PART:
        alignment = pair.alignment
        if first.points is None:
            row, col = offset_in(first.grid, pair.grid)
            window = Window(col, row, pair.grid.width, pair.grid.height)
    types = _facts(first, second, bands, pair.settings).types
    read_after = pair.units.bring(_plain(second, bands.after))
    return (
        DateSource(first.name, types[0], _plain(first, bands.before), window),
        DateSource(second.name, types[1], read_after, alignment.window),
    )
