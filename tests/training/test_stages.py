"""The second stage of ASN-ATL moves ψ only, follows the first in one run, and resumes."""

import json
from dataclasses import replace
from itertools import product

import pytest
import torch
from sets import find_samples

from scdcli.datasets.augment import Augmentation
from scdcli.errors import ModelError, OutputError, TrainingError, UnknownName
from scdcli.legend import SECOND, Legend
from scdcli.models.checkpoint import load_model
from scdcli.models.networks import BLOCKS, NETWORKS, NetworkSettings
from scdcli.training.data import TrainingSet
from scdcli.training.loop import Training
from scdcli.training.runfolder import EpochLog
from scdcli.training.stages import Stage, require_names, train_in_stages
from scdcli.training.trainer import Hardware, TrainingSettings

ASN = NetworkSettings(width=0.125)
ATL = replace(ASN, name="asn-atl")
FIRST = TrainingSettings(
    epochs=1, batch=2, optimizer="adamw", lr=3e-3, ema=0.9, augmentation=Augmentation(chip=32)
)
SECOND_STAGE = replace(FIRST, epochs=2, class_weights="inverse")


@pytest.fixture
def samples(second_tree):
    return find_samples(second_tree(pairs=4, size=64) / "train")


def run(
    samples,
    out,
    network=ATL,
    *,
    stop_after=None,
    first=FIRST,
    second=SECOND_STAGE,
    legend=SECOND,
    **kwargs,
):
    """All events up to the end, or as if killed after so many epochs."""
    seen, epochs = [], 0
    data = TrainingSet(samples[1:], samples[:1], legend)
    hardware = Hardware(torch.device("cpu"))
    events = train_in_stages(Training(data, out, network, first, hardware, second, **kwargs))
    for event in events:
        seen.append(event)
        epochs += isinstance(event, EpochLog)
        if epochs == stop_after:
            events.close()
            break
    return seen


def losses(events):
    return [event.loss for event in events if isinstance(event, EpochLog)]


def tensors(path):
    return load_model(str(path)).model.state_dict()


def test_the_second_stage_moves_nothing_of_the_network_it_revises(samples, tmp_path):
    run(samples, tmp_path / "asn", ASN)
    start = load_model(str(tmp_path / "asn/best.safetensors"))
    events = run(samples, tmp_path / "atl", start=start)
    assert [event for event in events if isinstance(event, Stage)] == [
        Stage("asn-atl", 2, tmp_path / "atl")
    ]
    first = start.model.state_dict()
    frozen = {f"network.asn.{key.removeprefix('network.')}": key for key in first}
    frozen = {key: name for key, name in frozen.items() if name not in ("mean", "std")}
    assert any(key.endswith("num_batches_tracked") for key in frozen)
    for file in ("best", "last"):
        second = tensors(tmp_path / f"atl/{file}.safetensors")
        assert all(torch.equal(second[key], first[name]) for key, name in frozen.items())
        assert all(".psi" in key for key in second.keys() - frozen.keys() - {"mean", "std"})
        for series in ("psi1", "psi2"):
            assert second[f"network.{series}.2.bias"].abs().max() > 0  # zero at the start
    header = load_model(str(tmp_path / "atl/last.safetensors")).header
    assert (header.network, header.training["class_weights"]) == (ATL, "inverse")


def test_the_normalization_is_the_revised_models(samples, tmp_path):
    run(samples[:3], tmp_path / "asn", ASN)
    start = load_model(str(tmp_path / "asn/best.safetensors"))
    start.model.mean += 3.0
    run(samples, tmp_path / "atl", start=start, stop_after=1)
    assert torch.equal(tensors(tmp_path / "atl/best.safetensors")["mean"], start.model.mean)


