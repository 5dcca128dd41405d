"""Whatever a process inherits, the command and `import scdcli` do the same."""

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from scenes import noise, write_scene
from standins import tiny_model

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
        encoding=environment.get("PYTHONIOENCODING", "utf-8"),
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
def scenes(tmp_path):
    names = ("before.tif", "after.tif")
    return [write_scene(tmp_path / name, noise((3, 64, 64))) for name in names]


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
    "error",
    [
        ValueError("a bug"),
        ImportError("a bug of ours", name="scdcli.cli"),
        ModuleNotFoundError("not installed", name="torch"),
    ],
    ids=repr,
)
def test_other_errors_are_no_matter_of_the_environment(monkeypatch, error):
    for name in ("PROJ_LIB", "PYTHONPATH"):
        monkeypatch.setenv(name, "/usr/share")
    assert inherited_cause(error) is None


ODD = "zwei Wörter 'in' \"quotes\" 变化 🛰"
LONG = "x" * 196

BARE = {  # a container or a job on a cluster: no home, no language, no room for temporary files
    **dict.fromkeys(("HOME", "LANG", "XDG_CACHE_HOME", "PYTHONUTF8")),
    "LC_ALL": "C",
    "TMPDIR": "/does/not/exist",
    "MPLCONFIGDIR": "/does/not/exist",
    "PYTHONWARNINGS": "error",
    "COLUMNS": 40,
}


@pytest.fixture
def odd(tmp_path):
    """A folder, two scenes and a model with names of every kind: (folder, before, after, model)."""
    folder = tmp_path / ODD
    folder.mkdir()
    before, after = folder / f"{ODD}.tif", folder / f"{LONG}.tif"
    for seed, path in enumerate((before, after)):
        write_scene(path, noise((3, 64, 80), seed=seed))
    tiny_model(folder / "Wörter.safetensors")
    return folder, before, after, folder / "Wörter.safetensors"


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a folder nobody may write to")
def test_a_bare_environment_gives_the_same_bytes(odd):
    folder, before, after, model = odd
    command = ("-m", "scdcli", "predict", before, after, "-m", model, "--chip", "64", "-o")
    usual, bare = folder / "usual", folder / f"bare {ODD}"
    assert run(*command, usual, SOURCE_DATE_EPOCH=0).returncode == 0
    done = run(*command, bare, cwd="/proc", SOURCE_DATE_EPOCH=0, **BARE)
    assert (done.returncode, done.stdout) == (0, f"{bare}\n")
    assert {path.name for path in bare.iterdir()} == {path.name for path in usual.iterdir()}
    for path in usual.glob("*.tif"):
        assert (bare / path.name).read_bytes() == path.read_bytes()
    table = [line for line in done.stderr.splitlines() if not line.startswith("Warning")]
    assert "changed" in done.stderr
    assert not any("…" in line for line in table)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_signs_that_the_terminal_does_not_have_are_escaped(odd, encoding):
    _, before, after, _ = odd
    plain = run("-m", "scdcli", "check", before, after, PYTHONIOENCODING=encoding)
    assert (plain.returncode, plain.stderr) == (0, "")
    assert "\\ud83d\\udef0.tif" in plain.stdout.replace("\n", "").replace(" ", "")


def test_json_stays_json_in_every_encoding(odd):
    _, before, after, _ = odd
    said = run("-m", "scdcli", "check", "--json", before, after, PYTHONIOENCODING="cp1252")
    assert json.loads(said.stdout)["before"]["name"] == before.name


def test_a_name_that_is_no_utf_8_is_one_sentence(tmp_path):
    done = run("-m", "scdcli", "check", os.fsdecode(b"M\xfcnchen.tif"), "after.tif", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(
        r"Error: M\xfcnchen.tif holds bytes that are not UTF-8. Rename it"
    )


def test_names_found_in_a_folder_that_are_no_utf_8_are_one_sentence():
    error = UnicodeEncodeError("utf-8", os.fsdecode(b"im1/M\xfcnchen.png"), 5, 6, "no surrogates")
    assert inherited_cause(error).startswith(r"im1/M\xfcnchen.png holds bytes that are not UTF-8.")
    assert inherited_cause(UnicodeEncodeError("ascii", "é", 0, 1, "a bug")) is None


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-"])
def test_closed_streams_are_no_reason_to_fail(scenes, closed):
    command = f'exec "$0" -m scdcli check "$1" "$2" {closed}'
    shell = ["sh", "-c", command, sys.executable, *map(str, scenes)]
    assert subprocess.run(shell, check=False, capture_output=True).returncode == 0


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
