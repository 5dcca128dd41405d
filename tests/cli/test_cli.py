"""The group: names, configuration and what becomes of errors, the same for every command."""

import json
import re
import subprocess
import sys
import warnings
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner
from maps import draw, write_prediction
from scenes import noise, write_scene

from scdcli import __version__
from scdcli.cli import ALIASES, COMMANDS, main
from scdcli.errors import OutputError, PairError
from scdcli.legend import SECOND

SMALL_SET = {"pairs": 1, "size": 128, "split": "val"}


@pytest.fixture
def config(tmp_path):
    """A function that writes a TOML file and returns its path."""

    def write(text):
        path = tmp_path / "scd.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def truth(tmp_path):
    """A folder with from.tif and to.tif."""
    return write_prediction(tmp_path / "truth", draw(1), legend=SECOND)


def test_help_lists_every_command_with_its_purpose(scd):
    result = scd("--help")
    assert result.exit_code == 0
    listed = dict(
        line.split(maxsplit=1) for line in result.stdout.split("Commands:\n")[1].splitlines()
    )
    assert tuple(listed) == COMMANDS
    assert all(listed.values())


@pytest.mark.parametrize("command", [*COMMANDS, *ALIASES])
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_command_has_help(scd, command, option):
    result = scd(command, option)
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: ")


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_version(scd, option):
    assert scd(option).stdout == f"scd, version {__version__}\n"


def test_eval_is_evaluate(scd, truth):
    found = scd("eval", truth, "--pred", truth, "--json")
    assert found.exit_code == 0, found.output
    assert found.stdout == scd("evaluate", truth, "--pred", truth, "--json").stdout


def test_an_unknown_command_is_a_usage_error(scd):
    result = scd("predcit")
    assert result.exit_code == 2
    assert "No such command 'predcit'" in result.stderr


@pytest.mark.parametrize(
    ("typed", "hint"),
    [("predikt", " Did you mean predict?"), ("simulat", " Did you mean simulate?"), ("xyz", "")],
)
def test_a_command_that_is_nearly_one_is_named(scd, typed, hint):
    result = scd(typed, "a.tif", "b.tif")
    assert result.exit_code == 2
    assert result.stderr.endswith(f"Error: No such command '{typed}'.{hint}\n")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (
            "[predict]\nland_cover = true\n",
            "scd predict has no option --land_cover. Did you mean land-cover?",
        ),
        ("[predict]\nttta = 'flip'\n", "scd predict has no option --ttta. Did you mean tta?"),
        ("[predikt]\n", "[predikt] is not a command of scd. Did you mean predict?"),
        ("[predict]\nmin_area = 20\n", "scd predict has no option --min_area. Did you mean mmu?"),
        ("[train]\nbatch-size = 4\n", "scd train has no option --batch-size. Did you mean batch?"),
        ("min_area = 20\n", "min_area stands outside the tables of the commands; write it below"),
    ],
)
def test_a_config_that_is_nearly_right_says_what_was_meant(scd, config, text, hint):
    result = scd("--config", config(text), "models")
    assert result.exit_code == 2
    assert hint in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("SCD_PREDICT_TTAA", " Did you mean SCD_PREDICT_TTA?"),
        ("SCD_PREDICTT_TTA", " Did you mean SCD_PREDICT_TTA?"),
        ("SCD_CONFG", " Did you mean SCD_CONFIG?"),
        ("SCD_PREDICT_QQQQQ", ""),
        ("SCD_EVAL_TTA", " Did you mean SCD_EVALUATE_TTA?"),
        ("SCD_PREDICT_MIN_AREA", " Did you mean SCD_PREDICT_MMU?"),
    ],
)
def test_a_misspelt_variable_is_said_and_harms_nothing(scd, monkeypatch, name, hint):
    monkeypatch.setenv(name, "flip")
    result = scd("models")
    assert result.exit_code == 0
    said = f"Warning: {name} in the environment is not used: no option is called so.{hint}\n"
    assert result.stderr == said


def test_an_option_that_is_called_otherwise_here_is_named(scd):
    result = scd("predict", "a.tif", "b.tif", "--min-area", "20")
    assert result.exit_code == 2
    assert result.stderr.endswith("Error: No such option '--min-area'. Did you mean --mmu?\n")


