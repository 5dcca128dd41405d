"""The plugin put where QGIS finds it: into a profile, or into a ZIP for its plugin manager."""

import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from scdcli.errors import OutputError
from scdcli.files.folder import timestamp
from scdcli.files.naming import name_of

PLUGIN = "scd_changes"
SOURCE = Path(__file__).parent / "plugin"
COMMAND = "command.json"
MARK = "program.py"  # what only a folder of this plugin holds
DEFAULT = "default"


def profiles_folder() -> Path:
    """Where QGIS keeps its profiles."""
    if custom := os.environ.get("QGIS_CUSTOM_CONFIG_PATH"):
        return Path(custom) / "profiles"
    home = Path.home()
    if sys.platform == "win32":
        data = Path(os.environ.get("APPDATA", home / "AppData/Roaming"))
    elif sys.platform == "darwin":
        data = home / "Library/Application Support"
    else:
        data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local/share")
    return data / "QGIS/QGIS3/profiles"


def find_profile(name: str | None) -> Path:
    """The folder of a profile.

    Args:
        name: Of a profile, or a folder; None for the profile that QGIS starts with.

    Raises:
        OutputError: There is no such profile.
    """
    if name is None:
        return profiles_folder() / DEFAULT  # QGIS makes it where it is missing
    folder = Path(name) if Path(name).name != name else profiles_folder() / name
    if Path(name).is_file():
        raise OutputError(
            f"{name_of(name)} is a file; a profile of QGIS is a folder, which Settings > User "
            "Profiles > Open Active Profile Folder shows."
        )
    if not folder.is_dir():
        there = sorted(path.name for path in profiles_folder().glob("*") if path.is_dir())
        raise OutputError(
            f"{name_of(name)} is no profile of QGIS: {name_of(folder)} is not there; the profiles "
            f"in {profiles_folder()} are {', '.join(there) or 'none'}."
        )
    return folder


def install_plugin(profile: str | None, command: Sequence[str]) -> Path:
    """Copy the plugin into a profile, in place of an earlier one.

    Args:
        profile: As in `find_profile`.
        command: The words that start this scd.

    Returns:
        The folder of the plugin.

    Raises:
        OutputError: There is no such profile, it cannot be written, or another plugin has the name.
    """
    folder = find_profile(profile) / "python/plugins" / PLUGIN
    if folder.exists() and not (folder / MARK).is_file():
        raise OutputError(f"{folder} is not the plugin of scd; move it away.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{PLUGIN}.", dir=folder.parent) as beside:
            fresh = Path(beside, PLUGIN)
            fresh.mkdir()
            for name, content in _files().items():
                (fresh / name).write_bytes(content)
            (fresh / COMMAND).write_text(json.dumps(list(command)), encoding="utf-8")
            shutil.rmtree(folder, ignore_errors=True)
            fresh.replace(folder)
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be written ({error.strerror}); name another profile."
        ) from error
    return folder


def package_plugin(path: Path, *, overwrite: bool) -> Path:
    """Write the plugin as a ZIP that the plugin manager of QGIS installs.

    Raises:
        OutputError: The file exists or cannot be written.
    """
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists; replace it with --overwrite, or name another file.")
    moment = timestamp()
    try:
        with ZipFile(path, "w") as file:
            for name, content in _files().items():
                # a ZIP knows no time before 1980
                entry = ZipInfo(
                    f"{PLUGIN}/{name}", (max(moment.year, 1980), *moment.timetuple()[1:6])
                )
                entry.compress_type = ZIP_DEFLATED
                entry.create_system = 3  # the same on every system
                file.writestr(entry, content)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written ({error.strerror}); name another file."
        ) from error
    return path


def _files() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(SOURCE.iterdir()) if path.is_file()}
