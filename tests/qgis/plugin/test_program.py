"""scd as a child of another program: found, heard, stopped; needs no QGIS."""

import importlib.util
import sys

import pytest

from scdcli.qgis.install import SOURCE


@pytest.fixture(scope="module")
def program():
    """The module of the plugin, which no package of ours holds under this name in QGIS."""
    spec = importlib.util.spec_from_file_location("scd_program", SOURCE / "program.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(program, script, canceled=lambda: False):
    said, percent = [], []
    words = [sys.executable, "-c", script]
    result = program.run(words, say=said.append, progress=percent.append, canceled=canceled)
    return result, said, percent


def test_notes_progress_and_result_come_through(program):
    script = (
        "import sys; print('Model urban.', file=sys.stderr);"
        "print('predicting, %: 30 of 100', file=sys.stderr); print('maß'); print('out')"
    )
    assert run(program, script) == ("maß\nout\n", ["Model urban."], [30.0])


def test_an_error_is_the_sentence_of_scd(program):
    script = "import sys; print('note', file=sys.stderr); sys.exit('Error: a.tif is cut off.')"
    with pytest.raises(program.ProgramError, match=r"^a\.tif is cut off\.$"):
        run(program, script)
    assert run(program, "print('Verdict: not comparable'); exit(1)")[0].startswith("Verdict: not")
    with pytest.raises(program.ProgramError, match=r"ended with status 7: last words"):
        run(program, "import sys; print('last words', file=sys.stderr); sys.exit(7)")
    with pytest.raises(program.ProgramError, match="nowhere/scd cannot be started"):
        program.run(["/nowhere/scd"], say=print, progress=print, canceled=lambda: False)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a child without asking it")
def test_canceling_lets_the_child_put_things_away(program):
    script = (
        "import signal, sys, time\n"
        "def stop(*_): print('What is done is kept.', file=sys.stderr); sys.exit(143)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "print('started', file=sys.stderr, flush=True)\n"
        "time.sleep(60)"
    )
    said = []
    words = [sys.executable, "-c", script]
    found = program.run(words, say=said.append, progress=print, canceled=lambda: bool(said))
    assert found is None
    assert said == ["started", "What is done is kept."]


def test_the_environment_of_qgis_does_not_reach_the_child(program):
    foreign = {"PYTHONHOME": "/q", "PYTHONPATH": "/q", "PROJ_LIB": "/q", "GDAL_DATA": "/q"}
    cleaned = program.clean_environment({**foreign, "HOME": "/me", "AWS_REGION": "x"})
    assert not foreign.keys() & cleaned.keys()
    assert (cleaned["HOME"], cleaned["AWS_REGION"]) == ("/me", "x")


def test_the_command_is_that_of_the_settings_then_of_the_installation_then_on_the_path(
    program, tmp_path, monkeypatch
):
    own = tmp_path / "scd"
    own.touch(mode=0o755)
    monkeypatch.setattr(program, "COMMAND", tmp_path / "command.json")
    assert program.find_command(str(own)) == [str(own)]
    with pytest.raises(program.ProgramError, match="gone, named in the settings"):
        program.find_command(str(tmp_path / "gone"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert program.find_command() == [str(own)]
    program.COMMAND.write_text(f'["{sys.executable}", "-m", "scdcli"]')
    assert program.find_command() == [sys.executable, "-m", "scdcli"]
    program.COMMAND.write_text('["gone"]')
    own.unlink()
    with pytest.raises(program.ProgramError, match="scd is not found. Install it"):
        program.find_command()
