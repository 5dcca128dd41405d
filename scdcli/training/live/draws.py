"""Random numbers of one generator, and small fields and rectangles of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Draws:
    """All that is drawn comes from one generator on one device: a seed gives the same pairs."""

    generator: torch.Generator

    @classmethod
    def seeded(cls, seed: int, device: torch.device) -> "Draws":
        """Draws that begin with ``seed``."""
        return cls(torch.Generator(device).manual_seed(seed))

    @property
    def device(self) -> torch.device:
        """Where the numbers lie."""
        return self.generator.device

    def uniform(self, shape: Sequence[int], low: float = 0.0, high: float = 1.0) -> Tensor:
        """Float32 of ``shape`` in [low, high)."""
        drawn = torch.rand(*shape, generator=self.generator, device=self.device)
        return drawn * (high - low) + low

    def normal(self, shape: Sequence[int], spread: float = 1.0) -> Tensor:
        """Float32 of ``shape``, mean 0."""
        return torch.randn(*shape, generator=self.generator, device=self.device) * spread

    def below(self, limit: int, shape: Sequence[int]) -> Tensor:
        """Int64 of ``shape``, 0 to limit - 1."""
        return torch.randint(limit, tuple(shape), generator=self.generator, device=self.device)

    def chance(self, shape: Sequence[int], share: float) -> Tensor:
        """Bool of ``shape``, true in ``share`` of the cases."""
        return self.uniform(shape) < share

    def choice(self, weights: Tensor, count: int) -> Tensor:
        """``count`` int64 indices, each as likely as its weight says."""
        return torch.multinomial(weights.float(), count, replacement=True, generator=self.generator)

    def smooth(self, count: int, size: int, cells: int) -> Tensor:
        """Fields that vary over a ``cells``-th of the side: (count, 1, size, size), spread 1."""
        coarse = self.normal((count, 1, cells + 3, cells + 3))
        field = F.interpolate(coarse, size=(size, size), mode="bicubic", align_corners=False)
        return field / mean_and_spread(field)[1].clamp(min=1e-3)

    def parcels(self, count: int, size: int) -> Tensor:
        """Turned rectangles, a fiftieth to a quarter of a window: (count, size, size) bool."""
        center = self.uniform((count, 2), 0, size)
        angle = self.uniform((count,), 0, pi)
        return rectangles(size, center, angle, self.uniform((count, 2), 0.07, 0.27) * size)


def rectangles(size: int, center: Tensor, angle: Tensor, half: Tensor) -> Tensor:
    """The pixels of one turned rectangle in each window.

    Args:
        size: Pixels along a side of the window, S.
        center: x and y, (B, 2) float32, pixels.
        angle: Of its first side, (B,) float32, radians.
        half: Half of its sides, (B, 2) float32, pixels.

    Returns:
        (B, S, S) bool.
    """
    axis = torch.arange(size, device=center.device, dtype=torch.float32)
    x = axis[None, None, :] - center[:, 0, None, None]
    y = axis[None, :, None] - center[:, 1, None, None]
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    along, across = (x * cos + y * sin).abs(), (y * cos - x * sin).abs()
    return (along < half[:, 0, None, None]) & (across < half[:, 1, None, None])


def mean_and_spread(image: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each band of each image, (B, C, 1, 1) each.

    By the mean of the squares: on a processor `Tensor.std` takes six times as long.
    """
    mean = image.mean(dim=(2, 3), keepdim=True)
    return mean, (image - mean).square_().mean(dim=(2, 3), keepdim=True).sqrt()
