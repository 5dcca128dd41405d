"""What light, season and sensors do to a date, drawn for each date by itself.

Everything here leaves the labels as they are: it is what a network has to see through. Images are
(B, 3, S, S) float32 from 0 to 1; strengths are (B,), about 1, less for dates that are real already.
"""

from math import pi

import torch
import torch.nn.functional as F
from torch import Tensor

from scdcli.training.live.draws import Draws, mean_and_spread, rectangles
from scdcli.training.live.paste import BUILDING, VEGETATION

# How far a class may take on another color, the most: unknown, water, ground, road, building,
# vegetation (green in one season, brown in another).
SEASON = (0.3, 0.4, 0.45, 0.25, 0.15, 0.65)
FIELDS = 2
# Dry plants against the mean of their bands, red, green and blue, as logarithms; green ones have
# the opposite sign of it.
DRY = (0.18, 0.0, -0.22)
CARS = 10
SHADOW = (0.3, 0.65)  # of the light that is left
# The luminance table of JPEG (ITU-T T.81, Annex K), for all channels.
QUANTIZATION = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
GREENNESS = 0.03  # 2g - r - b of what is taken for plants where the class is not known


def expose(image: Tensor, cover: Tensor, real: Tensor, draws: Draws) -> Tensor:
    """One date as another camera would have taken it on another day.

    Args:
        image: (B, 3, S, S) float32, 0 to 1.
        cover: Its classes, (B, S, S) int64, 0 unknown.
        real: Where the two dates differ by themselves already, (B,) bool.
        draws: Random numbers.
    """
    strength = torch.where(real, 0.45, 1.0) * draws.uniform(real.shape, 0.4, 1.2)
    image = _fields(_season(image, cover, strength, draws), cover, draws)
    image = _cars(image, cover, draws)
    image = _shadows(image, cover, real, draws)
    image = _light(image, strength, draws)
    image = _borrow(image, draws)
    image = _blur(image, draws)
    image = image + draws.normal(image.shape) * _amount(len(image), 0.02, draws)
    return _compress(image.clamp(0, 1), draws)


def standardize(image: Tensor, draws: Draws | None = None) -> Tensor:
    """Each band of each image to mean 0 and spread 1, with ``draws`` not quite."""
    mean, spread = mean_and_spread(image)
    image = (image - mean) / spread.clamp(min=1 / 32)
    if draws is None:
        return image
    count = len(image)
    gain = draws.normal((count, 1, 1, 1), 0.12).exp()
    return (
        image * gain + draws.normal((count, 3, 1, 1), 0.08) + draws.normal((count, 1, 1, 1), 0.15)
    )


def _amount(count: int, most: float, draws: Draws) -> Tensor:
    """From 0 to ``most``, small ones more often, (B, 1, 1, 1)."""
    return draws.uniform((count, 1, 1, 1)) ** 2 * most


def _season(image: Tensor, cover: Tensor, strength: Tensor, draws: Draws) -> Tensor:
    """Give each class a color of this date, in patches."""
    count, size = len(image), image.shape[-1]
    cover = torch.where(_plants(image, cover), VEGETATION, cover)
    most = torch.tensor(SEASON, device=image.device)
    share = draws.uniform((count, len(SEASON))) * most * strength[:, None]
    tint = (
        1 + draws.normal((count, len(SEASON), 3), 0.16) * (most / most.max())[None, :, None] * 1.5
    )
    tint = tint * draws.normal((count, len(SEASON), 1), 0.2).exp()
    index = cover.clamp(max=len(SEASON) - 1).flatten(1)
    amount = share.gather(1, index).reshape(count, 1, size, size)
    color = tint.gather(1, index[:, :, None].expand(-1, -1, 3)).reshape(count, size, size, 3)
    patches = torch.sigmoid(draws.smooth(count, size, 6) * 1.5)
    # Soft borders, since the labels are not exact to the pixel.
    amount = F.avg_pool2d(amount * (0.4 + 0.8 * patches), 3, 1, 1).clamp(max=0.85)
    gray = image.mean(dim=1, keepdim=True)
    return image + amount * (gray * color.permute(0, 3, 1, 2) - image)


