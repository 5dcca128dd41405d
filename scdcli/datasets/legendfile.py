"""Legends by name or from a file: TOML, or JSON of the same content.

name = "parcels"
replaceable = ["building"]  # optional: classes that may change into themselves

[[classes]]
name = "water"
color = "#0000FF"
value = 10        # optional: what labels hold for this class; without any, 1, 2, 3, ...
"""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from scdcli.errors import DatasetError, InputError, UnknownName
from scdcli.files.text import decode
from scdcli.legend import (
    LEGENDS,
    MAX_CLASSES,
    NODATA,
    UNCHANGED,
    UNCHANGED_COLOR,
    Coding,
    Color,
    LandCover,
    Legend,
)

SUFFIXES = (".toml", ".json")
KEYS = {
    *("name", "classes", "unchanged", "nodata", "unchanged_color", "nodata_color"),
    *("transparent", "replaceable"),
}
TRANSPARENT = {"nodata": NODATA, "unchanged": UNCHANGED}
CLASS_KEYS = {"name", "color", "value"}


def find_legend(name: str) -> Legend:
    """A built-in legend by name, or the one in a file.

    Raises:
        UnknownName: Neither a built-in legend nor a file.
        InputError: The file cannot be read, or is neither TOML nor JSON.
        DatasetError: The file does not hold a legend that labels can be read with.
    """
    if name in LEGENDS:
        return LEGENDS[name]
    path = Path(name)
    if path.suffix.lower() in SUFFIXES or path.is_file():
        return read_legend(path)
    raise UnknownName("legend (and no such file)", name, LEGENDS)


def read_legend(path: Path) -> Legend:
    """The legend in a file.

    Raises:
        InputError: The file cannot be read, or is neither TOML nor JSON.
        DatasetError: It does not hold a legend that labels can be read with.
    """
    content = _parsed(path)
    _require_keys(path, content, KEYS, {"name", "classes"}, "the legend")
    covers = content["classes"]
    if not isinstance(covers, list) or not all(isinstance(each, dict) for each in covers):
        raise DatasetError(f"{path}: classes is no list of tables; write one [[classes]] for each.")
    if not 1 <= len(covers) <= MAX_CLASSES:
        raise DatasetError(
            f"{path} holds {len(covers)} classes; 1 to {MAX_CLASSES} are possible: write a "
            "[[classes]] with name and color for each."
        )
    for number, each in enumerate(covers, start=1):
        _require_keys(path, each, CLASS_KEYS, {"name", "color"}, f"class {number}")
    names = [str(each["name"]) for each in covers]
    colors = [_color(path, each["color"], f"class {each['name']!r}") for each in covers]
    coding = _coding(path, content, names)
    taken = {UNCHANGED_COLOR: "unchanged in results", coding.unchanged_color: "unchanged"}
    if coding.nodata_color is not None:
        if coding.nodata_color == coding.unchanged_color:
            raise DatasetError(
                f"{path}: {_shown(coding.nodata_color)} is both unchanged_color and nodata_color; "
                "keep one."
            )
        taken[coding.nodata_color] = "nodata"
    _require_different(path, "name", names, names, {})
    _require_different(path, "color", colors, names, taken)
    classes = tuple(LandCover(*each) for each in zip(names, colors, strict=True))
    return Legend(str(content["name"]), classes, coding, _replaceable(path, content, names))


def _parsed(path: Path) -> dict[str, Any]:
    try:
        text = decode(path.read_bytes(), str(path))
    except FileNotFoundError as error:
        raise InputError(
            f"{path} does not exist; check the name, or choose a built-in legend: "
            f"{', '.join(LEGENDS)}."
        ) from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; give a TOML file.") from error
    is_json = path.suffix.lower() == ".json"
    try:
        content = json.loads(text) if is_json else tomllib.loads(text)
    except ValueError as error:
        raise InputError(
            f"{path} is not {'JSON' if is_json else 'TOML'}: {error}; mend it there."
        ) from error
    if not isinstance(content, dict):
        raise DatasetError(f"{path} holds {type(content).__name__}, not name and classes.")
    return content


