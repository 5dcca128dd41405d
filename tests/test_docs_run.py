"""What the pages show runs: every block of bash and of Python, as it stands, on tiny inputs.

Each page gets a copy of a folder in which the files lie that pages speak of, and its blocks run
there in order. Numbers that make work large are lowered (`SMALLER`); nothing else is changed.
What cannot run here is listed with a reason (`NOT_RUN`).
"""

import re
import shutil
import sys

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine
from commandserver import serving
from masks import write_masks
from pages import PAGES, ROOT, Block, calls_in, page_id, read_blocks
from pictures import write_png
from scenes import write_scene

from scdcli.legend import SECOND
from scdcli.simulation.world import draw_pair

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("bash") is None, reason="needs bash, and forks"
)

HOW_TO, REFERENCE = "docs/how-to", "docs/reference"
INSTALLS = "installs; .ci/run does it with the commands of the README"
# Blocks by page and first words; no words stand for all blocks of the page.
NOT_RUN = {
    ("README.md", "python3 -m venv"): INSTALLS,
    ("docs/tutorials/first-change-map.md", "python3 -m venv"): INSTALLS,
    (f"{HOW_TO}/install.md", ""): INSTALLS,
    (f"{HOW_TO}/reproduce-the-paper.md", ""): "trains for weeks, on a set that may not be copied",
    (
        f"{HOW_TO}/train-on-many-gpus.md",
        "",
    ): "wants several processes; test_distributed.py has them",
    (f"{HOW_TO}/run-on-many-machines.md", ""): "wants several processes; test_cluster.py has them",
    (f"{HOW_TO}/map-your-own-images.md", "rio --aws"): "reads from the network",
    (f"{HOW_TO}/open-results-in-qgis.md", "qgis_process"): "starts QGIS; tests/qgis does",
    (f"{HOW_TO}/open-results-in-arcgis-pro.md", "import os"): "wants ArcGIS Pro",
    (f"{HOW_TO}/train-on-your-own-data.md", "scd train SET --network asn-atl"): "trains twice; "
    "test_stages.py has it",
    (f"{HOW_TO}/add-a-network.md", "scd simulate out"): "wants a network that is not in NETWORKS",
    (f"{HOW_TO}/train-on-a-binary-change-set.md", "scd train LEVIR-CD --network hrscd"): "wants "
    "weights of ImageNet, which are an extra",
    ("docs/explanation/comparison.md", ""): "takes hours; test_examples.py does less of it",
    ("docs/explanation/default-model.md", ""): "takes hours, on sets that are not here",
}
# Blocks that are files, which the page names before them.
FILES = {
    (f"{HOW_TO}/add-a-network.md", "from torch import Tensor, nn"): "mynet.py",
    (f"{HOW_TO}/fine-tune-on-your-own-classes.md", 'name = "office"'): "office.toml",
    (f"{HOW_TO}/make-pairs-from-labelled-images.md", "# town.toml"): "town.toml",
    (f"{HOW_TO}/train-on-your-own-data.md", 'name = "parcels"'): "parcels.toml",
    (f"{HOW_TO}/train-on-your-own-data.md", "name,split"): "split.csv",
}
# What the reader has before a block of Python, and the words that a script is called with.
BEFORE = {
    (f"{HOW_TO}/add-a-network.md", "from scdcli.models.contract"): "from mynet import Plain",
    (f"{HOW_TO}/see-what-the-pyramids-compare.md", "from pyramidmaps"): """
import numpy as np
before, after = np.random.default_rng(0).uniform(0, 255, (2, 3, 64, 64)).astype("float32")
k = j1 = j2 = k1 = k2 = 0
""",
    (f"{HOW_TO}/make-pairs-from-labelled-images.md", "scd simulate SET"): "rm -r SET",
    (f"{HOW_TO}/train-on-a-binary-change-set.md", "scd train mine"): """
rm -r mine; mkdir -p mine/train; cd LEVIR-CD/train
for number in 1 2; do cp -r label ../../mine/train/label$number; done
cp -r A ../../mine/train/im1; cp -r B ../../mine/train/im2; cd ../..
""",
    (f"{HOW_TO}/run-on-large-scenes.md", "scd predict 2009.tif 2018.tif -o"): "rm -r changes",
    (f"{HOW_TO}/train-on-your-own-data.md", "scd train SET --config RUN"): """
cp -r runs/first RUN; export SCD_TRAIN_EPOCHS=2
""",
    (f"{HOW_TO}/write-a-batch-script.md", "#!/bin/bash"): "rm -r changes; set -- 2009 2018 changes",
    (f"{REFERENCE}/polygons.md", "from pathlib"): """
import rasterio
from scdcli.legend import URBAN as legend
from scdcli.rasters.grid import Grid
with rasterio.open("before__after/transition.tif") as source:
    grid = Grid(*source.shape, source.transform, source.crs)
""",
    (f"{REFERENCE}/python.md", "import scdcli"): "import shutil; shutil.rmtree('changes')",
    (f"{REFERENCE}/python.md", "grid = scdcli.Grid"): """
import numpy as np, scdcli
from affine import Affine
from rasterio.crs import CRS
transform, crs = Affine.scale(0.5, -0.5), CRS.from_epsg(32632)
before, after = np.random.default_rng(0).uniform(0, 255, (2, 3, 100, 120)).astype("uint8")
""",
    (f"{REFERENCE}/scores.md", "from scdcli.scoring"): """
import numpy as np
truth_from, truth_to, predicted_from, predicted_to = np.random.default_rng(0).integers(
    0, 7, (4, 8, 8), dtype="uint8"
)
""",
}
FOREIGN = ("gdal_edit.py", "gdal_translate", "gdalinfo", "gdalwarp", "jq", "ogr2ogr")
SMALLER = (
    (r"(scd simulate .*--pairs) \d+", r"\1 2"),
    (r"(scd simulate .*)--size \d+", r"\1--size 128"),
    (r"(scd sample .*)--size \d+", r"\1--size 150"),
    (r"--resume --epochs \d+", "--resume --epochs 2"),
    (r"(?<!resume )--epochs \d+", "--epochs 1"),
    (r"(scd train .*)--chip \d+", r"\1--chip 64"),
    (r"--width 0.5", "--width 0.125"),
    (r"--workers \d+", "--workers 1"),
    (r"--bootstrap \d+", "--bootstrap 100"),
    (r"Grid\(1000, 1200,", "Grid(100, 120,"),
    (r"Window\(0, 0, 512, 512\)", "Window(0, 0, 128, 128)"),
    (r"--tta none,ms,ms\+flip", "--tta none,flip"),
    (r"--tta ms\+flip", "--tta flip"),
    # With a model to start from its network is trained.
    (r"^( *scd train (?!.*(?:--init|--config|--width)).*)$", r"\1 --width 0.125"),
    (r"^( *scd train (?!.*(?:--init|--config|--network)).*)$", r"\1 --network fc-siam-diff"),
)
SMALL = {
    "SCD_SIMULATE_SIZE": "128",
    "SCD_TRAIN_EPOCHS": "1",
    "SCD_TRAIN_ATL_EPOCHS": "1",
    "SCD_TRAIN_CHIP": "64",
    "SCD_TRAIN_BATCH": "3",
    "SCD_TRAIN_CALIBRATE": "0",
    "SCD_PREDICT_REPORT": "0",
    "SCD_NETWORK": "mynet:Plain",  # of that model
    "SCD_PREDICT_MODEL": "runs/tiny/best.safetensors",
    "SCD_PREDICT_ENGINE": "torch",
    "SCD_EVALUATE_ENGINE": "torch",
    "SLURM_ARRAY_TASK_ID": "1",
    "SLURM_ARRAY_TASK_COUNT": "2",
}
PLAIN = {"photometric": "MINISBLACK"}  # or the fourth band would be alpha
ORIGIN = Affine(1, 0, 500_000, 0, -1, 4_000_128)