def test_one_command_trains_both_stages(samples, tmp_path):
    events = run(samples, tmp_path)
    stages = [event for event in events if isinstance(event, Stage)]
    assert stages == [Stage("asn", 1, tmp_path / "asn"), Stage("asn-atl", 2, tmp_path)]
    first = json.loads((tmp_path / "asn/settings.json").read_text())
    second = json.loads((tmp_path / "settings.json").read_text())
    assert (first["epochs"], first["class_weights"]) == (1, "none")
    assert (second["epochs"], second["class_weights"]) == (2, "inverse")
    assert second["init"]["sha256"] == load_model(str(tmp_path / "asn/best.safetensors")).sha256


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_run_goes_on_in_either_stage(samples, tmp_path, epochs):
    """Cut between the stages, and within the second."""
    whole = run(samples, tmp_path / "whole")
    run(samples, tmp_path / "cut", stop_after=epochs)
    resumed = run(samples, tmp_path / "cut", resume=True)
    assert losses(resumed) == losses(whole)[epochs:]
    one, two = (tensors(tmp_path / name / "last.safetensors") for name in ("whole", "cut"))
    assert all(torch.equal(one[key], two[key]) for key in one)


def test_a_second_stage_goes_on_training_its_own_model(samples, tmp_path):
    run(samples, tmp_path / "first")
    start = load_model(str(tmp_path / "first/last.safetensors"))
    run(samples, tmp_path / "again", start=start)
    one, two = (tensors(tmp_path / name / "last.safetensors") for name in ("first", "again"))
    different = {key for key in one if not torch.equal(one[key], two[key])}
    assert different
    assert all(".psi" in key for key in different)


def test_a_run_in_the_way_is_refused_before_the_first_stage(samples, tmp_path):
    run(samples, tmp_path / "asn", ASN)
    start = load_model(str(tmp_path / "asn/best.safetensors"))
    run(samples, tmp_path / "atl", start=start, stop_after=1)
    with pytest.raises(OutputError, match="holds a training run already"):
        run(samples, tmp_path / "atl")
    with pytest.raises(TrainingError, match="no asn that it began with; resume it with the --init"):
        run(samples, tmp_path / "atl", resume=True)
    assert not (tmp_path / "atl/asn").exists()


def test_a_network_that_is_revised_already_gets_no_more_epochs(samples, tmp_path):
    run(samples, tmp_path)
    longer = replace(FIRST, epochs=3)
    with pytest.raises(TrainingError, match="for 1 epochs, not 3; .*--atl-epochs"):
        run(samples, tmp_path, first=longer, resume=True)
    longer = replace(SECOND_STAGE, epochs=3)
    assert len(losses(run(samples, tmp_path, second=longer, resume=True))) == 1


def test_a_name_of_the_second_stage_is_refused_before_the_first(samples, tmp_path):
    with pytest.raises(UnknownName, match="no class weights named 'focal'"):
        run(samples, tmp_path / "atl", second=replace(SECOND_STAGE, class_weights="focal"))
    assert not (tmp_path / "atl").exists()


@pytest.mark.parametrize(
    ("name", "blocks"), [*product(NETWORKS, ["residual"]), *product(["asn-atl"], BLOCKS)]
)
def test_every_name_there_is_may_be_asked_for(name, blocks):
    require_names(NetworkSettings(name, blocks), FIRST, SECOND_STAGE)


def test_models_that_cannot_be_revised_name_both_values(samples, tmp_path):
    run(samples, tmp_path / "str4", replace(ASN, name="hrscd-str4"))
    other = load_model(str(tmp_path / "str4/best.safetensors"))
    with pytest.raises(ModelError, match=r"name hrscd-str4 there and asn-atl here.*asn or asn-atl"):
        run(samples, tmp_path / "run", start=other)
    run(samples, tmp_path / "asn", ASN)
    start = load_model(str(tmp_path / "asn/best.safetensors"))
    with pytest.raises(ModelError, match=r"width 0\.125 there and 0\.25 here"):
        run(samples, tmp_path / "run", replace(ATL, width=0.25), start=start)
    renamed = Legend("own", tuple(reversed(SECOND.classes)))
    with pytest.raises(ModelError, match=r"has the classes water, .* the labels have playground"):
        run(samples, tmp_path / "run", start=start, legend=renamed)
