"""Windows drawn from banks: one place at two dates, turned, mirrored, enlarged, a little beside."""

from collections.abc import Sequence
from math import log, pi

import torch
import torch.nn.functional as F
from torch import Tensor

from scdcli.training.live.bank import IGNORED, Bank, Scenes, Tiles
from scdcli.training.live.draws import Draws

ZOOM = (0.55, 2.1)  # ground covered by a pixel, times that of the source
METERS = (0.3, 1.7)  # bounds of the pixel size that comes out
BUILDING = 4  # of the legend urban
LEAN = 3.0  # pixels that a building may stand beside its place in AFTER
FAR = 100_000  # between the numbers of objects in two parts of a mosaic


def draw_scenes(banks: Sequence[tuple[Bank, float]], count: int, size: int, draws: Draws) -> Scenes:
    """``count`` windows of ``size`` pixels, in any order.

    Tiles of a bank that are smaller than those of the largest are put together four by four, of
    one group, each with its own two dates.

    Args:
        banks: Banks, and how often each is drawn from.
        count: B.
        size: Pixels along a side of what comes out.
        draws: Random numbers; all banks lie on their device.
    """
    largest = max(bank.size for bank, _ in banks)
    weights = torch.tensor([weight for _, weight in banks], device=draws.device)
    chosen = draws.choice(weights, count)
    parts = []
    for index, (bank, _) in enumerate(banks):
        wanted = int((chosen == index).sum())
        if wanted:
            whole = (
                _tiles(bank, wanted, draws)
                if bank.size == largest
                else _mosaic(bank, wanted, draws)
            )
            parts.append(_window(whole, size, draws))
    order = torch.argsort(draws.uniform((count,)))
    return Scenes(
        **{
            name: torch.cat([getattr(part, name) for part in parts])[order]
            for name in vars(parts[0])
        }
    )


def _tiles(bank: Bank, count: int, draws: Draws) -> Tiles:
    return _gather(bank, draws.choice(bank.weights, count), draws.chance((count,), 0.5))


def _mosaic(bank: Bank, count: int, draws: Draws) -> Tiles:
    first = draws.choice(bank.weights, count)
    beside = bank.weights * (bank.groups[first][:, None] == bank.groups[None])
    others = torch.multinomial(beside, 3, replacement=True, generator=draws.generator)
    picked = torch.cat((first[:, None], others), dim=1)  # (B, 4)
    parts = [_gather(bank, picked[:, part], draws.chance((count,), 0.5)) for part in range(4)]
    objects = [part.objects + (part.objects > 0) * FAR * k for k, part in enumerate(parts)]

    def together(four: list[Tensor]) -> Tensor:
        return torch.cat((torch.cat(four[:2], dim=-1), torch.cat(four[2:], dim=-1)), dim=-2)

    return Tiles(
        together([part.before for part in parts]),
        together([part.after for part in parts]),
        together([part.covers for part in parts]),
        together(objects),
        together([part.changed for part in parts]),
        torch.stack([part.real for part in parts]).any(dim=0),
        parts[0].meters,
    )


def _gather(bank: Bank, pair: Tensor, swap: Tensor) -> Tiles:
    dates = bank.pairs[pair]
    dates = torch.where(swap[:, None], dates.flip(1), dates)
    before, after = dates.unbind(1)
    return Tiles(
        bank.images[before],
        bank.images[after],
        bank.covers[dates],
        bank.objects[before],
        bank.changed[pair],
        before != after,
        bank.meters[before],
    )


def _window(whole: Tiles, size: int, draws: Draws) -> Scenes:
    """Cut ``size`` pixels out of whole tiles, both dates alike but for a shift and a lean."""
    count, side = len(whole.before), whole.before.shape[-1]
    zoom = draws.uniform((count,), log(ZOOM[0]), log(ZOOM[1])).exp()
    meters = (whole.meters * zoom).clamp(*METERS)
    span = meters / whole.meters * size / side  # of the tile, as a share of its side
    grid = F.affine_grid(_thetas(span, draws), [count, 1, size, size], align_corners=False)
    pixel = 2 * span[:, None] / size  # of what comes out, in units of the grid
    shift = draws.normal((count, 2), 0.5).clamp(-1.5, 1.5) * pixel
    lean = draws.uniform((count, 2), -LEAN, LEAN) * draws.chance((count, 1), 0.5) * pixel
    lean = lean * ~whole.real[:, None]  # two real dates lean by themselves

    x, y = (((grid + 1) * side - 1) / 2).round().long().unbind(dim=-1)  # the nearest pixels
    inside = (x >= 0) & (x < side) & (y >= 0) & (y < side)
    index = (y.clamp(0, side - 1) * side + x.clamp(0, side - 1)).flatten(1)

    def nearest(maps: Tensor, outside: int) -> Tensor:
        taken = maps.flatten(1).gather(1, index).reshape(count, size, size).long()
        return torch.where(inside, taken, outside)

    covers = torch.stack([nearest(whole.covers[:, date], 0) for date in (0, 1)], dim=1)
    buildings = F.avg_pool2d((covers[:, :1] == BUILDING).float(), 5, 1, 2)[:, 0]
    moved = grid + shift[:, None, None] + buildings[..., None] * lean[:, None, None]
    before, after = (
        F.grid_sample(
            image.float(), where, mode="bilinear", padding_mode="reflection", align_corners=False
        )
        / 255
        for image, where in ((whole.before, grid), (whole.after, moved))
    )
    objects, changed = nearest(whole.objects, 0), nearest(whole.changed, IGNORED)
    return Scenes(before, after, covers, objects, changed, whole.real)


def _thetas(span: Tensor, draws: Draws) -> Tensor:
    """Turned, mirrored, somewhere inside: affine maps of `affine_grid`, (B, 2, 3)."""
    count = len(span)
    angle = draws.uniform((count,), 0, 2 * pi)
    mirror = torch.where(draws.chance((count,), 0.5), -1.0, 1.0)
    center = draws.uniform((count, 2), -1, 1) * (1 - span.clamp(max=1))[:, None]
    cos, sin = angle.cos() * span, angle.sin() * span
    rows = (
        torch.stack((cos * mirror, -sin, center[:, 0]), dim=1),
        torch.stack((sin * mirror, cos, center[:, 1]), dim=1),
    )
    return torch.stack(rows, dim=1)
