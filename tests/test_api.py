"""What `import scdcli` gives: nothing heavy at first, and every name it lists."""

import ast
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import scdcli


def test_the_import_loads_nothing_heavy():
    script = "import json, sys, scdcli; dir(scdcli); print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert not set(json.loads(done.stdout)) & {"torch", "rasterio", "numpy", "fiona", "click"}


@pytest.mark.parametrize("name", scdcli.__all__)
def test_every_name_is_there_and_documented(name):
    found = getattr(scdcli, name)
    assert found.__name__ == name
    assert inspect.getdoc(found)
    assert name in dir(scdcli)


def test_what_is_loaded_is_what_a_type_checker_sees():
    module = ast.parse(Path(scdcli.__file__).read_text(encoding="utf-8"))
    (for_types,) = (node for node in module.body if isinstance(node, ast.If))
    seen = {
        alias.name: node.module
        for node in for_types.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == scdcli._MODULE_OF
    assert sorted(seen) == sorted(scdcli.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'scdcli' has no attribute 'pedict'"):
        _ = scdcli.pedict


@pytest.mark.parametrize("function", ["predict", "evaluate", "load_model", "open_pair"])
def test_every_parameter_is_typed_and_documented(function):
    found = getattr(scdcli, function)
    signature = inspect.signature(found)
    arguments = inspect.getdoc(found).split("Args:")[1].split("Raises:")[0]
    for name, parameter in signature.parameters.items():
        assert parameter.annotation is not inspect.Parameter.empty
        assert f"    {name}: " in arguments
    assert signature.return_annotation is not inspect.Signature.empty
