"""What a model file says it expects, read without loading the model."""

import json

import pytest
from standins import tiny_model

from scdcli.errors import UnknownName
from scdcli.models import bundled_models
from scdcli.models.checkpoint import load_model
from scdcli.models.requirements import read_requirements


@pytest.mark.parametrize("name", sorted(bundled_models()))
def test_it_is_what_the_loaded_model_says(name):
    assert read_requirements(name) == load_model(name).requirements


def test_of_a_file_as_well(tmp_path):
    path = str(tiny_model(tmp_path / "four.safetensors", bands=4))
    found = read_requirements(path)
    assert found == load_model(path).requirements
    assert (found.name, found.bands, found.pixel_size) == ("four.safetensors", 4, None)


def test_what_is_no_name_and_no_file_is_refused():
    with pytest.raises(UnknownName, match="'mine'"):
        read_requirements("mine")


@pytest.mark.parametrize(
    "said",
    [
        None,
        "{",
        "[]",
        '"text"',
        json.dumps({"network": None}),
        json.dumps({"network": {"bands": "three"}}),
        json.dumps({"network": []}),
        "[" * 100_000,
    ],
    ids=["no entry", "cut off", "list", "text", "no network", "no number", "empty", "deep"],
)
def test_what_a_file_does_not_say_is_left_to_who_loads_it(tmp_path, said):
    header = json.dumps({"__metadata__": {"scd": said} if said else {}}).encode()
    path = tmp_path / "odd.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    assert read_requirements(str(path)) is None


@pytest.mark.parametrize("content", [b"", b"\xff" * 9, b"\xff" * 8 + b"{}", b"PK\x03\x04" * 20])
def test_other_files_say_nothing(tmp_path, content):
    path = tmp_path / "odd.safetensors"
    path.write_bytes(content)
    assert read_requirements(str(path)) is None


@pytest.mark.parametrize("sizes", [None, [1], [0, 1], ["a", "b"], {"fine": 1}, [1, None]])
def test_pixel_sizes_that_are_none_are_not_known(tmp_path, sizes):
    said = json.dumps({"network": {"bands": 3}, "pixel_size": sizes})
    header = json.dumps({"__metadata__": {"scd": said}}).encode()
    path = tmp_path / "odd.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    assert read_requirements(str(path)).pixel_size is None
