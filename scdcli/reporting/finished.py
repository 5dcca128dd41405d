"""A finished prediction folder, read back: its summary, its legend and where its maps lie."""

import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET
from zipfile import BadZipFile, ZipFile

from scdcli.errors import InputError
from scdcli.files.folder import partial_folder
from scdcli.files.naming import name_of
from scdcli.legend import Legend
from scdcli.rasters.grid import Grid
from scdcli.rasters.scene import open_scene, scene_grid

SUMMARY = "summary.json"
PROJECT = "changes.qgz"
MOST_PROJECT = 50_000_000  # bytes
ADJUSTED = "areas.json"
"""What `scd area` says of the map, if it was asked to leave it here."""
NEEDED = ("inputs", "model", "settings", "transitions", "changed", "unchanged", "valid", "nodata")
MAPS = ("transition.tif", "probability.tif")


@dataclass(frozen=True)
class Finished:
    """A finished prediction.

    Attributes:
        folder: Where it lies.
        summary: The content of ``summary.json``.
        legend: The classes.
        grid: Where the maps lie.
    """

    folder: Path
    summary: dict[str, Any]
    legend: Legend
    grid: Grid


def read_finished(folder: Path) -> Finished:
    """A prediction that `scd predict` has finished.

    Raises:
        InputError: The folder is missing, holds no prediction, or one that is not finished.
    """
    summary = _summary(folder)
    missing = [name for name in NEEDED if name not in summary]
    missing += [name for name in MAPS if not (folder / name).is_file()]
    if missing:
        raise InputError(
            f"{name_of(folder)} is no whole prediction: {missing[0]} is missing; predict the pair "
            "again."
        )
    path = folder / MAPS[0]
    with open_scene(path) as dataset:
        grid = scene_grid(dataset, path)
    try:
        legend = Legend.from_dict(summary["model"]["legend"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{name_of(folder / SUMMARY)} has no legend that can be read; predict the pair again."
        ) from error
    return Finished(folder, summary, legend, grid)


def read_adjusted(folder: Path) -> dict[str, Any] | None:
    """The areas that were estimated from a sample of a prediction; None without any.

    Raises:
        InputError: What lies there is something else.
    """
    path = folder / ADJUSTED
    if not path.is_file():
        return None
    try:
        adjusted = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        adjusted = None
    if not isinstance(adjusted, dict) or not {"areas", "points", "overall_accuracy"} <= set(
        adjusted
    ):
        raise InputError(
            f"{name_of(path)} does not hold areas of scd area; make it again with --report, or "
            "remove it."
        )
    return adjusted


def read_image_paths(folder: Path) -> dict[str, Path]:
    """Where the project of a prediction has its images, by the names of the layers; none without.

    The project says it from its own folder, so the two may have moved together.
    """
    try:
        with ZipFile(folder / PROJECT) as file, file.open(f"{Path(PROJECT).stem}.qgs") as entry:
            text = entry.read(MOST_PROJECT)
        if b"<!ENTITY" in text:  # which may stand for any amount of text
            return {}
        root = ET.fromstring(text)
    except (OSError, BadZipFile, zlib.error, KeyError, ET.ParseError):
        return {}
    return {
        layer.findtext("layername", ""): folder / layer.findtext("datasource", "")
        for layer in root.iterfind("projectlayers/maplayer[@type='raster']")
    }


def is_finished(folder: Path) -> bool:
    """Whether a folder looks like a finished prediction."""
    return (folder / SUMMARY).is_file() and (folder / MAPS[0]).is_file()


def _summary(folder: Path) -> dict[str, Any]:
    path = folder / SUMMARY
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(_why_none(folder)) from error
    except (OSError, ValueError) as error:
        raise InputError(
            f"{name_of(path)} cannot be read ({error}); predict the pair again."
        ) from error
    return summary if isinstance(summary, dict) else {}


def _why_none(folder: Path) -> str:
    name = name_of(folder)
    if partial_folder(folder).is_dir() or folder.name.endswith(".partial"):
        return f"{name} is not finished; go on with scd predict ... --resume."
    if not folder.is_dir():
        return f"{name} is not a folder; name one that scd predict has made."
    within = [path for path in folder.glob(f"*/{SUMMARY}") if is_finished(path.parent)]
    if within:
        return (
            f"{name} holds {len(within)} predictions and is none itself; scd report --pairs {name} "
            f"makes a page of all, scd report {name_of(within[0].parent)} that of one."
        )
    return f"{name} is no prediction: it holds no {SUMMARY}; name a folder that scd predict made."
