"""What is trained, and how fast."""

import pytest
import torch

from scdcli.models.networks import NetworkSettings, build
from scdcli.models.networks.model import ChangeModel
from scdcli.training.settings import TrainingSettings
from scdcli.training.trainer import OPTIMIZERS, _lay_out_as_parameters


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("encoder", ["paper", "efficientnet-lite0"])
def test_an_encoder_learns_at_its_own_rate(optimizer, encoder):
    network = build(NetworkSettings("hrscd-str4", width=0.125, encoder=encoder))
    model = ChangeModel(network, [0.0] * 3, [1.0] * 3)
    groups = OPTIMIZERS[optimizer](model, TrainingSettings(encoder_lr=0.1)).param_groups
    assert [group["scale"] for group in groups] == [1.0, 0.1]
    every = sum(len(group["params"]) for group in groups)
    assert every == len(list(model.parameters()))
    inside = {id(p) for p in groups[1]["params"]}
    encoders = network.semantic_encoder
    encoders = encoders.body if encoder != "paper" else encoders
    assert {id(p) for p in encoders.parameters()} <= inside
    assert not {id(p) for p in network.semantic_decoder.parameters()} & inside
    one = OPTIMIZERS[optimizer](model, TrainingSettings()).param_groups
    assert [group["scale"] for group in one] == [1.0]


def test_what_an_optimizer_remembers_lies_in_memory_as_its_parameters():
    layer = torch.nn.Conv2d(4, 4, 3).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(layer.parameters(), 0.1, momentum=0.9)
    stored = {0: {"momentum_buffer": torch.arange(144.0).reshape(4, 4, 3, 3)}}
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": stored, "param_groups": groups})
    _lay_out_as_parameters(optimizer)
    momentum = optimizer.state[layer.weight]["momentum_buffer"]
    assert momentum.stride() == layer.weight.stride()
    assert momentum.flatten().tolist() == list(range(144))
