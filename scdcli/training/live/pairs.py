"""Batches of labelled pairs, made anew for every step."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from scdcli.training.live.bank import Bank, Scenes
from scdcli.training.live.camera import expose, standardize
from scdcli.training.live.draws import Draws
from scdcli.training.live.paste import labels, paste, start
from scdcli.training.live.scenes import draw_scenes

PASTES = 3  # times something may be put into a scene


@dataclass(frozen=True)
class Batch:
    """Pairs as a network gets them.

    Attributes:
        before: Standardized, (B, 3, S, S) float32.
        after: Likewise.
        covers: Classes of both dates, (B, 2, S, S) int64, 0 unknown.
        changed: (B, S, S) int64, 0, 1, 255 where it does not count.
    """

    before: Tensor
    after: Tensor
    covers: Tensor
    changed: Tensor


@torch.no_grad()
def make_batch(
    banks: Sequence[tuple[Bank, float]],
    donors: Sequence[tuple[Bank, float]],
    count: int,
    size: int,
    draws: Draws,
) -> Batch:
    """One batch.

    Args:
        banks: What scenes are drawn from, and how often.
        donors: What is put into them, likewise.
        count: B.
        size: S.
        draws: Random numbers.
    """
    made = start(draw_scenes(banks, count, size, draws))
    given = draw_scenes(donors, count, size, draws)
    for turn in range(PASTES):  # another donor for each scene, and another piece of it
        made = paste(made, rolled(given, turn), draws)
    scenes = made.scenes
    before, after = (
        standardize(expose(image, scenes.covers[:, date], scenes.real, draws), draws)
        for date, image in enumerate((scenes.before, scenes.after))
    )
    return Batch(before, after, scenes.covers, labels(made))


def rolled(scenes: Scenes, places: int) -> Scenes:
    """The same scenes, each ``places`` further in the batch."""
    return Scenes(**{name: value.roll(places, dims=0) for name, value in vars(scenes).items()})
