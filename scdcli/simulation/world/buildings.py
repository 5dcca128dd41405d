"""Buildings: houses, slabs, towers, sheds and winged blocks, with what stands on their roofs."""

import numpy as np

from scdcli.simulation.world.draft import ROOF_DETAIL, Draft, Relief
from scdcli.simulation.world.frame import Rect

PITCHED = ("tile roof", "brown roof", "slate roof", "tile roof", "rust metal", "gray metal")
LEVEL = ("flat roof", "flat roof", "dark roof", "white roof", "gravel roof", "gray metal")
SHED = (
    "gray metal", "gray metal", "white roof", "blue metal", "flat roof", "rust metal",
    "green metal", "dark roof",
)  # fmt: skip

Spot = tuple[float, float]


def pick(draft: Draft, names: tuple[str, ...]) -> str:
    """A roof from a list; within a parcel most are of its few materials, the palette."""
    rng = draft.rng
    if draft.palette and rng.random() < 0.6:
        return str(rng.choice(list(draft.palette)))
    return str(rng.choice(list(names)))


def house(draft: Draft, at: Spot, size: tuple[float, float], dates: int) -> None:
    """A detached house: gabled or hipped, at times with a wing or a flat extension."""
    rng = draft.rng
    owner = draft.new_building()
    roof = pick(draft, PITCHED if rng.random() < 0.8 else LEVEL)
    eaves = float(rng.choice([3.0, 5.0, 6.0]) + rng.uniform(0, 1))
    _pitched(draft, at, size, roof, owner, eaves, dates)
    u, v = at
    du, dv = size
    chance = rng.random()
    side = rng.choice([-1.0, 1.0], 2)
    if chance < 0.35:  # cross wing: an L
        wing = (du * rng.uniform(0.4, 0.55), dv * rng.uniform(0.45, 0.7))
        place = (u + side[0] * (du - wing[0]) / 2, v + side[1] * (dv + wing[1]) / 2 * 0.92)
        _pitched(draft, place, wing, roof, owner, eaves - 0.5, dates)
    elif chance < 0.6:  # garage or porch
        annex = (rng.uniform(6, 11), rng.uniform(6, 12))
        place = (u + side[0] * (du + annex[0]) / 2 * 0.97, v + side[1] * dv * 0.15)
        form = Relief(height=2.8)
        draft.box(place, annex, pick(draft, LEVEL), dates, owner=owner, relief=form)


def _pitched(
    draft: Draft,
    at: Spot,
    size: tuple[float, float],
    roof: str,
    owner: int,
    eaves: float,
    dates: int,
) -> None:
    """A gabled or hipped roof with the ridge along the longer side."""
    rng = draft.rng
    across_u = size[0] < size[1]
    half, long_half = sorted((size[0] / 2, size[1] / 2))
    flat = roof in LEVEL
    hipped = rng.random() < 0.4
    form = Relief(
        height=eaves,
        ridge=0.0 if flat else half * 0.5 * float(rng.uniform(0.35, 0.9)),
        half=half,
        hip=max(long_half - half * 0.8, 0.5) if hipped else 0.0,
        period=2.4 if rng.random() < 0.4 else 0.0,
        strength=0.05,
    )
    draft.box(at, size, roof, dates, owner=owner, relief=form, across_u=across_u)


def slab(draft: Draft, at: Spot, size: tuple[float, float], dates: int) -> None:
    """An apartment house: flat with boxes on top, or a long pitched roof."""
    rng = draft.rng
    owner = draft.new_building()
    height = float(rng.uniform(8, 24))
    if rng.random() < 0.3:
        _pitched(draft, at, size, pick(draft, PITCHED), owner, height * 0.7, dates)
        return
    _level(draft, at, size, pick(draft, LEVEL), owner, height, dates)


