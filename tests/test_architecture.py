"""The direction of the packages, as `docs/explanation/design.md` draws it."""

import ast
import json
import re
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import scdcli

PACKAGE = Path(scdcli.__file__).parent
TESTS = Path(__file__).parent

# Lowest first. A module imports its own package and those of lower rows.
ROWS = (
    "errors",
    "environment legend",
    "files",
    "rasters",
    "polygons",
    "datasets models qgis reporting",
    "prediction",
    "sampling scoring simulation",
    "training",
    "cli scdcli",  # the two front doors: the terminal and Python
    "__main__",
)
ROW_OF = {name: number for number, names in enumerate(ROWS) for name in names.split()}

WITHOUT_TORCH = {
    "errors",
    "legend",
    "files",
    "rasters",
    "polygons",
    "qgis",
    "reporting",
    "sampling",
    "simulation",
}
# What runs a model, or maps that exist: these are scored without loading what the other needs.
LATE = {"scdcli.scoring.job", "scdcli.scoring.run", "scdcli.scoring.systems"}


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def top(module: str) -> str:
    """The name in `ROWS` of what a module lies in."""
    return module.split(".")[1] if "." in module else module


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(SOURCES[module].read_text(encoding="utf-8"))


def imported(node: ast.AST) -> list[str]:
    """Modules that one statement names: ours as modules, others as they are written."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    assert node.level == 0, "relative import"
    whole = {f"{node.module}.{alias.name}" for alias in node.names}
    # The version is there before the package looks at any of its modules.
    whole.discard("scdcli.__version__")
    return [name if name in SOURCES else str(node.module) for name in whole]


@cache
def imports(module: str) -> frozenset[str]:
    """All a module imports, at its head, inside functions and for types."""
    return frozenset(name for node in ast.walk(tree(module)) for name in imported(node))


def ours(module: str) -> frozenset[str]:
    return imports(module) & SOURCES.keys()


def foreign(module: str) -> set[str]:
    return {name.split(".")[0] for name in imports(module) - SOURCES.keys()}


@cache
def reached(module: str) -> frozenset[str]:
    """The module and all of ours it imports, directly or not."""
    found, waiting = {module}, [module]
    while waiting:
        fresh = ours(waiting.pop()) - found
        found |= fresh
        waiting += fresh
    return frozenset(found)


def test_every_entry_has_a_row_and_every_name_an_entry():
    assert {top(module) for module in SOURCES} == set(ROW_OF)


@pytest.mark.parametrize("module", SOURCES)
def test_imports_point_down(module):
    own = top(module)
    above = {n for n in ours(module) if top(n) != own and ROW_OF[top(n)] >= ROW_OF[own]}
    assert not above


def test_the_import_graph_has_no_cycle():
    # An import of a submodule also runs its package, which is no dependency of the code.
    graph = {module: ours(module) - {module} for module in SOURCES}
    assert len(list(TopologicalSorter(graph).static_order())) == len(SOURCES)


def below(package: str) -> list[str]:
    return [module for module in SOURCES if f"{module}.".startswith(f"scdcli.{package}.")]


@pytest.mark.parametrize(
    "module",
    [m for m in SOURCES if top(m) in WITHOUT_TORCH or (top(m) == "scoring" and m not in LATE)],
)
def test_what_needs_no_network_never_reaches_torch(module):
    assert not [name for name in reached(module) if {"torch", "safetensors"} & foreign(name)]


@pytest.mark.parametrize("module", below("models.networks"))
def test_networks_never_reach_rasterio(module):
    assert not [name for name in reached(module) if {"rasterio", "fiona"} & foreign(name)]


@pytest.mark.parametrize("package", ["rasters.pair", "models.networks", "simulation.camera"])
def test_what_others_of_the_package_share_knows_none_of_them(package):
    """A pair lies above single scenes; networks and the camera lie below what uses them."""
    inside, whole = set(below(package)), set(below(package.split(".")[0]))
    if package == "rasters.pair":
        assert not {m for m in whole - inside if ours(m) & inside}
    else:
        assert not {name for m in inside for name in ours(m)} & (whole - inside)


@pytest.mark.parametrize("module", [m for m in SOURCES if top(m) not in ("cli", "__main__")])
def test_only_the_command_line_knows_the_terminal(module):
    assert not foreign(module) & {"click", "rich", "argparse", "logging"}
    assert not set(calls(module)) & {"print", "input", "exit", "quit", "sys.exit", "os._exit"}


def calls(module: str) -> list[str]:
    return [ast.unparse(n.func) for n in ast.walk(tree(module)) if isinstance(n, ast.Call)]


def test_calls_are_seen():
    assert "click.echo" in calls("scdcli.cli.predict")


@pytest.mark.parametrize("module", [m for m in SOURCES if top(m) != "cli"])
def test_only_commands_import_our_modules_late(module):
    functions = [node for node in ast.walk(tree(module)) if isinstance(node, ast.FunctionDef)]
    inside = {name for each in functions for node in ast.walk(each) for name in imported(node)}
    late = inside & SOURCES.keys()
    assert not late or module in LATE
    heavy = {"torch", "matplotlib"}
    assert all(any(heavy & foreign(name) for name in reached(each)) for each in late)


def test_no_module_is_a_drawer():
    drawers = {"utils", "util", "common", "helpers", "base", "core", "misc"}
    assert not drawers & {part for module in SOURCES for part in module.split(".")}


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["predict", "--help"]])
def test_help_imports_nothing_heavy(arguments):
    script = (
        "import json, sys\n"
        "from scdcli.cli import main\n"
        f"main({arguments!r}, prog_name='scd', standalone_mode=False)\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert not loaded & {"torch", "rasterio", "numpy", "fiona", "matplotlib", "rich.console"}


def test_the_design_page_lists_the_same_packages_in_the_same_rows():
    page = (PACKAGE.parent / "docs/explanation/design.md").read_text(encoding="utf-8")
    table = re.search(r"^## Packages\n(.*?)^## ", page, re.MULTILINE | re.DOTALL)[1]
    listed = re.findall(r"^\| (\d*) *\| `([\w.]+)` \|", table, re.MULTILINE)
    rows = {name: int(number) for number, name in listed if number}
    assert rows == {n: r for n, r in ROW_OF.items() if n not in ("scdcli", "__main__")}
    folders = {m.removeprefix("scdcli.") for m, p in SOURCES.items() if p.name == "__init__.py"}
    assert {name for _, name in listed} == (folders | rows.keys()) - {"scdcli"}


@pytest.mark.parametrize("test", sorted(TESTS.rglob("test_*.py")), ids=lambda path: path.stem)
def test_tests_lie_where_what_they_test_lies(test):
    folder = test.parent.relative_to(TESTS)
    if folder.parts[:1] in ((), ("benchmarks",), ("examples",)):
        return
    inside = PACKAGE / folder
    names = [inside.name, *(path.stem for path in inside.glob("[!_]*.py"))]
    stem = test.stem.removeprefix("test_")
    assert any(stem == name or stem.startswith(f"{name}_") for name in names)
