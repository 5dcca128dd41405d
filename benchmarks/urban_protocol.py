"""One table for every model: synthetic pairs, real unchanged pairs, real changed pairs, time.

Usage: python benchmarks/urban_protocol.py DATA OUT [--models urban,second,FILE] [--synthetic SET]
           [--part unchanged,real] [--normalize none,match,pif] [--pictures] [--fresh]
A row per baseline of `baselines.py` and per model, a bundled one or a file; models run without
test-time augmentation and at their own threshold. DATA holds `wv_naip` (pairs NAME-old.tif and
NAME-new.tif in which nothing changed), `real_pairs` (A, B and label, changes of any kind) and, for
pictures only, `naip` and `landsat`; SET is a labelled set of held-out places, as `scd simulate
--from-labels` writes it. Parts without data are left out. OUT gets table.md, table.csv and
table.json (fractions of 1), and with --pictures sheets of PNG; rows already measured are kept in
OUT/rows until the model, the baselines or the data change. Changes elsewhere in scd call for
--fresh.
"""

import argparse
import json
import shutil
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path

import protocol_parts as parts
import protocol_systems
from protocol_pictures import draw_sheets
from protocol_systems import System, find_systems
from protocol_table import write_tables

from scdcli.models import bundled_models
from scdcli.rasters.pair.methods import DEFAULT_METHOD

VERSION = 1  # of what is measured: another one measures everything again
PARTS = ("synthetic", "unchanged", "unchanged-as-is", "real", "time")


def options(arguments=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--models", default=",".join(bundled_models()), help="names or files")
    parser.add_argument("--synthetic", type=Path, metavar="SET", help="a labelled set")
    parser.add_argument("--part", default=",".join(PARTS), help=", ".join(PARTS))
    parser.add_argument(
        "--normalize", default=DEFAULT_METHOD, help="of models, a row for each: none, match, pif"
    )
    parser.add_argument("--device", default="auto", help="where models run; time is the CPU's")
    parser.add_argument("--pictures", action="store_true", help="also draw sheets of pairs")
    parser.add_argument("--fresh", action="store_true", help="measure everything again")
    return parser.parse_args(arguments)


def jobs(given: argparse.Namespace) -> dict[str, tuple[list[Path], Callable[[System], dict]]]:
    """The parts there are data for: the files each depends on, and what measures it."""
    unchanged = parts.unchanged_pairs(given.data)
    as_is = parts.unchanged_pairs(given.data, coregister=False)
    real = parts.real_pairs(given.data)
    found = {
        "unchanged": (_files(unchanged), partial(parts.measure_unchanged, pairs=unchanged)),
        "unchanged-as-is": (_files(as_is), partial(parts.measure_unchanged, pairs=as_is)),
        "real": (
            [*_files(real), *sorted((given.data / "real_pairs" / "label").glob("*"))],
            partial(parts.measure_real, pairs=real, data=given.data),
        ),
        "time": ([Path(protocol_systems.__file__)], parts.measure_time),
    }
    if given.synthetic:
        everything = sorted(path for path in given.synthetic.rglob("*") if path.is_file())
        measure = partial(parts.measure_synthetic, truth=given.synthetic)
        found["synthetic"] = everything, measure
    wanted = given.part.split(",")
    strange = set(wanted) - set(PARTS)
    if strange:
        raise SystemExit(f"there is no part {strange.pop()!r}; choose of {', '.join(PARTS)}")
    return {name: found[name] for name in PARTS if name in wanted and found.get(name, [[]])[0]}


def measured(row: Path, key: str, measure: Callable[[], dict]) -> dict:
    """A row that was kept, or a new one, which is."""
    if row.exists():
        kept = json.loads(row.read_text(encoding="utf-8"))
        if kept["key"] == key:
            return kept["found"]
    found = measure()
    row.parent.mkdir(parents=True, exist_ok=True)
    partial_row = row.with_suffix(".partial")
    partial_row.write_text(json.dumps({"key": key, "found": found}), encoding="utf-8")
    partial_row.replace(row)
    return found


def run(given: argparse.Namespace) -> str:
    """Measure what is not there yet, write the tables, and give back the one for people."""
    models = [name for name in given.models.split(",") if name]
    given.out.mkdir(parents=True, exist_ok=True)
    for kept in ("rows", "maps") if given.fresh else ():
        shutil.rmtree(given.out / kept, ignore_errors=True)
    systems = find_systems(models, given.out, given.device, given.normalize.split(","))
    records: dict[str, dict] = {system.name: {} for system in systems}
    for part, (files, measure) in jobs(given).items():
        data = _digest(files)
        for system in systems:
            print(f"{part}: {system.name}", flush=True)
            row = given.out / "rows" / system.name.replace("/", "-") / f"{part}.json"
            key = f"{VERSION} {system.key} {data}"
            records[system.name][part] = measured(row, key, partial(measure, system))
    text = write_tables(given.out, records)
    if given.pictures:
        shown = [system for system in systems if system.name != "nothing"]
        for path in draw_sheets(given.data, given.out / "pictures", shown):
            print(path)
    return text


def _files(pairs: parts.Pairs) -> list[Path]:
    return [path for both in pairs.files.values() for path in both]


def _digest(files: list[Path]) -> str:
    total = sha256()
    for path in files:
        total.update(path.name.encode() + sha256(path.read_bytes()).digest())
    return total.hexdigest()


if __name__ == "__main__":
    print(run(options()))
