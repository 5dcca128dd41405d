"""The plugin in a profile and in a ZIP."""

import json
import sys
from configparser import ConfigParser
from zipfile import ZipFile

import pytest

from scdcli import __version__
from scdcli.errors import OutputError
from scdcli.qgis.install import PLUGIN, find_profile, install_plugin, package_plugin

FILES = {"__init__.py", "algorithms.py", "program.py", "provider.py", "metadata.txt", "icon.svg"}


@pytest.fixture(autouse=True)
def profiles(tmp_path, monkeypatch):
    """An empty home of QGIS."""
    monkeypatch.setenv("QGIS_CUSTOM_CONFIG_PATH", str(tmp_path / "qgis"))
    return tmp_path / "qgis/profiles"


def test_the_plugin_is_copied_with_the_command_that_starts_this_scd(profiles):
    folder = install_plugin(None, ["python", "-m", "scdcli"])
    assert folder == profiles / "default/python/plugins/scd_changes"
    assert {path.name for path in folder.iterdir()} == FILES | {"command.json"}
    assert json.loads((folder / "command.json").read_text()) == ["python", "-m", "scdcli"]
    (folder / "old.py").touch()
    install_plugin(None, ["other"])
    assert {path.name for path in folder.iterdir()} == FILES | {"command.json"}
    assert [path.name for path in folder.parent.iterdir()] == [PLUGIN]


def test_profiles_go_by_name_or_folder_and_a_missing_one_is_refused(profiles, tmp_path):
    (profiles / "survey").mkdir(parents=True)
    assert find_profile("survey") == profiles / "survey"
    assert find_profile(str(tmp_path)) == tmp_path
    with pytest.raises(OutputError, match=r"harvest is no profile of QGIS: .* are survey\."):
        install_plugin("harvest", ["scd"])
    (tmp_path / "settings.ini").touch()
    with pytest.raises(OutputError, match=r"ini is a file; a profile of QGIS is a folder"):
        install_plugin(str(tmp_path / "settings.ini"), ["scd"])


def test_a_foreign_plugin_of_that_name_stays(profiles):
    other = profiles / "default/python/plugins/scd_changes/other.py"
    other.parent.mkdir(parents=True)
    other.touch()
    with pytest.raises(OutputError, match="is not the plugin of scd; move it away"):
        install_plugin(None, ["scd"])
    assert other.exists()


def test_the_zip_is_the_plugin_in_its_folder_and_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    one, two = (package_plugin(tmp_path / f"{name}.zip", overwrite=False) for name in "ab")
    assert one.read_bytes() == two.read_bytes()
    with ZipFile(one) as file:
        assert set(file.namelist()) == {f"{PLUGIN}/{name}" for name in FILES}
    with pytest.raises(OutputError, match="exists; replace it with --overwrite"):
        package_plugin(one, overwrite=False)
    package_plugin(one, overwrite=True)


def test_what_the_plugin_manager_reads():
    from scdcli.qgis.install import SOURCE

    about = ConfigParser()
    about.read(SOURCE / "metadata.txt")
    assert about["general"]["version"] == __version__
    assert about["general"]["hasProcessingProvider"] == "yes"
    for name in ("name", "qgisMinimumVersion", "description", "author", "email", "about"):
        assert about["general"][name]


def test_the_command_installs_and_packs(scd, profiles, tmp_path):
    done = scd("qgis", "install")
    assert done.exit_code == 0, done.output
    assert done.stdout.strip().endswith(PLUGIN)
    assert "qgis_process plugins enable scd_changes" in done.stderr
    command = profiles / "default/python/plugins/scd_changes/command.json"
    assert json.loads(command.read_text()) == [sys.executable, "-m", "scdcli"]
    done = scd("qgis", "package", "-o", tmp_path / "a.zip")
    assert (done.exit_code, done.stdout.strip()) == (0, str(tmp_path / "a.zip"))
    assert scd("qgis", "package", "--profile", "x").exit_code == 2
    assert scd("qgis", "install", "--overwrite").exit_code == 2
