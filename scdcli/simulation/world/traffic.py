"""Streets with markings and cars, and what crosses the plan: a curved road, a river."""

import numpy as np
from numpy.typing import NDArray

from scdcli.simulation.world.draft import AFTER, BEFORE, BOTH, DETAIL, ROAD, WATERWAY, Draft, band
from scdcli.simulation.world.frame import Frame, Points
from scdcli.simulation.world.greenery import row
from scdcli.simulation.world.layout import LANE, Street


def draw_streets(draft: Draft, streets: tuple[Street, ...]) -> None:
    """Asphalt, center lines, trees along the wide ones, and cars of either date."""
    rng = draft.rng
    surfaces = ["asphalt", "old asphalt"]
    lane_surface = str(rng.choice(["gravel", "old asphalt", "asphalt", "concrete"]))
    for street in streets:
        rect = street.rect.inset(-1.0)
        surface = lane_surface if street.rank == LANE else str(rng.choice(surfaces))
        draft.area(rect, surface, DETAIL if street.rank == LANE else ROAD, BOTH)
        if street.rank != LANE:
            _mark(draft, street)
        _fill_lanes(draft, street)
        if street.rank != LANE and rng.random() < 0.45:
            first = rng.random() >= 0.5
            edge = street.rect
            if street.along_u:
                at = edge.v0 - 3 if first else edge.v1 + 3
                line = edge._replace(v0=at - 1, v1=at + 1)
            else:
                at = edge.u0 - 3 if first else edge.u1 + 3
                line = edge._replace(u0=at - 1, u1=at + 1)
            row(draft, line, rng.uniform(12, 26), (3.0, 6.0), BOTH)


def _mark(draft: Draft, street: Street) -> None:
    """Dashes along the middle."""
    rect = street.rect
    u, v = rect.center
    start, stop = (rect.u0, rect.u1) if street.along_u else (rect.v0, rect.v1)
    for at in np.arange(start + 9, stop - 9, 18.0):
        if street.along_u:
            draft.box((at, v), (7.0, 0.9), "marking", BOTH, layer=ROAD)
        else:
            draft.box((u, at), (0.9, 7.0), "marking", BOTH, layer=ROAD)


def _fill_lanes(draft: Draft, street: Street) -> None:
    """Cars in both directions and along the curb, other ones at each date."""
    rng = draft.rng
    rect = street.rect
    long_side, width = (rect.width, rect.height) if street.along_u else (rect.height, rect.width)
    for date in (BEFORE, AFTER):
        number = int(rng.poisson(long_side / 55.0 * rng.uniform(0.2, 1.4)))
        along = rng.uniform(4.0, max(long_side - 4.0, 5.0), number)
        shares = rng.choice([-0.38, -0.2, 0.2, 0.38], number)
        for at, share in zip(along, shares, strict=True):
            if street.along_u:
                draft.park(rect.u0 + at, rect.center[1] + share * width, 0.0, date)
            else:
                draft.park(rect.center[0] + share * width, rect.v0 + at, np.pi / 2, date)


def crossing_line(rng: np.random.Generator, frame: Frame, wiggle: float) -> Points:
    """A smooth line from one side of the canvas to another, (N, 2) of (x, y)."""
    turn = rng.uniform(0, 2 * np.pi)
    reach = np.hypot(frame.height, frame.width) * 0.62
    along = np.linspace(-reach, reach, max(int(reach / 6), 24))
    off = np.full(len(along), rng.uniform(-0.35, 0.35) * min(frame.height, frame.width))
    for length, share in ((420.0, 1.0), (170.0, 0.3)):
        off = off + wiggle * share * np.sin(2 * np.pi * along / length + rng.uniform(0, 6.28))
    cos, sin = np.cos(turn), np.sin(turn)
    x = frame.width / 2 + cos * along - sin * off
    y = frame.height / 2 + sin * along + cos * off
    return np.stack([x, y], axis=1)


def draw_river(draft: Draft) -> None:
    """A river with banks; at the second date it may have swollen or shrunk."""
    rng = draft.rng
    line = crossing_line(rng, draft.frame, float(rng.uniform(8, 45)))
    width = float(rng.choice([9, 16, 30, 48]) * rng.uniform(0.8, 1.25))
    ripple = 1 + 0.12 * np.sin(np.arange(len(line)) * rng.uniform(0.1, 0.4))
    bank = str(rng.choice(["meadow", "scrub", "sand", "concrete"]))
    water = str(rng.choice(["water", "green water", "brown water"]))
    draft.patch(band(line, width * ripple * 1.25 + 10), bank, WATERWAY, BOTH)
    if draft.churn == 0.0 or rng.random() < 0.75:
        draft.patch(band(line, width * ripple), water, WATERWAY, BOTH)
        return
    grown = float(rng.choice([0.55, 1.5, 1.9]))
    draft.patch(band(line, width * ripple), water, WATERWAY, BEFORE)
    draft.patch(band(line, width * ripple * grown), water, WATERWAY, AFTER)


def draw_crossing_road(draft: Draft) -> None:
    """A curved road over everything else; now and then it is built or given up in between."""
    rng = draft.rng
    line = crossing_line(rng, draft.frame, float(rng.uniform(5, 40)))
    width = float(rng.uniform(13, 34))
    dates = int(rng.choice([BOTH, AFTER, BEFORE], p=[0.72, 0.22, 0.06]))
    dates = dates if draft.churn else BOTH
    verge = str(rng.choice(["meadow", "lawn", "gravel", "concrete"]))
    draft.patch(band(line, width + rng.uniform(2, 16)), verge, ROAD, dates)
    draft.patch(band(line, width), str(rng.choice(["asphalt", "old asphalt"])), ROAD, dates)
    for offset in (-0.44, 0.0, 0.44) if width > 18 else (0.0,):
        for first in range(2, len(line) - 3, 4):
            dash = _shifted(line[first : first + 2 + (offset != 0.0) * 3], offset * width)
            draft.patch(band(dash, 0.9), "marking", ROAD, dates)
    for date in (BEFORE, AFTER):
        for at in rng.choice(len(line) - 2, min(len(line) // 6, 60)) if dates & date else []:
            heading = line[at + 1] - line[at]
            x, y = _shifted(line[at : at + 2], width * float(rng.choice([-0.23, 0.23])))[0]
            draft.cars.append((float(x), float(y), float(np.arctan2(heading[1], heading[0])), date))


def _shifted(line: Points, distance: float) -> NDArray[np.float64]:
    along = np.gradient(line, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    return line + np.stack([-along[:, 1], along[:, 0]], axis=1) * distance
