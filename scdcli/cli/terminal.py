"""What a person sees: notes and progress on stderr, none of it when asked to be quiet."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import click


@dataclass(frozen=True)
class Terminal:
    """Notes and progress; ``quiet`` silences both."""

    quiet: bool = False

    def note(self, text: str) -> None:
        """One line on stderr."""
        if not self.quiet:
            click.echo(text, err=True)

    @contextmanager
    def progress(self, label: str, total: int | None) -> Iterator["Bar"]:
        """A bar while something runs; plain lines, at most one per tenth, without a terminal."""
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        console = Console(stderr=True)
        live = console.is_terminal and not self.quiet
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console, disable=not live, transient=True) as progress:
            task = progress.add_task(label, total=total)
            yield Bar(self, progress, task, label, plain=not live and not self.quiet)


class Bar:
    """The handle `Terminal.progress` gives."""

    def __init__(
        self, terminal: Terminal, progress: object, task: object, label: str, *, plain: bool
    ) -> None:
        """Made by `Terminal.progress` only."""
        self._terminal = terminal
        self._progress = progress
        self._task = task
        self._label = label
        self._plain = plain
        self._tenth = 0

    def update(self, done: int, total: int, label: str | None = None) -> None:
        """Show ``done`` of ``total``."""
        self._label = label or self._label
        self._progress.update(  # type: ignore[attr-defined]
            self._task, completed=done, total=total, description=self._label
        )
        tenth = 10 * done // max(total, 1)
        if self._plain and tenth > self._tenth:
            self._terminal.note(f"{self._label}: {done} of {total}")
        self._tenth = tenth
