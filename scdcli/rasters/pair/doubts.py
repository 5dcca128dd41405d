"""What makes a pair doubtful though it can be read: said, not refused."""

from collections.abc import Iterator

from scdcli.rasters.alignment import Alignment
from scdcli.rasters.pair.bands import BandChoice
from scdcli.rasters.scene import Scene, spectral_bands

MOST_DETAIL = 2.0  # between the two pixel sizes
LEAST_SHARE = 0.01
MOST_OF_IT = 0.9  # a margin of a few pixels, as a shift leaves it, is no small overlap
CHIP = 512  # pixels a network sees at a time

# Where a file says when it was taken: namespace and name, the better first.
DATES = (
    ("IMAGERY", "ACQUISITIONDATETIME"),
    (None, "ACQUISITIONDATETIME"),
    (None, "TIFFTAG_DATETIME"),
)


def doubts(first: Scene, second: Scene, alignment: Alignment, bands: BandChoice) -> Iterator[str]:
    """One sentence for each reason to look twice at the result of a pair."""
    yield from _about_bands(first, second, bands)
    yield from _about_detail(first, second, alignment.detail)
    yield from _about_overlap(first, second, alignment)
    yield from _about_dates(first, second)
    for scene in (first, second):
        yield from _about_file(scene)


def _about_bands(first: Scene, second: Scene, bands: BandChoice) -> Iterator[str]:
    """Names settled which of more bands are used, and no user."""
    counts = [len(spectral_bands(scene.dataset)) for scene in (first, second)]
    if bands.note and len(bands.before) < max(counts):
        yield bands.note


def _about_detail(first: Scene, second: Scene, detail: float) -> Iterator[str]:
    if 1 / MOST_DETAIL * (1 - 1e-6) <= detail <= MOST_DETAIL * (1 + 1e-6):
        return
    finer, coarser, times = (second, first, detail) if detail > 1 else (first, second, 1 / detail)
    yield (
        f"A pixel of {coarser.name} is {times:.3g} times as wide as one of {finer.name}: what only "
        "one of them can show may look like a change. Resample the finer one first, for example "
        "with gdalwarp -r average."
    )


def _about_overlap(first: Scene, second: Scene, alignment: Alignment) -> Iterator[str]:
    height, width = alignment.grid.shape
    pixels = int(alignment.share * height * width)
    if alignment.share < LEAST_SHARE:
        yield (
            f"{first.name} and {second.name} overlap in {pixels} pixels only, less than "
            f"{LEAST_SHARE:.0%}; check that both show the same place."
        )
    elif pixels < CHIP * CHIP <= height * width and alignment.share < MOST_OF_IT:
        yield (
            f"{first.name} and {second.name} overlap in {pixels} pixels only, less than the "
            f"{CHIP} x {CHIP} that a model sees at a time: its results need more around them."
        )


def _about_dates(first: Scene, second: Scene) -> Iterator[str]:
    for namespace, name in DATES:
        taken = [scene.dataset.tags(ns=namespace).get(name, "") for scene in (first, second)]
        if not all(taken):
            continue
        days = ["".join(sign for sign in text if sign.isdigit()) for text in taken]
        if min(map(len, days)) >= 8 and days[1][:14] < days[0][:14]:
            yield (
                f"{name} says that {second.name} ({taken[1]}) is earlier than {first.name} "
                f"({taken[0]}); the earlier image comes first."
            )
        return


def _about_file(scene: Scene) -> Iterator[str]:
    pages = len(scene.dataset.subdatasets)
    if pages > 1:
        yield f"{scene.name} holds {pages} images; the first is read."