def tower(draft: Draft, at: Spot, size: tuple[float, float], dates: int) -> None:
    """A high-rise on a square foot."""
    height = float(draft.rng.uniform(25, 48))
    _level(draft, at, size, pick(draft, LEVEL), draft.new_building(), height, dates)


def _level(
    draft: Draft,
    at: Spot,
    size: tuple[float, float],
    roof: str,
    owner: int,
    height: float,
    dates: int,
) -> None:
    """A flat roof with a parapet, boxes and at times a second tone."""
    rng = draft.rng
    draft.box(at, size, roof, dates, owner=owner, relief=Relief(height=height + 0.8))
    inner = (size[0] - 2.5, size[1] - 2.5)
    tone = roof if rng.random() < 0.6 else pick(draft, LEVEL)
    form = Relief(height=height)
    draft.box(at, inner, tone, dates, owner=owner, layer=ROOF_DETAIL, relief=form)
    for _ in range(int(rng.integers(0, 2 + int(size[0] * size[1] / 700)))):
        box = rng.uniform(3.0, 8.0, 2)
        reach = np.maximum((np.array(inner) - box) / 2 - 1, 0)
        du, dv = rng.uniform(-reach, reach)
        lift = Relief(height=height + float(rng.uniform(1.0, 3.0)))
        place = (at[0] + float(du), at[1] + float(dv))
        extent = (float(box[0]), float(box[1]))
        draft.box(place, extent, "box", dates, owner=owner, layer=ROOF_DETAIL, relief=lift)


def shed(draft: Draft, rect: Rect, dates: int) -> None:
    """A hall: large, low, ribbed, at times with strips of skylights or several bays."""
    rng = draft.rng
    owner = draft.new_building()
    roof = pick(draft, SHED)
    across_u = bool(rng.random() < 0.5)
    bays = int(rng.integers(1, 4)) if max(rect.width, rect.height) > 60 else 1
    height = float(rng.uniform(5, 11))
    skylights = rng.random() < 0.35
    for index in range(bays):
        side = rect.width if across_u else rect.height
        bay = rect.strip(index / bays * side, (index + 1) / bays * side, along_u=across_u)
        span = (bay.width if across_u else bay.height) / 2
        rise = span * 0.5 * float(rng.choice([0.0, 0.12, 0.2]))
        form = Relief(
            height=height, ridge=rise, half=span, period=float(rng.uniform(3, 8)), strength=0.05
        )
        size = (bay.width, bay.height)
        draft.box(bay.center, size, roof, dates, owner=owner, relief=form, across_u=across_u)
        length = bay.height if across_u else bay.width
        lift = Relief(height=height + rise * 0.5)
        for at in np.arange(0.12, 0.95, 0.16).tolist() if skylights else ():
            strip = bay.strip(at * length, (at + 0.05) * length, along_u=not across_u).inset(3)
            extent = (strip.width, strip.height)
            draft.box(
                strip.center, extent, "skylight", dates, owner=owner, layer=ROOF_DETAIL, relief=lift
            )


def winged(draft: Draft, rect: Rect, dates: int) -> None:
    """A building of two to four wings around a yard: L, U or closed."""
    rng = draft.rng
    owner = draft.new_building()
    depth = float(np.clip(min(rect.width, rect.height) * rng.uniform(0.22, 0.32), 10, 30))
    height = float(rng.uniform(6, 18))
    flat = rng.random() < 0.5
    roof = pick(draft, LEVEL if flat else PITCHED)
    wings = [
        rect._replace(v1=rect.v0 + depth),
        rect._replace(u1=rect.u0 + depth),
        rect._replace(u0=rect.u1 - depth),
        rect._replace(v0=rect.v1 - depth),
    ]
    count = int(rng.integers(2, 5))
    for wing in wings[:count]:
        size = (wing.width, wing.height)
        if flat:
            _level(draft, wing.center, size, roof, owner, height, dates)
        else:
            _pitched(draft, wing.center, size, roof, owner, height, dates)
