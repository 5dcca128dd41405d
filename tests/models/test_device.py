"""Precision by what a GPU computes, and errors that mean too little memory."""

import pytest
import torch

from scdcli.errors import InputError, UnknownName
from scdcli.models.device import autocast, is_out_of_memory, pick_device, pick_precision
from scdcli.models.networks.pyramids import BranchWeights

GPU = torch.device("cuda", 1)


@pytest.mark.parametrize(
    ("capability", "precision"),
    [
        ((7, 0), torch.float16),
        ((7, 5), torch.float16),
        ((8, 0), torch.bfloat16),
        ((9, 0), torch.bfloat16),
    ],
)
def test_bf16_is_taken_where_the_chosen_gpu_computes_it(monkeypatch, capability, precision):
    asked = []
    monkeypatch.setattr(
        torch.cuda, "get_device_capability", lambda device: asked.append(device) or capability
    )
    assert pick_precision("auto", GPU) is precision
    assert asked == [GPU]
    assert pick_precision("fp32", GPU) is torch.float32


@pytest.mark.parametrize(
    ("message", "memory"),
    [
        ("CUDA error: out of memory", True),
        ("cuDNN error: CUDNN_STATUS_ALLOC_FAILED", True),
        ("GET was unable to find an engine to execute this computation", True),
        ("Unable to find a valid cuDNN algorithm to run convolution", True),
        ("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR", True),
        ("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling", True),
        ("cuDNN error: CUDNN_STATUS_NOT_SUPPORTED. This error may appear if non-contiguous", False),
        ("Requirements all tensors to be on the same device", False),
    ],
)
def test_messages_that_mean_too_little_memory(message, memory):
    assert is_out_of_memory(RuntimeError(message)) is memory


def test_fp32_on_a_gpu_rounds_nothing_to_tf32(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    with autocast(GPU, torch.float32):
        assert torch.backends.cudnn.allow_tf32 is False


def test_weights_of_branches_do_not_lift_what_they_weigh_to_32_bits():
    features = torch.rand(1, 4, 3, 3).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        weights = BranchWeights(4, 2)(features)
    assert weights.dtype is torch.bfloat16
    assert (weights[:, 0, None, None, None] * features).dtype is torch.bfloat16


def test_the_gpu_that_is_asked_for_becomes_the_current_one(monkeypatch):
    current = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    assert pick_device("cuda:1") == GPU
    assert current == [1]
    assert [pick_device(name).type for name in ("auto", "cuda", "cpu")] == ["cuda", "cuda", "cpu"]
    assert current == [1]
    with pytest.raises(InputError, match="cuda:2 is asked for, but PyTorch sees 2"):
        pick_device("cuda:2")


@pytest.mark.parametrize("name", ["cuda:\N{SUPERSCRIPT TWO}", "cuda:", "cuda:-1", "cpu:3", "mps"])
def test_no_other_device_is_known(name):
    with pytest.raises(UnknownName, match="device"):
        pick_device(name)
