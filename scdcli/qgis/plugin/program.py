"""The program scd as a child of QGIS: found, started in a clean environment, heard and stopped."""

from __future__ import annotations

import json
import os
import queue
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

COMMAND = Path(__file__).with_name("command.json")
"""How to start the scd that installed this plugin; missing where it was unpacked from a ZIP."""

# QGIS points these at its own Python, PROJ and GDAL, with which another Python does not run.
FOREIGN = (
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "PROJ_LIB",
    "PROJ_DATA",
    "GDAL_DATA",
    "GDAL_DRIVER_PATH",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "VIRTUAL_ENV",
)
PROGRESS = re.compile(r"(\d+) of (\d+)\s*$")
INTERVAL = 0.2  # seconds between looks at whether the user has canceled
ANSWERED = 1  # status of scd check where the answer on stdout is no
PATIENCE = 60  # seconds for a stopped run to put away what is done
NOT_FOUND = (
    "The program scd is not found. Install it (pip install scdcli), then run scd qgis install, or "
    "name it in Settings, Options, Processing, Providers, scd."
)


class ProgramError(Exception):
    """What scd says is wrong, as one sentence."""


def find_command(setting: str = "") -> list[str]:
    """The words that start scd: those of the settings, of its installation, or on the path.

    Raises:
        ProgramError: There is none.
    """
    if setting.strip():
        if not Path(setting).is_file():
            raise ProgramError(f"{setting}, named in the settings of Processing, is no file.")
        return [setting]
    if COMMAND.is_file():
        words = json.loads(COMMAND.read_text(encoding="utf-8"))
        if Path(words[0]).is_file():
            return list(words)
    found = shutil.which("scd")
    if found is None:
        raise ProgramError(NOT_FOUND)
    return [found]


def clean_environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """The environment without what only the Python of QGIS may use."""
    kept = {name: value for name, value in inherited.items() if name not in FOREIGN}
    return {**kept, "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1", "COLUMNS": "100"}


def run(
    words: Sequence[str],
    *,
    say: Callable[[str], None],
    progress: Callable[[float], None],
    canceled: Callable[[], bool],
) -> str | None:
    """Run scd to its end.

    Args:
        words: Program and arguments.
        say: Gets every line of notes as it comes.
        progress: Gets the percentage done.
        canceled: Asked several times a second; the run is stopped once it is true.

    Returns:
        What it wrote to stdout; None where it was canceled.

    Raises:
        ProgramError: It could not be started, or ended with an error.
    """
    child = _start(words)
    heard: queue.Queue[str | None] = queue.Queue()
    result: list[str] = []
    readers = [
        threading.Thread(target=_hear, args=(child.stderr, heard), daemon=True),
        threading.Thread(target=lambda: result.append(child.stdout.read()), daemon=True),
    ]
    for reader in readers:
        reader.start()
    try:
        lines = _listen(child, heard, say, progress, canceled)
    finally:
        _stop(child)
        for reader in readers:
            reader.join(PATIENCE)
        for stream in (child.stdout, child.stderr):
            stream.close()
    if lines is None:
        _say_last(heard, say)
        return None
    answer = "".join(result)
    if child.returncode and not (child.returncode == ANSWERED and answer and not _errors(lines)):
        raise ProgramError(_sentence(lines, child.returncode))
    return answer


def _start(words: Sequence[str]) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            list(words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            env=clean_environment(os.environ),
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError as error:
        raise ProgramError(f"{words[0]} cannot be started ({error.strerror}).") from error


def _hear(stream: object, heard: queue.Queue[str | None]) -> None:
    for line in stream:  # type: ignore[attr-defined]
        heard.put(line.rstrip())
    heard.put(None)


def _listen(
    child: subprocess.Popen[str],
    heard: queue.Queue[str | None],
    say: Callable[[str], None],
    progress: Callable[[float], None],
    canceled: Callable[[], bool],
) -> list[str] | None:
    """All lines of notes until the child ends; None once the user has canceled."""
    lines: list[str] = []
    while True:
        if canceled():
            return None
        try:
            line = heard.get(timeout=INTERVAL)
        except queue.Empty:
            continue
        if line is None:
            child.wait()
            return lines
        lines.append(line)
        found = PROGRESS.search(line)
        if found and int(found[2]):
            progress(100.0 * int(found[1]) / int(found[2]))
        else:
            say(line)


def _say_last(heard: queue.Queue[str | None], say: Callable[[str], None]) -> None:
    """What a stopped run says at its end: what is kept, and how to go on."""
    while not heard.empty():
        line = heard.get_nowait()
        if line:
            say(line)


def _stop(child: subprocess.Popen[str]) -> None:
    """End a child that still runs; it keeps the parts that are done."""
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _errors(lines: Sequence[str]) -> list[int]:
    """Where the sentences on what went wrong begin."""
    return [place for place, line in enumerate(lines) if line.startswith("Error: ")]


def _sentence(lines: Sequence[str], status: int) -> str:
    """What went wrong, without the lines before it."""
    if found := _errors(lines):
        return " ".join(lines[found[-1] :]).removeprefix("Error: ")
    return f"scd ended with status {status}: " + " ".join(lines[-3:])
