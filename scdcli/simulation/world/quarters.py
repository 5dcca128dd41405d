"""Parcels people build on: houses, apartment rows, old towns, industry, parking, building sites."""

import numpy as np

from scdcli.simulation.world.buildings import LEVEL, PITCHED, SHED, house, shed, slab, tower, winged
from scdcli.simulation.world.draft import DETAIL, FILL, Draft
from scdcli.simulation.world.frame import Rect
from scdcli.simulation.world.greenery import path, row, scatter

SIDEWALK = 4.0
VILLAGE = (*LEVEL, "blue metal", "rust metal", "tile roof")


def draw_houses(draft: Draft, rect: Rect, dates: int) -> None:
    """Detached houses on lots with gardens, drives and trees."""
    rng = draft.rng
    draft.palette = list(rng.choice(PITCHED, 2))
    draft.area(rect, "concrete", FILL, dates)
    inner = rect.inset(SIDEWALK * rng.choice([0.3, 1.0]))
    draft.area(inner, str(rng.choice(["lawn", "lawn", "meadow"])), FILL, dates)
    pitch_u, pitch_v = rng.uniform(28, 48), rng.uniform(34, 58)
    for lot in inner.tiles(pitch_u, pitch_v):
        if rng.random() < 0.07:
            continue
        _garden(draft, lot, dates)
        for fate in draft.fates(dates):
            size = (lot.width * rng.uniform(0.42, 0.7), lot.height * rng.uniform(0.34, 0.55))
            at = _near(draft, lot, 0.1)
            house(draft, at, size, fate)
    scatter(draft, inner, inner.width * inner.height * rng.uniform(3e-4, 2e-3), (2.5, 7), dates)


def _garden(draft: Draft, lot: Rect, dates: int) -> None:
    """A drive, a terrace or a patch of other ground on a lot."""
    rng = draft.rng
    material = str(rng.choice(["concrete", "asphalt", "paving", "gravel", "old asphalt"]))
    side = lot.u0 + lot.width * rng.uniform(0.02, 0.75)
    if rng.random() < 0.7:
        drive = Rect(side, lot.v0, side + rng.uniform(6, 10), lot.v0 + lot.height * 0.6)
        draft.area(drive, material, DETAIL, dates)
    for fate in draft.fates(dates) if rng.random() < 0.5 else []:
        other = str(rng.choice(["paving", "soil", "scrub", "lawn", "concrete", "gravel"]))
        low = lot.v0 + lot.height * rng.uniform(0.5, 0.75)
        draft.area(lot.inset(2)._replace(v0=low), other, DETAIL, fate)


def draw_rows(draft: Draft, rect: Rect, dates: int) -> None:
    """Parallel apartment slabs or towers with lawn and parking between them."""
    rng = draft.rng
    draft.palette = list(rng.choice(LEVEL, 1)) if rng.random() < 0.7 else ["tile roof"]
    draft.area(rect, "concrete", FILL, dates)
    inner = rect.inset(SIDEWALK)
    draft.area(inner, str(rng.choice(["lawn", "lawn", "paving", "old asphalt"])), FILL, dates)
    along_u = bool(rng.random() < 0.5)
    depth, gap = rng.uniform(22, 34), rng.uniform(16, 36)
    length = rng.uniform(60, 150)
    towers = rng.random() < 0.2
    pitch = (length + 14, depth + gap) if along_u else (depth + gap, length + 14)
    for lot in inner.tiles(*((56.0, 62.0) if towers else pitch)):
        if rng.random() < 0.2:
            _yard(draft, lot, dates)
        for fate in draft.fates(dates, 0.8):
            if towers:
                side = rng.uniform(28, 40)
                tower(draft, _near(draft, lot, 0.05), (side, side * rng.uniform(0.8, 1.2)), fate)
            else:
                long_side = (lot.width if along_u else lot.height) - 14
                size = (long_side, depth) if along_u else (depth, long_side)
                slab(draft, _near(draft, lot, 0.05), size, fate)
    scatter(draft, inner, inner.width * inner.height * rng.uniform(3e-4, 1.5e-3), (3, 7), dates)


def _yard(draft: Draft, lot: Rect, dates: int) -> None:
    """A paved half of a lot with parked cars."""
    part = lot._replace(v1=lot.v0 + lot.height * 0.45)
    draft.area(part, "asphalt", DETAIL, dates)
    park_cars(draft, part, dates)


def draw_old_town(draft: Draft, rect: Rect, dates: int) -> None:
    """Houses wall to wall or winged blocks around yards."""
    rng = draft.rng
    roofs = PITCHED if rng.random() < 0.5 else VILLAGE
    draft.palette = list(rng.choice(roofs, 3))
    draft.area(rect, "paving" if rng.random() < 0.5 else "concrete", FILL, dates)
    inner = rect.inset(SIDEWALK)
    draft.area(inner, str(rng.choice(["old asphalt", "gravel", "concrete", "lawn"])), FILL, dates)
    if rng.random() < 0.45:
        for lot in inner.tiles(rng.uniform(70, 120), rng.uniform(70, 120)):
            for fate in draft.fates(dates):
                winged(draft, lot.inset(float(rng.uniform(2, 7))), fate)
    else:
        for lot in inner.tiles(rng.uniform(20, 36), rng.uniform(22, 42)):
            if rng.random() < 0.14:
                continue
            for fate in draft.fates(dates):
                shape = lot.inset(float(rng.uniform(0.5, 3.0)))
                house(draft, shape.center, (shape.width, shape.height * rng.uniform(0.7, 1)), fate)
    scatter(draft, inner, inner.width * inner.height * 5e-4, (2.5, 6), dates)


