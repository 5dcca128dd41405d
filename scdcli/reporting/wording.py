"""Numbers, names and settings as a reader wants them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

SQUARE_METRES_PER_HECTARE = 10_000.0
LEAST_HECTARES = 0.0001
SMALL_HECTARES = 0.5  # of less, square meters are easier to read
SIGNS = {"pixels": "px", "area_m2": "m²", "hectares": "ha"}
NAMES = {"pixels": "pixels", "area_m2": "square meters", "hectares": "hectares"}

# Settings in the order and the words of a person; what is not here follows by its own name.
SETTINGS = {
    "threshold": "Probability from which ground counts as changed",
    "threshold_from": "Threshold chosen by",
    "mmu": "Minimum mapping unit",
    "temperature": "Temperature of the probabilities",
    "tta": "Views averaged (test-time augmentation)",
    "chip": "Chip, pixels",
    "overlap": "Overlap of chips, pixels",
    "batch": "Chips at a time",
    "device": "Device",
    "precision": "Precision",
    "formats": "Polygons as",
    "simplify": "Outlines simplified by at most",
    "zones": "Areas by the zones of",
    "zone_names": "Names of the zones in",
    "zones_sha256": "SHA-256 of the zones",
    "land_cover": "Land cover of every pixel",
    "coregister": "AFTER moved over BEFORE",
    "scale": "Values mapped from",
    "normalize": "Colors brought together",
    "strict": "Equal grids demanded",
    "bands": "Bands",
    "after_bands": "Bands of AFTER",
    "bounds": "Part mapped",
    "bounds_crs": "CRS of the part",
    "aoi": "Area of interest",
    "assume_crs": "CRS assumed",
}


def unit_of(summary: Mapping[str, Any]) -> str:
    """What areas are given in, as the summary calls it: the one in which numbers are handy."""
    if summary["valid"]["hectares"] is None:
        return "pixels"
    return "area_m2" if summary["changed"]["hectares"] < SMALL_HECTARES else "hectares"


def extent(found: Mapping[str, Any]) -> str:
    """The area of an extent of a summary, in the unit that fits it alone."""
    if found["hectares"] is None:
        return f"{found['pixels']:,} px"
    if found["hectares"] < SMALL_HECTARES:
        return f"{number(found['area_m2'], 'area_m2')} m²"
    return f"{found['hectares']:,.2f} ha"


def amount(value: float, unit: str) -> str:
    """An area with its unit."""
    return f"{number(value, unit)} {SIGNS[unit]}"


def number(value: float, unit: str) -> str:
    """An area without its unit: hectares to a hundredth, small ones to a square meter."""
    if unit == "hectares" and 0 < value < LEAST_HECTARES / 2:
        return f"< {LEAST_HECTARES}"
    if unit == "hectares":
        return f"{value:,.{2 if value == 0 or value >= 0.1 else 4}f}"
    return f"{value:,.{1 if 0 < value < 10 and value % 1 else 0}f}"


def percent(value: float | None) -> str:
    """Percent to a tenth; less where that would look like nothing."""
    if value is None:
        return ""
    if 0 < value < 0.005:
        return "< 0.01 %"
    return f"{value:.{1 if value == 0 or value >= 1 else 2}f} %"


def polygon_area(value: float, unit: str) -> str:
    """The area of a single polygon: square meters, from a hectare on hectares."""
    if unit == "pixels":
        return f"{value:,.0f} px"
    if value >= SQUARE_METRES_PER_HECTARE:
        return f"{value / SQUARE_METRES_PER_HECTARE:,.2f} ha"
    return f"{value:,.0f} m²"


def moment(text: str) -> str:
    """A time as it is written into outputs, for a reader."""
    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M UTC")


def size(count: int) -> str:
    """Bytes in the unit that fits."""
    value = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"


def settings_list(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and values of settings that were in use."""
    names = [*SETTINGS, *(name for name in settings if name not in SETTINGS)]
    return [
        (SETTINGS.get(name, name.replace("_", " ").capitalize()), _value(settings[name]))
        for name in names
        if settings.get(name) is not None
    ]


def _value(value: Any) -> str:  # noqa: ANN401  whatever JSON holds
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(_value, value)) or "none"
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)
