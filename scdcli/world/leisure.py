"""Sports grounds and standing water: tracks, pitches, courts, lakes."""

import numpy as np
from shapely import LineString

from scdcli.world.buildings import house, winged
from scdcli.world.draft import DETAIL, FILL, MARK, Draft, Relief
from scdcli.world.frame import Points, Rect
from scdcli.world.greenery import row, scatter


def draw_sports(draft: Draft, rect: Rect, dates: int) -> None:
    """A running track when there is room, a pitch when not, and courts in what is left."""
    rng = draft.rng
    ground = str(rng.choice(["lawn", "concrete", "old asphalt", "gravel", "meadow"]))
    draft.area(rect, "concrete", FILL, dates)
    draft.area(rect.inset(3), ground, FILL, dates)
    short, long = sorted((rect.width, rect.height))
    if short < 70 or rng.random() < 0.3:
        _draw_courts(draft, rect.inset(6), dates)
        return
    field, rest = _divide(rect.inset(6), min(long * 0.72, short * 1.9))
    for fate in draft.fates(dates, 0.6):
        if min(field.width, field.height) > 84 and rng.random() < 0.7:
            _draw_track(draft, field, fate)
        else:
            _draw_pitch(draft, field.inset(6), str(rng.choice(["turf", "turf", "court green"])), fate)
    if min(rest.width, rest.height) > 34:
        if rng.random() < 0.35:
            for fate in draft.fates(dates):
                winged(draft, rest.inset(7), fate)
        else:
            _draw_courts(draft, rest, dates)
    edge = rect._replace(v1=rect.v0 + 6)
    row(draft, edge, rng.uniform(12, 26), (3, 6), dates)


def _divide(rect: Rect, length: float) -> tuple[Rect, Rect]:
    """A first part of the given length along the longer side, and the rest."""
    if rect.width >= rect.height:
        middle = rect.u0 + min(length, rect.width)
        return rect._replace(u1=middle), rect._replace(u0=middle)
    middle = rect.v0 + min(length, rect.height)
    return rect._replace(v1=middle), rect._replace(v0=middle)


def _draw_track(draft: Draft, rect: Rect, dates: int) -> None:
    """Nested stadiums: tartan with two lane lines around a pitch."""
    rng = draft.rng
    radius = min(rect.width, rect.height) / 2 - 2
    lane = min(max(radius * 0.28, 9.0), 20.0)
    color = str(rng.choice(["tartan", "tartan", "court red", "court blue"]))
    draft.patch(_stadium(draft, rect, radius), color, DETAIL, dates)
    for share in (0.35, 0.7):
        draft.patch(_stadium(draft, rect, radius - lane * share), "line", DETAIL, dates)
        draft.patch(_stadium(draft, rect, radius - lane * share - 0.7), color, DETAIL, dates)
    draft.patch(_stadium(draft, rect, radius - lane), "turf", DETAIL, dates)
    long_u = rect.width >= rect.height
    margin_long, margin_short = radius * 0.75, lane + radius * 0.16
    field = (
        Rect(rect.u0 + margin_long, rect.v0 + margin_short, rect.u1 - margin_long, rect.v1 - margin_short)
        if long_u
        else Rect(rect.u0 + margin_short, rect.v0 + margin_long, rect.u1 - margin_short, rect.v1 - margin_long)
    )  # fmt: skip
    if field.width > 20 and field.height > 20:
        _draw_pitch(draft, field, "turf", dates)


def _stadium(draft: Draft, rect: Rect, radius: float) -> Points:
    """Outline on the canvas of a stadium in the middle of a plan rectangle."""
    x, y, angle = draft.frame.place(*rect.center)
    long_u = rect.width >= rect.height
    reach = (max(rect.width, rect.height) - min(rect.width, rect.height)) / 2
    heading = angle if long_u else angle + np.pi / 2
    dx, dy = reach * np.cos(heading), reach * np.sin(heading)
    axis = LineString([(x - dx, y - dy), (x + dx, y + dy)])
    return np.asarray(axis.buffer(max(radius, 2.0), quad_segs=10).exterior.coords[:-1])


