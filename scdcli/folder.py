"""Output folders that appear whole or not at all, and never take the place of foreign files."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scdcli.errors import OutputError


def require_free(folder: Path, *, mark: str, overwrite: bool) -> None:
    """Refuse a destination that is taken, before any work is done.

    Args:
        folder: The destination.
        mark: What only a folder of this kind holds, as a path in it.
        overwrite: Whether an older folder of this kind may be replaced.

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


@contextmanager
def folder_at_once(folder: Path, *, mark: str, overwrite: bool) -> Iterator[Path]:
    """A hidden folder to write in; it takes its name at the end, or vanishes.

    Args:
        folder: The destination.
        mark: As in `require_free`.
        overwrite: As in `require_free`.

    Raises:
        OutputError: The destination is taken, or cannot be written.
    """
    folder = folder.absolute()
    require_free(folder, mark=mark, overwrite=overwrite)
    partial = folder.with_name(f".{folder.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        yield partial
        if folder.exists():
            shutil.rmtree(folder)
        partial.replace(folder)
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be written ({error.strerror or error}); see that its parent may be "
            "written to and has room, or name another folder."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
