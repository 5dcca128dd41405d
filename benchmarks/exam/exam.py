"""The exam by eye: how a model judges real pairs that people judged before it.

The labels lie beside this file: ``places.geojson`` (polygons of change and of doubt, in pixels),
``unchanged.csv`` (places without change), ``points.csv`` (land cover that is certain). Only numpy
is needed::

    python benchmarks/exam/exam.py CALIFORNIA_DIR --pred DIR

``DIR`` holds one ``<place>.npz`` for each place, with the arrays ``probability`` (of change, 0 to
1), ``from`` and ``to`` (the land cover of each date at every pixel, as indexes) and, where the
order differs from `CLASSES`, ``classes`` (the names behind the indexes).
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

CLASSES = ("water", "ground", "road", "building", "vegetation")
UNLABELLED = -1
SIZE = 256
VALIDATION = "claremont"
RIM = 2
FOUND_SHARE = 0.3
BUILT_KINDS = ("built", "mixed")
HERE = Path(__file__).parent

Mask = np.ndarray


@dataclass(frozen=True)
class Point:
    """A pixel whose land cover at one date is certain."""

    year: int
    x: int
    y: int
    cover: int


@dataclass(frozen=True)
class Place:
    """What people judged at one place.

    Attributes:
        name: City and number, as in the names of the images.
        before: Year of the first image.
        after: Year of the second image.
        kind: ``built``, ``open``, ``wood`` or ``mixed`` for an unchanged place, ``changed`` else.
        changed: Where the land cover changed.
        ignore: What is not judged: doubt, and the rim around each changed polygon.
        from_map: Index into `CLASSES` before, where it changed; `UNLABELLED` elsewhere.
        to_map: The same, after.
        polygon_map: Number of the changed polygon at each pixel from 1; 0 elsewhere.
        points: Land cover that is certain.
    """

    name: str
    before: int
    after: int
    kind: str
    changed: Mask
    ignore: Mask
    from_map: np.ndarray
    to_map: np.ndarray
    polygon_map: np.ndarray
    points: tuple[Point, ...] = ()

    @property
    def validation(self) -> bool:
        """Whether the place belongs to the city by which thresholds are chosen."""
        return self.name.startswith(VALIDATION)


def rasterise(ring: Sequence[Sequence[float]], size: int = SIZE) -> Mask:
    """Pixels whose centre lies inside a ring, by the even-odd rule.

    Args:
        ring: Corners (x right, y down) in pixels; pixel (0, 0) has its centre at (0.5, 0.5).
        size: Rows and columns of the mask.

    Returns:
        The mask.
    """
    corners = np.asarray(ring, dtype=float)
    following = np.roll(corners, -1, axis=0)
    centres = np.arange(size) + 0.5
    inside = np.zeros((size, size), dtype=bool)
    for (x0, y0), (x1, y1) in zip(corners, following, strict=True):
        rows = np.flatnonzero((y0 <= centres) != (y1 <= centres))
        if rows.size:
            crossing = x0 + (centres[rows] - y0) / (y1 - y0) * (x1 - x0)
            inside[rows] ^= centres[None, :] > crossing[:, None]
    return inside


def grow(mask: Mask, pixels: int) -> Mask:
    """The mask and all within so many steps (of eight neighbours) around it."""
    grown = mask
    for _ in range(pixels):
        padded = np.pad(grown, 1)
        rows, columns = mask.shape
        grown = np.logical_or.reduce(
            [padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
        )
    return grown


def _place(
    key: tuple[str, int, int],
    kind: str,
    features: Sequence[dict[str, Any]],
    points: Sequence[Point],
    unsure: bool,
) -> Place:
    changed, warning = np.zeros((SIZE, SIZE), dtype=bool), np.zeros((SIZE, SIZE), dtype=bool)
    from_map = np.full((SIZE, SIZE), UNLABELLED, dtype=np.int8)
    to_map, polygon_map = from_map.copy(), np.zeros((SIZE, SIZE), dtype=np.int16)
    for number, feature in enumerate(features, start=1):
        about = feature["properties"]
        inside = rasterise(feature["geometry"]["coordinates"][0])
        if about["ignore"]:
            warning |= inside & ~changed
            continue
        judged = unsure or about["sure"]
        changed[inside] = judged
        warning[inside] = not judged
        from_map[inside] = CLASSES.index(about["from"]) if judged else UNLABELLED
        to_map[inside] = CLASSES.index(about["to"]) if judged else UNLABELLED
        polygon_map[inside] = number if judged else 0
    ignore = (warning | grow(changed, RIM)) & ~changed
    return Place(*key, kind, changed, ignore, from_map, to_map, polygon_map, points=tuple(points))


def load_exam(path: Path | str = HERE, *, unsure: bool = False) -> list[Place]:
    """Read the judgements.

    Args:
        path: Folder with ``places.geojson``, ``unchanged.csv`` and ``points.csv``.
        unsure: Count polygons that a second judge might dispute; else they are ignored.

    Returns:
        The places, the unchanged first, each group in the order of its file.
    """
    folder = Path(path)
    features: dict[tuple[str, int, int], list[dict[str, Any]]] = {}
    for feature in json.loads((folder / "places.geojson").read_text(encoding="utf-8"))["features"]:
        about = feature["properties"]
        key = (about["place"], int(about["before"]), int(about["after"]))
        features.setdefault(key, []).append(feature)
    with (folder / "unchanged.csv").open(encoding="utf-8", newline="") as file:
        kinds = {
            (row["place"], int(row["before"]), int(row["after"])): row["kind"]
            for row in csv.DictReader(file)
        }
    points: dict[str, list[Point]] = {}
    with (folder / "points.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            cover = CLASSES.index(row["class"])
            point = Point(int(row["year"]), int(row["x"]), int(row["y"]), cover)
            points.setdefault(row["place"], []).append(point)
    changed = [key for key in features if key not in kinds]
    return [
        _place(
            key, kinds.get(key, "changed"), features.get(key, []), points.get(key[0], []), unsure
        )
        for key in [*kinds, *changed]
    ]


@dataclass(frozen=True)
class Score:
    """Counts at one place; `summary` adds them up.

    Attributes:
        place: The place.
        unchanged: Judged pixels that did not change.
        false_alarms: Those of them that were called changed.
        changed: Pixels that changed.
        found: Those of them that were called changed.
        named: Found pixels with both classes right.
        from_right: Found pixels with the class before right.
        to_right: Found pixels with the class after right.
        polygons: Changed polygons.
        polygons_found: Those of which at least `FOUND_SHARE` was found.
        points: Points of certain land cover.
        points_right: Those whose land cover was named right.
    """

    place: Place
    unchanged: int
    false_alarms: int
    changed: int
    found: int
    named: int
    from_right: int
    to_right: int
    polygons: int
    polygons_found: int
    points: int
    points_right: int


def score(
    place: Place,
    probability: np.ndarray,
    from_map: np.ndarray,
    to_map: np.ndarray,
    threshold: float = 0.5,
) -> Score:
    """Compare a prediction with what people judged.

    Args:
        place: The judged place.
        probability: Probability of change, at every pixel.
        from_map: Index into `CLASSES` of the land cover before, at every pixel.
        to_map: The same, after.
        threshold: A pixel at or above it is called changed.

    Returns:
        The counts.
    """
    called = np.asarray(probability) >= threshold
    quiet = ~place.changed & ~place.ignore
    found = called & place.changed
    right_from = found & (np.asarray(from_map) == place.from_map)
    right_to = found & (np.asarray(to_map) == place.to_map)
    sizes = np.bincount(place.polygon_map.ravel())[1:]
    hits = np.bincount(place.polygon_map.ravel(), weights=found.ravel())[1:]
    drawn = sizes > 0
    covers = {place.before: np.asarray(from_map), place.after: np.asarray(to_map)}
    judged = [point for point in place.points if point.year in covers]
    right = [covers[point.year][point.y, point.x] == point.cover for point in judged]
    return Score(
        place=place,
        unchanged=int(quiet.sum()),
        false_alarms=int((quiet & called).sum()),
        changed=int(place.changed.sum()),
        found=int(found.sum()),
        named=int((right_from & right_to).sum()),
        from_right=int(right_from.sum()),
        to_right=int(right_to.sum()),
        polygons=int(drawn.sum()),
        polygons_found=int((hits[drawn] >= FOUND_SHARE * sizes[drawn]).sum()),
        points=len(judged),
        points_right=int(sum(right)),
    )


def _share(scores: Iterable[Score], part: str, whole: str) -> dict[str, float | None]:
    """A share of pixels over all places, and the mean of the shares of the places."""
    pairs = [(getattr(one, part), getattr(one, whole)) for one in scores]
    pairs = [(some, all_) for some, all_ in pairs if all_]
    if not pairs:
        return {"by_area": None, "by_place": None}
    return {
        "by_area": sum(some for some, _ in pairs) / sum(all_ for _, all_ in pairs),
        "by_place": sum(some / all_ for some, all_ in pairs) / len(pairs),
    }


def summary(scores: Sequence[Score]) -> dict[str, dict[str, float | None]]:
    """Add up the places.

    Args:
        scores: One score a place.

    Returns:
        Each share by area and by place; ``None`` where nothing was judged. The false alarms of
        ``false_built`` and ``false_unchanged`` are of unchanged places, those of
        ``false_beside_change`` of the rest of changed ones.
    """
    still = [one for one in scores if one.place.kind != "changed"]
    built = [one for one in still if one.place.kind in BUILT_KINDS]
    moved = [one for one in scores if one.place.kind == "changed"]
    return {
        "false_built": _share(built, "false_alarms", "unchanged"),
        "false_unchanged": _share(still, "false_alarms", "unchanged"),
        "false_beside_change": _share(moved, "false_alarms", "unchanged"),
        "found": _share(scores, "found", "changed"),
        "polygons_found": _share(scores, "polygons_found", "polygons"),
        "named": _share(scores, "named", "found"),
        "from_right": _share(scores, "from_right", "found"),
        "to_right": _share(scores, "to_right", "found"),
        "points_right": _share(scores, "points_right", "points"),
    }


def read_prediction(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probability and both land covers of one ``.npz``, as indexes into `CLASSES`."""
    with np.load(path) as file:
        names = [str(name) for name in file["classes"]] if "classes" in file else list(CLASSES)
        order = np.array([CLASSES.index(name) if name in CLASSES else UNLABELLED for name in names])
        return file["probability"], order[file["from"]], order[file["to"]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Score a folder of predictions and print the shares."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("california", type=Path, help="folder with images/CITY_YEAR_N.tif")
    parser.add_argument("--pred", type=Path, required=True, help="folder with <place>.npz")
    parser.add_argument("--threshold", type=float, default=0.5)
    parser.add_argument("--validation", action="store_true", help="the validation city instead")
    parser.add_argument("--unsure", action="store_true", help="count disputable polygons, too")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    places = load_exam(unsure=options.unsure)
    places = [place for place in places if place.validation == options.validation]
    for place in places:
        city, number = place.name.rsplit("_", 1)
        for year in (place.before, place.after):
            image = options.california / "images" / f"{city}_{year}_{number}.tif"
            if not image.exists():
                parser.error(f"{image} is missing: is this the folder of the images?")
    scores = [
        score(place, *read_prediction(options.pred / f"{place.name}.npz"), options.threshold)
        for place in places
    ]
    shares = summary(scores)
    if options.json:
        print(json.dumps(shares, indent=2))
        return
    print(f"{len(places)} places, threshold {options.threshold}\n")
    print(f"{'share':<22}{'by area':>10}{'by place':>10}")
    for name, both in shares.items():
        cells = "".join("-".rjust(10) if one is None else f"{one:10.1%}" for one in both.values())
        print(f"{name:<22}{cells}")


if __name__ == "__main__":
    main()
