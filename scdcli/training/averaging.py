"""Exponential moving average of weights: one smoothed model beside the trained one."""

import copy

import torch
from torch import nn


class WeightAverage:
    """Average of all weights and batch statistics; ``model`` is ready for validation."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        """Start from a copy of ``model``; ``decay`` is reached after a short warm-up."""
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay
        self.updates = 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move the average toward ``model``."""
        self.updates += 1
        # Early on the average follows quickly, or the random start would linger in it.
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        averaged = self.model.state_dict()
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                averaged[name].lerp_(tensor, 1 - decay)
            else:
                averaged[name].copy_(tensor)
