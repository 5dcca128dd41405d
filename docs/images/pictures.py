"""Make the pictures of the pages, beside this file or in OUT, as the bundled models map today.

Usage: python docs/images/pictures.py [NAME...] [--out OUT] [--california DIR]

Without names all are made, but urban-exam.png only where DIR has the images that `benchmarks/exam`
judges, report.jpg only where chromedriver is, and qgis.jpg where QGIS, Xvfb, xdotool and
ImageMagick are. `diagrams.py` draws the others.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import rasterio
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image

import scdcli
from scdcli.legend import LEGENDS

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PLACES = ("chico_96", "chico_63", "claremont_15", "claremont_67")
WINDOW = 1100, 800  # pixels of the browser that shows the report
SHOWN = 1100, 1130  # of its page, from the top
SCALE = 0.75
NEEDS = {  # programs beside Python
    "report.jpg": ("chromium", "chromedriver"),
    "qgis.jpg": ("qgis", "Xvfb", "xdotool", "import"),
}


def run(*words: object, folder: Path) -> None:
    """A call of Python in a folder."""
    subprocess.run([sys.executable, *map(str, words)], check=True, cwd=folder)


def shrink(file: Path, out: Path, *, width: int, colors: int | None = None) -> None:
    """The picture so many pixels wide, and with so many colors."""
    with Image.open(file) as image:
        size = width, round(image.height * width / image.width)
        small = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    if colors is not None:  # the octree keeps small swatches of a legend apart
        small = small.quantize(colors, method=Image.Quantize.FASTOCTREE)
    small.save(out, optimize=True)


def demo(folder: Path) -> Path:
    """The demo scene and what the default model finds in it."""
    if not (folder / "demo/changes").exists():
        run("-m", "scdcli", "simulate", "demo", folder=folder)
        pair = "demo/before.tif", "demo/after.tif"
        run("-m", "scdcli", "predict", *pair, "-o", "demo/changes", folder=folder)
    return folder / "demo"


def draw_demo(out: Path, folder: Path) -> None:
    """Before, after, what was there, what is there now."""
    scene = demo(folder)
    maps = scene / "before.tif", scene / "after.tif", scene / "changes"
    run(ROOT / "examples/show_prediction.py", *maps, out, folder=folder)


def draw_report(out: Path, folder: Path) -> None:
    """The top of the page of the demo."""
    sys.path.append(str(ROOT / "tests"))
    from browser import browsing

    with browsing() as browser:
        browser.open(demo(folder) / "changes/report.html", *WINDOW)
        browser.until("document.body.dataset.ready")
        page = Image.open(BytesIO(browser.screenshot(whole=True))).convert("RGB")
    shown = page.crop((0, 0, *SHOWN))
    shown.resize([round(SCALE * side) for side in SHOWN], Image.Resampling.LANCZOS).save(
        out, quality=88, optimize=True
    )


def draw_qgis(out: Path, folder: Path) -> None:
    """The project of the demo in a window of QGIS, on a screen that nobody sees."""
    place = demo(folder) / "changes"
    foreign = ("PYTHONPATH", "PYTHONHOME", "PROJ_LIB", "PROJ_DATA", "GDAL_DATA")
    env = {name: value for name, value in os.environ.items() if name not in foreign}
    env |= {"HOME": str(folder), "QT_QPA_PLATFORM": "xcb", "LC_ALL": "C.UTF-8"}
    with ExitStack() as stack:
        screen = ("Xvfb", "-displayfd", "1", "-screen", "0", "1280x800x24")
        shown = stack.enter_context(subprocess.Popen(screen, stdout=subprocess.PIPE, text=True))
        stack.callback(shown.terminate)
        env["DISPLAY"] = f":{shown.stdout.readline().strip()}"
        project = ("qgis", "--nologo", "--noversioncheck", "changes.qgz")
        stack.callback(stack.enter_context(subprocess.Popen(project, cwd=place, env=env)).terminate)
        search = ("xdotool", "search", "--sync", "--name", "Changes — QGIS")
        window = subprocess.check_output(search, env=env, text=True).split()[0]
        seen, before = b"now", b"before"
        while seen != before:  # until it has drawn all
            time.sleep(10)
            shot = subprocess.check_output(("import", "-window", window, "png:-"), env=env)
            seen, before = shot, seen
    Image.open(BytesIO(seen)).convert("RGB").save(out, quality=85, optimize=True)


def draw_pyramids(out: Path, folder: Path) -> None:
    """What aRP compares in the middle of the demo."""
    scene = demo(folder)
    pair = scene / "before.tif", scene / "after.tif"
    run(ROOT / "examples/feature_maps.py", "second", *pair, "-o", "maps", folder=folder)
    shrink(folder / "maps/arp.png", out, width=561)


def draw_collapse(out: Path, folder: Path) -> None:
    """How scores fall while a prediction fades away."""
    run(ROOT / "examples/score_collapse.py", out, folder=folder)


def draw_second(out: Path, folder: Path) -> None:
    """A drawn test pair, its truth, and what the model second finds."""
    pair = {"second-season.png": "00000", "second-small.png": "00002"}[out.name]
    if not (folder / "world").exists():
        drawn = ("--pairs", 3, "--split", "test", "--seed", 1, "--legend", "second")
        run("-m", "scdcli", "simulate", "world", *drawn, folder=folder)
    panels = ("--panels", f"panels-{pair}", "--panel-pairs", pair)
    run("-m", "scdcli", "evaluate", "world", "-m", "second", *panels, folder=folder)
    shrink(folder / f"panels-{pair}/{pair}.png", out, width=1000, colors=256)


def draw_exam(out: Path, folder: Path, california: Path) -> None:
    """Four places of the exam: images, what the default model says, what people saw."""
    sys.path.append(str(ROOT / "benchmarks/exam"))
    from exam import CLASSES, load_exam

    legend = LEGENDS["urban"]
    assert tuple(cover.name for cover in legend.classes) == CLASSES
    places = {place.name: place for place in load_exam()}
    figure = Figure(figsize=(8.64, 5.97), layout="constrained")
    axes = figure.subplots(len(PLACES), 6)
    titles = ("before", "after", "model: from", "model: to", "by eye: from", "by eye: to")
    for row, name in zip(axes, PLACES, strict=True):
        place = places[name]
        city, number = name.rsplit("_", 1)
        years = place.before, place.after
        files = [california / f"images/{city}_{year}_{number}.tif" for year in years]
        found = scdcli.predict(*files, pair=scdcli.PairSettings(bands=("red", "green", "blue")))
        judged = [index + 1 for index in (place.from_map, place.to_map)]  # unchanged is 0
        shown = [_colors(file) for file in files]
        for index in (found.from_class, found.to_class, *judged):
            shown.append(np.moveaxis(legend.encode(index.astype(np.uint8)), 0, -1))
        for axis, image in zip(row, shown, strict=True):
            axis.imshow(image, interpolation="antialiased")
            axis.set_xticks([])
            axis.set_yticks([])
        row[0].set_ylabel(name, fontsize=7)
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, fontsize=8)
    handles = [
        Patch(facecolor=np.array(cover.color) / 255, label=cover.name) for cover in legend.classes
    ]
    place_of_legend = {"loc": "outside lower center", "ncols": len(handles), "frameon": False}
    figure.legend(handles=handles, fontsize=7, **place_of_legend)
    figure.savefig(out, dpi=100)


def _colors(file: Path) -> np.ndarray:
    with rasterio.open(file) as image:
        return np.moveaxis(image.read([1, 2, 3]), 0, -1)


PICTURES: dict[str, Callable[..., None]] = {
    "demo.png": draw_demo,
    "report.jpg": draw_report,
    "qgis.jpg": draw_qgis,
    "pyramid-maps.png": draw_pyramids,
    "score-collapse.png": draw_collapse,
    "second-season.png": draw_second,
    "second-small.png": draw_second,
    "urban-exam.png": draw_exam,
}


def main() -> None:
    """Make those that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PICTURES))
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--california", type=Path)
    given = parser.parse_args()
    out = given.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch:
        for name in given.names or PICTURES:
            if name == "urban-exam.png" and given.california is None:
                print(f"{name} needs --california: left as it is")
            elif missing := [each for each in NEEDS.get(name, ()) if shutil.which(each) is None]:
                print(f"{name} needs {', '.join(missing)}: left as it is")
            else:
                more = (given.california,) if name == "urban-exam.png" else ()
                PICTURES[name](out / name, Path(scratch), *more)


if __name__ == "__main__":
    main()
