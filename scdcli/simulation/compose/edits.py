"""What can happen to a place: each edit puts something on it, or takes something away.

An edit is drawn once, for the scene as it is, and then done to one date, to the other, or to both.
Done to both it changes nothing, so that a network cannot tell changes by the traces of editing.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter

from scdcli.legend import NODATA
from scdcli.simulation.compose.paint import Place, class_color, clear, coverage, paint, ribbon
from scdcli.simulation.compose.pieces import Piece, block, building, ground_like, region, rotate
from scdcli.simulation.compose.scene import Mask, Scene
from scdcli.simulation.compose.studio import Studio

TRIES = 24

Edit = Callable[[Scene], Scene]
"""Does one thing to a scene, the same at whichever date."""


def new_buildings(studio: Studio, scene: Scene) -> Edit | None:
    """A building, or several in rows."""
    rng = studio.rng
    free = _free(scene, studio)
    count = 1 + int(rng.geometric(0.28))
    first = _building(studio)
    start = _spot(rng, scene, first, free, 0.97) if first else None
    if first is None or start is None:
        return None
    puts: list[tuple[Piece, Place]] = [(first, start)]
    gap = int(rng.integers(2, 14))
    angle = float(rng.uniform(0, 2 * np.pi))
    for number in range(1, count):
        # Alike in a row, or something else beside it.
        piece = first if rng.random() < 0.6 else _building(studio)
        if piece is None:
            continue
        row, col = divmod(number, 4)
        step = max(max(first.mask.shape), max(piece.mask.shape)) + gap
        across = np.array([np.sin(angle), np.cos(angle)])
        along = np.array([np.cos(angle), -np.sin(angle)])
        place = np.array(start) + step * (col * across + row * along)
        puts.append((piece, (int(place[0]), int(place[1]))))
    puts = [each for each in puts if coverage(scene, *each, free) > 0.9]
    return _putting(studio, puts, float(rng.uniform(0.5, 1.1)))


def new_region(studio: Studio, scene: Scene) -> Edit | None:
    """Water, vegetation, bare ground or another area in place of what was there."""
    rng, roles = studio.rng, studio.library.roles
    if not roles.regions:
        return None
    index = int(rng.choice(roles.regions))
    side = int(min(scene.shape) * np.exp(rng.uniform(np.log(0.1), np.log(0.6))))
    piece = region(studio.library, rng, index, max(side, 24), studio.pixel_size)
    if piece is None:
        return None
    piece = studio.in_light_of_place(piece)
    other = (scene.cover != index) & (scene.cover != NODATA)
    if rng.random() < 0.7:  # leave buildings and roads
        other &= ~np.isin(scene.cover, (*roles.buildings, *roles.roads))
    place = _spot(rng, scene, piece, other, 0.5)
    if place is None:
        return None
    softness = float(rng.choice([0.6, 1.0, 2.5]))
    return _putting(studio, [(piece, place)], softness, where=other)


def new_block(studio: Studio, scene: Scene) -> Edit | None:
    """A part of another place with all that stands on it."""
    rng = studio.rng
    side = int(min(scene.shape) * rng.uniform(0.2, 0.55))
    piece = block(studio.library, rng, side, studio.pixel_size)
    if piece is None:
        return None
    piece = studio.in_light_of_place(piece)
    place = _spot(rng, scene, piece, scene.cover != NODATA, 0.6)
    if place is None:
        return None
    return _putting(studio, [(piece, place)], float(rng.uniform(0.6, 1.5)))


def new_road(studio: Studio, scene: Scene) -> Edit | None:
    """A road over open ground."""
    rng, roles = studio.rng, studio.library.roles
    if not roles.roads:
        return None
    index = int(rng.choice(roles.roads))
    side = int(min(scene.shape) * rng.uniform(0.4, 1.0))
    width = float(rng.uniform(5, 16)) / studio.pixel_size
    sample = studio.library.around(rng, index, (48, 48), studio.pixel_size)
    if sample is None:
        return None
    picture = sample.image()
    road = sample.cover == index
    color = class_color(picture, road)
    if color is None:
        return None
    mask = ribbon((side, side), rng, max(width, 4.0))
    fine = picture - np.stack([gaussian_filter(band, 3.0, truncate=2.0) for band in picture])
    fine = np.where(road, fine, 0)
    repeats = -(-side // 48)
    texture = np.tile(fine, (1, repeats, repeats))[:, :side, :side]
    image = np.clip(color[:, None, None] + texture, 0, 1).astype(np.float32)
    cover = np.where(mask, np.uint8(index), np.uint8(NODATA))
    piece = Piece(image, cover, np.zeros((side, side), np.int32), mask)
    piece = studio.in_light_of_place(piece)
    free = _free(scene, studio)
    place = _spot(rng, scene, piece, free, 0.4)
    return None if place is None else _putting(studio, [(piece, place)], 0.7, where=free)


def removed_buildings(studio: Studio, scene: Scene) -> Edit | None:
    """Buildings of the place that are gone, with ground in their place."""
    rng = studio.rng
    numbers = np.unique(scene.objects[scene.objects > 0])
    ground = ground_like(studio.library, rng, scene.shape, studio.pixel_size)
    if len(numbers) == 0 or ground is None:
        return None
    sizes = np.bincount(scene.objects.ravel())
    numbers = numbers[sizes[numbers] < 0.15 * scene.objects.size]
    if len(numbers) == 0:
        return None
    rows, cols = np.nonzero(scene.objects == int(rng.choice(numbers)))
    reach = float(rng.uniform(5, 60)) / studio.pixel_size
    near = np.unique(
        scene.objects[
            max(int(rows.mean() - reach), 0) : int(rows.mean() + reach) + 1,
            max(int(cols.mean() - reach), 0) : int(cols.mean() + reach) + 1,
        ]
    )
    gone = np.isin(scene.objects, near[np.isin(near, numbers)])
    image, index = ground
    return lambda date: clear(date, gone, image, index)


EDITS: dict[str, tuple[Callable[[Studio, Scene], Edit | None], float]] = {
    "new buildings": (new_buildings, 0.36),
    "new region": (new_region, 0.26),
    "new block": (new_block, 0.14),
    "new road": (new_road, 0.08),
    "removed buildings": (removed_buildings, 0.16),
}
"""What draws an edit, or nothing where it does not fit the place; and how often it is tried."""


def draw_edit(studio: Studio, scene: Scene) -> Edit | None:
    """Some edit that fits the scene; None where four tries brought none."""
    draws, odds = zip(*EDITS.values(), strict=True)
    for _ in range(4):
        edit: Edit | None = draws[studio.rng.choice(len(draws), p=odds)](studio, scene)
        if edit is not None:
            return edit
    return None


def replaced_building(studio: Studio, scene: Scene) -> tuple[Edit, Edit] | None:
    """Two different buildings on one lot, for one date each."""
    first, second = (_building(studio) for _ in range(2))
    if first is None or second is None:
        return None
    place = _spot(studio.rng, scene, first, _free(scene, studio), 0.9)
    if place is None:
        return None
    middle = [p + s // 2 for p, s in zip(place, first.mask.shape, strict=True)]
    rows, cols = (m - s // 2 for m, s in zip(middle, second.mask.shape, strict=True))
    one = _putting(studio, [(first, place)], 0.8)
    return one, _putting(studio, [(second, (rows, cols))], 0.8)


def _building(studio: Studio) -> Piece | None:
    piece = building(studio.library, studio.rng, studio.pixel_size)
    if piece is None:
        return None
    return studio.in_light_of_place(rotate(piece, int(studio.rng.integers(4))))


def _putting(
    studio: Studio, puts: list[tuple[Piece, Place]], softness: float, where: Mask | None = None
) -> Edit:
    """An edit that puts pieces down, on some pixels only if ``where`` says so."""
    puts = [(studio.renumber(piece), place) for piece, place in puts]

    def put(scene: Scene) -> Scene:
        allowed = scene if where is None else replace(scene, valid=scene.valid & where)
        for piece, place in puts:
            allowed = paint(allowed, piece, place, softness)
        return replace(allowed, valid=scene.valid)

    return put


def _free(scene: Scene, studio: Studio) -> Mask:
    """Where something can be built: measured, of a known class, dry, and nothing on it."""
    roles = studio.library.roles
    taken = [NODATA, *roles.buildings, *roles.roads, *roles.water]
    free: Mask = ~np.isin(scene.cover, taken) & scene.valid
    return free


def _spot(
    rng: np.random.Generator, scene: Scene, piece: Piece, wanted: Mask, share: float
) -> Place | None:
    """A place where at least this share of the piece lies on wanted pixels; None without one."""
    spots = np.argwhere(wanted[::4, ::4])
    if len(spots) == 0:
        return None
    height, width = piece.mask.shape
    for _ in range(TRIES):
        row, col = (int(x) * 4 for x in spots[rng.integers(len(spots))])
        place = (row - height // 2, col - width // 2)
        if coverage(scene, piece, place, wanted) >= share:
            return place
    return None
