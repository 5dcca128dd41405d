"""What the pyramids compare: the differences of every pair of features as maps (paper, Fig. 11)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from scdcli.errors import ModelError
from scdcli.models.checkpoint import LoadedModel
from scdcli.models.networks import NETWORKS, NetworkSettings, build, outputs
from scdcli.models.networks.pyramids import (
    CAPABILITIES,
    DILATIONS,
    PairFusion,
    RepresentationPyramid,
    SpatialPyramid,
)


@dataclass(frozen=True)
class PyramidMaps:
    """Mean magnitude over the channels of every difference, for one pair of images.

    Attributes:
        spatial: |M(j1, j2, k)| of aSP (Eq. 5), indexed [k, j1 of BEFORE, j2 of AFTER],
            (Nr, Nd, Nd, h, w) float32 at an eighth of the images' size.
        representation: |M(k1, k2)| of aRP (Eq. 8), indexed [k1 of BEFORE, k2 of AFTER],
            (Nr, Nr, h, w) float32; None without aRP.
        change: The network's change probability, (H, W) float32.
    """

    spatial: NDArray[np.float32]
    representation: NDArray[np.float32] | None
    change: NDArray[np.float32]


@torch.inference_mode()
def pyramid_maps(
    loaded: LoadedModel, before: NDArray[np.float32], after: NDArray[np.float32]
) -> PyramidMaps:
    """Run a model on one pair and keep what its pyramids compare on the way.

    Args:
        loaded: A model with pyramids, as `load_model` gives it.
        before: The earlier image, (C, H, W) in the units of the training images.
        after: The later image, same shape.

    Raises:
        ModelError: The network has no pyramid pairs.
    """
    model = loaded.model
    asp, arp = (_fusion(model, kind) for kind in (SpatialPyramid, RepresentationPyramid))
    if asp is None:
        raise ModelError(
            f"{loaded.name} is a model of {loaded.header.network.name}, which does not link the "
            "pyramids of the two dates in all pairs; give a model of one of: "
            f"{', '.join(with_pyramid_pairs())}."
        )
    images = (torch.from_numpy(x).float()[None].to(model.mean.device) for x in (before, after))
    with _differences(asp) as spatial, _differences(arp) as representation:
        found = outputs.probabilities(model(*images))
    count = len(DILATIONS)
    return PyramidMaps(
        _stacked(spatial, (-1, count, count)),
        _stacked(representation, (len(CAPABILITIES), -1)) if arp is not None else None,
        found[0, -1].float().cpu().numpy(),
    )


def with_pyramid_pairs() -> list[str]:
    """Names of the networks that link the pyramids of the two dates in all pairs."""
    with torch.device("meta"):
        networks = {name: build(NetworkSettings(name, width=0.125)) for name in NETWORKS}
    return [name for name, each in networks.items() if _fusion(each, SpatialPyramid) is not None]


def _fusion(network: nn.Module, kind: type[nn.Module]) -> PairFusion | None:
    """What fuses the pairs of the network's pyramid of one kind, if it has all of them."""
    for module in network.modules():
        if isinstance(module, kind) and len(module.linked) == len(DILATIONS) ** 2:
            assert isinstance(module.pairs, PairFusion)
            return module.pairs
    return None


@contextmanager
def _differences(fusion: PairFusion | None) -> Iterator[list[NDArray[np.float32]]]:
    """A list that has, after a forward pass, one (h, w) map for each difference in the order of it.

    That is k, then j1, then j2 for aSP, and k1, then k2 for aRP.
    """
    seen: list[NDArray[np.float32]] = []

    def keep(_: nn.Module, given: tuple[list[Tensor]]) -> None:
        seen.extend(each[0].float().abs().mean(dim=0).cpu().numpy() for each in given[0])

    handle = fusion.register_forward_pre_hook(keep) if fusion is not None else None
    try:
        yield seen
    finally:
        if handle is not None:
            handle.remove()


def _stacked(maps: list[NDArray[np.float32]], index: tuple[int, ...]) -> NDArray[np.float32]:
    return np.stack(maps).reshape(*index, *maps[0].shape)
