"""Sports grounds and standing water: tracks, pitches, courts, lakes."""

import numpy as np
from shapely import LineString

from scdcli.simulation.world.buildings import house, winged
from scdcli.simulation.world.draft import DETAIL, FILL, FLAT, Draft, Relief
from scdcli.simulation.world.frame import Points, Rect
from scdcli.simulation.world.greenery import row, scatter

LINE = 1.15  # pixels: the thinnest line without gaps
COURTS = ("court green", "court blue", "court red", "clay", "court green")


def draw_sports(draft: Draft, rect: Rect, dates: int) -> None:
    """A running track when there is room, a pitch when not, and courts in what is left."""
    rng = draft.rng
    surface = str(rng.choice(["lawn", "concrete", "old asphalt", "gravel", "meadow"]))
    draft.area(rect, "concrete", FILL, dates)
    draft.area(rect.inset(3), surface, FILL, dates)
    short, long = sorted((rect.width, rect.height))
    if short < 70 or rng.random() < 0.3:
        _draw_courts(draft, rect.inset(6), dates)
        return
    ground = rect.inset(6)
    wanted = min(long * 0.72, short * 1.9)
    field, rest = ground.split(min(wanted, max(ground.width, ground.height)))
    for fate in draft.fates(dates, 0.6):
        if min(field.width, field.height) > 84 and rng.random() < 0.7:
            _draw_track(draft, field, fate)
        else:
            material = str(rng.choice(["turf", "turf", "court green"]))
            _draw_pitch(draft, field.inset(6), material, fate, draft.new_building())
    if min(rest.width, rest.height) > 34:
        if rng.random() < 0.35:
            for fate in draft.fates(dates):
                winged(draft, rest.inset(7), fate)
        else:
            _draw_courts(draft, rest, dates)
    edge = rect._replace(v1=rect.v0 + 6)
    row(draft, edge, rng.uniform(12, 26), (3, 6), dates)


def _draw_track(draft: Draft, rect: Rect, dates: int) -> None:
    """Nested stadiums: a track, at times with lane lines, around a pitch."""
    rng = draft.rng
    owner = draft.new_building()
    radius = min(rect.width, rect.height) / 2 - 2
    lane = min(max(radius * 0.28, 9.0), 20.0)
    color = str(rng.choice(["tartan", "tartan", "tartan", "court red", "court blue"]))
    draft.patch(_stadium(draft, rect, radius), color, DETAIL, dates, owner)
    for share in (0.35, 0.7) if rng.random() < 0.4 else ():
        line = radius - lane * share
        draft.patch(_stadium(draft, rect, line), "line", DETAIL, dates, owner)
        draft.patch(_stadium(draft, rect, line - LINE), color, DETAIL, dates, owner)
    draft.patch(_stadium(draft, rect, radius - lane), "turf", DETAIL, dates, owner)
    ends, sides = radius * 0.75, lane + radius * 0.16
    trim = (ends, sides) if rect.long_u else (sides, ends)
    field = Rect(rect.u0 + trim[0], rect.v0 + trim[1], rect.u1 - trim[0], rect.v1 - trim[1])
    if field.width > 20 and field.height > 20:
        _draw_pitch(draft, field, "turf", dates, owner)


def _stadium(draft: Draft, rect: Rect, radius: float) -> Points:
    """Outline on the canvas of a stadium in the middle of a plan rectangle."""
    x, y, angle = draft.frame.place(*rect.center)
    long_u = rect.long_u
    reach = (max(rect.width, rect.height) - min(rect.width, rect.height)) / 2
    heading = angle if long_u else angle + np.pi / 2
    dx, dy = reach * np.cos(heading), reach * np.sin(heading)
    axis = LineString([(x - dx, y - dy), (x + dx, y + dy)])
    return np.asarray(axis.buffer(max(radius, 2.0), quad_segs=10).exterior.coords[:-1])


def _draw_pitch(draft: Draft, rect: Rect, material: str, dates: int, owner: int) -> None:
    """A field with lines, a halfway line and mowing stripes."""
    at = rect.center
    long_u = rect.long_u
    stripes = Relief(period=float(draft.rng.uniform(16, 26)), strength=0.06)
    outer = (rect.width - 5, rect.height - 5)
    inner = (outer[0] - 2 * LINE, outer[1] - 2 * LINE)
    half = (LINE, inner[1]) if long_u else (inner[0], LINE)
    whole = (rect.width, rect.height)
    for size, surface, relief in (
        (whole, material, stripes),
        (outer, "line", FLAT),
        (inner, material, stripes),
        (half, "line", FLAT),
    ):
        draft.box(
            at, size, surface, dates, owner=owner, layer=DETAIL, relief=relief, across_u=long_u
        )


def _draw_courts(draft: Draft, rect: Rect, dates: int) -> None:
    """Tennis or basketball courts side by side."""
    rng = draft.rng
    outer, inner = (str(name) for name in rng.choice(COURTS, 2))
    along_u = rect.long_u
    size = np.array([34.0, 66.0] if along_u else [66.0, 34.0]) * rng.uniform(0.8, 1.1)
    size = np.minimum(size, (rect.width, rect.height))
    across = min(max(int(rect.width // size[0]), 1), 4)
    down = min(max(int(rect.height // size[1]), 1), 4)
    whole = (float(across * size[0]), float(down * size[1]))
    at = (rect.u0 + whole[0] / 2, rect.v0 + whole[1] / 2)
    court = (float(size[0]) * 0.74, float(size[1]) * 0.8)
    net = (court[0], LINE) if along_u else (LINE, court[1])
    for fate in draft.fates(dates):
        owner = draft.new_building()
        draft.box(at, whole, outer, fate, owner=owner, layer=DETAIL)
        for index in range(across * down):
            place = (
                rect.u0 + float((index % across + 0.5) * size[0]),
                rect.v0 + float((index // across + 0.5) * size[1]),
            )
            bare = (court[0] - 2 * LINE, court[1] - 2 * LINE)
            for extent, surface in ((court, "line"), (bare, inner), (net, "line")):
                draft.box(place, extent, surface, fate, owner=owner, layer=DETAIL)


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
