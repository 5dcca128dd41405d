"""Augmentation of labelled pairs: the same geometry for both dates and all labels.

Images are (C, H, W) float32 in their own units, labels (H, W) uint8. Everything is drawn from
the generator given, so a sample depends on nothing but its seed.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from scdcli.legend import NODATA


@dataclass(frozen=True)
class Augmentation:
    """What is drawn for a training sample; the defaults are the paper's (Section VI-A)."""

    chip: int = 512  # side in pixels
    scale: tuple[float, float] = (0.5, 2.0)
    flip: bool = True
    swap_dates: bool = False
    jitter: float = 0.0  # strength of radiometric differences, 0 none, 1 strong


@dataclass(frozen=True)
class LabelledPair:
    """One sample: images, from/to labels and what marks change."""

    before: Tensor  # (C, H, W) float32
    after: Tensor
    from_label: Tensor  # (H, W) uint8, 255 does not count
    to_label: Tensor
    changed: Tensor  # (H, W) uint8: 0, 1, 255 does not count

    def maps(self) -> tuple[Tensor, Tensor, Tensor]:
        """The three label maps."""
        return self.from_label, self.to_label, self.changed


def augment(pair: LabelledPair, settings: Augmentation, rng: np.random.Generator) -> LabelledPair:
    """A random chip of ``pair``, (C, chip, chip)."""
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
    rows, inside_rows = _span(pair.changed.shape[0], side, rng)
    cols, inside_cols = _span(pair.changed.shape[1], side, rng)
    outside = ~(inside_rows[:, None] & inside_cols)

    def image(x: Tensor) -> Tensor:
        cut = x[:, rows[:, None], cols]
        return F.interpolate(cut[None], (chip, chip), mode="bilinear", align_corners=False)[0]

    def label(x: Tensor) -> Tensor:
        cut = x[rows[:, None], cols].masked_fill(outside, NODATA)[None, None].float()
        # Not "nearest", which would shift labels by half a pixel against the image.
        return F.interpolate(cut, (chip, chip), mode="nearest-exact")[0, 0].to(torch.uint8)

    maps = (label(x) for x in pair.maps())
    return LabelledPair(image(pair.before), image(pair.after), *maps)


def _span(length: int, side: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """``side`` positions along an axis at a random place, mirrored into it, and which lie in it."""
    start = rng.integers(min(0, length - side), max(0, length - side) + 1)
    position = start + np.arange(side)
    folded = position % (2 * length)
    folded = np.where(folded < length, folded, 2 * length - 1 - folded)
    inside = (position >= 0) & (position < length)
    return torch.from_numpy(folded), torch.from_numpy(inside)


def jitter(image: Tensor, strength: float, rng: np.random.Generator) -> Tensor:
    """Another exposure, tone, tint, sharpness and noise, as another flight would have.

    Works around the image's own mean and spread, so it needs no knowledge of the units.
    """
    bands = image.shape[0]

    def draw(spread: float, size: tuple[int, ...] = ()) -> NDArray[np.float64]:
        return rng.normal(0.0, spread * strength, size)

    mean, std = image.mean(), image.std().clamp(min=1e-3)
    gain = np.exp(draw(0.2) + draw(0.1, (bands, 1, 1)))
    offset = draw(0.35) + draw(0.2, (bands, 1, 1))
    x = (image - mean) / std
    x = _saturate(x, float(np.exp(draw(0.35))))
    x = _curve(x, float(draw(0.12)))
    x = x * torch.from_numpy(gain).float() + torch.from_numpy(offset).float()
    x = _resharpen(x, float(draw(0.6)))
    noise = abs(float(draw(0.08)))
    x = x + noise * torch.from_numpy(rng.standard_normal(tuple(x.shape), dtype=np.float32))
    return x * std + mean


def _saturate(x: Tensor, factor: float) -> Tensor:
    gray = x.mean(dim=0, keepdim=True)
    return gray + factor * (x - gray)


def _curve(x: Tensor, bend: float) -> Tensor:
    # A parabola over the central range: positive lifts the mid tones, like a gamma.
    return x + bend * (1 - x.clamp(-2, 2) ** 2 / 4)


def _resharpen(x: Tensor, amount: float) -> Tensor:
    blurred = F.avg_pool2d(F.pad(x[None], (1, 1, 1, 1), mode="replicate"), 3, stride=1)[0]
    return x + max(-1.0, min(1.5, amount)) * (x - blurred)


def _apply(pair: LabelledPair, change: Callable[[Tensor], Tensor]) -> LabelledPair:
    maps = (change(x) for x in pair.maps())
    return LabelledPair(change(pair.before), change(pair.after), *maps)
