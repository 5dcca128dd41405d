"""Terms added to the loss: a run with them, and networks and labels that have not got them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from runs import CPU, QUICK, tensors, train
from sets import find_samples, write_second_tree

from scdcli.errors import TrainingError
from scdcli.legend import CHANGE, SECOND
from scdcli.models.networks import NetworkSettings
from scdcli.training.loop import StepDone
from scdcli.training.lossterms import added_terms
from scdcli.training.runfolder import EpochLog

NETWORK = NetworkSettings("hrscd-str3", width=0.125)
BOTH = replace(QUICK, epochs=2, change_loss="lovasz", consistency=2.0)


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    root = tmp_path_factory.mktemp("samples")
    return find_samples(write_second_tree(root, np.random.default_rng(7)) / "train")


def run(samples, out, settings, *, epochs=2, **options):
    """The events of a training, killed after some epochs."""
    found = []
    events = train(samples[1:], samples[:1], out, NETWORK, SECOND, settings, CPU, **options)
    for event in events:
        found.append(event)
        if isinstance(event, EpochLog) and event.epoch == epochs:
            events.close()
    return found


def test_a_run_with_added_terms_resumes_to_the_same_bits(samples, tmp_path):
    whole = run(samples, tmp_path / "whole", BOTH)
    plain = run(samples, tmp_path / "plain", replace(QUICK, epochs=2), epochs=1)
    run(samples, tmp_path / "cut", BOTH, epochs=1)
    other = replace(BOTH, consistency=1.0)
    with pytest.raises(TrainingError, match=r"consistency was 2\.0 and is 1\.0"):
        run(samples, tmp_path / "cut", other, resume=True)
    run(samples, tmp_path / "cut", BOTH, resume=True)
    one, two = (tensors(tmp_path / name / "last.safetensors") for name in ("whole", "cut"))
    assert all(torch.equal(one[key], two[key]) for key in one)
    first = [next(x for x in found if isinstance(x, StepDone)) for found in (whole, plain)]
    assert first[0].loss > first[1].loss + 0.1
    validated = [next(x for x in found if isinstance(x, EpochLog)) for found in (whole, plain)]
    assert validated[0].val_loss > validated[1].val_loss + 0.1


@pytest.mark.parametrize("output", ["types", "covers"])
@pytest.mark.parametrize("name", ["dice", "lovasz"])
def test_without_a_change_branch_there_is_no_loss_of_it(name, output):
    with pytest.raises(TrainingError, match=f"--change-loss {name} is of the change branch"):
        added_terms(replace(QUICK, change_loss=name), output)


@pytest.mark.parametrize("weight", [-0.5, float("nan"), float("inf")])
def test_a_weight_is_a_number_from_zero(weight):
    with pytest.raises(TrainingError, match=f"--consistency is {weight}; give a weight from 0"):
        added_terms(replace(QUICK, consistency=weight), "branches")


def test_consistency_is_of_classes_at_both_dates(samples, tmp_path):
    settings = replace(QUICK, consistency=1.0)
    assert added_terms(settings, "covers").consistency == 1
    with pytest.raises(TrainingError, match="--consistency 1 .* gives from-to types only"):
        added_terms(settings, "types")
    network = replace(NETWORK, classes=1)
    with pytest.raises(TrainingError, match="--consistency 1 .* masks of change have none"):
        list(train(samples, [], tmp_path / "masks", network, CHANGE, settings, CPU))
    assert not (tmp_path / "masks").exists()
