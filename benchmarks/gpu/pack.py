"""Pack what the default model learns from into one file that travels to a machine with a GPU.

Usage: python benchmarks/gpu/pack.py DATA LABELS OUT.zip [--quality 82]

DATA holds `dubai`, `monterey`, `banepa`, `california` and `wv_naip`; LABELS what people drew by
eye over Californian places (`covers.json`, `changes.json`, see the README beside them). The cities
named in EXAM and VALIDATION train nothing and stay out. The pack holds tiles as WebP, maps as PNG
and a manifest; `unpack` gives them back as two banks of `scdcli.training.live.bank`. It needs
Pillow alone; packing reads GeoTIFFs, too.
"""

import argparse
import io
import json
import re
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from scdcli.simulation.drawn import PIXEL_SIZE
from scdcli.training.live.bank import IGNORED, UNKNOWN, Bank, make_bank

CLASSES = ("water", "ground", "road", "building", "vegetation")  # 1 to 5, of the legend urban
WATER, GROUND, ROAD, BUILDING, VEGETATION = range(1, 6)
EXAM, VALIDATION = "chico", "claremont"
CITIES = ("long_beach", "palm_springs", "santa_monica")
YEARS = (2016, 2018, 2020)
DUBAI = (4, 5, 6, 7)  # 1 and 3 validate composed pairs, 8 tests them
DUBAI_COLORS = {
    (0xE2, 0xA9, 0x29): WATER,
    (0x84, 0x29, 0xF6): GROUND,
    (0x6E, 0xC1, 0xE4): ROAD,
    (0x3C, 0x10, 0x98): BUILDING,
    (0xFE, 0xDD, 0x3A): VEGETATION,
}
MONTEREY = {1: WATER, 2: 5, 3: 5, 6: 5, 9: 5, 4: GROUND, 8: GROUND, 10: ROAD}
MONTEREY_TRAIN = 38_000  # along the coast; what lies beyond validates and tests
COVER_WV = {2: VEGETATION, 3: VEGETATION, 6: ROAD}
WV_TRAIN = range(4)  # of eight; the others are measured only
GREEN = 0.22  # NDVI from which on it is vegetation
NEVER_GREEN = 0.04  # and below which it is none
BARREN = 100  # added to the cover where it is surely no vegetation
TREE = 3  # pixels around the point of a tree
LARGE, SMALL = 512, 256


class Tile(NamedTuple):
    """An image with what is known of it."""

    name: str
    image: NDArray[np.uint8]  # (S, S, 3)
    cover: NDArray[np.uint8]  # (S, S), 0 unknown
    meters: float
    barren: NDArray[np.bool_] | None = None  # surely no vegetation


class Pair(NamedTuple):
    """Two tiles of one place, by name, and where it changed."""

    before: str
    after: str
    changed: NDArray[np.uint8] | None  # None: nowhere known
    weight: float
    group: str


