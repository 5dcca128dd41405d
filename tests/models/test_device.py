"""Precision by what a GPU computes, and errors that mean too little memory."""

import pytest
import torch

from scdcli.models.device import autocast, is_out_of_memory, pick_precision
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