def of(block, table):
    """What a table has for a block, or None."""
    for (page, start), value in table.items():
        if page_id(block.page) == page and block.code.lstrip().startswith(start):
            return value
    return None


def blocks_of(page):
    """The blocks of a page that run, or are files for those that do."""
    for block in read_blocks(page):
        if block.language in ("bash", "python") or of(block, FILES):
            yield block
        elif not block.language and (calls := calls_in(block.code)):
            yield Block(page, "bash", "\n".join(calls))  # with explanations beside them


def run_of(page):
    """The blocks of a page that are not excepted."""
    return [block for block in blocks_of(page) if of(block, NOT_RUN) is None]


RUN = [page for page in PAGES if run_of(page)]


@pytest.fixture(scope="module")
def bash():
    with serving() as run:
        yield lambda text, folder: run(text, folder, **SMALL, HOME=str(folder))


def draw_set(root):
    """A set in the layout and the colors of SECOND, with the classes of parcels.toml alone."""
    rng = np.random.default_rng(3)
    names = {"train": ("00003", "00010", "00011"), "val": ("00012",), "test": ("00013", "00027")}
    for split, name in ((split, name) for split, all_of in names.items() for name in all_of):
        before = np.kron(rng.choice([2, 4], (4, 4)), np.ones((16, 16), int))
        after = before.copy()
        after[8:40, 16:56] = 6 - after[8:40, 16:56]
        for number, classes in ((1, before), (2, after)):
            shown = 40 * classes + rng.normal(0, 6, (3, 64, 64))
            label = SECOND.encode(np.where(before != after, classes, 0).astype(np.uint8))
            write_png(root / split / f"im{number}" / f"{name}.png", shown.astype(np.uint8))
            write_png(root / split / f"label{number}" / f"{name}.png", label)


