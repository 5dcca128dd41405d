"""Two scenes of one place on the grid of the earlier one, read window by window."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from scdcli.errors import PairError
from scdcli.grid import Grid
from scdcli.rasters.alignment import Alignment, align
from scdcli.rasters.bands import choose_bands
from scdcli.rasters.pairing import DEFAULTS, PairSettings
from scdcli.rasters.pairrecord import Matched, notes, provenance
from scdcli.rasters.scene import Reader, Scene, open_scene, scene_grid, scene_reader
from scdcli.rasters.stretch import Stretch, fixed_stretch, joint_stretch, sample
from scdcli.rasters.warp import warped_reader

GDAL_CACHE = 256 << 20  # bytes: rasterio hands a number over as it is


@dataclass(frozen=True)
class Pair:
    """Two scenes on one grid, open for reading; not to be shared between threads.

    Attributes:
        grid: The grid of BEFORE, on which both are read.
        bands: Band numbers used of either file, from 1.
        notes: One sentence for each thing done to make the two comparable.
        provenance: JSON-ready record of the inputs and of what was done.
        share: Share of the grid that AFTER covers, 0 to 1.
        stretch: What maps values to 0..255; None where uint8 is used as it is.
    """

    grid: Grid
    bands: tuple[int, ...]
    notes: tuple[str, ...]
    provenance: dict[str, Any]
    share: float
    stretch: Stretch | None
    read_before: Reader
    read_after: Reader

    @property
    def count(self) -> int:
        """Number of bands C."""
        return len(self.bands)

    def read(
        self, window: Window
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
        """Both dates of one window that lies inside the grid.

        Returns:
            Before and after, (C, h, w) float32 in 0..255, and where both hold measurements,
            (h, w) bool; pixels that are not valid are 0 in both.

        Raises:
            InputError: A file cannot be read there.
        """
        before, after = self.read_before(window), self.read_after(window)
        valid = np.isfinite(before[0]) & np.isfinite(after[0])
        if self.stretch is not None:
            before, after = self.stretch.apply(before), self.stretch.apply(after)
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
        first = _open(stack, before, settings)
        second = _open(stack, after, settings)
        matched = _match(first, second, settings)
        bands = matched.bands
        if matched.alignment.offset is None:
            view = warped_reader(second.dataset, matched.alignment.grid, bands, after)
            read_after = stack.enter_context(view)
        else:
            read_after = scene_reader(second.dataset, bands, after, matched.alignment.offset)
        yield Pair(
            grid=first.grid,
            bands=bands,
            notes=tuple(notes(matched)),
            provenance=provenance(matched),
            share=matched.alignment.share,
            stretch=matched.stretch,
            read_before=scene_reader(first.dataset, bands, before),
            read_after=read_after,
        )


def _open(stack: ExitStack, path: str | Path, settings: PairSettings) -> Scene:
    dataset = stack.enter_context(open_scene(path, allow_vrt=settings.allow_vrt))
    return Scene(path, dataset, scene_grid(dataset, path))


def _match(first: Scene, second: Scene, settings: PairSettings) -> Matched:
    """Settle bands, place and values of a pair."""
    bands = choose_bands(first, second, settings.bands)
    alignment = align(first.grid, second.grid, (first.name, second.name), settings.shift)
    if settings.strict and alignment.differences:
        raise PairError(
            f"{first.name} and {second.name} are not on the same grid: "
            f"{'; '.join(alignment.differences)}. Leave out --strict to have the second "
            "warped onto the first."
        )
    stretch = settings.stretch or _choose_stretch(first, second, bands, alignment, settings.scale)
    return Matched(first, second, settings, bands, alignment, stretch)


def _cache_limit() -> dict[str, int]:
    """GDAL keeps 5 % of the machine's memory in blocks unless told otherwise before the first."""
    return {} if "GDAL_CACHEMAX" in os.environ else {"GDAL_CACHEMAX": GDAL_CACHE}


def _choose_stretch(
    first: Scene,
    second: Scene,
    bands: tuple[int, ...],
    alignment: Alignment,
    scale: tuple[float, float] | None,
) -> Stretch | None:
    if scale is not None:
        return fixed_stretch(scale, len(bands))
    types = [scene.dataset.dtypes[bands[0] - 1] for scene in (first, second)]
    if types == ["uint8", "uint8"]:
        return None
    if _family(types[0]) != _family(types[1]):
        raise PairError(
            f"{first.name} is {types[0]} and {second.name} is {types[1]}: no stretch fits both. "
            "Convert one to the units of the other, or give their common range with --scale LO,HI."
        )
    whole = Window(0, 0, first.grid.width, first.grid.height)
    samples = [
        sample(first.dataset, whole, bands, first.path),
        sample(second.dataset, alignment.window, bands, second.path),
    ]
    return joint_stretch(samples)


def _family(dtype: str) -> str:
    """Types within a family may well hold the same quantity; across families they hardly do."""
    if dtype == "uint8":
        return dtype
    return "float" if dtype.startswith("float") else "integer"
