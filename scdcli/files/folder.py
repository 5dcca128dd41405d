"""Output folders that appear whole or not at all, and never take the place of foreign files."""

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from scdcli.errors import OutputError, ScdError

LOCK = ".lock"
REMOVED = ".removed"


def require_free(
    folder: Path, *, mark: str, overwrite: bool, only: Collection[str] | None = None
) -> None:
    """Refuse a destination that is taken, before any work is done.

    Args:
        folder: The destination.
        mark: What only a folder of this kind holds, as a path in it.
        overwrite: Whether an older folder of this kind may be replaced.
        only: Names such a folder may hold; any other name in it stops the replacement.

    Raises:
        OutputError: The destination exists and may not be replaced, or holds something else.
    """
    if not folder.exists():
        return
    if not overwrite:
        raise OutputError(f"{folder} exists; replace it with --overwrite, or name another folder.")
    if not (folder / mark).exists():
        raise OutputError(
            f"{folder} holds no {mark}, so it was not made by this command and is not replaced; "
            "name another folder, or remove it yourself."
        )
    foreign = sorted({path.name for path in folder.iterdir()} - {LOCK, *only}) if only else []
    if foreign:
        raise OutputError(
            f"{folder} also holds {foreign[0]}, which this command did not make, and is not "
            "replaced; name another folder, or move that away."
        )


@contextmanager
def folder_at_once(
    folder: Path,
    *,
    mark: str,
    overwrite: bool,
    only: Collection[str] | None = None,
    kept: str | None = None,
) -> Iterator[Path]:
    """A hidden folder to write in; it takes its name at the end, or vanishes.

    Args:
        folder: The destination; missing parents are made, and removed again if it fails.
        mark: As in `require_free`.
        overwrite: As in `require_free`.
        only: As in `require_free`.
        kept: Name of a folder in it that, once it holds something, is kept for the next run after
            an interruption and after every failure but a refusal of the inputs. It never reaches
            the destination.

    Raises:
        OutputError: The destination is taken, is being written by another process, or cannot be
            written.
    """
    folder = folder.resolve()
    partial = partial_folder(folder)
    made = [parent for parent in folder.parents if not parent.exists()]
    surviving: str | None = None
    try:
        require_free(folder, mark=mark, overwrite=overwrite, only=only)
        partial.mkdir(parents=True, exist_ok=True)
        with _locked(partial, folder):
            try:
                _restore(folder)
                require_free(folder, mark=mark, overwrite=overwrite, only=only)
                _clear(partial, kept)
                yield partial
                # Once more: another run may have finished here meanwhile.
                require_free(folder, mark=mark, overwrite=overwrite, only=only)
                if kept and (partial / kept).exists():
                    # Renamed first: half of it must never pass for all of it.
                    _remove((partial / kept).replace(partial / f"{kept}{REMOVED}"))
                _swap(partial, folder)
            except BaseException as error:
                surviving = kept if _may_go_on(error) and _filled(partial, kept) else None
                raise
            finally:
                _clear(partial, surviving)
                if not surviving:
                    _remove(partial)
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be written ({error.strerror or error}); see that its parent may be "
            "written to and has room, or name another folder."
        ) from error
    finally:
        _remove_empty(made)  # all are empty only if the folder is not there


def partial_folder(folder: Path) -> Path:
    """Where the work on a destination lies until it is finished."""
    folder = folder.resolve()
    return folder.with_name(f".{folder.name}.partial")


@contextmanager
def _locked(partial: Path, folder: Path) -> Iterator[None]:
    """One process at a time; the lock goes with the process, however that ends.

    Raises:
        OutputError: Another process holds it.
    """
    lock = FileLock(partial / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise OutputError(
            f"{folder} is being written by another process; wait for it, or name another folder."
        ) from error
    try:
        yield
    finally:
        lock.release()
        for place in (partial, folder):  # the folder has moved if all went well
            (place / LOCK).unlink(missing_ok=True)


def remove_stale_lock(folder: Path) -> None:
    """Remove the lock that a process killed right after it had named ``folder`` has left in it."""
    (folder / LOCK).unlink(missing_ok=True)


def _may_go_on(error: BaseException) -> bool:
    """Whether the work can be resumed after an error: after all but a refusal of the inputs."""
    return not isinstance(error, ScdError) or isinstance(error, OutputError)


def _filled(partial: Path, kept: str | None) -> bool:
    return kept is not None and (partial / kept).is_dir() and any((partial / kept).iterdir())


def _clear(partial: Path, kept: str | None) -> None:
    if partial.is_dir():
        for path in partial.iterdir():
            if path.name not in (kept, LOCK):
                _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _restore(folder: Path) -> None:
    """Bring back the older result that a process killed in `_swap` had put aside."""
    old = _aside(folder)
    if old.exists() and not folder.exists():
        old.replace(folder)


def _aside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")


def _swap(partial: Path, folder: Path) -> None:
    """Put the new folder in place; at every moment the old or the new one is there in full."""
    old = _aside(folder)
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.replace(old)
    try:
        partial.replace(folder)
    except BaseException:
        if old.exists() and not folder.exists():
            old.replace(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:  # innermost first
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def timestamp() -> datetime:
    """The time written into outputs: ``SOURCE_DATE_EPOCH`` if set, for equal bytes, else now.

    Raises:
        OutputError: ``SOURCE_DATE_EPOCH`` is not a number of seconds.
    """
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    if seconds is None:
        return datetime.now(UTC).replace(microsecond=0)
    if not seconds.isdecimal():
        raise OutputError(
            f"SOURCE_DATE_EPOCH is {seconds!r}; set it to whole seconds since 1970, or unset it."
        )
    return datetime.fromtimestamp(int(seconds), UTC)
