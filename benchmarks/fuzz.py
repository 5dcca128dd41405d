"""Damaged inputs through the commands that read them: no traceback, crash, hang or broken output.

Usage: OMP_NUM_THREADS=1 python benchmarks/fuzz.py [--inputs 2000] [--seed 0] [--keep DIR]
           [--only WORD] [--cases 17,23]

Makes a small world (images, labelled sets, tables, polygons, a legend, an untrained model, an
interrupted prediction, a file of options), damages one file of it at a time and runs a command on
it, in a forked child of this process, which has everything imported. A child may compute for 30 s,
or wait for five minutes, and take 1.5 GB. Training ends after the look through its set. The exit
status is 1 if anything was found; --keep keeps the inputs of what was found, --cases runs some
numbers of the same campaign again.
"""

import argparse
import json
import os
import random
import resource
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout, suppress
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import NamedTuple
from warnings import catch_warnings

import fiona
import numpy as np
import pyogrio
import rasterio
import shapely
import torch
from rasterio.transform import Affine

import scdcli
import scdcli.models.checkpoint
import scdcli.prediction.journal
import scdcli.training.stages
from scdcli.cli import main
from scdcli.legend import SECOND
from scdcli.models.checkpoint import ModelHeader, save_model
from scdcli.models.networks import NetworkSettings, build
from scdcli.models.networks.model import ChangeModel

SECONDS, MEGABYTES = 30, 1500
PATIENCE = 300  # seconds on the clock: on a busy machine little is computed in 30
STATUSES = (0, 1, 2, 3)
STOPPED = (signal.SIGPROF, signal.SIGALRM)
FINDINGS = ("traceback", "crash", "hang", "memory", "output")
SOUND = "none"
PLACE = Affine(1, 0, 500_000, 0, -1, 4_000_000)
SMALL = ("--chip", "64", "-q")
MODEL = ("-m", "model.safetensors")
EXAMINED = ("--chip", "64", "-o", "scores.json", "-q")
TRAINED = (
    "-o",
    "run",
    "--width",
    "0.125",
    "--chip",
    "64",
    "--batch",
    "1",
    "--val-share",
    "0",
    "-q",
)

# What is damaged: files of the world, and the commands that read them.
TARGETS = {
    "image": (
        ("pair/*.tif",),
        (
            ("predict", "pair/before.tif", "pair/after.tif", "-o", "out", *MODEL, *SMALL),
            ("check", "pair/before.tif", "pair/after.tif"),
        ),
    ),
    "image of a set": (
        ("set/train/im?/*.png", "scenes/?/before.tif"),
        (("check", "ROOT"), ("train", "ROOT", *TRAINED), ("evaluate", "ROOT", *MODEL, *EXAMINED)),
    ),
    "label": (
        ("set/train/label?/*.png", "rasters/b/from.tif"),
        (
            ("check", "ROOT"),
            ("train", "ROOT", *TRAINED),
            ("evaluate", "ROOT", "--pred", "ROOT", *EXAMINED[2:]),
        ),
    ),
    "polygons": (
        ("scenes/a/changes.gpkg",),
        (
            ("check", "ROOT"),
            ("train", "ROOT", *TRAINED),
            ("evaluate", "ROOT", *MODEL, *EXAMINED),
            ("predict", "pair/before.tif", "pair/after.tif", "-o", "out", "--aoi",
             "scenes/a/changes.gpkg", *MODEL, *SMALL),
        ),
    ),
    "legend": (
        ("legend.toml", "legend.json"),
        (
            ("check", "set", "--legend", "FILE"),
            ("train", "set", "--legend", "FILE", *TRAINED),
            ("evaluate", "set/train", "--pred", "set/train", "--legend", "FILE", *EXAMINED[2:]),
        ),
    ),
    "table": (
        ("pairs.csv", "scenes/pairs.csv"),
        (
            ("predict", "--pairs", "FILE", "-o", "out", *MODEL, *SMALL),
            ("train", "scenes", "--legend", "second", *TRAINED),
            ("evaluate", "scenes", "--legend", "second", *MODEL, *EXAMINED),
            ("check", "scenes", "--legend", "second"),
        ),
    ),
    "split": (("split.csv",), (("train", "set", "--split-file", "split.csv", *TRAINED),)),
    "model": (
        ("model.safetensors",),
        (
            ("predict", "pair/before.tif", "pair/after.tif", "-o", "out", *MODEL, *SMALL),
            ("evaluate", "set/train", *MODEL, *EXAMINED),
            ("check", "pair/before.tif", "pair/after.tif", *MODEL),
            ("train", "set", "--init", "model.safetensors", "-o", "run", "--chip", "64", "-q"),
        ),
    ),
    "journal": (
        (".out.partial/journal/*",),
        (
            ("predict", "wide/before.tif", "wide/after.tif", "-o", "out", "--resume", *MODEL,
             *SMALL),
        ),
    ),
    "options": (
        ("scd.toml",),
        (
            ("--config", "scd.toml", "predict", "pair/before.tif", "pair/after.tif", "-o", "out",
             *MODEL),
            ("--config", "scd.toml", "train", "set", *TRAINED[:2]),
            ("--config", "scd.toml", "evaluate", "set/train", *MODEL),
            ("--config", "scd.toml", "check", "pair/before.tif", "pair/after.tif"),
        ),
    ),
}  # fmt: skip