def _require_keys(
    path: Path, table: dict[str, Any], known: set[str], needed: set[str], what: str
) -> None:
    missing, strange = sorted(needed - table.keys()), sorted(table.keys() - known)
    if missing:
        raise DatasetError(f"{path}: {what} has no {' and no '.join(missing)}; add it.")
    if strange:
        raise DatasetError(
            f"{path}: {what} has {strange[0]!r}, which means nothing here; "
            f"known are {', '.join(sorted(known))}."
        )


def _coding(path: Path, content: dict[str, Any], names: list[str]) -> Coding:
    """How labels write the classes; values are all given or none is."""
    values = [each.get("value") for each in content["classes"]]
    without = [name for name, value in zip(names, values, strict=True) if value is None]
    if without and len(without) < len(names):
        raise DatasetError(
            f"{path}: {len(names) - len(without)} classes have a value and {len(without)} have "
            f"none, {without[0]!r} first; give all a value, or none for 1, 2, 3 in this order."
        )
    own = list(range(1, len(names) + 1)) if without else [_whole(path, x, "value") for x in values]
    unchanged = _whole(path, content.get("unchanged", UNCHANGED), "unchanged")
    listed = content.get("nodata", NODATA)
    nodata = [_whole(path, x, "nodata") for x in (listed if isinstance(listed, list) else [listed])]
    _require_different(path, "value", own, names, {unchanged: "unchanged"})
    _require_different(path, "value", own, names, dict.fromkeys(nodata, "nodata"))
    if unchanged in nodata:
        raise DatasetError(f"{path}: {unchanged} is both unchanged and nodata; keep one.")
    nodata_color = content.get("nodata_color")
    plain = without and not content.keys() & {"unchanged", "nodata"}
    return Coding(
        None if plain else tuple(own),
        unchanged,
        tuple(nodata),
        _color(path, content.get("unchanged_color", "#FFFFFF"), "unchanged_color"),
        None if nodata_color is None else _color(path, nodata_color, "nodata_color"),
        _transparent(path, content.get("transparent", "nodata")),
    )


def _replaceable(path: Path, content: dict[str, Any], names: list[str]) -> tuple[str, ...]:
    listed = content.get("replaceable", [])
    if not isinstance(listed, list) or not all(name in names for name in listed):
        raise DatasetError(
            f"{path}: replaceable is {listed!r}; list names of its classes: {', '.join(names)}."
        )
    return tuple(listed)


def _transparent(path: Path, word: object) -> int:
    if word not in TRANSPARENT:
        raise DatasetError(f'{path}: transparent is {word!r}; write "nodata" or "unchanged".')
    return TRANSPARENT[str(word)]


def _whole(path: Path, value: object, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise DatasetError(f"{path}: {what} is {value!r}; give a whole number.")
    return value


def _color(path: Path, text: object, what: str) -> Color:
    if not isinstance(text, str) or not re.fullmatch(r"#[0-9A-Fa-f]{6}", text):
        raise DatasetError(
            f"{path}: the color of {what} is {text!r}; give red, green and blue as #RRGGBB, for "
            "example #0000FF."
        )
    red, green, blue = bytes.fromhex(text[1:])
    return red, green, blue


def _require_different(
    path: Path, kind: str, values: list[Any], names: list[str], taken: dict[Any, str]
) -> None:
    owners = dict(taken)
    for number, (each, name) in enumerate(zip(values, names, strict=True), start=1):
        if each in owners:
            raise DatasetError(
                f"{path}: class {number} ({name}) has the {kind} {_shown(each)} of "
                f"{owners[each]}; give each a {kind} of its own."
            )
        owners[each] = f"class {number} ({name})"


def _shown(value: object) -> str:
    return "#{:02X}{:02X}{:02X}".format(*value) if isinstance(value, tuple) else repr(value)
