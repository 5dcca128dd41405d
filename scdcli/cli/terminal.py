"""What a person sees: notes and progress on stderr, none of it when asked to be quiet."""

import codecs
import io
import os
import select
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from time import monotonic
from typing import TYPE_CHECKING, TextIO

import click

from scdcli import __version__

if TYPE_CHECKING:
    from logging import LogRecord

    from rich.console import Console

TERMINATED = 143  # the status in a shell of a program that SIGTERM ended
UNREAD = 141  # the status in a shell of a program whose reader went away
_ESCAPED = "scdcli.escaped"
SQUARE_METER = 0.0001  # hectares
# What others call an option, or we did before: too unlike ours to be taken for a slip.
OTHER_NAMES = {
    "min-area": "mmu",
    "batch-size": "batch",
    "learning-rate": "lr",
    "tile-size": "chip",
    "patch-size": "chip",
}
WIDE = 60  # columns from which there is room for a bar
_VERBOSE = "scdcli.verbose"
_CALL = "scdcli.call"


@dataclass(frozen=True)
class Terminal:
    """Notes and progress; ``quiet`` silences both, ``stages`` asks for the time of each stage."""

    quiet: bool = False
    stages: bool = False

    def note(self, text: str) -> None:
        """One line on stderr."""
        if not self.quiet:
            self.problem(text)

    def problem(self, text: str) -> None:
        """One line on stderr that is printed with --quiet, too."""
        with ending_unread():
            click.echo(text, err=True)

    @contextmanager
    def when_stopped(self, say: Callable[[], str]) -> Iterator[None]:
        """Say something if what is inside is stopped with Ctrl-C or SIGTERM."""
        try:
            yield
        except (KeyboardInterrupt, SystemExit) as stop:
            if isinstance(stop, KeyboardInterrupt) or stop.code == TERMINATED:
                self.note(say())
            raise

    @contextmanager
    def progress(
        self,
        label: str,
        total: int | None,
        *,
        megapixels: float = 0.0,
        counted: bool = True,
        stage: Callable[[], str] | None = None,
    ) -> Iterator["Bar"]:
        """A bar while something runs; plain lines, at most one per tenth, without a terminal.

        Args:
            label: What runs.
            total: How much there is to do, if that is known.
            megapixels: The same in millions of pixels, to say how many a second are done; 0 where
                that would mean nothing.
            counted: Whether to show how many are done of how many, not a share.
            stage: Asked again and again for what a terminal shows in place of the label.
        """
        from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task
        from rich.table import Column
        from rich.text import Text

        class Shown(ProgressColumn):
            """What a function of the bar says."""

            max_refresh = None

            def __init__(self, say: Callable[["Bar"], str], column: Column | None = None) -> None:
                super().__init__(column)
                self.say = say

            def render(self, task: Task) -> Text:
                return Text(self.say(bar))

        console = open_console(stderr=True)
        live = console.is_terminal and not self.quiet
        wide = console.width >= WIDE
        one_line = Column(no_wrap=True, overflow="ellipsis")

        def name(bar: Bar) -> str:
            return stage() if stage else bar.label

        def in_short(bar: Bar) -> str:
            rest = f" {bar.amount(counted=counted)} {bar.time()}"
            return name(bar)[: console.width - len(rest) - 2] + rest  # beside the spinner

        columns: list[ProgressColumn] = [SpinnerColumn()]
        if wide:
            columns += [
                Shown(name, one_line),
                BarColumn(None),
                Shown(lambda bar: bar.amount(counted=counted), one_line),
                Shown(Bar.time, one_line),
            ]
        else:
            columns.append(Shown(in_short, one_line))
        if wide and megapixels:
            columns.append(Shown(lambda bar: bar.rate(megapixels), one_line))
        progress = Progress(
            *columns, console=console, disable=not live, transient=True, expand=wide
        )
        task = progress.add_task(label, total=total)
        bar = Bar(self, progress, task, label, total, plain=not live and not self.quiet)
        with progress:
            yield bar

    @contextmanager
    def watch(self, label: str, total: int) -> Iterator[Callable[[int, int], None]]:
        """The same for what knows no terminal: it tells how many are done, of how many."""
        with self.progress(label, total) as bar:
            yield bar.update


