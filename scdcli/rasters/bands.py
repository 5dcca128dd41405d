"""Which bands of two scenes are compared."""

from rasterio.enums import ColorInterp

from scdcli.errors import InputError, PairError
from scdcli.rasters.scene import Scene, spectral_bands


def choose_bands(first: Scene, second: Scene, bands: tuple[int, ...] | None) -> tuple[int, ...]:
    """The bands to read of both scenes, from 1.

    Args:
        first: The earlier scene.
        second: The later scene.
        bands: What the user asked for; None for all but alpha.

    Raises:
        PairError: The scenes have different bands, or not those asked for.
        InputError: A band is a palette, an alpha band or complex.
    """
    counts = [len(spectral_bands(scene.dataset)) for scene in (first, second)]
    if bands is None and counts[0] != counts[1]:
        raise PairError(
            f"{first.name} has {counts[0]} bands and {second.name} has {counts[1]}; "
            "say which to use of both with --bands, for example --bands 1,2,3."
        )
    chosen = bands or spectral_bands(first.dataset)
    if bands is None and chosen != spectral_bands(second.dataset):
        raise PairError(
            f"the bands are {chosen} in {first.name} and {spectral_bands(second.dataset)} in "
            f"{second.name}, alpha left out; say which to use of both with --bands."
        )
    for scene in (first, second):
        strange = [band for band in chosen if not 1 <= band <= scene.dataset.count]
        if strange:
            raise PairError(
                f"--bands asks for band {strange[0]}, but {scene.name} has bands 1 to "
                f"{scene.dataset.count}."
            )
        _require_measurements(scene, chosen)
    return chosen


def _require_measurements(scene: Scene, bands: tuple[int, ...]) -> None:
    """Refuse palettes, alpha and complex numbers, whose values are not brightness."""
    for band in bands:
        kind, dtype = scene.dataset.colorinterp[band - 1], scene.dataset.dtypes[band - 1]
        if kind == ColorInterp.palette:
            raise InputError(
                f"band {band} of {scene.name} holds numbers of palette colors; write the colors "
                "out with gdal_translate -expand rgb."
            )
        if kind == ColorInterp.alpha:
            raise InputError(
                f"band {band} of {scene.name} is marked as alpha, a mask; if it holds "
                f"measurements, mark it so: gdal_edit.py -colorinterp_{band} undefined {scene.name}"
            )
        if dtype.startswith("complex"):
            raise InputError(
                f"band {band} of {scene.name} holds complex numbers ({dtype}); "
                "convert it to amplitude or intensity first."
            )