TEXT = (".toml", ".json", ".csv")
WORDS = (
    "", "0", "-1", "1e999", "nan", "999999999999999999999", "0.5", "true", "null", "[]", "{}", "''",
    '"', "\0", "\ufeff", "é", "\ud800", "../..", "/", "-", "x" * 5000, "\n", ";", "#GGGGGG",
    "2" * 400,
)  # fmt: skip


class Case(NamedTuple):
    """One damaged input and the command that reads it."""

    number: int
    target: str
    mutation: str
    file: str
    command: tuple[str, ...]


def write_image(path, bands, driver="GTiff", **profile):
    path.parent.mkdir(parents=True, exist_ok=True)
    if driver == "GTiff":
        profile = {"crs": "EPSG:32650", "transform": PLACE, **profile}
    count, height, width = bands.shape
    shape = {"count": count, "height": height, "width": width, "dtype": bands.dtype}
    with (
        catch_warnings(action="ignore"),  # a PNG has no place
        rasterio.open(path, "w", driver=driver, **shape, **profile) as target,
    ):
        target.write(bands)


def noise(rng, shape, kind="uint8"):
    return rng.integers(1, 250, (3, *shape)).astype(kind)


def make_world(folder):
    """Write a sound input of every kind; every command of `TARGETS` succeeds on it."""
    make_images(folder, np.random.default_rng(0))
    make_sets(folder, np.random.default_rng(1))
    make_legends(folder)
    table = "before;after;output;cloud\r\npair/before.tif;pair/after.tif;one;0,5\r\n"
    (folder / "pairs.csv").write_text(f"sep=;\r\n{table}", encoding="utf-16")
    (folder / "split.csv").write_text("name,split\n1,train\n2,val\n")
    (folder / "scd.toml").write_text(
        '[predict]\nchip = 64\nvector = ["gpkg"]\nmmu = 4.0\nquiet = true\ntta = "flip"\n'
        "[train]\nchip = 64\nwidth = 0.125\nbatch = 1\nlr = 0.01\nepochs = 2\n"
        '[evaluate]\nchip = 64\nbands = "1,2,3"\n[check]\nbands = "1,2,3"\nscale = [0, 255]\n'
    )
    settings = NetworkSettings(name="fc-ef", width=0.125, bands=3, classes=len(SECOND))
    torch.manual_seed(0)
    model = ChangeModel(build(settings), [90.0] * 3, [40.0] * 3).eval()
    save_model(folder / "model.safetensors", model, ModelHeader(settings, SECOND, chip=64))


