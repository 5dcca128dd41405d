"""Output folders that appear whole or not at all, and never take the place of foreign files."""

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from scdcli.errors import OutputError


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
    foreign = sorted({path.name for path in folder.iterdir()} - set(only)) if only else []
    if foreign:
        raise OutputError(
            f"{folder} also holds {foreign[0]}, which this command did not make, and is not "
            "replaced; name another folder, or move that away."
        )


@contextmanager
def folder_at_once(
    folder: Path, *, mark: str, overwrite: bool, only: Collection[str] | None = None
) -> Iterator[Path]:
    """A hidden folder to write in; it takes its name at the end, or vanishes.

    Args:
        folder: The destination; missing parents are made, and removed again if it fails.
        mark: As in `require_free`.
        overwrite: As in `require_free`.
        only: As in `require_free`.

    Raises:
        OutputError: The destination is taken, or cannot be written.
    """
    folder = folder.resolve()
    require_free(folder, mark=mark, overwrite=overwrite, only=only)
    partial = folder.with_name(f".{folder.name}.partial")
    made = [parent for parent in folder.parents if not parent.exists()]
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        yield partial
        # Asked again: another run may have finished here meanwhile.
        require_free(folder, mark=mark, overwrite=overwrite, only=only)
        _swap(partial, folder)
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be written ({error.strerror or error}); see that its parent may be "
            "written to and has room, or name another folder."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if not folder.exists():
            _remove_empty(made)


def _swap(partial: Path, folder: Path) -> None:
    """Put the new folder in place; at every moment the old or the new one is there in full."""
    old = folder.with_name(f".{folder.name}.old")
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
