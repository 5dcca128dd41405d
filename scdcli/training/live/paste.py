"""Changes put into scenes: objects, blots and parcels of other scenes, at one date or at both.

A seam must not tell where the change is: what is pasted is brought to the colors of the scene, has
a soft edge, and every fourth time it is pasted into both dates, where it is no change at all.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from scdcli.training.live.bank import IGNORED, UNKNOWN, Scenes
from scdcli.training.live.draws import Draws, mean_and_spread

WATER, GROUND, ROAD, BUILDING, VEGETATION = 1, 2, 3, 4, 5  # of the legend urban
# How often an object of a class is looked for: unknown, water, ground, road, building, vegetation.
WANTED = (0.0, 0.06, 0.12, 0.16, 0.52, 0.14)
MODES = (0.35, 0.40, 0.13, 0.12)  # nothing, an object, a blot, a parcel
BOTH = 0.22  # share of what is pasted that is pasted into both dates
LARGE = 0.2  # of the window: larger objects are cut by a blot
HALOS = (0, 0, 2, 5)  # pixels of its surroundings that an object brings along


@dataclass(frozen=True)
class Pasted:
    """A scene with what was put into it, and where its dates differ because of it, (B, S, S)."""

    scenes: Scenes
    differs: Tensor


def start(scenes: Scenes) -> Pasted:
    """Scenes into which nothing has been pasted."""
    return Pasted(scenes, torch.zeros_like(scenes.changed, dtype=torch.bool))


def paste(into: Pasted, donors: Scenes, draws: Draws, rates: tuple[float, ...] = MODES) -> Pasted:
    """Put something of each donor's BEFORE into the scene at its place in the batch.

    Args:
        into: What it is put into.
        donors: As many scenes.
        draws: Random numbers.
        rates: How often nothing, an object, a blot or a parcel is taken.
    """
    scenes = into.scenes
    count, size = scenes.changed.shape[0], scenes.changed.shape[-1]
    mask = _mask(donors, draws, rates)
    soft = _soften(mask, draws)
    water = (donors.covers[:, 0] == WATER).float().mean(dim=(1, 2))
    donor = _recolored(donors.before, scenes.before, water, draws)
    date = draws.uniform((count,))
    first, second = date < (1 + BOTH) / 2, date >= (1 - BOTH) / 2  # both, in the middle
    images, covers = [], []
    for index, (image, here) in enumerate(((scenes.before, first), (scenes.after, second))):
        alpha = soft * here[:, None, None, None]
        images.append(image + alpha * (donor - image))
        put = mask & here[:, None, None]
        covers.append(torch.where(put, donors.covers[:, 0], scenes.covers[:, index]))
    one = (first ^ second)[:, None, None]
    differs = torch.where(mask, one.expand(-1, size, size), into.differs)
    changed = torch.where(mask, 0, scenes.changed)  # `labels` finds what one date alone shows
    pasted = replace(
        scenes,
        before=images[0],
        after=images[1],
        covers=torch.stack(covers, dim=1),
        changed=changed,
    )
    # A seam is no place to learn from: there the two mix.
    edge = (soft[:, 0] > 0.05) & (soft[:, 0] < 0.95) & one
    return Pasted(replace(pasted, changed=torch.where(edge, IGNORED, changed)), differs)


def labels(pasted: Pasted) -> Tensor:
    """Change of every pixel, (B, S, S) int64: 0, 1, 255 where it is not known.

    Where something was put into one date, the classes say it: two different ones are a change,
    the same is none (but for buildings, which were replaced: left out). Buildings and water are
    taken for new where what was there is not known.
    """
    scenes = pasted.scenes
    before, after = scenes.covers[:, 0], scenes.covers[:, 1]
    known = (before != UNKNOWN) & (after != UNKNOWN)
    telling = torch.zeros_like(known)
    for cover in (before, after):
        telling |= (cover == BUILDING) | (cover == WATER)
    same = torch.where((before == BUILDING) & known, IGNORED, 0)
    by_class = torch.where(before != after, 1, same)
    by_class = torch.where(known, by_class, torch.where(telling, 1, IGNORED))
    return torch.where(pasted.differs & (scenes.changed != IGNORED), by_class, scenes.changed)


def _mask(donors: Scenes, draws: Draws, rates: tuple[float, ...]) -> Tensor:
    """What of each donor is taken, (B, S, S) bool."""
    count, size = donors.changed.shape[0], donors.changed.shape[-1]
    device = draws.device
    mode = draws.choice(torch.tensor(rates, device=device), count)[:, None, None]
    blot = _blots(count, size, draws)
    objects = _objects(donors, draws)
    large = objects.float().mean(dim=(1, 2), keepdim=True) > LARGE
    objects = objects & (blot | ~large)
    halo = torch.zeros_like(objects)
    kind = draws.below(len(HALOS), (count,))[:, None, None]
    for index, width in enumerate(HALOS):
        if width:
            halo |= _grown(objects, width) & (kind == index)
    objects = objects | halo
    mask = torch.where(mode == 1, objects, torch.where(mode == 2, blot, draws.parcels(count, size)))
    return mask & (mode > 0)


def _grown(mask: Tensor, width: int) -> Tensor:
    """What lies within a square of ``width`` pixels to each side of a mask, (B, S, S) bool."""
    side = 2 * width + 1  # rows, then columns: a tenth of the comparisons of both at once
    rows = F.max_pool2d(mask[:, None].float(), (side, 1), 1, (width, 0))
    return F.max_pool2d(rows, (1, side), 1, (0, width))[:, 0] > 0


def _objects(donors: Scenes, draws: Draws) -> Tensor:
    """The region of one class around a pixel drawn among those of a wanted class that is there."""
    cover = donors.covers[:, 0]
    present = torch.stack([(cover == k).any(dim=2).any(dim=1) for k in range(len(WANTED))], dim=1)
    weights = torch.tensor(WANTED, device=draws.device) * present
    weights[:, UNKNOWN] = 1e-6  # so that there is something to draw where nothing is known
    wanted = torch.multinomial(weights, 1, generator=draws.generator)[:, :, None]
    lots = draws.uniform(cover.shape) * (cover == wanted)
    best = lots.flatten(1).argmax(dim=1)
    number = donors.objects.flatten(1).gather(1, best[:, None])[:, :, None]
    return (donors.objects == number) & (cover == wanted) & (number > 0)


def _blots(count: int, size: int, draws: Draws) -> Tensor:
    field = draws.smooth(count, size, 3)[:, 0]
    return field > draws.uniform((count, 1, 1), 0.5, 1.5)


def _soften(mask: Tensor, draws: Draws) -> Tensor:
    """Edges of 0 to 2 pixels, (B, 1, S, S) float32."""
    hard = mask[:, None].float()
    soft = F.avg_pool2d(hard, 3, 1, 1)
    softer = F.avg_pool2d(soft, 3, 1, 1)
    kind = draws.below(3, (len(mask),))[:, None, None, None]
    return torch.where(kind == 0, hard, torch.where(kind == 1, soft, softer))


def _recolored(donor: Tensor, scene: Tensor, water: Tensor, draws: Draws) -> Tensor:
    """The donor, brought part of the way to the scene's mean and spread.

    Water has hardly more than its color to be told by, so a donor with a share of ``water``, (B,),
    keeps more of its own.
    """
    share = draws.uniform((len(donor), 1, 1, 1), 0.0, 0.85)
    share = share * (1 - 4 * water).clamp(min=0.1)[:, None, None, None]
    (mean, spread), (wanted, goal) = mean_and_spread(donor), mean_and_spread(scene)
    gain = (goal.clamp(min=0.02) / spread.clamp(min=0.02)).clamp(0.5, 2.0)
    return donor + share * ((donor - mean) * gain + wanted - donor)