def make_images(folder, rng):
    """A pair of one chip and one of two supertiles."""
    place = folder / "pair/before.tif"
    write_image(place, noise(rng, (60, 70)), compress="deflate", nodata=0)
    tiled = {"tiled": True, "blockxsize": 32, "blockysize": 32, "compress": "lzw", "predictor": 2}
    write_image(folder / "pair/after.tif", noise(rng, (60, 70)), **tiled)
    for date in ("before", "after"):
        write_image(folder / f"wide/{date}.tif", noise(rng, (60, 420)))


def make_sets(folder, rng):
    """Labelled sets: pictures as SECOND has them, scenes with polygons and with class maps."""
    index = np.zeros((2, 1, 136, 64), "uint8")
    index[0, :, 8:30, 8:40], index[1, :, 8:30, 8:40] = 3, 5
    for name in "12":
        for date, each in enumerate(index, start=1):
            picture = noise(rng, (136, 64))
            write_image(folder / f"set/train/im{date}/{name}.png", picture, "PNG")
            colors = SECOND.encode(each[0])
            write_image(folder / f"set/train/label{date}/{name}.png", colors, "PNG")
    for scene in ("scenes/a", "scenes/b", "rasters/b"):
        for date in ("before", "after"):
            write_image(folder / f"{scene}/{date}.tif", noise(rng, (136, 64)))
    for part, each in zip(("from", "to"), index, strict=True):
        write_image(folder / f"rasters/b/{part}.tif", each, compress="deflate")
    drawn = shapely.to_wkb(np.array([shapely.box(500_008, 3_999_970, 500_040, 3_999_992)]))
    columns = [np.array([3]), np.array([5])]
    about = {"geometry_type": "Polygon", "crs": "EPSG:32650", "layer": "changes"}
    layer = folder / "scenes/a/changes.gpkg"
    pyogrio.raw.write(layer, drawn, columns, ["from_class", "to_class"], **about)
    rows = "a,a/before.tif,a/after.tif,a/changes.gpkg\nb,b/before.tif,b/after.tif,a/changes.gpkg\n"
    (folder / "scenes/pairs.csv").write_text(f"name,before,after,changes\n{rows}")


def make_legends(folder):
    """The same legend as JSON and as TOML."""
    legend = {"name": "drawn", "unchanged": 0, "nodata": [255, 99], "nodata_color": "#010203"}
    covers = [
        {"name": cover.name, "color": "#{:02x}{:02x}{:02x}".format(*cover.color), "value": value}
        for value, cover in enumerate(SECOND.classes, 1)
    ]
    (folder / "legend.json").write_text(json.dumps(legend | {"classes": covers}, indent=1))
    lines = [f"{key} = {json.dumps(value)}" for key, value in legend.items()]
    for cover in covers:
        lines += ["[[classes]]", *(f"{key} = {json.dumps(value)}" for key, value in cover.items())]
    (folder / "legend.toml").write_text("\n".join(lines) + "\n")


def interrupt_prediction(folder):
    """Leave a finished supertile and a part of the next in the journal."""
    if os.fork() == 0:
        store = scdcli.prediction.journal.Journal.store

        def store_or_stop(journal, number, layers):
            if number > 0:
                os._exit(0)
            store(journal, number, layers)

        scdcli.prediction.journal.Journal.store = store_or_stop
        scdcli.prediction.journal.KEEP_EVERY = 0
        os.chdir(folder)
        run((*TARGETS["journal"][1][0][:5], *MODEL, *SMALL))
        os._exit(1)
    _, status = os.wait()
    if status or not (folder / ".out.partial/journal/000001.part").exists():
        sys.exit("the prediction to resume could not be made")


def readers(file, commands):
    """The commands of a target, of this file or of the set that it lies in."""
    root = file.split("/")[0]
    for command in commands:
        split = "/train" if root == "set" and command[0] == "evaluate" else ""
        named = tuple({"FILE": file, "ROOT": root + split}.get(word, word) for word in command)
        yield (*named, "--legend", "second") if "ROOT" in command and root != "set" else named


