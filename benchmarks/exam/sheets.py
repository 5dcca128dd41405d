"""Sheets of Californian places as an analyst would get them, to judge by eye.

Usage: python benchmarks/exam/sheets.py CALIFORNIA_DIR MODEL OUT [--places chico_2,palm_springs_4]

Each place has two rows, the earlier date above: the image, the class where it changed, the land
cover of every pixel; of places of the exam also what was judged. Without ``--places`` a dozen
of five cities: of the cities that trained nothing those with most change, of the others the first
that people drew as changed. OUT gets ``sheet-1.png`` and so on, three places to a sheet.
"""

import argparse
import io
import json
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
from exam import Place, load_exam
from numpy.typing import NDArray

import scdcli
from scdcli.legend import Legend
from scdcli.scoring.figures.panels import Column, draw_panel

sys.path.insert(0, str(Path(__file__).parent.parent))
from protocol_pictures import stacked

LABELS = Path(__file__).parent.parent / "gpu" / "labels" / "changes.json"
PER_SHEET = 3
OF_EXAM, OF_OTHERS = 3, 2  # places of each city


def main() -> None:
    """Choose, predict, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("california", type=Path)
    parser.add_argument("model")
    parser.add_argument("out", type=Path)
    parser.add_argument("--places", type=lambda text: text.split(","), default=None)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    judged = {place.name: place for place in load_exam()}
    names = given.places or dozen(list(judged.values()))
    model = scdcli.load_model(given.model)
    panels = [panel(given.california / "images", name, judged.get(name), model) for name in names]
    for start in range(0, len(panels), PER_SHEET):
        path = given.out / f"sheet-{start // PER_SHEET + 1}.png"
        matplotlib.image.imsave(path, stacked(panels[start : start + PER_SHEET]))
        print(path, *names[start : start + PER_SHEET])


def dozen(judged: list[Place]) -> list[str]:
    """Places that changed: most of those of the exam, and the first drawn of the other cities."""
    names: list[str] = []
    for city in ("chico", "claremont"):
        places = [place for place in judged if place.name.startswith(city)]
        names += [p.name for p in sorted(places, key=lambda p: -p.changed.sum())[:OF_EXAM]]
    drawn = json.loads(LABELS.read_text(encoding="utf-8"))
    changed = [name for name, shapes in sorted(drawn.items()) if any("to" in s for s in shapes)]
    for city in ("long_beach", "palm_springs", "santa_monica"):
        names += [name for name in changed if name.startswith(city)][:OF_OTHERS]
    return names


def panel(
    images: Path, name: str, place: Place | None, model: "scdcli.LoadedModel"
) -> NDArray[np.float32]:
    """One place with its maps, (H, W, 3)."""
    city, number = name.rsplit("_", 1)
    years = (place.before, place.after) if place else (2016, 2020)
    files = [images / f"{city}_{year}_{number}.tif" for year in years]
    found = scdcli.predict(*files, model=model)
    legend = found.legend
    changed = found.from_class != 0
    columns = [
        Column(f"{years[0]}, {years[1]}", *(read(file) for file in files)),
        Column(
            f"changed {100 * changed.mean():.1f} %",
            *(colors(each, legend) for each in (found.from_class, found.to_class)),
        ),
        Column(
            "land cover",
            *(colors(each, legend) for each in (found.before_cover, found.after_cover)),
        ),
    ]
    if place:
        truth = [
            np.where(place.changed, each + 1, np.where(place.ignore, 255, 0))
            for each in (place.from_map, place.to_map)
        ]
        columns.append(Column("judged", *(colors(each, legend) for each in truth)))
    png = draw_panel(name, columns, legend.classes)
    return matplotlib.image.imread(io.BytesIO(png))[..., :3]


def read(file: Path) -> NDArray[np.uint8]:
    """An image as rows of colors, (H, W, 3)."""
    import rasterio

    with rasterio.open(file) as dataset:
        return np.moveaxis(dataset.read([1, 2, 3]), 0, -1)


def colors(index: NDArray, legend: Legend) -> NDArray[np.uint8]:
    """A class map in the colors of its legend; lilac where nothing is known."""
    rgb = np.moveaxis(legend.encode(index.astype(np.uint8)), 0, -1)
    return np.where(index[..., None] == 255, np.uint8((200, 200, 235)), rgb)


if __name__ == "__main__":
    main()
