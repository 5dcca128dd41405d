"""Training on masks of change: alone, or with a model whose classes stay as they are."""

from dataclasses import replace
from math import isfinite

import pytest
import torch
from masks import write_masks
from runs import CPU, QUICK, tensors, train

from scdcli.datasets.layouts import list_samples
from scdcli.errors import ModelError
from scdcli.legend import CHANGE, SECOND
from scdcli.models.checkpoint import ModelHeader, load_model, save_model
from scdcli.models.networks import NETWORKS, NetworkSettings, build
from scdcli.models.networks.model import ChangeModel
from scdcli.training.job import require_change_branch
from scdcli.training.loop import StepDone
from scdcli.training.runfolder import EpochLog

SEMANTIC = ("network.semantic_encoder.", "network.semantic_decoder.", "network.asp.")


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    return list_samples(write_masks(tmp_path_factory.mktemp("set"), "abcd")).samples


def model(path, name="hrscd-str4", classes=SECOND, **header):
    """An untrained model of several classes, in a file."""
    torch.manual_seed(1)
    settings = NetworkSettings(name, width=0.125, classes=len(classes))
    made = ChangeModel(build(settings), [128.0] * 3, [60.0] * 3)
    save_model(path, made, ModelHeader(settings, classes, chip=64, **header))
    return path


def events(samples, out, network, settings=QUICK, **options):
    return list(train(samples[1:], samples[:1], out, network, CHANGE, settings, CPU, **options))


@pytest.mark.parametrize("name", ["hrscd-str4", "asn", "fc-siam-diff"])
def test_a_fresh_network_learns_change_alone(samples, tmp_path, name):
    network = NetworkSettings(name, width=0.125, classes=1)
    settings = replace(QUICK, epochs=2, class_weights="inverse")
    found = events(samples * 2, tmp_path / "run", network, settings)
    losses = [event.loss for event in found if isinstance(event, StepDone)]
    assert min(losses[1:]) < losses[0]
    header = load_model(str(tmp_path / "run/best.safetensors")).header
    assert header.legend == CHANGE
    logs = [event for event in found if isinstance(event, EpochLog)]
    assert all(log.sek_from_to is None for log in logs)
    best = max(logs, key=lambda log: log.miou)  # the first of equal ones
    assert header.scores["miou"] == best.miou
    assert header.training["epoch"] == best.epoch


@pytest.mark.parametrize("name", ["asn-atl", "fc-ef", "fc-siam-conc", "hrscd-str2", "hrscd-str3"])
def test_the_other_kinds_of_networks_take_a_step(samples, tmp_path, name):
    network, start = NetworkSettings(name, width=0.125, classes=1), None
    if name == "asn-atl":  # revises another, as in a training of two stages
        start = load_model(str(model(tmp_path / "start.safetensors", "asn", CHANGE)))
    found = events(samples, tmp_path / "run", network, replace(QUICK, epochs=1), start=start)
    losses = [event.loss for event in found if isinstance(event, StepDone)]
    assert losses
    assert all(map(isfinite, losses))
    assert load_model(str(tmp_path / "run/last.safetensors")).header.legend == CHANGE


@pytest.mark.parametrize("name", ["hrscd-str4", "asn"])
def test_what_names_classes_stays_and_change_is_learnt(samples, tmp_path, name):
    file = model(tmp_path / "start.safetensors", name, land_cover=True)
    start = load_model(str(file))
    settings = replace(QUICK, freeze="semantic", class_weights="inverse", weight_decay=0.1)
    network = start.header.network
    events(samples, tmp_path / "run", network, settings, start=start, calibrate=True)
    made = load_model(str(tmp_path / "run/last.safetensors"))
    assert made.header.legend == SECOND
    assert made.header.land_cover
    before, after = tensors(file), tensors(tmp_path / "run/last.safetensors")
    kept = [key for key in before if key.startswith(SEMANTIC)]
    assert kept
    assert all(torch.equal(before[key], after[key]) for key in kept)
    learnt = [key for key in before if key.startswith("network.change_decoder.")]
    assert not any(torch.equal(before[k], after[k]) for k in learnt if k.endswith("weight"))


def test_the_semantic_terms_are_off(samples, tmp_path):
    """With them, classes would be pushed to the first one wherever something changed."""
    start = load_model(str(model(tmp_path / "start.safetensors")))
    network = start.header.network
    events(samples, tmp_path / "run", network, QUICK, start=start)  # nothing is frozen
    head = "network.semantic_decoder.head.bias"
    before, after = (
        tensors(tmp_path / each)[head] for each in ("start.safetensors", "run/last.safetensors")
    )
    torch.testing.assert_close(before, after, atol=1e-5, rtol=0)


def test_networks_that_cannot_are_refused(tmp_path):
    with pytest.raises(ModelError, match="hrscd-str1 finds change by comparing classes") as error:
        require_change_branch("hrscd-str1", None)
    able = str(error.value).split(": ")[1].rstrip(".").split(", ")
    assert able == [name for name in NETWORKS if name != "hrscd-str1"]
    start = load_model(str(model(tmp_path / "start.safetensors", "fc-siam-diff")))
    with pytest.raises(ModelError, match="and keep the classes of a model: hrscd-str3"):
        require_change_branch("fc-siam-diff", start)
    with pytest.raises(ModelError, match="asn-atl revises classes"):
        require_change_branch("asn-atl", start)
    for name in able:
        require_change_branch(name, None)


def test_a_model_of_change_is_trained_on(samples, tmp_path):
    """A start that knows of one class only is as any other: nothing is kept."""
    start = load_model(str(model(tmp_path / "start.safetensors", "fc-siam-diff", CHANGE)))
    require_change_branch("fc-siam-diff", start)
    events(samples, tmp_path / "run", start.header.network, start=start)
    assert load_model(str(tmp_path / "run/last.safetensors")).header.legend == CHANGE


def test_train_fine_tunes_on_masks_and_says_what_stays(scd, tmp_path):
    start = model(tmp_path / "start.safetensors")
    root = write_masks(tmp_path / "set", "abcd")
    quick = ("--chip", "64", "--epochs", "1", "--batch", "2", "--val-share", "0.25")
    result = scd("train", root, "--init", start, "-o", tmp_path / "run", *quick)
    assert result.exit_code == 0, result.stderr
    assert "all that names classes stays as it is" in result.stderr
    assert "classes learnt on no pixel, change on every one" in result.stderr
    header = load_model(str(tmp_path / "run/best.safetensors")).header
    assert header.legend == SECOND
    assert header.training["freeze"] == "semantic"
