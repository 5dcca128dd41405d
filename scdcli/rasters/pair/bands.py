"""Which bands of two scenes are compared: by number, by name, or those that both have."""

from collections.abc import Sequence
from typing import NamedTuple

from rasterio.enums import ColorInterp

from scdcli.errors import InputError, PairError
from scdcli.files.naming import name_of
from scdcli.rasters.scene import Scene, spectral_bands

BandNames = tuple[int | str, ...]
"""Bands as the user gives them: numbers from 1, or names."""

MOST_LISTED = 12
LONGEST_NAME = 24  # characters, in an error
RGB = ("red", "green", "blue")
# What GDAL says of a band of which it knows nothing.
NAMELESS = {ColorInterp.undefined, ColorInterp.gray, ColorInterp.palette, ColorInterp.alpha}


class BandChoice(NamedTuple):
    """Band numbers to read of either file, from 1, in one order of meaning.

    Attributes:
        before: Of the earlier scene.
        after: Of the later one.
        note: What was chosen by name, as a sentence; empty otherwise.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    note: str = ""


def choose_bands(
    first: Scene,
    second: Scene,
    bands: BandNames | None = None,
    after_bands: BandNames | None = None,
    count: int | None = None,
) -> BandChoice:
    """The bands to read of both scenes.

    Args:
        first: The earlier scene.
        second: The later scene.
        bands: What the user asked for; None for all but alpha, matched by name where the files
            name them.
        after_bands: What the user asked for of the later scene, where that differs.
        count: How many bands the model reads, to take red, green and blue of more for three.

    Raises:
        PairError: The scenes have different bands, or not those asked for.
        InputError: A band is a palette, an alpha band or complex.
    """
    if bands:
        choice = BandChoice(
            band_numbers(first, bands, "--bands"),
            band_numbers(
                second, after_bands or bands, "--after-bands" if after_bands else "--bands"
            ),
        )
    elif after_bands:
        choice = BandChoice(
            spectral_bands(first.dataset), band_numbers(second, after_bands, "--after-bands")
        )
    else:
        choice = _shared(first, second)
        if count == len(RGB) < len(choice.before):
            choice = _colors(first, choice) or choice
    if len(choice.before) != len(choice.after):
        raise PairError(
            f"{len(choice.before)} bands are chosen of {first.name} and {len(choice.after)} of "
            f"{second.name}; choose as many of both with --bands and --after-bands."
        )
    for scene, chosen in ((first, choice.before), (second, choice.after)):
        _require_measurements(scene, chosen)
    return choice


def same_bands(
    first: Scene, second: Scene, bands: BandNames | None, count: int | None = None
) -> tuple[int, ...]:
    """As `choose_bands`, for what reads the same numbers of both files, or the same names.

    Returns:
        Band numbers of the first.

    Raises:
        PairError: As there, or the files have their bands in different orders.
        InputError: As there.
    """
    choice = choose_bands(first, second, bands, count=count)
    if choice.before != choice.after and not are_names(bands):
        raise PairError(
            f"{first.name} and {second.name} have their bands in different orders: "
            f"{listing(first)} in the first, {listing(second)} in the second. Write both in one "
            "order, for example with gdal_translate -b 3 -b 2 -b 1."
        )
    return choice.before


def are_names(bands: BandNames | None) -> bool:
    """Whether bands are given by their names, so that their numbers depend on the file."""
    return any(isinstance(band, str) for band in bands or ())


def _shared(first: Scene, second: Scene) -> BandChoice:
    """All bands where both files have the same; else those that have one name in both."""
    before, after = (spectral_bands(scene.dataset) for scene in (first, second))
    names, others = band_names(first), band_names(second)
    alike = {band: _named_alike(each, others) for band, each in names.items()}
    if len(before) == len(after):
        agree = (
            band not in names or other not in others or other in alike[band]
            for band, other in zip(before, after, strict=True)
        )
        # Names of which none agrees are of two kinds and say nothing of the order.
        if all(agree) or not any(alike.values()):
            return BandChoice(before, after)
    pairs = [(band, number) for band, numbers in alike.items() for number in numbers]
    numbers = [number for pair in zip(*pairs, strict=True) for number in set(pair)]
    if not pairs or len(numbers) < 2 * len(pairs):
        raise _different(first, second)
    chosen = BandChoice(tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs))
    matched = ", ".join(names[band][0] for band in chosen.before)
    return chosen._replace(
        note=f"Bands are matched by name ({matched}): {_comma(chosen.before)} of {first.name}, "
        f"{_comma(chosen.after)} of {second.name}; for others give --bands."
    )


def _colors(first: Scene, choice: BandChoice) -> BandChoice | None:
    """Red, green and blue of more bands; None where they are not named."""
    names = band_names(first)
    places = [
        [place for place, band in enumerate(choice.before) if color in names.get(band, ())]
        for color in RGB
    ]
    if any(len(each) != 1 for each in places):
        return None
    before, after = (
        tuple(side[place] for (place,) in places) for side in (choice.before, choice.after)
    )
    of_after = "" if after == before else f" and {_comma(after)}"
    note = (
        f"Of {len(choice.before)} bands red, green and blue are used: {_comma(before)}{of_after}; "
        "for others give --bands."
    )
    return BandChoice(before, after, note)


def band_numbers(scene: Scene, bands: BandNames, option: str = "--bands") -> tuple[int, ...]:
    """The numbers of bands given by number or name.

    Raises:
        PairError: The scene has not such bands, or several of a name; ``option`` asks for them.
    """
    names = band_names(scene)
    numbers = []
    for band in bands:
        if isinstance(band, int):
            if not 1 <= band <= scene.dataset.count:
                raise PairError(
                    f"{option} asks for band {band}, but {scene.name} has bands 1 to "
                    f"{scene.dataset.count}."
                )
            numbers.append(band)
            continue
        alike = _named_alike([_plain(band)], names)
        if len(alike) != 1:
            times = f"{len(alike)} bands named" if alike else "no band named"
            raise PairError(
                f"{option} asks for {band}, but {scene.name} has {times} so; it has "
                f"{listing(scene)}. Give numbers instead."
            )
        numbers.append(alike[0])
    return tuple(numbers)


def band_names(scene: Scene) -> dict[int, tuple[str, ...]]:
    """Names by band number, of the bands that have any and are not alpha.

    A band may have two: what the file calls it, and the color it is shown in.
    """
    dataset = scene.dataset
    by_band = {}
    for band in spectral_bands(dataset):
        kind, text = dataset.colorinterp[band - 1], dataset.descriptions[band - 1]
        names = [_plain(text)] if text else []
        names += [] if kind in NAMELESS else [kind.name]
        if names:
            by_band[band] = tuple(dict.fromkeys(names))
    return by_band


def listing(scene: Scene) -> str:
    """The bands of a file as a user can name them, for an error."""
    names, bands = band_names(scene), spectral_bands(scene.dataset)
    if not names:
        return f"{_comma(bands[:MOST_LISTED])}{', …' * (len(bands) > MOST_LISTED)} (no names)"
    names = {band: tuple(text[:LONGEST_NAME] for text in each) for band, each in names.items()}
    texts = [f"{band} ({' or '.join(names.get(band, ('no name',)))})" for band in bands]
    return name_of(", ".join(texts[:MOST_LISTED])) + ", …" * (len(texts) > MOST_LISTED)


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())


def _named_alike(wanted: Sequence[str], names: dict[int, tuple[str, ...]]) -> list[int]:
    return [band for band, known in names.items() if set(wanted) & set(known)]


def _comma(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def _different(first: Scene, second: Scene) -> PairError:
    counts = [len(spectral_bands(scene.dataset)) for scene in (first, second)]
    return PairError(
        f"{first.name} has {counts[0]} bands and {second.name} has {counts[1]}: {listing(first)} "
        f"in the first, {listing(second)} in the second. Say which to use of both with --bands, "
        "for example --bands 1,2,3, and with --after-bands where the second has another order."
    )


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