def _plants(image: Tensor, cover: Tensor) -> Tensor:
    """Known as plants, or green where nothing is known, (B, S, S) bool."""
    green = 2 * image[:, 1] - image[:, 0] - image[:, 2] > GREENNESS
    return (cover == VEGETATION) | (green & (cover == 0))


def _fields(image: Tensor, cover: Tensor, draws: Draws) -> Tensor:
    """Parcels of plants in another season than their neighbors, with the sharp edges of fields."""
    count, size = len(image), image.shape[-1]
    for _ in range(FIELDS):
        inside = draws.parcels(count, size) & draws.chance((count, 1, 1), 0.35)
        color = torch.tensor(DRY, device=image.device).reshape(1, 3, 1, 1)
        color = (color * draws.uniform((count, 1, 1, 1), -0.6, 1.5)).exp()
        color = color * draws.normal((count, 1, 1, 1), 0.22).exp()
        amount = draws.uniform((count, 1, 1, 1), 0.3, 0.95)
        amount = amount * (inside & _plants(image, cover))[:, None]
        image = image + amount * (image.mean(dim=1, keepdim=True) * color - image)
    return image


def _cars(image: Tensor, cover: Tensor, draws: Draws) -> Tensor:
    """Small bright or dark things that come and go, where there is no roof, tree or water."""
    count, size = len(image), image.shape[-1]
    free = ((cover == 0) | (cover == 2) | (cover == 3))[:, None]
    angle = draws.uniform((count,), 0, pi)
    for _ in range(CARS):
        center = draws.uniform((count, 2), 0, size)
        turned = angle + (pi / 2) * draws.chance((count,), 0.3)
        half = draws.uniform((count, 2), 1.0, 2.2) * torch.tensor([2.0, 1.0], device=image.device)
        inside = rectangles(size, center, turned, half)
        color = draws.uniform((count, 1, 1, 1)) + draws.normal((count, 3, 1, 1), 0.08)
        shown = inside[:, None] & free & draws.chance((count, 1, 1, 1), 0.5)
        image = torch.where(shown, color.clamp(0, 1), image)
    return image


def _shadows(image: Tensor, cover: Tensor, real: Tensor, draws: Draws) -> Tensor:
    """Shadows of buildings and trees, away from the sun of this date."""
    count, size = len(image), image.shape[-1]
    buildings, trees = (cover == BUILDING)[:, None].float(), (cover == VEGETATION)[:, None].float()
    wanted = draws.uniform((count,)) < torch.where(real, 0.15, 0.65)
    angle, length = draws.uniform((count,), 0, 2 * pi), draws.uniform((count,), 3, 14)
    way = torch.stack((angle.cos(), angle.sin()), dim=1) * length[:, None] * 2 / size
    identity = torch.eye(2, 3, device=image.device).expand(count, 2, 3)
    grid = F.affine_grid(identity, [count, 1, size, size], align_corners=False)
    shadow = torch.zeros_like(buildings)
    for step in (0.34, 0.67, 1.0):
        moved = grid - step * way[:, None, None]
        shadow = torch.maximum(shadow, F.grid_sample(buildings, moved, align_corners=False))
    moved = grid - 0.34 * way[:, None, None]
    patchy = (draws.smooth(count, size, 24) > 0.5).float()  # crowns, not lawns
    high = trees * patchy
    shadow = torch.maximum(shadow, F.grid_sample(high, moved, align_corners=False) * (1 - high))
    shadow = shadow * (1 - buildings) * wanted[:, None, None, None]
    dark = draws.uniform((count, 1, 1, 1), *SHADOW) * torch.tensor(
        [0.95, 1.0, 1.1], device=image.device
    ).reshape(1, 3, 1, 1)
    return image * (1 - shadow * (1 - dark))


