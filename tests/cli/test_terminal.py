"""What a person sees on stderr, with and without a terminal, and when nobody looks."""

import contextlib
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from pictures import write_png
from rich.table import Table

from scdcli.cli import terminal
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


@pytest.fixture
def clock(monkeypatch):
    """The time in seconds, which a test moves on."""
    now = [100.0]
    monkeypatch.setattr(terminal, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize("columns", [80, 40])
def test_stage_share_time_and_rate_are_shown_on_a_terminal_and_fit(on_a_terminal, clock, columns):
    stages = iter(["preparing", *["predicting the whole county"] * 1000])

    def run():
        with Terminal().progress(
            "predicting, %", 100, megapixels=2.5, counted=False, stage=lambda: next(stages)
        ) as bar:
            for done in (10, 20, 30):
                bar.update(done, 100)
                bar._progress.refresh()
                clock[0] += 4

    shown = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", on_a_terminal(run, columns=columns))
    lines = [line for line in re.split(r"[\r\n]+", shown) if line.strip()]
    assert max(map(len, lines)) <= columns
    assert "preparing" in shown
    assert "30 %" in shown
    assert "0:28 left" in shown
    assert ("0.062 Mpx/s" in shown) == ("━" in shown) == (columns == 80)
    assert len({line.count("predicting") for line in lines}) <= 2  # one line, not two


def test_how_long_it_takes_counts_from_the_first_that_is_done(clock):
    with Terminal(quiet=True).progress("work", 100) as bar:
        clock[0] += 30  # to load a network
        assert bar.time() == "0:30"
        bar.update(10, 100)
        assert (bar.time(), bar.rate(2.5)) == ("0:30", "")
        clock[0] += 5
        bar.update(20, 100)
        assert bar.time() == "0:40 left"
        clock[0] += 3
        assert (bar.time(), bar.rate(2.5)) == ("0:37 left", "0.05 Mpx/s")
        clock[0] += 60  # longer than it was to be: the time is shown that it takes
        assert bar.time() == "1:38"
        bar.update(100, 100)
        clock[0] += 3600
        assert bar.time() == "1:01:38"


def test_a_bar_that_begins_anew_forgets_its_pace(clock):
    with Terminal(quiet=True).progress("first", 100) as bar:
        for done in (50, 100, 1):
            clock[0] += 1
            bar.update(done, 100)
        assert bar.time() == "0:03"


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
    quiet = Terminal(quiet=True)
    quiet.note("a note")
    quiet.problem("a problem")
    with quiet.progress("work", 2) as bar:
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
