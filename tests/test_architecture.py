"""The layers of the package, as `docs/explanation/design.md` draws them."""

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
LONGEST_FILE = 260  # lines

# Lowest first. A module imports its own layer and those below; `world` and `networks` are folders.
LAYERS = (
    "scdcli errors coding legend grid",
    "clock folder journal interruption naming pairlist symmetry distributed device memory tiling "
    "baselines decode rasters changes world synthesis networks",
    "labelled checkpoint tensorfile pyramidmaps modelfit modelcard",
    "inference scenechips provenance prediction training scoring pairset simulation composition "
    "paircheck",
    "cli __main__",
)
LAYER_OF = {name: level for level, names in enumerate(LAYERS) for name in names.split()}

WITHOUT_TORCH = set(" ".join((*LAYERS[:2], "scoring")).split()) - {
    *("networks", "device", "memory", "distributed")
}


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def top(module: str) -> str:
    """The name in `LAYERS` of a module of the package."""
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
    whole = [f"{node.module}.{alias.name}" for alias in node.names]
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


def test_every_module_has_a_layer_and_every_name_a_module():
    assert {top(module) for module in SOURCES} == set(LAYER_OF)


@pytest.mark.parametrize("module", SOURCES)
def test_imports_point_down(module):
    level = LAYER_OF[top(module)]
    above = {name for name in ours(module) if LAYER_OF[top(name)] > level}
    assert not above


def test_the_import_graph_has_no_cycle():
    # An import of a submodule also runs its package, which is no dependency of the code.
    graph = {module: ours(module) - {module} for module in SOURCES}
    assert len(list(TopologicalSorter(graph).static_order())) == len(SOURCES)


@pytest.mark.parametrize("module", [m for m in SOURCES if top(m) in WITHOUT_TORCH])
def test_rasters_vectors_and_the_world_never_reach_torch(module):
    assert not [name for name in reached(module) if {"torch", "safetensors"} & foreign(name)]


@pytest.mark.parametrize("module", [m for m in SOURCES if top(m) == "networks"])
def test_networks_never_reach_rasterio(module):
    assert not [name for name in reached(module) if {"rasterio", "fiona"} & foreign(name)]


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
    at_head = {name for node in tree(module).body for name in imported(node)}
    assert ours(module) <= at_head


@pytest.mark.parametrize("module", SOURCES)
def test_no_file_is_too_long(module):
    assert len(SOURCES[module].read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


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


def test_the_design_page_lists_the_same_layers():
    page = (PACKAGE.parent / "docs/explanation/design.md").read_text(encoding="utf-8")
    listed = {}
    for level, text in re.findall(r"^## Layer (\d)\n(.*?)(?=^## )", page, re.MULTILINE | re.DOTALL):
        for cell in re.findall(r"^\| (`.*?`) \|", text, re.MULTILINE):
            listed |= dict.fromkeys(re.findall(r"`(\w[\w.]*)`", cell), int(level))
    modules = {name.removeprefix("scdcli.") for name in SOURCES} - {"scdcli"}
    assert listed == {name: LAYER_OF[name.split(".")[0]] for name in modules}