def draw_industry(draft: Draft, rect: Rect, dates: int) -> None:
    """Halls on a paved yard with parking and some green edge."""
    rng = draft.rng
    draft.palette = list(rng.choice(SHED, 1))
    draft.area(rect, str(rng.choice(["lawn", "concrete", "meadow"])), FILL, dates)
    inner = rect.inset(float(rng.uniform(3, 9)))
    ground = str(rng.choice(["asphalt", "old asphalt", "concrete", "gravel"]))
    draft.area(inner, ground, FILL, dates)
    for lot in inner.tiles(rng.uniform(70, 150), rng.uniform(60, 130)):
        if rng.random() < 0.15:
            park_cars(draft, lot.inset(5), dates)
            continue
        for fate in draft.fates(dates):
            trim = rng.uniform(0.02, 0.15, 4) * (lot.width, lot.height, lot.width, lot.height)
            hall = Rect(lot.u0 + trim[0], lot.v0 + trim[1], lot.u1 - trim[2], lot.v1 - trim[3])
            shed(draft, hall, fate)
    scatter(draft, rect, rect.width * rect.height * 1e-4, (3, 6), dates)


def draw_parking(draft: Draft, rect: Rect, dates: int) -> None:
    """A parking lot or a paved square, with rows of trees."""
    rng = draft.rng
    draft.area(rect, "concrete", FILL, dates)
    inner = rect.inset(3.0)
    if max(rect.width, rect.height) > 130:
        hall, inner = inner.split(float(rng.uniform(0.35, 0.6)) * max(inner.width, inner.height))
        for fate in draft.fates(dates):
            shed(draft, hall.inset(float(rng.uniform(5, 12))), fate)
    square = rng.random() < 0.3
    surfaces = ["paving", "concrete"] if square else ["asphalt", "old asphalt", "asphalt"]
    draft.area(inner, str(rng.choice(surfaces)), FILL, dates)
    if not square:
        park_cars(draft, inner.inset(4), dates)
    if rng.random() < 0.7:
        line = Rect(inner.u0, inner.v0 + 2, inner.u1, inner.v0 + 8)
        row(draft, line, rng.uniform(14, 26), (3.0, 5.5), dates)


def draw_site(draft: Draft, rect: Rect, dates: int) -> None:
    """Bare ground: a building site, rubble or a cleared lot, with tracks and heaps."""
    rng = draft.rng
    draft.area(rect, str(rng.choice(["soil", "soil", "rubble", "sand", "gravel"])), FILL, dates)
    for _ in range(int(rng.integers(3, 8))):
        half = rng.uniform(0.06, 0.24, 2) * min(rect.width, rect.height)
        material = str(rng.choice(["rubble", "soil", "sand", "gravel", "scrub"], p=[0.25, 0.3, 0.2, 0.15, 0.1]))  # fmt: skip  # noqa: E501
        at = _near(draft, rect.inset(float(half.max()) * 1.25), 0.5)
        draft.blob(*at, (float(half[0]), float(half[1])), material, dates)
    for _ in range(int(rng.integers(1, 4))):
        path(draft, rect, str(rng.choice(["gravel", "sand", "soil", "concrete"])), dates)


def park_cars(draft: Draft, rect: Rect, dates: int) -> None:
    """Rows of stalls with lines; which are taken differs between the dates."""
    rng = draft.rng
    along_u = rect.long_u
    fill = rng.uniform(0.1, 0.85, 2)
    depth, length = sorted((rect.width, rect.height))
    for aisle in np.arange(6.0, depth - 5, 19.0):
        stalls = np.arange(4.0, length - 4.0, 5.2)
        if along_u:
            line = Rect(rect.u0 + 2, rect.v0 + aisle + 4.8, rect.u1 - 2, rect.v0 + aisle + 5.6)
        else:
            line = Rect(rect.u0 + aisle + 4.8, rect.v0 + 2, rect.u0 + aisle + 5.6, rect.v1 - 2)
        draft.area(line, "marking", DETAIL, dates)
        for date, share in zip((1, 2), fill, strict=True):
            for stall in stalls[rng.random(len(stalls)) < share] if dates & date else []:
                u, v = (stall, aisle) if along_u else (aisle, stall)
                turn = np.pi / 2 if along_u else 0.0
                draft.park(rect.u0 + u, rect.v0 + v, turn + rng.normal(0, 0.03), date)


def _near(draft: Draft, rect: Rect, spread: float) -> tuple[float, float]:
    """A point around the middle, off by up to `spread` of the extents."""
    du, dv = draft.rng.uniform(-spread, spread, 2) * (rect.width, rect.height)
    return rect.center[0] + float(du), rect.center[1] + float(dv)
