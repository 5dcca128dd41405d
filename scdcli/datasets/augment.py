"""Augmentation of labelled pairs: the same geometry for both dates and all labels.

Images are (C, H, W) in their own units, uint8 as read (a quarter of the memory to move) and float32
once augmented; labels are (H, W) uint8. Everything is drawn from the generator given, so a sample
depends on nothing but its seed.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from scdcli.datasets.augmentation import Augmentation
from scdcli.legend import NODATA


@dataclass(frozen=True)
class LabelledPair:
    """One sample: images, from/to labels and what marks change."""

    before: Tensor  # (C, H, W), uint8 as read or float32
    after: Tensor
    from_label: Tensor  # (H, W) uint8, 255 does not count
    to_label: Tensor
    changed: Tensor  # (H, W) uint8: 0, 1, 255 does not count

    def maps(self) -> tuple[Tensor, Tensor, Tensor]:
        """The three label maps."""
        return self.from_label, self.to_label, self.changed


def augment(pair: LabelledPair, settings: Augmentation, rng: np.random.Generator) -> LabelledPair:
    """A random chip of ``pair``, (C, chip, chip) float32."""
    low, high = settings.scale
    # Log-uniform, so that halving is as likely as doubling.
    factor = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    pair = random_chip(pair, settings.chip, factor, rng)
    if settings.flip:
        axes = [axis for axis in (-1, -2) if rng.random() < 0.5]
        pair = _apply(pair, lambda x: x.flip(axes))
    if settings.swap_dates and rng.random() < 0.5:
        pair = LabelledPair(pair.after, pair.before, pair.to_label, pair.from_label, pair.changed)
    if settings.jitter > 0:
        before = jitter(pair.before, settings.jitter, rng)
        pair = replace(pair, before=before, after=jitter(pair.after, settings.jitter, rng))
    return pair


def random_chip(
    pair: LabelledPair, chip: int, factor: float, rng: np.random.Generator
) -> LabelledPair:
    """Cut a window of ``chip / factor`` pixels at a random place and resize it to ``chip``.

    A scene smaller than the window is mirrored beyond its edges, as prediction does; what lies
    outside does not count in any label.
    """
    side = max(8, round(chip / factor))
    height, width = pair.changed.shape
    top, left = _start(height, side, rng), _start(width, side, rng)
    # The pixel whose area holds the center of each pixel of the chip. Not PyTorch's "nearest",
    # which would shift labels by half a pixel against the image.
    nearest = (2 * np.arange(chip) + 1) * side // (2 * chip)

    def image(x: Tensor) -> Tensor:
        cut = torch.from_numpy(_window(x.numpy(), top, left, side, mode="symmetric"))
        # With its bands side by side in memory an image is resized in a third of the time.
        cut = cut[None].to(torch.float32, memory_format=torch.channels_last)
        resized = F.interpolate(cut, (chip, chip), mode="bilinear", align_corners=False)
        return resized[0].contiguous()

    def label(x: Tensor) -> Tensor:
        cut = _window(x.numpy(), top, left, side, constant_values=NODATA)
        return torch.from_numpy(cut[nearest][:, nearest])

    maps = (label(x) for x in pair.maps())
    return LabelledPair(image(pair.before), image(pair.after), *maps)


def _start(length: int, side: int, rng: np.random.Generator) -> int:
    """First pixel of a window of ``side`` on an axis: in it, or around it where it is shorter."""
    return int(rng.integers(min(0, length - side), max(0, length - side) + 1))


def _window(
    x: NDArray[Any],
    top: int,
    left: int,
    side: int,
    **padding: Any,  # noqa: ANN401
) -> NDArray[Any]:
    """A square of (..., H, W) that lies inside or around it on each axis, padded where around."""
    pads = [
        (max(0, -start), max(0, start + side - length))
        for start, length in ((top, x.shape[-2]), (left, x.shape[-1]))
    ]
    cut = x[..., max(0, top) : top + side, max(0, left) : left + side]
    outer = [(0, 0)] * (x.ndim - 2)
    return np.pad(cut, outer + pads, **padding) if np.any(pads) else cut


def jitter(image: Tensor, strength: float, rng: np.random.Generator) -> Tensor:
    """Another exposure, tone, tint, sharpness and noise, as another flight would have.

    Works around the image's own mean and spread, so it needs no knowledge of the units.
    """
    bands = image.shape[0]

    def draw(spread: float, size: tuple[int, ...] = ()) -> NDArray[np.float64]:
        return rng.normal(0.0, spread * strength, size)

    mean, std = float(image.mean()), max(1e-3, float(image.std()))
    gain = np.exp(draw(0.2) + draw(0.1, (bands, 1, 1)))
    offset = draw(0.35) + draw(0.2, (bands, 1, 1))
    # From here in place: fresh memory for every term took most of the time.
    x = (image - mean).div_(std)
    _saturate(x, float(np.exp(draw(0.35))))
    _curve(x, float(draw(0.12)))
    x.mul_(torch.from_numpy(gain).float()).add_(torch.from_numpy(offset).float())
    _resharpen(x, float(draw(0.6)))
    noise = abs(float(draw(0.08)))
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    x.add_(torch.randn(x.shape, generator=generator), alpha=noise)
    return x.mul_(std).add_(mean)


def _saturate(x: Tensor, factor: float) -> None:
    """Scale the distance of every pixel from its gray."""
    gray = x.mean(dim=0, keepdim=True)
    x.mul_(factor).add_(gray, alpha=1 - factor)


def _curve(x: Tensor, bend: float) -> None:
    """Add a parabola over the central range: positive lifts the mid tones, like a gamma."""
    central = x.clamp(-2, 2)
    x.addcmul_(central, central, value=-bend / 4).add_(bend)


def _resharpen(x: Tensor, amount: float) -> None:
    """Add the distance of every pixel from the mean of the 3x3 pixels around it."""
    amount = max(-1.0, min(1.5, amount))
    # Sums along one axis, then the other: pooling takes ten times as long here.
    rows = F.pad(x[None], (0, 0, 1, 1), mode="replicate")[0]
    down = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    cols = F.pad(down[None], (1, 1, 0, 0), mode="replicate")[0]
    total = cols[:, :, :-2] + cols[:, :, 1:-1] + cols[:, :, 2:]
    x.mul_(1 + amount).sub_(total, alpha=amount / 9)


def _apply(pair: LabelledPair, change: Callable[[Tensor], Tensor]) -> LabelledPair:
    maps = (change(x) for x in pair.maps())
    return LabelledPair(change(pair.before), change(pair.after), *maps)
