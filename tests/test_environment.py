"""Whatever a process inherits, the command and `import scdcli` do the same."""

import os
import sqlite3
import subprocess
import sys

import numpy as np
import pytest
from scenes import write_scene

from scdcli.environment import FOREIGN, inherited_cause

# Each library knows a CRS, has its own data, and transforms as it does without the variables.
LIBRARIES = """
import pyogrio, pyproj, rasterio
from rasterio.env import get_gdal_config
from rasterio.warp import transform
print(rasterio.crs.CRS.from_epsg(32650).to_epsg(), pyproj.CRS.from_epsg(32650).to_epsg())
print(transform("EPSG:32650", "EPSG:4326", [500000], [4000000]))
with rasterio.Env():
    print(get_gdal_config("GDAL_DATA"))
print(pyogrio.get_gdal_data_path(), pyproj.datadir.get_data_dir())
"""


def run(*arguments, cwd=None, **environment):
    """Python in a process of its own; a variable that is None is not there."""
    merged = {**os.environ, **environment}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env={name: str(value) for name, value in merged.items() if value is not None},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def foreign(tmp_path):
    """Variables of another program: an older PROJ's database, no GDAL data, a broken plugin."""
    folder = tmp_path / "other program"
    folder.mkdir()
    with sqlite3.connect(folder / "proj.db") as database:
        database.execute("create table metadata (key text, value text)")
        database.execute("insert into metadata values ('DATABASE.LAYOUT.VERSION.MAJOR', '1')")
        database.execute("insert into metadata values ('DATABASE.LAYOUT.VERSION.MINOR', '0')")
    database.close()
    (folder / "gdal_Other.so").write_text("no library")
    variables = dict.fromkeys(FOREIGN, str(folder))
    return {**variables, "PROJ_AUX_DB": str(folder / "proj.db")}


@pytest.fixture
def scenes(tmp_path, rng):
    pixels = rng.integers(1, 255, (3, 64, 64)).astype(np.uint8)
    return [write_scene(tmp_path / f"{name}.tif", pixels) for name in ("before", "after")]


@pytest.mark.parametrize(
    ("head", "names"),
    [
        ("import scdcli", FOREIGN),
        ("import scdcli", ["PROJ_LIB"]),
        ("import rasterio, scdcli", FOREIGN),
    ],
)
def test_every_library_finds_its_own_data(foreign, head, names):
    clean = run("-c", f"{head}\n{LIBRARIES}", **dict.fromkeys(FOREIGN))
    inherited = run("-c", f"{head}\n{LIBRARIES}", **{name: foreign[name] for name in names})
    assert (inherited.stdout, inherited.stderr) == (clean.stdout, "")
    assert clean.stdout.startswith("32650 32650\n")


def test_data_of_another_program_changes_nothing(foreign, scenes):
    clean = run("-m", "scdcli", "check", *scenes, **dict.fromkeys(FOREIGN))
    inherited = run("-m", "scdcli", "check", *scenes, **foreign)
    assert (inherited.stdout, inherited.stderr) == (clean.stdout, clean.stderr)
    assert inherited.returncode == 0


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["models"]], ids=" ".join)
def test_help_version_and_models_always_work(foreign, arguments):
    done = run("-m", "scdcli", *arguments, **foreign)
    assert (done.returncode, done.stderr) == (0, "")


def as_if_built_for_a_system(arguments, foreign):
    """Run a command with variables that `use_own_data` has not seen, as where it leaves them."""
    script = (
        "import os, scdcli\n"
        f"os.environ.update({foreign!r})\n"
        "from scdcli.cli import main\n"
        f"main({[str(each) for each in arguments]!r}, prog_name='scd')"
    )
    return run("-c", script)


def test_a_proj_led_astray_is_one_sentence_that_names_the_variable(foreign, tmp_path):
    foreign = {"PROJ_LIB": foreign["PROJ_LIB"]}
    done = as_if_built_for_a_system(["simulate", tmp_path / "drawn", "--size", 128], foreign)
    assert done.returncode == 1
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert f"PROJ_LIB={foreign['PROJ_LIB']}" in said
    assert "Run env -u PROJ_LIB scd ..." in said
    assert "Traceback" not in done.stderr
    listed = as_if_built_for_a_system(["models"], foreign)
    assert (listed.returncode, listed.stderr) == (0, "")


def test_the_variables_stay_where_rasterio_has_no_data_of_its_own(monkeypatch):
    from scdcli import environment

    for name in FOREIGN:
        monkeypatch.setenv(name, "/opt/conda/share")
    monkeypatch.setattr(environment, "_brings_data", lambda _: False)
    environment.use_own_data()
    assert {os.environ[name] for name in FOREIGN} == {"/opt/conda/share"}


def test_a_library_of_another_program_is_one_sentence_that_names_the_variable(tmp_path):
    other = tmp_path / "python of another program"
    other.mkdir()
    (other / "rasterio.py").write_text("raise ImportError('built for another Python')")
    path = os.pathsep.join([str(other), *filter(None, sys.path)])
    done = run("-m", "scdcli", "models", "second", PYTHONPATH=path, LD_LIBRARY_PATH=None)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: a library cannot be loaded (built for another Python): ")
    assert f"PYTHONPATH={other}" in done.stderr
    assert done.stderr.endswith("Run env -u PYTHONPATH scd ...\n")


@pytest.mark.parametrize(
    "error", [ValueError("a bug"), ImportError("a bug of ours", name="scdcli.cli")], ids=repr
)
def test_other_errors_are_no_matter_of_the_environment(monkeypatch, error):
    for name in ("PROJ_LIB", "PYTHONPATH"):
        monkeypatch.setenv(name, "/usr/share")
    assert inherited_cause(error) is None


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps the folder of a process")
@pytest.mark.parametrize(
    ("start", "status", "said"),
    [
        ("from scdcli.cli import main; main(['models'], prog_name='scd')", 1, "Error: the working"),
        ("import scdcli; scdcli.load_model", 1, "scdcli.errors.ScdError: the working"),
        ("from scdcli.cli import main; main(['--version'], prog_name='scd')", 0, ""),
    ],
    ids=["command", "import", "version"],
)
def test_a_working_folder_that_was_removed_is_one_sentence(tmp_path, start, status, said):
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"import os; os.chdir({str(gone)!r}); os.rmdir({str(gone)!r}); {start}"
    done = run("-c", script, PYTHONPATH=os.pathsep.join(filter(None, sys.path)))
    assert done.returncode == status
    last = done.stderr.splitlines()[-1:] or [""]
    assert last[0].startswith(said)
    assert not said or "(No such file or directory)" in last[0]