def choices(world):
    """Target, file, commands that read it and ways to damage it, of every file."""
    for target, (patterns, commands) in TARGETS.items():
        for path in sorted(path for pattern in patterns for path in world.glob(pattern)):
            file = str(path.relative_to(world))
            mutations = [name for name, (fits, _) in MUTATIONS.items() if fits(path)]
            yield target, file, list(readers(file, commands)), mutations


def plan(world, inputs, seed):
    """The cases of a campaign: every target as often."""
    rng = random.Random(seed)
    every = list(choices(world))
    by_target = [[each for each in every if each[0] == target] for target in TARGETS]
    for number in range(inputs):
        target, file, commands, mutations = rng.choice(by_target[number % len(by_target)])
        yield Case(number, target, rng.choice(mutations), file, rng.choice(commands))


def flip(content, rng):
    """One to eight bits anywhere."""
    for _ in range(rng.randint(1, 8)):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)


def cut(content, rng):
    """Truncated at random."""
    del content[rng.randrange(len(content)) :]


def overwrite(content, rng):
    """A span of other bytes."""
    start = rng.randrange(len(content))
    length = min(rng.choice((1, 4, 64, 1024)), len(content) - start)
    content[start : start + length] = rng.choice(
        (bytes(length), b"\xff" * length, rng.randbytes(length))
    )


def splice(content, rng):
    """A piece of the file again, in another place."""
    start, place = rng.randrange(len(content)), rng.randrange(len(content))
    content[place:place] = content[start : start + rng.choice((1, 16, 512))]


def directories(content):
    """Place of every entry of every directory of a classic TIFF, and its struct prefix."""
    order = "<" if content[:2] == b"II" else ">"
    entries, (offset,) = [], struct.unpack_from(f"{order}I", content, 4)
    while offset and offset + 2 <= len(content) and len(entries) < 200:
        (count,) = struct.unpack_from(f"{order}H", content, offset)
        entries += [offset + 2 + 12 * number for number in range(count)]
        (offset,) = struct.unpack_from(f"{order}I", content, offset + 2 + 12 * count)
    return order, entries


def tag_bit(content, rng):
    """A bit of the header or of the directory of a TIFF."""
    _, entries = directories(content)
    place = rng.choice([rng.randrange(8), *(rng.choice(entries) + rng.randrange(12),) * 7])
    content[place] ^= 1 << rng.randrange(8)


def tag_value(content, rng):
    """Tag, type, number or value of an entry of the directory of a TIFF."""
    order, entries = directories(content)
    entry, extreme = rng.choice(entries), (0, 1, 2, 3, 255, 65_535, 2**31, 2**32 - 1)
    field, form = rng.choice(((0, "H"), (2, "H"), (4, "I"), (8, "I"), (8, "I")))
    value = rng.choice((*extreme, rng.getrandbits(32))) & (0xFFFF if form == "H" else 0xFFFFFFFF)
    struct.pack_into(f"{order}{form}", content, entry + field, value)


def word(content, rng):
    """A word of a text, or of the header of a model, becomes another."""
    binary = content[8:9] == b"{"  # safetensors: eight bytes of length, then JSON
    size = struct.unpack_from("<Q", content)[0] if binary else len(content)
    start = 8 if binary else 0
    wide = content[:2] == b"\xff\xfe"
    text = bytes(content[start : start + size]).decode("utf-16" if wide else "utf-8")
    pieces = text.split(rng.choice((",", ":", '"', "\n", ";", "=", " ")))
    number = rng.randrange(len(pieces))
    old = pieces[number]
    found = text.index(old) if old else rng.randrange(len(text))
    new = text[:found] + rng.choice(WORDS) + text[found + len(old) :]
    encoded = new.encode("utf-16" if wide else "utf-8", "surrogatepass")
    content[start : start + size] = encoded
    if binary:
        content[:8] = struct.pack("<Q", len(encoded))


