"""Options in TOML files: read for a command, and written for a run to be repeated."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from scdcli.cli.terminal import meant
from scdcli.errors import ScdError
from scdcli.files.text import decode

# What a run is repeated with, rather than by.
LEFT_OUT = {"config", "resume", "quiet"}
# With a model to start from these are the model's, unless they are asked for.
FROM_START = {"network", "blocks", "encoder", "width"}
NAMES_OR_FILES = {"init", "legend"}


def read_tables(path: Path) -> dict[str, object]:
    """The tables of a file of options.

    Raises:
        click.BadParameter: It is no TOML.
    """
    try:
        return tomllib.loads(decode(path.read_bytes(), str(path)))
    except tomllib.TOMLDecodeError as error:
        raise click.BadParameter(f"{path} is not TOML: {error}") from error
    except ScdError as error:
        raise click.BadParameter(str(error)) from error


def defaults_of(
    command: click.Command, path: Path, name: str, values: Mapping[str, object]
) -> dict[str, Any]:
    """One command's table, by parameter; arguments go by their names.

    Raises:
        click.BadParameter: The command has no such option.
    """
    known = {
        option.lstrip("-"): param.name
        for param in command.params
        for option in (*param.opts, *param.secondary_opts)
        if param.name and (option.startswith("--") or isinstance(param, click.Argument))
    }
    strange = sorted(set(values) - set(known))
    if strange:
        raise click.BadParameter(
            f"{path}: scd {name} has no option --{strange[0]}.{meant(strange[0], known)}"
        )
    many = {param.name for param in command.params if param.multiple or param.nargs == -1}
    return {
        known[key]: [value] if known[key] in many and isinstance(value, str) else value
        for key, value in values.items()
    }


def take_config(ctx: click.Context, _: click.Parameter, path: Path | None) -> None:
    """The callback of a command's own ``--config``: its table of the file, before any other's."""
    if path is None:
        return
    name = ctx.command.name or ""
    values = read_tables(path).get(name)
    if not isinstance(values, dict):
        raise click.BadParameter(
            f"{path} has no table [{name}]; give the config.toml of a run, or a file with "
            f"[{name}] above its options."
        )
    ctx.default_map = {**(ctx.default_map or {}), **defaults_of(ctx.command, path, name, values)}


def written_config(ctx: click.Context) -> str:
    """All that a command was given or takes by default, as a file for its ``--config``.

    Files and folders are named in full, so that it works from anywhere.
    """
    name = ctx.command.name
    lines = [
        f"# scd {name} --config THIS_FILE -o FOLDER does the same again into another folder;",
        f"# scd {name} --config THIS_FILE --resume goes on with this one.",
        f"[{name}]",
    ]
    lines += [f"{key} = {_toml(value)}" for key, value in _given(ctx)]
    return "\n".join(lines) + "\n"


def _given(ctx: click.Context) -> Iterator[tuple[str, object]]:
    started = ctx.params.get("init") is not None
    for param in ctx.command.params:
        value = ctx.params.get(param.name or "")
        if value is None or param.name in LEFT_OUT:
            continue
        by_default = ctx.get_parameter_source(param.name or "") == ParameterSource.DEFAULT
        if started and by_default and param.name in FROM_START:
            continue
        if param.name in NAMES_OR_FILES and Path(value).is_file():
            value = Path(value)
        spelled = next((each for each in param.opts if each.startswith("--")), param.opts[0])
        yield spelled.lstrip("-"), value


def _toml(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, Path):
        value = str(value.resolve())
    if isinstance(value, float):
        return repr(value)
    # The strings of JSON are strings of TOML, but for one sign that JSON takes as it is.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
