"""State dicts as packages of ImageNet weights hold them."""

import torch

from scdcli.models.networks.encoders import EfficientNetLite


def published(name, seed=0):
    """A state dict of random numbers with the names and shapes of the published one."""
    ours = EfficientNetLite(3, name).state_dict()
    generator = torch.Generator().manual_seed(seed)
    norms = {"expand.1": "_bn0", "depthwise.1": "_bn1", "project.1": "_bn2"}
    convolutions = {"expand.0": "_expand_conv", "depthwise.0": "_depthwise_conv"}
    layers = norms | convolutions | {"project.0": "_project_conv"}
    layers |= {"stem.0": "_conv_stem", "stem.1": "_bn0"}
    theirs = {}
    for key, tensor in ours.items():
        name_ = key
        for here, there in layers.items():
            name_ = name_.replace(here, there)
        drawn = torch.rand(tensor.shape, generator=generator)
        theirs[name_.replace("blocks.", "_blocks.")] = drawn.to(tensor.dtype)
    return theirs | {"_conv_head.weight": torch.zeros(1280, 320, 1, 1), "_fc.bias": torch.zeros(9)}