def is_text(path):
    return path.suffix in (*TEXT, ".safetensors")


def is_tiff(path):
    return path.suffix == ".tif"


MUTATIONS = {
    "bits": (lambda path: True, flip),
    "cut": (lambda path: True, cut),
    "span": (lambda path: True, overwrite),
    "splice": (lambda path: True, splice),
    "tag bit": (is_tiff, tag_bit),
    "tag": (is_tiff, tag_value),
    "word": (is_text, word),
}


def damage(path, mutation, rng):
    content, times = bytearray(path.read_bytes()), path.stat()
    MUTATIONS[mutation][1](content, rng)
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # a journal knows its images by it


def run(command):
    """The exit status of a command; anything but an exit is a traceback."""
    try:
        main(list(command), prog_name="scd")
    except SystemExit as end:
        return end.code
    return None


def broken_outputs(folder, status):
    """What the command left that does not open, or should not be there."""
    scores = folder / "scores.json"
    results = {path.parent for path in (folder / "out").rglob("*") if path.is_file()}
    if status not in (0, 3) and (results or scores.exists()):
        yield "there are results though the command failed"
    if (folder / "run").exists():
        yield "training has begun; campaign() should have put a stop to that"
    if scores.exists():
        json.loads(scores.read_text())
    for path in results:
        if path != folder / "out" or any(path.glob("*.tif")):  # of a batch, it has its files
            json.loads((path / "summary.json").read_text())
        for raster in path.glob("*.tif"):
            with rasterio.open(raster) as dataset:
                dataset.read()
        for layer in path.glob("*.gpkg"):
            with fiona.open(layer) as features:
                list(features)


