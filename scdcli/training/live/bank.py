"""Tiles whose land cover is known in part, and which of them show one place at two dates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

UNKNOWN = 0  # in covers; classes count from 1
IGNORED = 255  # in changes


@dataclass(frozen=True)
class Bank:
    """Tiles of one size, and the pairs of them that show one place.

    Attributes:
        images: (N, 3, S, S) uint8.
        covers: Class of each pixel, 0 unknown, (N, S, S) uint8.
        objects: Number of the connected region of one class it belongs to, (N, S, S) int32.
        meters: Size of a pixel, (N,) float32.
        pairs: Indices of BEFORE and AFTER, (M, 2) int64; twice the same for one date.
        changed: 0, 1 or 255 where it is not known, (M, S, S) uint8.
        weights: How often a pair is drawn, (M,) float32.
        groups: What a pair may stand beside in a mosaic, (M,) int64.
    """

    images: Tensor
    covers: Tensor
    objects: Tensor
    meters: Tensor
    pairs: Tensor
    changed: Tensor
    weights: Tensor
    groups: Tensor

    def to(self, device: torch.device) -> "Bank":
        """The same on a device."""
        return Bank(**{name: value.to(device) for name, value in vars(self).items()})

    @property
    def size(self) -> int:
        """S, pixels along a side."""
        return self.images.shape[-1]


def make_bank(
    images: NDArray[np.uint8],
    covers: NDArray[np.uint8],
    meters: Sequence[float],
    pairs: Sequence[tuple[int, int]],
    changed: NDArray[np.uint8],
    weights: Sequence[float],
    groups: Sequence[int],
) -> Bank:
    """A bank of arrays; its objects are found here. Shapes as in `Bank`."""
    objects = np.stack([regions(cover) for cover in covers])
    return Bank(
        torch.from_numpy(images),
        torch.from_numpy(covers),
        torch.from_numpy(objects),
        torch.tensor(meters, dtype=torch.float32),
        torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2),
        torch.from_numpy(changed),
        torch.tensor(weights, dtype=torch.float32),
        torch.tensor(groups, dtype=torch.int64),
    )


def regions(cover: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Connected regions of one class, numbered from 1; 0 where the class is unknown."""
    numbers = np.zeros(cover.shape, dtype=np.int32)
    last = 0
    for value in np.flatnonzero(np.bincount(cover.ravel(), minlength=256)[1:]) + 1:
        found, count = ndimage.label(cover == value)
        found[found > 0] += last
        numbers += found
        last += count
    return numbers


@dataclass(frozen=True)
class Tiles:
    """A batch of pairs as they lie in a bank, whole; the types are the bank's.

    Attributes:
        before: (B, 3, T, T) uint8.
        after: Likewise.
        covers: Of both dates, (B, 2, T, T) uint8.
        objects: Of BEFORE, (B, T, T) int32.
        changed: (B, T, T) uint8.
        real: Whether the dates are two, (B,) bool.
        meters: (B,) float32.
    """

    before: Tensor
    after: Tensor
    covers: Tensor
    objects: Tensor
    changed: Tensor
    real: Tensor
    meters: Tensor


@dataclass(frozen=True)
class Scenes:
    """A batch of windows of pairs, before anything is done to them.

    Attributes:
        before: (B, 3, S, S) float32, 0 to 1.
        after: Likewise.
        covers: Of both dates, (B, 2, S, S) int64, 0 unknown.
        objects: Of BEFORE, (B, S, S) int64.
        changed: (B, S, S) int64: 0, 1, 255.
        real: Whether the dates are two, (B,) bool.
    """

    before: Tensor
    after: Tensor
    covers: Tensor
    objects: Tensor
    changed: Tensor
    real: Tensor