def main() -> None:
    """Read, pack, and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--quality", type=int, default=74, help="of the WebP")
    given = parser.parse_args()
    covers = json.loads((given.labels / "covers.json").read_text())
    changes = json.loads((given.labels / "changes.json").read_text())
    tiles: list[Tile] = []
    pairs: list[Pair] = []
    for found, paired in (
        dubai(given.data / "dubai"),
        monterey(given.data / "monterey"),
        banepa(given.data / "banepa"),
        west_virginia(given.data / "wv_naip"),
        california(given.data / "california", covers, changes),
    ):
        tiles += found
        pairs += paired
    write(given.out, tiles, pairs, given.quality)
    size = given.out.stat().st_size / 2**20
    print(f"{len(tiles)} tiles, {len(pairs)} pairs, {size:.1f} MiB")


def dubai(folder: Path) -> tuple[list[Tile], list[Pair]]:
    """Windows of the labelled mosaics, side by side."""
    tiles = []
    for number in DUBAI:
        for file in sorted((folder / f"tile{number}" / "images").glob("*.jpg")):
            image = np.asarray(Image.open(file).convert("RGB"))
            mask = Image.open(folder / f"tile{number}" / "masks" / f"{file.stem}.png")
            colors = np.asarray(mask.convert("RGB"))
            cover = np.zeros(colors.shape[:2], np.uint8)
            for color, value in DUBAI_COLORS.items():
                cover[(colors == color).all(axis=2)] = value
            for index, (rows, cols) in enumerate(windows(*cover.shape, LARGE)):
                if number == 7 and index % 2:  # it is half of all, and much alike
                    continue
                name = f"dubai{number}_{file.stem[-3:]}_{index}"
                tiles.append(Tile(name, image[rows, cols], cover[rows, cols], 0.8))
    return tiles, alone(tiles, "dubai", 1.0)


def monterey(folder: Path) -> tuple[list[Tile], list[Pair]]:
    """The coast up to where validation begins."""
    table = np.zeros(256, np.uint8)
    for value, known in MONTEREY.items():
        table[value] = known
    tiles = []
    for file in sorted((folder / "images").iterdir()):
        if int(re.findall(r"\d+", file.stem)[1]) >= MONTEREY_TRAIN:
            continue
        image = np.asarray(Image.open(file).convert("RGB"))
        label = next((folder / "labels").glob(f"{file.stem}*"))
        cover = table[np.asarray(Image.open(label))]
        if (cover != UNKNOWN).mean() < 0.3:
            continue
        tiles.append(Tile(file.stem, image[:LARGE, -LARGE:], cover[:LARGE, -LARGE:], 0.36))
    return tiles, alone(tiles, "monterey", 1.0)


def banepa(folder: Path) -> tuple[list[Tile], list[Pair]]:
    """Chips at half their resolution; what is no building there is not known."""
    import rasterio

    tiles = []
    for file in sorted((folder / "images").glob("*.tif")):
        with rasterio.open(file) as dataset:
            image = np.moveaxis(dataset.read([1, 2, 3]), 0, -1)
        mask = np.asarray(Image.open(next((folder / "masks").glob(f"{file.stem}*"))).convert("L"))
        half = np.asarray(Image.fromarray(image).resize((SMALL, SMALL), Image.Resampling.BOX))
        small = np.asarray(Image.fromarray(mask).resize((SMALL, SMALL), Image.Resampling.NEAREST))
        tiles.append(Tile(file.stem, half, np.uint8(BUILDING) * (small > 127), 0.26))
    return tiles, alone(tiles, "banepa", 1.0)


def west_virginia(folder: Path) -> tuple[list[Tile], list[Pair]]:
    """Real pairs in which nothing changed."""
    import rasterio

    tiles, pairs = [], []
    for number in WV_TRAIN:
        stem = sorted(folder.glob(f"*-{number}-old.tif"))[0].name.removesuffix("-old.tif")
        with rasterio.open(folder / f"{stem}-cover.tif") as dataset:
            values = dataset.read(1)
        table = np.zeros(256, np.uint8)
        for value, known in COVER_WV.items():
            table[value] = known
        for date in ("old", "new"):
            with rasterio.open(folder / f"{stem}-{date}.tif") as dataset:
                image = np.moveaxis(dataset.read([1, 2, 3]), 0, -1)
            cover = table[values] if date == "new" else np.zeros_like(table[values])
            tiles.append(Tile(f"{stem}-{date}", image, cover, 1.0))
        nothing = np.zeros(values.shape, np.uint8)
        pairs.append(Pair(f"{stem}-old", f"{stem}-new", nothing, 40.0, "wv"))
    return tiles, pairs


def california(
    folder: Path, covers: dict[str, list], changes: dict[str, list]
) -> tuple[list[Tile], list[Pair]]:
    """All dates of the places of the training cities, with what was drawn and what is green."""
    tiles, pairs = [], []
    for city in CITIES:
        numbers = sorted(
            int(f.stem.rsplit("_", 1)[1]) for f in (folder / "images").glob(f"{city}_2020_*.tif")
        )
        for number in numbers:
            place = f"{city}_{number}"
            dates = [place_tile(folder, city, year, number) for year in YEARS]
            shapes = changes.get(place)
            changed = drawn_changes(shapes) if shapes is not None else None
            for year, tile in zip(YEARS, dates, strict=True):
                draw(tile.cover, covers.get(place, []), year)
                if shapes is not None:
                    draw_sides(tile.cover, shapes, year, changed)
            tiles += dates
            pairs += place_pairs(place, changed)
    return tiles, pairs


def place_tile(folder: Path, city: str, year: int, number: int) -> Tile:
    """One date of a place; plants are known from the near infrared and the points of trees."""
    import rasterio

    stem = f"{city}_{year}_{number}"
    with rasterio.open(folder / "images" / f"{stem}.tif") as dataset:
        image = np.moveaxis(dataset.read([1, 2, 3]), 0, -1)
    with rasterio.open(folder / "nir" / f"{stem}.tif") as dataset:
        infrared = dataset.read(1).astype(float)
    red = image[..., 0].astype(float)
    ndvi = (infrared - red) / (infrared + red + 1)
    cover = np.uint8(VEGETATION) * (ndvi >= GREEN)
    points = folder / "trees" / f"{stem}.csv"
    if points.exists():
        canvas = Image.fromarray(cover)
        for line in points.read_text().splitlines()[1:]:
            x, y = (float(value) for value in line.split(",")[:2])
            ImageDraw.Draw(canvas).ellipse((x - TREE, y - TREE, x + TREE, y + TREE), VEGETATION)
        cover = np.where(ndvi >= NEVER_GREEN, np.array(canvas), cover)
    return Tile(f"{city}_{number}_{year}", image, cover.astype(np.uint8), 0.6, ndvi < NEVER_GREEN)


def place_pairs(place: str, changed: NDArray[np.uint8] | None) -> list[Pair]:
    """All pairs of dates; what changed between the first and the last is not known within."""
    weight = 1.0 if changed is None else 6.0 if (changed == 1).any() else 3.0
    within = None if changed is None else np.where(changed == 1, IGNORED, changed).astype(np.uint8)
    names = [f"{place}_{year}" for year in YEARS]
    return [
        Pair(names[0], names[2], changed, weight, "california"),
        Pair(names[0], names[1], within, weight / 3, "california"),
        Pair(names[1], names[2], within, weight / 3, "california"),
    ]


def drawn_changes(shapes: list[dict]) -> NDArray[np.uint8]:
    """What people drew: 1 changed, 255 where they could not tell, 0 elsewhere."""
    changed = Image.new("L", (SMALL, SMALL))
    for shape in shapes:
        outline(ImageDraw.Draw(changed), shape, IGNORED if shape.get("ignore") else 1)
    return np.array(changed)


def draw(cover: NDArray[np.uint8], shapes: list[dict], year: int) -> None:
    """Put what people drew into a cover that is known in part."""
    canvas = Image.fromarray(np.zeros_like(cover))
    for shape in shapes:
        if year in shape.get("years", YEARS):
            outline(ImageDraw.Draw(canvas), shape, 1 + CLASSES.index(shape["class"]))
    drawn = np.array(canvas)
    # The near infrared knows crowns over streets and roofs better than an outline does.
    green = (cover == VEGETATION) & (drawn != BUILDING)
    cover[:] = np.where((drawn > 0) & ~green, drawn, cover)


def draw_sides(
    cover: NDArray[np.uint8], shapes: list[dict], year: int, changed: NDArray[np.uint8]
) -> None:
    """The classes of what changed, at its first and last date; between them they are not known."""
    cover[(changed == IGNORED) | (changed == 1)] = UNKNOWN
    side = {YEARS[0]: "from", YEARS[-1]: "to"}.get(year)
    if side is None:
        return
    canvas = Image.fromarray(cover)
    for shape in shapes:
        if not shape.get("ignore"):
            outline(ImageDraw.Draw(canvas), shape, 1 + CLASSES.index(shape[side]))
    cover[:] = np.array(canvas)


def outline(canvas: ImageDraw.ImageDraw, shape: dict, value: int) -> None:
    """Fill a polygon, a box or a line of some width."""
    if "line" in shape:
        points = [tuple(point) for point in shape["line"]]
        canvas.line(points, value, round(shape.get("width", 4)))
    elif "box" in shape:
        canvas.rectangle([shape["box"][k] - (k > 1) for k in range(4)], value)
    else:
        canvas.polygon([tuple(point) for point in shape["polygon"]], value)


def windows(height: int, width: int, size: int) -> list[tuple[slice, slice]]:
    """As few windows as cover an area, spread evenly; one that is smaller than it is left out."""

    def starts(length: int) -> NDArray[np.int64]:
        count = -(-length // size)
        return np.linspace(0, length - size, count).round().astype(int)

    if min(height, width) < size:
        return []
    return [(slice(y, y + size), slice(x, x + size)) for y in starts(height) for x in starts(width)]


def alone(tiles: list[Tile], group: str, weight: float) -> list[Pair]:
    """Tiles of one date as pairs with themselves, in which nothing changes."""
    return [
        Pair(tile.name, tile.name, np.zeros(tile.cover.shape, np.uint8), weight, group)
        for tile in tiles
    ]


def write(out: Path, tiles: list[Tile], pairs: list[Pair], quality: int) -> None:
    """One zip: WebP, PNG, and a manifest that says what is what."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(out, "w") as pack:
        for tile in tiles:
            image = Image.fromarray(np.ascontiguousarray(tile.image))
            pack.writestr(f"{tile.name}.webp", encoded(image, "WEBP", quality=quality, method=6))
            known = tile.cover if tile.barren is None else tile.cover + BARREN * tile.barren
            pack.writestr(
                f"{tile.name}.png", encoded(Image.fromarray(known.astype(np.uint8)), "PNG")
            )
        for index, pair in enumerate(pairs):
            if pair.changed is not None and pair.changed.any():
                pack.writestr(f"{index}.change.png", encoded(Image.fromarray(pair.changed), "PNG"))
        manifest = {
            "tiles": [{"name": t.name, "size": len(t.image), "meters": t.meters} for t in tiles],
            "pairs": [
                {
                    "before": p.before,
                    "after": p.after,
                    "known": p.changed is not None,
                    "weight": p.weight,
                    "group": p.group,
                }
                for p in pairs
            ],
        }
        pack.writestr("manifest.json", json.dumps(manifest))


