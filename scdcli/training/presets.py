"""Presets of ``scd train``: tables of option values, and nothing else.

A value given on the command line, in the environment or in the configuration file wins.
"""

from collections.abc import Mapping
from types import MappingProxyType

from scdcli.errors import look_up

Value = str | int | float | bool | tuple[float, float]

PRESETS: Mapping[str, Mapping[str, Value]] = MappingProxyType(
    {
        # Section VI-A; all training pairs and the last epoch, as there is no validation set.
        "paper": {
            "epochs": 50,
            "atl-epochs": 20,
            "batch": 4,
            "accumulate": 1,
            "optimizer": "sgd",
            "lr": 0.005,
            "momentum": 0.9,
            "weight-decay": 1e-4,
            "chip": 512,
            "scale": (0.5, 2.0),
            "flip": True,
            "swap-dates": False,
            "jitter": 0.0,
            "ema": 0.0,
            "cover": False,
            "class-weights": "none",
            "atl-class-weights": "inverse",
            "val-share": 0.0,
            "calibrate": False,
        },
        "best": {
            "optimizer": "adamw",
            "lr": 0.002,
            "swap-dates": True,
            "ema": 0.999,
        },
    }
)


def preset(name: str) -> dict[str, Value]:
    """The values of a preset, by the name of a parameter.

    Raises:
        UnknownName: There is no such preset.
    """
    values = look_up("preset", name, PRESETS)
    return {option.replace("-", "_"): value for option, value in values.items()}


def preset_rows() -> list[tuple[str, ...]]:
    """The presets side by side: a head, then a row per option; a dash where one says nothing."""
    options = dict.fromkeys(option for values in PRESETS.values() for option in values)
    rows = [
        (f"--{option}", *(_shown(values.get(option)) for values in PRESETS.values()))
        for option in options
    ]
    return [("option", *PRESETS), *rows]


def _shown(value: Value | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return " ".join(f"{each:g}" for each in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
