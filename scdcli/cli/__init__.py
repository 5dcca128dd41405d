"""The command line: the only place that prints, exits or imports click.

A command's module is imported when the command is needed, and imports torch and rasterio only when
it runs, so that ``scd --help`` answers at once.
"""

import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from scdcli import __version__
from scdcli.cli.options.shared import allow_networks, verbose_option
from scdcli.cli.terminal import (
    TERMINATED,
    discreet,
    ending_unread,
    keep_secrets,
    meant,
    remember_call,
    show_origin,
    write_every_sign,
)
from scdcli.environment import inherited_cause, require_working_folder, stay_offline, why_no_text
from scdcli.errors import ScdError
from scdcli.files.interruption import owning_the_process

# In the order of use; the module scdcli.cli.NAME holds the command NAME.
COMMANDS = (
    "predict",
    "evaluate",
    "train",
    "check",
    "simulate",
    "models",
    "export",
    "report",
    "sample",
    "judge",
    "area",
    "revise",
    "qgis",
)
ALIASES = {"eval": "evaluate"}


class ScdGroup(click.Group):
    """Imports commands late and turns our errors into one sentence; a bug keeps its traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, by its name or alias."""
        name = ALIASES.get(cmd_name, cmd_name)
        if name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"scdcli.cli.{name}"), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Give an alias its command's own name, so that configuration applies to both."""
        name = args[0]
        if self.get_command(ctx, name) is None and (hint := meant(name, COMMANDS)):
            ctx.fail(f"No such command {name!r}.{hint}")
        _, command, rest = super().resolve_command(ctx, args)
        return command.name if command else None, command, rest

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # noqa: ANN401
    ) -> click.Context:
        """Read the options of the group itself, of which ``--help`` prints."""
        write_every_sign()
        if reason := next(filter(None, map(why_no_text, args)), None):
            raise click.ClickException(reason)
        with ending_unread():
            return super().make_context(info_name, args, parent, **extra)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep what was typed, so that an interrupted command can say how to go on."""
        remember_call(ctx, args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  click's own signature
        """Run the command; exit 1 with one sentence for our errors, 130 or 143 when stopped."""
        keep_secrets()
        stay_offline()
        try:
            with (
                ending_unread(),
                _terminated_like_an_exception(),
                owning_the_process(),
                _environment(ctx),
            ):
                for sentence in _strange_variables(self, ctx):
                    click.echo(sentence, err=True)
                require_working_folder()
                return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(130)
        except click.NoSuchOption as error:
            params = error.ctx.command.params if error.ctx else ()
            known = [option for param in params for option in param.opts]
            if error.possibilities or not (hint := meant(error.option_name, known)):
                raise
            raise click.UsageError(f"{error.message}{hint}", error.ctx) from error
        except click.BadParameter as error:
            message = error.message + _decimal_point(error.message)
            raise click.BadParameter(message, error.ctx, error.param, error.param_hint) from error
        except Exception as error:
            text = inherited_cause(error) or (str(error) if isinstance(error, ScdError) else None)
            if text is None:
                raise
            show_origin(error)
            raise click.ClickException(discreet(text)) from error


def _strange_variables(group: ScdGroup, ctx: click.Context) -> Iterator[str]:
    """A sentence for each environment variable that looks like one of an option, and is none.

    One that resembles none of ours and names no command is somebody else's.
    """
    prefix = f"{ctx.auto_envvar_prefix}_"
    given = sorted(name for name in os.environ if name.startswith(prefix))
    if not given:
        return
    known = {f"{prefix}{param.name}".upper() for param in group.params}
    for name in COMMANDS:
        command = group.get_command(ctx, name)
        params = command.params if command else ()
        known |= {f"{prefix}{name}_{param.name}".upper() for param in params}
    ours = tuple(f"{prefix}{name}_".upper() for name in (*COMMANDS, *ALIASES))
    for name in given:
        hint = meant(name, sorted(known), likeness=0.85)  # all begin alike
        if name not in known and (hint or name.startswith(ours)):
            yield f"Warning: {name} in the environment is not used: no option is called so.{hint}"


def _decimal_point(message: str) -> str:
    """What to add to click's complaint about a number with a comma."""
    found = re.search(r"'(-?\d+),(\d+)' is (?:not a valid float|neither|no minimum)", message)
    return f" Write {found[1]}.{found[2]}." if found else ""


def _environment(ctx: click.Context) -> AbstractContextManager[object]:
    """As a command of rasterio's ``rio``: the credentials its own options give."""
    settings = ctx.obj if isinstance(ctx.obj, dict) else {}
    return settings.get("env") or nullcontext()


@contextmanager
def _terminated_like_an_exception() -> Iterator[None]:
    """Let SIGTERM unwind the stack, so that unfinished output and child processes go away."""

    def stop(*_: object) -> None:
        raise SystemExit(TERMINATED)

    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's business
        return
    previous = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _read_config(ctx: click.Context, _: click.Parameter, path: Path | None) -> None:
    if path is None:
        return
    from scdcli.cli.configuration import read_tables

    ctx.default_map = {
        ALIASES.get(name, name): _defaults(ctx, path, name, values)
        for name, values in read_tables(path).items()
    }


def _defaults(ctx: click.Context, path: Path, name: str, values: object) -> dict[str, Any]:
    """One command's table, by parameter; anything the command does not know is a mistake."""
    from scdcli.cli.configuration import defaults_of

    if not isinstance(values, dict):
        raise click.BadParameter(
            f"{path}: {name} stands outside the tables of the commands; write it below the name of "
            "the one that it is for, such as [predict]."
        )
    group = ctx.command
    command = group.get_command(ctx, name) if isinstance(group, ScdGroup) else None
    if command is None:
        raise click.BadParameter(
            f"{path}: [{name}] is not a command of scd.{meant(name, COMMANDS)}"
        )
    return defaults_of(command, path, name, values)


@click.group(
    "scd",  # its name in rio
    cls=ScdGroup,
    context_settings={
        "auto_envvar_prefix": "SCD",
        "help_option_names": ["-h", "--help"],
        "show_default": True,
    },
)
@click.version_option(__version__, "-V", "--version", prog_name="scd")
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    callback=_read_config,
    expose_value=False,
    is_eager=True,
    help="TOML file with options: a table per command, for example [predict] tta = 'flip'.",
)
@click.option(
    "--network",
    multiple=True,
    metavar="package.module:Class",
    callback=allow_networks,
    expose_value=False,
    help="A network of your own that a model file names; its code is run only if you name it, "
    "here or in SCD_NETWORK.",
)
@verbose_option
def main() -> None:
    """What changed on the ground, from which land cover to which.

    \b
    scd simulate demo                                make a scene to try
    scd predict demo/before.tif demo/after.tif       map its changes

    Options may also come from the environment: SCD_PREDICT_TTA=flip.
    """