def _light(image: Tensor, strength: Tensor, draws: Draws) -> Tensor:
    """Gain, gamma, saturation, haze and a gradient across the scene."""
    count, size = len(image), image.shape[-1]
    s = strength[:, None, None, None]
    gamma = (
        draws.normal((count, 1, 1, 1), 0.28) * s + draws.normal((count, 3, 1, 1), 0.08) * s
    ).exp()
    image = image.clamp(1e-4, 1) ** gamma
    gain = (
        draws.normal((count, 1, 1, 1), 0.15) * s + draws.normal((count, 3, 1, 1), 0.08) * s
    ).exp()
    gray = image.mean(dim=1, keepdim=True)
    saturation = (draws.normal((count, 1, 1, 1), 0.3) * s).exp()
    image = (gray + (image - gray) * saturation) * gain
    haze = _amount(count, 0.4, draws) * s
    veil = draws.uniform((count, 1, 1, 1), 0.5, 0.9) + draws.normal((count, 3, 1, 1), 0.04)
    image = image * (1 - haze) + haze * veil
    return (image * (1 + 0.07 * s * draws.smooth(count, size, 2))).clamp(0, 1)


def _borrow(image: Tensor, draws: Draws) -> Tensor:
    """Sometimes the mean and spread of the colors of another scene of the batch."""
    share = draws.uniform((len(image), 1, 1, 1)) * draws.chance((len(image), 1, 1, 1), 0.3)
    mean, spread = mean_and_spread(image)
    wanted, goal = mean.roll(1, dims=0), spread.roll(1, dims=0)
    borrowed = (image - mean) * (goal / spread.clamp(min=0.02)).clamp(0.4, 2.5) + wanted
    return image + share * (borrowed - image)


def _blur(image: Tensor, draws: Draws) -> Tensor:
    """A Gaussian blur of up to 1.3 pixels, or a sharpening."""
    count, bands, size = len(image), image.shape[1], image.shape[-1]
    sigma = draws.uniform((count, 1), 0.3, 1.3)
    offsets = torch.arange(-3, 4, device=image.device, dtype=torch.float32)
    kernel = torch.exp(-(offsets[None] ** 2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(bands, dim=0)
    flat = F.pad(image, (3, 3, 3, 3), mode="reflect").reshape(1, count * bands, size + 6, size + 6)
    flat = F.conv2d(flat, kernel[:, None, :, None], groups=count * bands)
    flat = F.conv2d(flat, kernel[:, None, None, :], groups=count * bands)
    blurred = flat.reshape(count, bands, size, size)
    amount = draws.uniform((count, 1, 1, 1), -0.6, 1.4).clamp(max=1.0)
    return image + amount * (blurred - image)


def _compress(image: Tensor, draws: Draws) -> Tensor:
    """Blocks of 8 × 8 pixels quantized as JPEG does, in half of the dates."""
    count, bands, size = len(image), image.shape[1], image.shape[-1]
    if size % 8:
        return image
    index = torch.arange(8, device=image.device, dtype=torch.float32)
    cosines = torch.cos((2 * index[None] + 1) * index[:, None] * pi / 16) / 2
    cosines[0] /= 2**0.5
    table = torch.tensor(QUANTIZATION, device=image.device, dtype=torch.float32)
    factor = draws.uniform((count, 1, 1, 1, 1, 1), 0.1, 1.1)
    step = table[None, None, None, :, None, :] * factor  # beside (B, C, rows, 8, columns, 8)
    blocks = image.reshape(count, bands, size // 8, 8, size // 8, 8) * 255
    inside = torch.einsum("ua,bcraks,vs->bcrukv", cosines, blocks, cosines)
    inside = (inside / step).round() * step
    back = torch.einsum("ua,bcrukv,vs->bcraks", cosines, inside, cosines)
    compressed = (back / 255).reshape(image.shape).clamp(0, 1)
    return torch.where(draws.chance((count, 1, 1, 1), 0.5), compressed, image)