def encoded(image: Image.Image, kind: str, **options: int) -> bytes:
    """An image as the bytes of a file."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


class Unpacked(NamedTuple):
    """What a pack holds, by the side of its tiles."""

    large: Bank  # mosaics and coasts, one date each
    small: Bank  # places and chips
    barren: NDArray[np.bool_]  # of the tiles of ``small``: surely no vegetation
    names: list[str]  # of the tiles of ``small``


def drawn(folder: Path) -> Bank:
    """What ``scd simulate folder --pairs N --legend urban`` drew, as a bank of pairs of two dates.

    Sports grounds, which are lawn or court, have no class; where they changed, it does not count.
    """
    train = folder / "train"
    names = sorted(file.name for file in (train / "im1").iterdir())

    def dates(kind: str) -> NDArray[np.uint8]:
        """Both dates of every pair, one after the other."""
        files = [train / f"{kind}{date}" / name for name in names for date in (1, 2)]
        return np.stack([np.array(Image.open(file)) for file in files])

    covers, labels = dates("cover"), dates("label")
    covers[covers == IGNORED] = UNKNOWN
    before = labels[::2]
    return make_bank(
        np.ascontiguousarray(np.moveaxis(dates("im"), -1, 1)),
        covers,
        [PIXEL_SIZE] * len(labels),
        [(2 * k, 2 * k + 1) for k in range(len(names))],
        np.where(before == IGNORED, IGNORED, before > 0).astype(np.uint8),
        [1.0] * len(names),
        [0] * len(names),
    )


def unpack(path: Path) -> Unpacked:
    """Read a pack."""
    with zipfile.ZipFile(path) as pack:
        names = set(pack.namelist())
        manifest = json.loads(pack.read("manifest.json"))

        def image(name: str) -> NDArray[np.uint8]:
            return np.array(Image.open(io.BytesIO(pack.read(name))))

        groups = sorted({pair["group"] for pair in manifest["pairs"]})
        banks = {}
        for size in (LARGE, SMALL):
            tiles = [t for t in manifest["tiles"] if t["size"] == size]
            index = {t["name"]: k for k, t in enumerate(tiles)}
            pairs = [(k, p) for k, p in enumerate(manifest["pairs"]) if p["before"] in index]
            changed = np.zeros((len(pairs), size, size), np.uint8)
            for row, (k, pair) in enumerate(pairs):
                if f"{k}.change.png" in names:
                    changed[row] = image(f"{k}.change.png")
                elif not pair["known"]:
                    changed[row] = IGNORED
            maps = np.stack([image(f"{t['name']}.png") for t in tiles])
            barren = maps >= BARREN
            banks[size] = make_bank(
                np.stack([np.moveaxis(image(f"{t['name']}.webp"), -1, 0) for t in tiles]),
                maps % BARREN,
                [t["meters"] for t in tiles],
                [(index[p["before"]], index[p["after"]]) for _, p in pairs],
                changed,
                [p["weight"] for _, p in pairs],
                [groups.index(p["group"]) for _, p in pairs],
            )
        small = [t["name"] for t in manifest["tiles"] if t["size"] == SMALL]
    return Unpacked(banks[LARGE], banks[SMALL], barren, small)


if __name__ == "__main__":
    main()