def child(folder, command):
    """Run and look at what is left; writes what was found to ``found.json``."""
    os.chdir(folder)
    # Of address space, on top of what the libraries have mapped: GDAL asks for what it is told.
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEGABYTES * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in STOPPED:
        signal.signal(number, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.alarm(PATIENCE)
    found = None
    said = Path("said.txt").open("w", encoding="utf-8", errors="replace", buffering=1)  # noqa: SIM115
    os.dup2(said.fileno(), 1)  # libraries in C speak, too
    os.dup2(said.fileno(), 2)
    with redirect_stdout(said), redirect_stderr(said):
        try:
            status = run(command)
            if status not in STATUSES:
                found = "traceback"
        except BaseException:
            traceback.print_exc()
            status, found = 1, "traceback"
        if "a bug of scd" in Path("said.txt").read_text(encoding="utf-8", errors="replace"):
            found = "traceback"
        try:
            for problem in broken_outputs(folder, status):
                print(f"OUTPUT: {problem}")
                found = found or "output"
        except Exception:
            traceback.print_exc()
            found = found or "output"
    Path("found.json").write_text(json.dumps({"found": found, "status": status}))


def warm(world):
    """Import and do once what every child would have to do anew; in one thread, which forks."""
    torch.set_num_threads(1)
    for module in walk_packages(scdcli.__path__, "scdcli."):
        if not module.name.endswith("__main__") and "qgis.plugin." not in module.name:
            import_module(module.name)  # the plugin's modules run inside QGIS only
    for name in ("rich.progress", "rich.table"):
        import_module(name)
    loaded = scdcli.models.checkpoint.load_model(str(world / "model.safetensors"))
    with torch.device("meta"), torch.inference_mode():
        build(loaded.header.network)


def require_sound(world, folder, commands):
    """Every command must succeed on the sound world, or its failures would say nothing."""
    failed = False
    for command in commands:
        found, status, _ = attempt(world, folder, Case(0, "", SOUND, "", command), 0)
        if found or status:
            said = (folder / "said.txt").read_text(errors="replace")
            print(f"{' '.join(command)} fails on sound inputs ({found}, {status}): {said}")
            failed = True
    if failed:
        sys.exit(1)


def attempt(world, folder, case, seed):
    """What was found in a case, its exit status, and the most memory of its process in MB."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(world, folder)
    if case.mutation != SOUND:
        damage(folder / case.file, case.mutation, random.Random(f"{seed}/{case.number}"))
    process = os.fork()
    if process == 0:
        with suppress(BaseException):
            child(folder, case.command)
        os._exit(0)
    _, ended, used = os.wait4(process, 0)
    megabytes = used.ru_maxrss / 1024
    if os.WIFSIGNALED(ended):
        number = os.WTERMSIG(ended)
        return "hang" if number in STOPPED else "crash", -number, megabytes
    told = folder / "found.json"
    if not told.exists():
        return "crash", None, megabytes
    result = json.loads(told.read_text())
    found = result["found"] or ("memory" if megabytes > MEGABYTES else None)
    return found, result["status"], megabytes


def campaign(options):
    scdcli.training.stages.train_in_stages = lambda training: iter(())
    started, most, counts, statuses = time.perf_counter(), 0.0, {}, Counter()
    with tempfile.TemporaryDirectory() as scratch:
        world, folder = Path(scratch, "world").resolve(), Path(scratch, "case").resolve()
        make_world(world)
        warm(world)
        interrupt_prediction(world)
        wanted = {int(number) for number in options.cases.split(",") if number}
        cases = [
            case
            for case in plan(world, options.inputs, options.seed)
            if (case.number in wanted or not wanted) and options.only in str(case)
        ]
        require_sound(world, folder, dict.fromkeys(case.command for case in cases))
        for number, case in enumerate(cases):
            if number and number % 200 == 0:
                print(f"{number} of {len(cases)}", file=sys.stderr, flush=True)
            found, status, megabytes = attempt(world, folder, case, options.seed)
            most = max(most, megabytes)
            statuses[status] += 1
            command = next(name for name in case.command if name in COMMANDS)
            key = (command, case.target, case.mutation)
            counts.setdefault(key, Counter()).update(["inputs", *([found] if found else [])])
            if found:
                said = (folder / "said.txt").read_text(errors="replace").strip().splitlines()
                print(f"{case.number}: {found} ({status}), {' '.join(case.command)}")
                print(
                    f"    {case.mutation} in {case.file}: {said[-1][:300] if said else ''}",
                    flush=True,
                )
                if options.keep:
                    shutil.copytree(folder, options.keep / str(case.number), dirs_exist_ok=True)
    show(counts)
    total = sum(counts.values(), Counter())
    told = ", ".join(f"{total[name]} {name}" for name in FINDINGS)
    print(f"\n{total['inputs']} inputs, seed {options.seed}: {told}")
    ended = ", ".join(f"{status}: {n}" for status, n in sorted(statuses.items(), key=str))
    print(f"Exit statuses {ended}; at most {most:.0f} MB; {time.perf_counter() - started:.0f} s")
    return total.total() - total["inputs"]


COMMANDS = ("predict", "check", "evaluate", "train")


def show(counts):
    """Inputs by command and mutation; behind a plus, how many of them found something."""
    width = max(len(name) for name in TARGETS) + 2
    print(f"\n{'command':10}{'damaged':{width}}", *(f"{name:>8}" for name in MUTATIONS))
    for command in COMMANDS:
        for target in TARGETS:
            cells = [counts.get((command, target, mutation), Counter()) for mutation in MUTATIONS]
            if any(cells):
                shown = (
                    f"{cell['inputs']}+{cell.total() - cell['inputs']}"
                    if cell.total() > cell["inputs"]
                    else f"{cell['inputs'] or ''}"
                    for cell in cells
                )
                print(f"{command:10}{target:{width}}", *(f"{cell:>8}" for cell in shown))


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for the inputs of what was found")
    parser.add_argument("--only", default="", help="a word of the file, command or mutation")
    parser.add_argument("--cases", default="", help="numbers of cases, with commas between")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(1 if campaign(parse()) else 0)
