"""Large georeferenced pairs with their labels: a folder per scene, or a table of files.

``ROOT/SCENE/{before,after}.tif`` with ``from.tif, to.tif`` (there or in ``truth``) or one layer of
polygons, ``changes.gpkg``; or ``ROOT/pairs.csv`` with the columns ``before, after`` and either
``from, to`` or ``changes``.
"""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from scdcli.datasets.samples import Listing, Sample
from scdcli.datasets.stems import find_file
from scdcli.errors import DatasetError
from scdcli.files.pairlist import NEEDED, Table, pair_name, read_table

IMAGES = (".tif", ".tiff", ".jp2", ".img", ".png")
VECTORS = (".gpkg", ".geojson", ".fgb", ".shp")
TRUTH = "truth"
CHANGES = "changes"
AOI = "aoi"
TABLE = "pairs.csv"
OTHER = {"name", "output"}  # the latter is for scd predict
COLUMNS = {*NEEDED, "from", "to", CHANGES, AOI, *OTHER}


def scenes_layout(folder: Path) -> Listing | None:
    """The scene that a folder is, or those in its folders; None where there is none.

    Raises:
        DatasetError: A file is there twice, with two suffixes.
    """
    if _is_scene(folder):
        return _listing([(folder.resolve().name, folder)])
    inside = sorted(each for each in folder.iterdir() if each.is_dir() and each.name[0] != ".")
    found = [(each.name, each) for each in inside if _is_scene(each)]
    return _listing(found) if found else None


def table_layout(folder: Path) -> Listing | None:
    """The scenes that ``pairs.csv`` lists, files relative to it; None without the table.

    Raises:
        DatasetError: The table cannot be opened or has other columns.
        InputError: It is no text with cells.
    """
    table = folder / TABLE
    if not table.is_file():
        return None
    samples, problems = [], []
    for line, row in _read(table).rows:
        files = {column: folder / path for column, path in row.items() if column not in OTHER}
        missing = [str(file) for file in files.values() if not file.is_file()]
        labels = [files[key] for key in ("from", "to", CHANGES) if key in files]
        if missing:
            problems.append(f"{table}, line {line}: {missing[0]} is missing")
        elif not files.keys() >= set(NEEDED) or len(labels) != (1 if CHANGES in files else 2):
            problems.append(
                f"{table}, line {line} has {', '.join(files) or 'nothing'}; it needs before, "
                f"after and either from and to, or {CHANGES}"
            )
        else:
            name = row.get("name") or pair_name(row["before"], row["after"])
            before, after = (files[key] for key in NEEDED)
            scene = Sample(name, before, after, labels[0], labels[-1], windowed=True)
            samples.append(replace(scene, aoi=files.get(AOI)))
    return Listing(_with_own_names(samples), problems)


def is_drawn(path: Path) -> bool:
    """Whether labels are polygons, by the suffix of the file."""
    return path.suffix.lower() in VECTORS


def _read(path: Path) -> Table:
    """The table, once its columns are those of labelled scenes."""
    try:
        table = read_table(path.read_bytes(), str(path))
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}.") from error
    if not set(NEEDED) <= set(table.columns) <= COLUMNS | {""}:
        raise DatasetError(
            f"{path} has the columns {', '.join(table.columns) or 'none'}; it needs before, after "
            f"and either from, to or {CHANGES}; name and {AOI} may be there too."
        )
    return table


def _with_own_names(samples: list[Sample]) -> list[Sample]:
    """Names made unique by the number of the pair where two have one."""
    often = Counter(sample.name for sample in samples)
    return [
        sample if often[sample.name] == 1 else replace(sample, name=f"{sample.name}-{number}")
        for number, sample in enumerate(samples, start=1)
    ]


def _is_scene(folder: Path) -> bool:
    return any(find_file(folder, part, IMAGES) for part in NEEDED)


def _listing(folders: list[tuple[str, Path]]) -> Listing:
    samples: list[Sample] = []
    problems: list[str] = []
    for name, folder in folders:
        found = _scene(name, folder)
        if isinstance(found, Sample):
            samples.append(found)
        else:
            problems.append(found)
    return Listing(samples, problems)


def _scene(name: str, folder: Path) -> Sample | str:
    """The files of one scene, or what is wrong with them."""
    before, after = (find_file(folder, part, IMAGES) for part in NEEDED)
    if before is None or after is None:
        return f"{folder / ('after' if before else 'before')}.tif is missing"
    place = folder / TRUTH if (folder / TRUTH).is_dir() else folder
    from_map, to_map = (find_file(place, part, IMAGES) for part in ("from", "to"))
    changes = find_file(folder, CHANGES, VECTORS)
    if changes and (from_map or to_map):
        return f"{folder} has {changes.name} and {(from_map or to_map)}: labels of two kinds"
    if changes is None and (from_map is None or to_map is None):
        known = from_map or to_map
        if known:
            return f"{place / ('to' if from_map else 'from')}.tif is missing beside {known.name}"
        return f"{folder} has no labels: neither from.tif and to.tif nor {CHANGES}.gpkg"
    first, second = changes or from_map, changes or to_map
    assert first is not None
    assert second is not None
    aoi = find_file(folder, AOI, VECTORS)
    return Sample(name, before, after, first, second, windowed=True, aoi=aoi)