def remember_call(ctx: click.Context, arguments: Sequence[str]) -> None:
    """Keep what was typed, for `resuming_call`."""
    ctx.meta[_CALL] = (ctx.command_path, *arguments)


def resuming_call() -> str:
    """What to type to go on with what was stopped: the same command with ``--resume``.

    Addresses in it have lost their secrets.
    """
    call = list(click.get_current_context().meta[_CALL])
    if "--resume" not in call:
        call.insert(call.index("--") if "--" in call else len(call), "--resume")
    program, *rest = call  # the program may be two words: rio scd
    quoted = subprocess.list2cmdline(rest) if os.name == "nt" else shlex.join(rest)
    return discreet(f"{program} {quoted}")


def meant(name: str, known: Iterable[str], likeness: float = 0.7) -> str:
    """`` Did you mean X?`` where a known name is much like this one, else nothing."""
    known = list(known)
    elsewhere = [other for other in _by_other_names(name) if other in known]
    close = elsewhere or get_close_matches(name, known, n=1, cutoff=likeness)
    return f" Did you mean {close[0]}?" if close else ""


def _by_other_names(name: str) -> Iterator[str]:
    """The name with our word at its end, where that is what an option is called elsewhere."""
    for theirs, ours in OTHER_NAMES.items():
        for separator in "-_":
            word = theirs.replace("-", separator)
            if name.lower().endswith(word):
                begin = name[: len(name) - len(word)]
                yield begin + (ours.upper() if name.isupper() else ours)


def shown_hectares(amount: float) -> str:
    """Hectares to a hundredth; smaller areas to a square meter, so that none is shown as zero."""
    if 0 < amount < SQUARE_METER / 2:
        return f"< {SQUARE_METER}"
    return f"{amount:,.{2 if amount == 0 or amount >= 0.1 else 4}f}"


def shown_percent(percent: float) -> str:
    """Percent to a hundredth; no share above zero is shown as zero."""
    return "< 0.01" if 0 < percent < 0.005 else f"{percent:.2f}"


def open_console(*, stderr: bool = False) -> "Console":
    """Where tables are printed: plain text unless a person looks on and did not ask for that."""
    from rich.console import Console

    class Ours(Console):
        def on_broken_pipe(self) -> None:
            raise  # to `ending_unread`: rich would end with a status of its own

    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    return Ours(
        stderr=stderr, highlight=False, markup=False, force_terminal=False if plain else None
    )


@contextmanager
def ending_unread() -> Iterator[None]:
    """End silently, as other programs do, where nobody reads the output any more (``| head``)."""
    try:
        yield
    except BrokenPipeError:
        unread = [stream for stream in (sys.stdout, sys.stderr) if stream and _is_unread(stream)]
        if not unread:
            raise  # the pipe was another one
        for stream in unread:  # or Python complains at its end of what cannot be written
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        raise SystemExit(UNREAD) from None


def _is_unread(stream: TextIO) -> bool:
    """Whether a stream is a pipe that has lost its reader."""
    poll = select.poll()
    try:
        poll.register(stream, 0)
    except ValueError:
        return False  # no file at all
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))