def write_layer(path, layer="outline", field="name", mode="w"):
    """The western half of the scene as a layer."""
    outline = shapely.box(500_000, 4_000_000, 500_064, 4_000_128)
    values = [np.array(["west"])]
    options = {"geometry_type": "Polygon", "crs": "EPSG:32650", "layer": layer}
    pyogrio.raw.write(
        path, shapely.to_wkb([outline]), values, [field], append=mode == "a", **options
    )


def draw_town(folder):
    """Images of one date and their classes in the colors of town.toml."""
    colors = np.array([int(color, 16) for color in ("8429F6", "6EC1E4", "3C1098", "FEDD3A")])
    rng = np.random.default_rng(1)
    for name in ("north", "south"):
        classes = np.kron(rng.integers(0, 4, (10, 10)), np.ones((32, 32), int))
        label = np.stack([colors[classes] >> shift & 255 for shift in (16, 8, 0)])
        shown = 50 * classes + rng.normal(60, 6, (3, 320, 320))
        for kind, pixels in (("images", shown), ("labels", label)):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            write_scene(folder / kind / f"{name}.tif", pixels.astype(np.uint8), crs=None)


def draw_images(folder):
    """Both dates of one scene, with near infrared, under all names that pages give them."""
    drawn = draw_pair(14, 128, 128)
    after = drawn.before // 10 * 9 + 8
    after[:, 40:90, 30:100] = drawn.after[:, 40:90, 30:100]
    for pixels, names in (
        (drawn.before, ("before", "2009", "2015")),
        (after, ("after", "2018", "2024")),
    ):
        for name in names:
            path = write_scene(
                folder / f"{name}.tif", np.concatenate((pixels, pixels[:1])), ORIGIN, **PLAIN
            )
            with rasterio.open(path, "r+") as image:
                image.descriptions = ("red", "green", "blue", "nir")
        (folder / names[1]).mkdir()
        for place in ("north", "south"):
            shutil.copy(path, folder / names[1] / f"{place}.tif")


def write_tables(folder):
    """Tables of pairs, and places judged by persons and in another program."""
    rows = [f"2009/{name}.tif,2018/{name}.tif,{name}" for name in ("north", "south")]
    for name in ("pairs.csv", "tiles.csv", "sheets.csv"):
        (folder / name).write_text("\n".join(["before,after,output", *rows]))


