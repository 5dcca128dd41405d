"""A labelled pair of the drawn world."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scdcli.simulation.camera.noise import value_noise
from scdcli.simulation.pairset import MadePair, change_maps
from scdcli.simulation.world.canvas import Canvas, burn, draw_canvas
from scdcli.simulation.world.change import fill_parcels
from scdcli.simulation.world.conditions import draw_conditions
from scdcli.simulation.world.draft import AFTER, BEFORE, BOTH, FILL, Draft
from scdcli.simulation.world.frame import Frame, Rect, draw_frame
from scdcli.simulation.world.layout import Plan, draw_plan
from scdcli.simulation.world.materials import BUILDING
from scdcli.simulation.world.render import draw_texture, mix, render
from scdcli.simulation.world.sensor import develop
from scdcli.simulation.world.traffic import draw_crossing_road, draw_river, draw_streets

MARGIN = 32
MINIMUM_SIZE = 128
LASTING_TEXTURE = 0.55
PLAN_AREA = 512 * 512


@dataclass(frozen=True)
class WorldPair(MadePair):
    """A pair of the drawn world; its classes, 1..6, are those of `legend.SECOND`.

    Attributes:
        sealed1: Where asphalt was on top before, (H, W) bool.
        sealed2: Where it is after.
    """

    sealed1: NDArray[np.bool_]
    sealed2: NDArray[np.bool_]


def draw_pair(
    seed: int | tuple[int, ...], height: int = 512, width: int = 512, change: float = 0.2
) -> WorldPair:
    """Draw a place at two dates: the same arguments always give the same pixels.

    Args:
        seed: Which world.
        height: Rows, at least 128; a pixel is 0.5 m.
        width: Columns, at least 128.
        change: Share of changed pixels to expect on average over many worlds, 0..0.6.

    Returns:
        Images, land cover and change of both dates. Sun, season, air, camera and registration
        differ between the dates everywhere; they are not change.

    Raises:
        ValueError: The size or the share is out of range.
    """
    if min(height, width) < MINIMUM_SIZE:
        raise ValueError(f"a world of {height} x {width} pixels is too small; 128 is the least.")
    if not 0.0 <= change <= 0.6:
        raise ValueError(f"a share of change of {change} cannot be drawn; give 0 to 0.6.")
    sequence = np.random.SeedSequence(seed)
    plan_rng, texture_rng, *date_rngs = (np.random.default_rng(s) for s in sequence.spawn(4))
    draft = _draw_draft(plan_rng, height + 2 * MARGIN, width + 2 * MARGIN, change)
    shape = (draft.frame.height, draft.frame.width)
    ragged = value_noise(texture_rng, shape, 2.6)
    lasting = draw_texture(texture_rng, shape)
    canvases, pictures = [], []
    for date, rng in zip((BEFORE, AFTER), date_rngs, strict=True):
        canvas = draw_canvas(draft, date, ragged)
        conditions = draw_conditions(rng)
        texture = mix(lasting, draw_texture(rng, shape), LASTING_TEXTURE)
        light = render(draft, canvas, conditions, texture, rng)
        pictures.append(develop(light, conditions, rng, MARGIN))
        canvases.append(canvas)
    return _labelled(pictures[0], pictures[1], canvases[0], canvases[1])


def _labelled(
    before: NDArray[np.uint8], after: NDArray[np.uint8], first: Canvas, second: Canvas
) -> WorldPair:
    """Compare the two dates: a change is another class, or another building on the same ground."""
    inner = (slice(MARGIN, -MARGIN), slice(MARGIN, -MARGIN))
    cover1, cover2 = first.cover[inner], second.cover[inner]
    rebuilt = (cover1 == BUILDING) & (cover2 == BUILDING)
    rebuilt &= first.building[inner] != second.building[inner]
    from_class, to_class = change_maps(cover1, cover2, rebuilt)
    return WorldPair(
        before=before,
        after=after,
        cover1=np.ascontiguousarray(cover1),
        cover2=np.ascontiguousarray(cover2),
        from_class=from_class,
        to_class=to_class,
        sealed1=first.sealed[inner],
        sealed2=second.sealed[inner],
    )


def _draw_draft(rng: np.random.Generator, height: int, width: int, change: float) -> Draft:
    """Everything that exists at either date, for a canvas of this size."""
    frame = draw_frame(rng, height, width)
    plan = draw_plan(rng, frame)
    strength = change * float(rng.gamma(3.0, 1 / 3.0)) if change else 0.0
    draft = Draft(rng, frame, churn=min(0.7 * strength, 0.5))
    reach = frame.reach
    draft.area(Rect(-reach, -reach, reach, reach), "old asphalt", FILL, BOTH)
    fill_parcels(draft, plan.parcels, min(1.45 * strength, 0.9), _visible_areas(frame, plan))
    draw_streets(draft, plan.streets)
    odds = 0.35 * height * width / PLAN_AREA
    for _ in range(min(int(rng.poisson(odds)), 3)):
        draw_river(draft)
    for _ in range(min(int(rng.poisson(odds)), 4)):
        draw_crossing_road(draft)
    return draft


def _visible_areas(frame: Frame, plan: Plan) -> list[float]:
    """Pixels of every parcel inside the picture."""
    outlines = (frame.to_canvas(parcel.rect.ring(24.0)) for parcel in plan.parcels)
    rings = [(outline, number) for number, outline in enumerate(outlines, start=1)]
    numbers = burn(rings, (frame.height, frame.width))[MARGIN:-MARGIN, MARGIN:-MARGIN]
    counts = np.bincount(numbers.ravel(), minlength=len(plan.parcels) + 1)
    return [float(count) for count in counts[1:]]
