"""What a prediction has finished so far, supertile by supertile, so that it can be resumed.

Every supertile is a file that appears whole, so a process may be killed at any moment; a file that
does not read back is computed again. Of a supertile that takes long, what its chips have added up
to is kept every half minute.
"""

import json
import os
import shutil
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scdcli.errors import OutputError

JOURNAL = "journal"
"""Name of the journal's folder in the work folder."""
IDENTITY = "identity.json"
QUICK = 1  # compression level: class maps shrink tenfold at once
KEEP_EVERY = 30.0  # seconds of work on one supertile

Layers = dict[str, NDArray[Any]]
Identity = Mapping[str, Any]


class Journal:
    """The finished supertiles of a prediction, by number.

    Attributes:
        resumed: How many of them an earlier run had left and this one has loaded.
    """

    def __init__(self, folder: Path, identity: Identity) -> None:
        """Made by `open_journal`."""
        self._folder = folder
        self._identity = identity
        self.resumed = 0

    def holds(self, number: int) -> bool:
        """Whether there is a file of a supertile."""
        return self._path(number).exists()

    def load(self, number: int) -> Layers | None:
        """The layers of a supertile as they were stored; None if there are none."""
        layers = _read(self._path(number))
        if layers is not None:
            self.resumed += 1
        return layers

    def store(self, number: int, layers: Layers) -> None:
        """Keep the layers of a supertile.

        Raises:
            OSError: There is no room.
        """
        self.put(self._path(number), layers)
        self._path(number, ".part").unlink(missing_ok=True)

    def part(self, number: int) -> "UnfinishedSupertile":
        """The sums of a supertile that is not finished."""
        return UnfinishedSupertile(self, self._path(number, ".part"))

    def put(self, path: Path, layers: Layers, compression: int = zipfile.ZIP_DEFLATED) -> None:
        """Write a file of layers, which appears whole, and before the first the identity."""
        if not self._folder.exists():
            begun = self._folder.with_suffix(".draft")
            begun.mkdir()
            text = json.dumps(self._identity, ensure_ascii=False, indent=1)
            (begun / IDENTITY).write_text(text, encoding="utf-8")
            begun.replace(self._folder)
        draft = path.with_suffix(".draft")
        try:
            _write(draft, layers, compression)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)

    def _path(self, number: int, suffix: str = ".npz") -> Path:
        return self._folder / f"{number:06d}{suffix}"


class UnfinishedSupertile:
    """The sums over the chips of one supertile, kept every half minute of work."""

    def __init__(self, journal: Journal, path: Path) -> None:
        """Made by `Journal.part`."""
        self._journal, self._path = journal, path
        self._last_kept = time.monotonic()

    def load(self) -> Layers | None:
        """The sums of an earlier run; None if none are kept."""
        return _read(self._path)

    def offer(self, layers: Layers) -> None:
        """Keep these sums, if half a minute has passed since any were kept and there is room."""
        if time.monotonic() - self._last_kept >= KEEP_EVERY:
            with suppress(OSError):  # without them, the work itself may still fit on the disk
                self._journal.put(self._path, layers, compression=zipfile.ZIP_STORED)
            self._last_kept = time.monotonic()


def _read(path: Path) -> Layers | None:
    """The layers in a file; None without one, and one that does not read back is removed."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except FileNotFoundError:
        return None
    except Exception:  # numpy and zipfile do not document what damaged archives raise
        path.unlink()
        return None


def _write(path: Path, layers: Layers, compression: int) -> None:
    with path.open("wb") as stream:
        with zipfile.ZipFile(stream, "w", compression, compresslevel=QUICK) as archive:
            for name, layer in layers.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, layer, allow_pickle=False)
        stream.flush()
        os.fsync(stream.fileno())


def open_journal(work: Path, identity: Identity, *, resume: bool) -> Journal:
    """The journal in a work folder: what an earlier run left if that is wanted, or a new one.

    Args:
        work: The work folder.
        identity: JSON-ready; everything the pixels depend on.
        resume: Whether to go on with what is there.

    Raises:
        OutputError: What is there was made from other inputs, or with other settings.
    """
    folder = work / JOURNAL
    # A journal loses its identity first when a process is killed while it removes it.
    if resume and (folder / IDENTITY).exists():
        _require_same(folder / IDENTITY, identity, work)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return Journal(folder, identity)


def _require_same(record: Path, identity: Identity, work: Path) -> None:
    try:
        earlier = json.loads(record.read_text(encoding="utf-8"))
    except ValueError as error:
        raise OutputError(
            f"{record} is damaged ({error}), so nothing tells what was begun there; leave out "
            "--resume to begin anew."
        ) from error
    unlike = differences(earlier, identity)
    if unlike:
        raise OutputError(
            f"{work} was begun with something else: {unlike}. Repeat the command as it was, or "
            "leave out --resume to begin anew."
        )


def differences(earlier: Identity, now: Identity) -> str:
    """The first three differing values of two JSON-ready records, in words; empty when equal."""
    now = json.loads(json.dumps(now))
    unlike = list(_differing(earlier, now, ""))
    more = "" if len(unlike) <= 3 else f" and {len(unlike) - 3} more"
    return "; ".join(unlike[:3]) + more


def _differing(earlier: Any, now: Any, where: str) -> Iterator[str]:  # noqa: ANN401  JSON
    if isinstance(earlier, dict) and isinstance(now, dict):
        for key in dict.fromkeys((*earlier, *now)):
            yield from _differing(
                earlier.get(key), now.get(key), f"{where} {key}" if where else key
            )
    elif earlier != now:
        yield f"{where} was {_short(earlier)} and is {_short(now)}"


def _short(value: Any) -> str:  # noqa: ANN401  JSON
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."