STAGE = """
scd simulate yard --pairs 2 --legend urban
scd train yard -o runs/tiny --network mynet:Plain --width 1
scd simulate drawn --pairs 2
for name in SECOND MINE unchanged; do cp -r SET $name; done
for split in train test; do scd simulate mine --pairs 2 --split $split; done
scd train SET -o runs/first --network fc-siam-diff --width 0.125
for name in asn hrscd-str4 fc str4 levir; do cp -r runs/first runs/$name; done
cp runs/first/best.safetensors MODEL
cp -r SET/test truth
mkdir maps their-maps maps/fc maps/asn archive demo
for name in maps their-maps maps/fc maps/asn; do cp -r SET/test/label? $name; done
cp 2009.tif 2018.tif archive
scd predict before.tif after.tif -o changes -q -m urban --report
for name in before__after maps/west; do cp -r changes $name; done
cp -r changes demo/changes; cp changes/changes.gpkg corrected.gpkg
scd sample changes -o points.gpkg --size 150
python judge.py
"""


# Every place as the map has it, in the tables of three programs.
JUDGE = """
import csv, pyogrio, shapely
about, _, geometry, columns = pyogrio.raw.read("points.gpkg", layer="points")
rows = [dict(zip(about["fields"], values)) for values in zip(*columns)]
for row, point in zip(rows, shapely.from_wkb(geometry)):
    row |= {f"reference_{date}": row[f"map_{date}"] for date in ("from", "to")}
    row |= {"x": point.x, "y": point.y}
others = {"reference_from": "antes", "reference_to": "despues", "x": "E", "y": "N"}
renamed = [{others.get(key, key): value for key, value in row.items()} for row in rows]
for name, table in (("ann", rows), ("ben", rows), ("points-judged", rows), ("judged", renamed)):
    with open(f"{name}.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
"""


@pytest.fixture(scope="module")
def stage(bash, tmp_path_factory):
    """The folder that every page starts from."""
    folder = tmp_path_factory.mktemp("stage")
    draw_images(folder)
    draw_set(folder / "SET")
    for split in ("train", "val", "test"):
        write_masks(folder / "LEVIR-CD" / split)
        draw_town(folder / "TOWN" / split)
    shutil.copytree(folder / "LEVIR-CD/test/label", folder / "masks-of-others")
    (folder / "parishes").mkdir()
    for name in ("city", "parish", "parishes/north", "parishes/south", "district"):
        write_layer(folder / f"{name}.gpkg")
    write_layer(folder / "districts.gpkg")
    write_layer(folder / "plans.gpkg", "kreise", "GEN")
    write_layer(folder / "plans.gpkg", "city", mode="a")
    write_tables(folder)
    for row, name in FILES.items():
        block = next(b for page in PAGES for b in read_blocks(page) if of(b, {row: True}))
        (folder / name).write_text(block.code, encoding="utf-8")
    shutil.copy(folder / "parcels.toml", folder / "mine.toml")
    (folder / "judge.py").write_text(JUDGE)
    (folder / "examples").symlink_to(ROOT / "examples")
    done = bash(STAGE, folder)
    assert done.returncode == 0, done.stderr
    return folder


def smaller(code):
    """The same code with less work."""
    code = code.replace("\\\n", " ")
    for large, small in SMALLER:
        code = re.sub(large, small, code, flags=re.MULTILINE)
    return code


@pytest.mark.parametrize("page", RUN, ids=page_id)
def test_what_a_page_shows_runs(page, stage, bash, tmp_path):
    folder = tmp_path / "page"
    shutil.copytree(stage, folder, symlinks=True)
    imports = ""  # of the blocks so far, as in a notebook
    for number, block in enumerate(run_of(page)):
        if of(block, FILES):
            continue
        code = f"{of(block, BEFORE) or ''}\n{smaller(block.code)}"
        if block.language == "python":
            code = f"{imports}\n{code}"
            imports += (
                "\n".join(re.findall(r"^(?:import|from) .+", block.code, re.MULTILINE)) + "\n"
            )
            (folder / f"block{number}.py").write_text(code, encoding="utf-8")
            code = f"python block{number}.py"
        lacking = [name for name in FOREIGN if name in code and shutil.which(name) is None]
        if not lacking:
            done = bash(code, folder)
            assert done.returncode == 0, f"{code}\n{done.stdout[-1000:]}\n{done.stderr[-2000:]}"


@pytest.mark.parametrize("table", [NOT_RUN, FILES, BEFORE], ids=["not run", "files", "before"])
def test_what_is_said_of_a_block_is_of_one_that_is_shown(table):
    for row in table:
        assert any(of(block, {row: True}) for page in PAGES for block in read_blocks(page)), row
