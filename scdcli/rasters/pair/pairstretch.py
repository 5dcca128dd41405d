"""The stretch of a pair, from samples of both scenes."""

from rasterio.windows import Window

from scdcli.errors import PairError
from scdcli.rasters.alignment import offset_in
from scdcli.rasters.pair.report import Matched
from scdcli.rasters.pair.stretch import Stretch, fixed_stretch, joint_stretch, sample


def choose_stretch(pair: Matched) -> Stretch | None:
    """What maps the values of both dates to 0..255; None where uint8 is used as it is.

    Raises:
        InputError: A file cannot be read.
        PairError: The types hardly hold one quantity, or nothing is measured.
    """
    first, second, bands = pair.first, pair.second, pair.bands
    if pair.settings.scale is not None:
        return fixed_stretch(pair.settings.scale, len(bands.before))
    types = [
        scene.dataset.dtypes[chosen[0] - 1]
        for scene, chosen in ((first, bands.before), (second, bands.after))
    ]
    if types == ["uint8", "uint8"]:
        return None
    if _family(types[0]) != _family(types[1]):
        raise PairError(
            f"{first.name} is {types[0]} and {second.name} is {types[1]}: no stretch fits both. "
            "Convert one to the units of the other, or give their common range with --scale LO,HI."
        )
    window = Window(0, 0, first.dataset.width, first.dataset.height)
    if first.points is None:
        row, col = offset_in(first.grid, pair.grid)
        window = Window(col, row, pair.grid.width, pair.grid.height)
    samples = [
        sample(first.dataset, window, bands.before, first.path),
        sample(second.dataset, pair.alignment.window, bands.after, second.path),
    ]
    return joint_stretch(samples, (first.name, second.name))


def _family(dtype: str) -> str:
    """Types within a family may well hold the same quantity; across families they hardly do."""
    if dtype == "uint8":
        return dtype
    return "float" if dtype.startswith("float") else "integer"