def test_variables_of_options_and_of_others_are_not_spoken_of(scd, monkeypatch):
    for name in ("SCD_PREDICT_MMU", "SCD_EVALUATE_TTA", "SCD_DATABASE_URL"):
        monkeypatch.setenv(name, "1")
    assert scd("models").stderr == ""


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_a_terminal_of_80_columns(command):
    arguments = [*command.split(), "--help"]
    page = CliRunner().invoke(main, arguments, terminal_width=80).stdout
    assert [line for line in page.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize(
    "typed", ["predict -m", "evaluate --model", "check -m", "train --init", "models"]
)
def test_models_complete_in_the_shell(tmp_path, monkeypatch, typed):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    for path in ("runs/best.safetensors", "runs/log.csv", "urbane.safetensors"):
        (tmp_path / path).touch()

    def completed(incomplete):
        shell = ShellComplete(main, {}, "scd", "_SCD_COMPLETE")
        return [
            (each.value, each.type) for each in shell.get_completions(typed.split(), incomplete)
        ]

    assert completed("u") == [("urban", "plain"), ("urbane.safetensors", "plain")]
    assert completed("runs/") == [("runs/best.safetensors", "plain")]
    assert completed("ru") == [("ru", "file")]


def test_an_unknown_option_is_a_usage_error(scd):
    result = scd("predict", "a.tif", "b.tif", "--tat", "none")
    assert result.exit_code == 2
    assert "--tat" in result.stderr


def test_config_fills_the_options_of_its_command(scd, config, tmp_path):
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in SMALL_SET.items())
    result = scd("--config", config(f"[simulate]\n{lines}\n"), "simulate", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert [p.name for p in (tmp_path / "out/val/im1").iterdir()] == ["00000.png"]


def test_an_option_wins_over_the_environment_and_that_over_config(
    scd, config, tmp_path, monkeypatch
):
    path = config('[simulate]\npairs = 1\nsize = 128\nsplit = "val"\n')
    monkeypatch.setenv("SCD_SIMULATE_SPLIT", "test")
    assert scd("--config", path, "simulate", tmp_path).stdout == f"{tmp_path / 'test'}\n"
    given = scd("--config", path, "simulate", tmp_path, "--split", "train")
    assert given.stdout == f"{tmp_path / 'train'}\n"


def test_config_knows_options_with_a_dash_and_aliases(scd, config):
    path = config('[eval]\nlegend = "none such"\n[predict]\nmax-pixels = -1\n')
    evaluated = scd("--config", path, "evaluate", ".", "--pred", ".")
    assert evaluated.exit_code == 1
    assert "named 'none such'" in evaluated.stderr
    predicted = scd("--config", path, "predict", "a.tif", "b.tif")
    assert predicted.exit_code == 2
    assert "'--max-pixels': -1.0 is not in the range" in predicted.stderr


@pytest.mark.parametrize("text", ["[predict\n", "[predict]\ntta = flip\n", "a = 1\na = 2\n"])
def test_broken_config_is_a_usage_error_that_names_the_file(scd, config, text):
    result = scd("--config", config(text), "models")
    assert result.exit_code == 2
    assert "scd.toml is not TOML" in result.stderr


def test_a_config_may_come_from_a_windows_editor(scd, tmp_path):
    path = tmp_path / "scd.toml"
    text = "[evaluate]\r\nlegend = 'Wälder'\r\n"
    for encoding in ("utf-8-sig", "utf-16"):
        path.write_bytes(text.encode(encoding))
        result = scd("--config", path, "evaluate", ".", "--pred", ".")
        assert "named 'Wälder'" in result.stderr
    path.write_bytes(text.encode("cp1252"))
    result = scd("--config", path, "evaluate", ".", "--pred", ".")
    assert result.exit_code == 2
    assert "is not UTF-8 text: byte 0xe4" in result.stderr


def test_a_decimal_comma_is_one_sentence(scd, config):
    typed = scd("predict", "a.tif", "b.tif", "--simplify", "0,5")
    assert (typed.exit_code, typed.stderr.splitlines()[-1]) == (
        2,
        "Error: Invalid value for '--simplify': '0,5' is not a valid float range. Write 0.5.",
    )
    for option in ("--threshold", "--mmu"):
        typed = scd("predict", "a.tif", "b.tif", option, "0,5")
        assert typed.stderr.endswith(". Write 0.5.\n")
    written = scd("--config", config("[predict]\r\nsimplify = 0,5\r\n"), "models")
    assert written.exit_code == 2
    assert "is not TOML: Expected newline or end of document after a statement (at line 2" in (
        " ".join(written.stderr.split())
    )


def test_missing_config_is_a_usage_error(scd, tmp_path):
    result = scd("--config", tmp_path / "none.toml", "models")
    assert result.exit_code == 2
    assert "none.toml" in result.stderr


def test_the_environment_fills_options(scd, tmp_path, monkeypatch):
    for key, value in SMALL_SET.items():
        monkeypatch.setenv(f"SCD_SIMULATE_{key.upper()}", str(value))
    result = scd("simulate", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out/val/label1/00000.png").is_file()


def test_the_environment_names_the_config(scd, config, tmp_path, monkeypatch):
    monkeypatch.setenv("SCD_CONFIG", str(config('[predict]\ndevice = "abacus"\n')))
    pair = [write_scene(tmp_path / name, noise((3, 64, 64))) for name in ("a.tif", "b.tif")]
    result = scd("predict", *pair, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert "no device named 'abacus'" in result.stderr


def fail_with(monkeypatch, error):
    """Let ``scd models`` raise."""

    @click.command()
    def models():
        raise error

    monkeypatch.setattr(import_module("scdcli.cli.models"), "models", models)


@pytest.mark.parametrize("kind", [PairError, OutputError])
def test_our_errors_are_one_line_and_exit_1(scd, monkeypatch, kind):
    fail_with(monkeypatch, kind("before.tif and after.tif do not overlap; check both."))
    result = scd("models")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == "Error: before.tif and after.tif do not overlap; check both.\n"


def test_a_bug_keeps_its_traceback(scd, monkeypatch):
    fail_with(monkeypatch, ZeroDivisionError("a bug"))
    assert isinstance(scd("models").exception, ZeroDivisionError)


def test_an_interruption_exits_130(scd, monkeypatch):
    fail_with(monkeypatch, KeyboardInterrupt())
    result = scd("models")
    assert result.exit_code == 130
    assert "Interrupted." in result.stderr


def test_as_a_program_an_error_has_no_traceback(tmp_path):
    (tmp_path / "out").mkdir()
    arguments = ["predict", "a.tif", "b.tif", "-o", "out"]
    done = subprocess.run(
        [sys.executable, "-m", "scdcli", *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: out exists; ")
    assert list(Path(tmp_path, "out").iterdir()) == []


def test_as_a_program_it_is_called_scd():
    done = subprocess.run(
        [sys.executable, "-m", "scdcli", "-h"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("Usage: scd [OPTIONS] COMMAND")


def test_commands_are_those_of_their_modules():
    context = click.Context(main)
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert command.name == name
        assert command.help


@pytest.mark.parametrize("arguments", [["-v", "models"], ["models", "--verbose"]])
def test_verbose_says_where_an_error_comes_from(scd, monkeypatch, arguments):
    original = import_module("scdcli.cli.models").models.params

    @click.command(params=original)
    def models(**options):
        raise PairError("they do not overlap; check both.")

    monkeypatch.setattr(import_module("scdcli.cli.models"), "models", models)
    quiet, said = scd("models"), scd(*arguments)
    assert "Traceback" not in quiet.stderr
    assert said.exit_code == 1
    assert "in models" in said.stderr
    assert f"\nscd {__version__}, Python 3." in said.stderr
    assert "GDAL 3." in said.stderr
    assert said.stderr.endswith(quiet.stderr)


@pytest.fixture
def rio():
    """Run a command of rasterio's program with the installed plugins; returns click's result."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of rasterio's own parts
        from rasterio.rio.main import main_group
    return lambda *args: CliRunner().invoke(main_group, [str(arg) for arg in args], prog_name="rio")


def test_rio_knows_scd(rio):
    assert re.search(r"^  scd +What changed on the ground", rio("--help").stdout, re.MULTILINE)
    shown = rio("scd", "--help").stdout
    assert shown.startswith("Usage: rio scd [OPTIONS] COMMAND")
    assert all(f"\n  {name} " in shown for name in COMMANDS)


def test_rio_scd_works_as_scd(rio, config, tmp_path, monkeypatch):
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in SMALL_SET.items())
    monkeypatch.setenv("SCD_SIMULATE_SPLIT", "test")
    made = rio("scd", "--config", config(f"[simulate]\n{lines}\n"), "simulate", tmp_path / "out")
    assert made.exit_code == 0, made.output
    assert made.stdout == f"{tmp_path / 'out/test'}\n"
    refused = rio("scd", "predict", tmp_path / "none.tif", tmp_path / "no.tif", "-o", tmp_path)
    assert refused.exit_code == 1
    assert refused.stderr.startswith(f"Error: {tmp_path} exists; ")
    assert len(refused.stderr.splitlines()) == 1
    assert rio("scd", "predict").exit_code == 2


def test_rio_hands_over_its_environment(scd, monkeypatch):
    seen = []

    @contextmanager
    def environment():
        seen.append("in")
        yield
        seen.append("out")

    @click.command()
    def models():
        seen.append("command")

    monkeypatch.setattr(import_module("scdcli.cli.models"), "models", models)
    result = CliRunner().invoke(main, ["models"], obj={"env": environment()})
    assert result.exit_code == 0, result.output
    assert seen == ["in", "command", "out"]


def test_rio_loads_nothing_heavy_to_list_it():
    script = "import sys, scdcli.cli; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    heavy = {"torch", "rasterio", "numpy", "fiona", "matplotlib", "rich", "tomllib", "traceback"}
    assert not heavy & set(done.stdout.split())
