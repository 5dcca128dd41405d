"""A network of one's own is trained and used where a person names it, and nowhere else."""

import sys
from dataclasses import replace

import pytest
from sets import find_samples, write_second_tree
from standins import loaded

from scdcli.errors import ModelError
from scdcli.models.checkpoint import load_model, save_model
from scdcli.models.networks import NetworkSettings, own
from scdcli.training.startweights import start_model

CODE = """
from pathlib import Path

import torch
from torch import nn

from scdcli.models.networks.outputs import Logits

with Path("imported").open("a") as stream:
    stream.write("once\\n")


class Plain(nn.Module):
    output = "branches"

    def __init__(self, *, bands, classes, **_):
        super().__init__()
        self.features = nn.Conv2d(bands, 8, 3, padding=1, bias=False)
        nn.init.constant_(self.features.weight, 0.1)
        self.classes = nn.Conv2d(8, classes, 1)
        self.change = nn.Conv2d(8, 2, 1)

    def forward(self, before, after):
        before, after = self.features(before), self.features(after)
        change = self.change((before - after).abs())
        return Logits(self.classes(before), self.classes(after), change)


class Lazy(Plain):
    def __init__(self, **settings):
        super().__init__(**settings)
        self.unused = nn.Linear(1, 1)
"""
QUICK = ("--epochs", "1", "--chip", "64", "--batch", "2", "-q")


@pytest.fixture
def here(tmp_path, rng, monkeypatch):
    """A working folder with a set, a run of a network whose code lies there, and no trace of it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(own, "_allowed", {})
    write_second_tree(tmp_path / "set", rng, pairs=3)
    (tmp_path / "ownnet.py").write_text(CODE)
    yield tmp_path
    sys.modules.pop("ownnet", None)


def forget(here, monkeypatch):
    """As in another process."""
    monkeypatch.setattr(own, "_allowed", {})
    sys.modules.pop("ownnet", None)
    (here / "imported").unlink()


def test_it_is_trained_and_then_run_only_where_it_is_named(scd, here, monkeypatch):
    path = list(sys.path)
    trained = scd("train", "set", "-o", "run", "--network", "ownnet:Plain", *QUICK)
    assert trained.exit_code == 0, trained.output
    assert sys.path == path
    model = here / "run/best.safetensors"
    command = ("evaluate", "set/train", "-m", model, "--json", "-q")
    forget(here, monkeypatch)
    refused = scd(*command)
    assert refused.exit_code == 1
    assert "'ownnet:Plain' is code of somebody's own" in refused.stderr
    assert "SCD_NETWORK" in refused.stderr
    assert not (here / "imported").exists()
    assert "ownnet" not in sys.modules
    named = scd("--network", "ownnet:Plain", *command)
    assert named.exit_code == 0, named.output
    forget(here, monkeypatch)
    monkeypatch.setenv("SCD_NETWORK", "ownnet:Plain")
    assert scd(*command).stdout == named.stdout
    monkeypatch.delenv("SCD_NETWORK")
    other = scd("train", "set", "-o", "tuned", "--init", model, "--network", "ownnet:Plain", *QUICK)
    assert other.exit_code == 0, other.output
    forget(here, monkeypatch)
    repeated = scd("train", "--config", "run/config.toml", "-o", "again")
    assert repeated.exit_code == 2
    assert "names the network 'ownnet:Plain'" in repeated.stderr
    assert not (here / "imported").exists()
    again = scd(
        "train", "--config", "run/config.toml", "--network", "ownnet:Plain", "-o", "again", "-q"
    )
    assert again.exit_code == 0, again.output
    assert (here / "again/last.safetensors").read_bytes() == (
        here / "run/last.safetensors"
    ).read_bytes()


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("ownnet:Lazy", 1, "ownnet:Lazy has parameters that get no gradient: unused.weight"),
        ("nowhere:Plain", 2, "nowhere:Plain cannot be imported (ModuleNotFoundError"),
        ("ownnet:Missing", 2, "cannot be imported (AttributeError"),
        ("ownnet:__file__", 2, "not a class of networks"),
        ("own net:Plain", 2, "write package.module:Class"),
    ],
)
def test_what_cannot_be_trained_is_said_before_the_set_is_looked_at(scd, here, name, status, words):
    result = scd("train", "no-set", "-o", "run", "--network", name, *QUICK)
    assert result.exit_code == status
    assert words in " ".join(result.stderr.split())
    assert not (here / "run").exists()


def test_it_begins_as_its_constructor_leaves_it(here):
    own.allow("ownnet:Plain")
    model = start_model(find_samples(here / "set/train"), NetworkSettings("ownnet:Plain"))
    assert model.network.features.weight.eq(0.1).all()


def test_no_name_in_a_model_file_runs_code(tmp_path, here):
    made = loaded()
    for name in ("os:system", "../evil:Net", ":", "ownnet:Plain"):
        network = replace(made.header.network, name=name)
        save_model(tmp_path / "m.safetensors", made.model, replace(made.header, network=network))
        with pytest.raises(ModelError, match="code of somebody's own"):
            load_model(str(tmp_path / "m.safetensors"))