def _draw_pitch(draft: Draft, rect: Rect, material: str, dates: int) -> None:
    """A field with lines, a halfway line and mowing stripes."""
    size = (rect.width, rect.height)
    long_u = rect.width >= rect.height
    stripes = Relief(period=float(draft.rng.uniform(16, 26)), strength=0.06)
    draft.box(rect.center, size, material, dates, layer=DETAIL, relief=stripes, across_u=long_u)
    outer = (rect.width - 5, rect.height - 5)
    inner = (outer[0] - 1.6, outer[1] - 1.6)
    draft.box(rect.center, outer, "line", dates, layer=DETAIL)
    draft.box(rect.center, inner, material, dates, layer=DETAIL, relief=stripes, across_u=long_u)
    half = (0.9, inner[1]) if long_u else (inner[0], 0.9)
    draft.box(rect.center, half, "line", dates, layer=MARK)


def _draw_courts(draft: Draft, rect: Rect, dates: int) -> None:
    """Tennis or basketball courts side by side."""
    rng = draft.rng
    colors = ["court green", "court blue", "court red", "clay"]
    outer = str(rng.choice(colors))
    inner = str(rng.choice(colors))
    along_u = rect.width >= rect.height
    size = np.array([34.0, 66.0] if along_u else [66.0, 34.0]) * rng.uniform(0.8, 1.1)
    size = np.minimum(size, (rect.width, rect.height))
    across, down = max(int(rect.width // size[0]), 1), max(int(rect.height // size[1]), 1)
    whole = (float(across * size[0]), float(down * size[1]))
    at = (rect.u0 + whole[0] / 2, rect.v0 + whole[1] / 2)
    for fate in draft.fates(dates):
        draft.box(at, whole, outer, fate, layer=DETAIL)
        for index in range(across * down):
            place = (
                rect.u0 + (index % across + 0.5) * size[0],
                rect.v0 + (index // across + 0.5) * size[1],
            )
            court = (float(size[0]) * 0.74, float(size[1]) * 0.8)
            draft.box(place, court, "line", fate, layer=DETAIL)
            draft.box(place, (court[0] - 1.6, court[1] - 1.6), inner, fate, layer=DETAIL)
            net = (court[0], 0.8) if along_u else (0.8, court[1])
            draft.box(place, net, "line", fate, layer=MARK)


def draw_lake(draft: Draft, rect: Rect, dates: int) -> None:
    """A lake with a bank of reeds and trees."""
    rng = draft.rng
    draft.area(rect, str(rng.choice(["meadow", "scrub", "lawn"])), FILL, dates)
    water = str(rng.choice(["water", "green water", "brown water"]))
    half = (rect.width * rng.uniform(0.3, 0.42), rect.height * rng.uniform(0.3, 0.42))
    if rng.random() < 0.4:
        basin = rect.inset(float(rng.uniform(5, 12)))
        draft.area(basin.inset(-3), "concrete", DETAIL, dates)
        draft.area(basin, water, DETAIL, dates)
        return
    state = rng.bit_generator.state
    draft.blob(*rect.center, (half[0] * 1.06 + 2, half[1] * 1.06 + 2), "scrub", dates)
    rng.bit_generator.state = state
    draft.blob(*rect.center, half, water, dates)
    scatter(draft, rect.inset(3), rect.width * rect.height * 4e-4, (3, 7), dates)


def draw_farm(draft: Draft, rect: Rect, dates: int) -> None:
    """A yard with barns in a meadow."""
    rng = draft.rng
    draft.area(rect, "meadow", FILL, dates)
    yard = rect.inset(float(min(rect.width, rect.height) * rng.uniform(0.12, 0.3)))
    draft.area(yard, str(rng.choice(["gravel", "soil", "concrete"])), DETAIL, dates)
    for _ in range(int(rng.integers(2, 6))):
        for fate in draft.fates(dates):
            u, v = rng.uniform((yard.u0, yard.v0), (yard.u1, yard.v1))
            house(draft, (float(u), float(v)), tuple(rng.uniform((20, 20), (60, 34))), fate)
    scatter(draft, rect.inset(4), rect.width * rect.height * 5e-4, (3, 7), dates)