def be_verbose(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    """Make `show_origin` speak, in this command and those around it."""
    ctx.meta[_VERBOSE] = ctx.meta.get(_VERBOSE, False) or wanted


def keep_secrets() -> None:
    """Let addresses lose their secrets in what libraries log; `rio` prints it."""
    import logging

    for handler in logging.getLogger().handlers:
        handler.addFilter(_without_secrets)


def _without_secrets(record: "LogRecord") -> bool:
    record.msg, record.args = discreet(record.getMessage()), ()
    return True


def write_every_sign() -> None:
    """Escape what the terminal's encoding does not have, as JSON does, instead of failing.

    Names of files may hold any sign, while a pipe on Windows has the 256 of its code page.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ESCAPED)


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    units = (int.from_bytes(signs[place : place + 2]) for place in range(0, len(signs), 2))
    return "".join(f"\\u{unit:04x}" for unit in units), error.end


codecs.register_error(_ESCAPED, _escape)


def discreet(text: str) -> str:
    """A text in which addresses have lost their secrets."""
    if "://" not in text:
        return text  # and rasterio, which names need, is not loaded
    from scdcli.files.naming import without_secrets

    return without_secrets(text)


def show_origin(error: BaseException) -> None:
    """With ``--verbose``, where an error comes from and which versions ran, on stderr."""
    import traceback

    context = click.get_current_context(silent=True)
    if context and context.meta.get(_VERBOSE):
        from scdcli.files.naming import without_secrets

        lines = without_secrets("".join(traceback.format_exception(error)))
        with ending_unread():
            click.echo(f"{lines}{_versions()}", err=True)


def _versions() -> str:
    """What ran; libraries only where they have been loaded."""
    versions = [f"scd {__version__}", f"Python {sys.version.split()[0]}"]
    for label, module, attribute in (
        ("GDAL", "rasterio", "__gdal_version__"),
        ("rasterio", "rasterio", "__version__"),
        ("torch", "torch", "__version__"),
    ):
        if module in sys.modules:
            versions.append(f"{label} {getattr(sys.modules[module], attribute)}")
    return ", ".join(versions)


class Bar:
    """The handle `Terminal.progress` gives.

    Attributes:
        label: What runs.
    """

    def __init__(
        self,
        terminal: Terminal,
        progress: object,
        task: object,
        label: str,
        total: int | None,
        *,
        plain: bool,
    ) -> None:
        """Made by `Terminal.progress` only."""
        self.label = label
        self._terminal = terminal
        self._progress = progress
        self._task = task
        self._plain = plain
        self._tenth = 0
        self._begun = monotonic()
        self._first = self._last = (0.0, self._begun)  # how many were done, and when
        self._total = total or 0

    def update(self, done: float, total: int, label: str | None = None) -> None:
        """Show ``done`` of ``total``."""
        self.label = label or self.label
        now = (float(done), monotonic())
        # What is done before the first time, such as to load a network, says nothing of the rest.
        if self._first[0] == 0 or done < self._last[0]:
            self._first = now
        self._last, self._total = now, total
        self._progress.update(  # type: ignore[attr-defined]
            self._task, completed=done, total=total, description=self.label
        )
        tenth = int(10 * done) // max(total, 1)
        if self._plain and tenth > self._tenth:
            self._terminal.note(f"{self.label}: {int(done)} of {total}")
        self._tenth = tenth

    def amount(self, *, counted: bool) -> str:
        """How many are done of how many, or their share; nothing as long as that is unknown."""
        done, total = int(self._last[0]), self._total
        if counted:
            return f"{done}/{total or '?'}"
        return f"{100 * done // total} %" if total else ""

    def time(self) -> str:
        """How long it still takes, or, as long as nobody can know, how long it has taken."""
        pace, now = self._pace(), monotonic()
        if pace is not None:
            left = (self._total - self._last[0]) / pace - (now - self._last[1])
            if left > 0:
                return f"{_clock(left)} left"
        return _clock(now - self._begun)

    def rate(self, megapixels: float) -> str:
        """How many of so many million pixels are done a second; nothing as long as unknown."""
        pace = self._pace()
        if pace is None or self._last[0] >= self._total:
            return ""
        return f"{pace / self._total * megapixels:.2g} Mpx/s"

    def _pace(self) -> float | None:
        """How many are done a second since the first; None before the second."""
        done, seconds = self._last[0] - self._first[0], self._last[1] - self._first[1]
        return done / seconds if done > 0 and seconds > 0 else None


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
