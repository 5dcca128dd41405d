"""What a person sees on stderr, with and without a terminal, and when nobody looks."""

import contextlib
import os
import re
import subprocess
import sys
import time

import numpy as np
import pytest
from pictures import write_png
from rich.table import Table

from scdcli.cli.terminal import (
    Terminal,
    ending_unread,
    open_console,
    shown_hectares,
    shown_percent,
)

pty = pytest.importorskip("pty")
ESCAPE = "\x1b"


def _read(master):
    """What was written to the other end, which is closed."""
    with contextlib.suppress(OSError):  # its end, on Linux
        while part := os.read(master, 1 << 16):
            yield part.decode()
    os.close(master)


@pytest.fixture
def on_a_terminal(monkeypatch):
    """A function that runs another with stderr on a terminal, and returns what was shown."""

    def run(show, columns=80, **environment):
        for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
            monkeypatch.delenv(name, raising=False)
        for name, value in {"TERM": "xterm-256color", **environment}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("COLUMNS", str(columns))
        master, slave = pty.openpty()
        with os.fdopen(slave, "w") as stream:
            monkeypatch.setattr(sys, "stderr", stream)
            show()
        return "".join(_read(master)).replace("\r\n", "\n")

    return run


def advance():
    with Terminal().progress("predicting, %", 100) as bar:
        for done in range(0, 101, 5):
            bar.update(done, 100)


def print_table():
    table = Table("from", "to", box=None, header_style="bold")
    table.add_row("low vegetation on the way to something else", "[building]", style="bold")
    open_console(stderr=True).print(table)


@pytest.mark.parametrize("show", [advance, print_table])
def test_a_terminal_gets_colors_and_bars(on_a_terminal, show):
    assert ESCAPE in on_a_terminal(show)


@pytest.mark.parametrize("show", [advance, print_table])
@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_who_wants_no_colors_gets_plain_lines(on_a_terminal, show, environment):
    shown = on_a_terminal(show, **environment)
    assert ESCAPE not in shown
    assert "predicting, %: 50 of 100" in shown or "[building]" in shown


@pytest.mark.parametrize("columns", [80, 40])
def test_the_rate_is_shown_on_a_terminal_and_fits(on_a_terminal, columns):
    def run():
        with Terminal().progress("predicting, %", 100, megapixels=2.56) as bar:
            for done in (10, 20, 30):
                time.sleep(0.02)
                bar.update(done, 100)

    shown = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", on_a_terminal(run, columns=columns))
    lines = re.split(r"[\r\n]+", shown)
    assert max(map(len, lines)) <= columns
    assert re.search(r"\d Mpx/s" if columns == 80 else "predicting", shown), shown


def test_an_empty_no_color_is_none(on_a_terminal):
    assert ESCAPE in on_a_terminal(print_table, NO_COLOR="")


def test_tables_fold_on_a_narrow_terminal(on_a_terminal):
    lines = on_a_terminal(print_table, columns=40, NO_COLOR="1").splitlines()
    assert max(map(len, lines)) <= 40
    assert len(lines) > 2


def test_without_a_terminal_progress_is_a_line_per_tenth(capsys):
    advance()
    shown = capsys.readouterr().err
    assert ESCAPE not in shown
    assert shown.splitlines() == [f"predicting, %: {done} of 100" for done in range(10, 101, 10)]


def test_the_quiet_get_problems_only(capsys):
    terminal = Terminal(quiet=True)
    terminal.note("a note")
    terminal.problem("a problem")
    with terminal.progress("work", 2) as bar:
        bar.update(2, 2)
    assert capsys.readouterr().err == "a problem\n"


def test_a_broken_pipe_of_others_stays_an_error():
    with pytest.raises(BrokenPipeError), ending_unread():
        raise BrokenPipeError


@pytest.mark.parametrize("both", [False, True], ids=["stdout", "both"])
@pytest.mark.parametrize(
    "arguments", [["--help"], ["predict", "-h"], ["check", "--json", "set"], ["check", "set"]]
)
def test_without_a_reader_commands_end_silently(tmp_path, arguments, both):
    labels = np.zeros((8, 8), np.uint8)
    for part in ("im1", "im2", "label1", "label2"):
        write_png(tmp_path / "set" / part / "a.png", labels)
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "scdcli", *arguments],
        cwd=tmp_path,
        stdout=writer,
        stderr=writer if both else subprocess.PIPE,
        check=False,
    )
    os.close(writer)
    assert done.returncode == 141
    assert not any(word in (done.stderr or b"") for word in (b"Traceback", b"Error", b"ignored"))


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (0, "0.00"),
        (0.00001, "< 0.0001"),
        (0.0012, "0.0012"),
        (0.0995, "0.0995"),
        (0.1, "0.10"),
        (1234.567, "1,234.57"),
    ],
)
def test_no_area_looks_like_nothing(amount, shown):
    assert shown_hectares(amount) == shown


def test_no_share_looks_like_nothing():
    shares = (0, 0.0001, 0.005, 0.01, 100)
    assert [shown_percent(share) for share in shares] == [
        "0.00",
        "< 0.01",
        "0.01",
        "0.01",
        "100.00",
    ]
