"""Parcels that grow: fields, meadows, lawns, parks, woods, orchards, and single trees."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from scdcli.simulation.world.draft import AFTER, BEFORE, BOTH, DETAIL, FILL, Draft, Relief
from scdcli.simulation.world.frame import Rect


def scatter(
    draft: Draft, rect: Rect, count: float, radius: tuple[float, float], dates: int
) -> None:
    """Single trees at random places of a rectangle; some felled or planted in between."""
    rng = draft.rng
    number = int(rng.poisson(max(count, 0.0)))
    if number:
        u = rng.uniform(rect.u0, rect.u1, number)
        v = rng.uniform(rect.v0, rect.v1, number)
        _plant(draft, u, v, radius, dates, grove=False)


def row(draft: Draft, rect: Rect, spacing: float, radius: tuple[float, float], dates: int) -> None:
    """Trees along the middle of a long thin rectangle, now and then a gap."""
    rng = draft.rng
    length = max(rect.width, rect.height)
    steps = np.arange(spacing / 2, length, spacing)
    steps = steps[rng.random(len(steps)) > 0.15] + 0.0
    steps = steps + rng.normal(0, spacing * 0.08, len(steps))
    middle_u, middle_v = rect.center
    if rect.long_u:
        u, v = rect.u0 + steps, np.full(len(steps), middle_v)
    else:
        u, v = np.full(len(steps), middle_u), rect.v0 + steps
    _plant(draft, u, v, radius, dates, grove=False)


def grove(
    draft: Draft, rect: Rect, radius: tuple[float, float], dates: int, cover: float = 1.0
) -> None:
    """Closed wood: crowns on a jittered lattice; `cover` below 1 leaves clearings."""
    rng = draft.rng
    pitch = (radius[0] + radius[1]) / 2 * 1.3
    us = np.arange(rect.u0 + pitch / 2, rect.u1, pitch)
    vs = np.arange(rect.v0 + pitch / 2, rect.v1, pitch)
    if len(us) == 0 or len(vs) == 0:
        return
    u, v = (axis.ravel() for axis in np.meshgrid(us, vs))
    u = u + rng.uniform(-0.42, 0.42, len(u)) * pitch
    v = v + rng.uniform(-0.42, 0.42, len(v)) * pitch
    if cover < 1.0:
        waves = rng.normal(0, 2 * np.pi / 110.0, (5, 2))
        swing = np.sin(np.stack([u, v], 1) @ waves.T + rng.uniform(0, 6.28, 5)).sum(1)
        keep = swing > np.quantile(swing, 1.0 - cover)
        u, v = u[keep], v[keep]
    _plant(draft, u, v, radius, dates, grove=True)


def _plant(
    draft: Draft,
    u: NDArray[np.float64],
    v: NDArray[np.float64],
    radius: tuple[float, float],
    dates: int,
    *,
    grove: bool,
) -> None:
    rng = draft.rng
    number = len(u)
    radii = rng.uniform(*radius, number)
    heights = radii * rng.uniform(0.9, 1.5) + rng.uniform(1.0, 3.0, number)
    weights = [(0.7, 0.2, 0.1), (0.3, 0.6, 0.1), (0.05, 0.05, 0.9)][int(rng.integers(3))]
    species = rng.choice(3, number, p=weights)
    when = np.full(number, dates)
    if dates == BOTH and not grove:
        moved = rng.random(number) < draft.churn * 0.7
        when[moved] = rng.choice([BEFORE, AFTER], int(moved.sum()))
    draft.plant(np.stack([u, v, radii, heights, species, when], axis=1).astype(np.float64))


def draw_fields(draft: Draft, rect: Rect, dates: int) -> None:
    """Strips of crop with furrows; the crop of a strip differs between the dates."""
    rng = draft.rng
    along_u = bool(rng.random() < 0.5)
    length = rect.width if along_u else rect.height
    widths = rng.uniform(0.5, 1.5, max(int(length / rng.uniform(35, 140)), 1))
    edges = np.concatenate([[0.0], np.cumsum(widths) / widths.sum() * length])
    draft.area(rect, "meadow", FILL, dates)
    gap = float(rng.choice([0.0, 1.0, 2.0]))
    slanted = rng.random() < 0.3
    for low, high in pairwise(edges):
        strip = rect.strip(low, high, along_u=along_u).inset(gap)
        period, strength = float(rng.uniform(2.6, 7.5)), float(rng.uniform(0.02, 0.14))
        furrows = Relief(period=period, strength=strength)
        draft.area(strip, "crop", DETAIL, dates, furrows, across_u=along_u != slanted)
    if rng.random() < 0.3:
        edge = Rect(rect.u0, rect.v0, rect.u1, rect.v0 + 10)
        row(draft, edge, rng.uniform(8, 24), (3.0, 7.0), dates)


def draw_meadow(draft: Draft, rect: Rect, dates: int) -> None:
    """Uneven grass with bushes and a few trees, perhaps a trodden path."""
    rng = draft.rng
    material = str(rng.choice(["meadow", "meadow", "scrub", "lawn"]))
    draft.area(rect, material, FILL, dates)
    for _ in range(int(rng.integers(0, 4))):
        material = str(rng.choice(["meadow", "scrub", "lawn"]))
        half = rng.uniform(0.08, 0.22, 2) * (rect.width, rect.height)
        place = _random_place(draft, rect.inset(float(half.max()) * 1.3))
        draft.blob(*place, (float(half[0]), float(half[1])), material, dates)
    density = rng.choice([0.0, 2e-4, 6e-4])
    scatter(draft, rect.inset(4), rect.width * rect.height * density, (2.5, 7.0), dates)
    if rng.random() < 0.3:
        path(draft, rect, "gravel", dates)


def draw_park(draft: Draft, rect: Rect, dates: int) -> None:
    """Lawn with paths, groups of trees and at times a pond."""
    rng = draft.rng
    draft.area(rect, "lawn", FILL, dates)
    for _ in range(int(rng.integers(1, 4))):
        path(draft, rect, str(rng.choice(["gravel", "paving", "concrete"])), dates)
    if rng.random() < 0.35 and min(rect.width, rect.height) > 60:
        size = rng.uniform(0.12, 0.25, 2) * (rect.width, rect.height)
        place = _random_place(draft, rect.inset(float(size.max())))
        for fate in draft.fates(dates, 1.5):
            draft.blob(*place, (float(size[0]), float(size[1])), "green water", fate)
    scatter(draft, rect.inset(4), rect.width * rect.height * 7e-4, (3.5, 9.0), dates)
    grove(draft, rect.inset(6), (4.5, 8.0), dates, cover=float(rng.uniform(0.05, 0.3)))


def draw_forest(draft: Draft, rect: Rect, dates: int) -> None:
    """Closed or open wood over scrub; parts of it may be felled or newly grown."""
    rng = draft.rng
    cover = float(rng.choice([1.0, 1.0, 1.0, 0.8, 0.55]))
    open_floor = str(rng.choice(["scrub", "meadow"]))
    draft.area(rect, open_floor if cover < 1.0 else "undergrowth", FILL, dates)
    low = float(rng.uniform(3.2, 6.5))
    grove(draft, rect.inset(2), (low, low * 1.8), dates, cover)


def draw_orchard(draft: Draft, rect: Rect, dates: int) -> None:
    """Trees in straight rows over grass or soil."""
    rng = draft.rng
    draft.area(rect, str(rng.choice(["lawn", "meadow"])), FILL, dates)
    spacing = float(rng.uniform(9, 14))
    size = float(rng.uniform(2.4, 4.2))
    for v in np.arange(rect.v0 + spacing / 2, rect.v1, spacing * rng.uniform(1.0, 1.5)):
        line = Rect(rect.u0, v - 1, rect.u1, v + 1)
        row(draft, line, spacing, (size * 0.85, size * 1.1), dates)


def _random_place(draft: Draft, rect: Rect) -> tuple[float, float]:
    u, v = draft.rng.uniform((rect.u0, rect.v0), (rect.u1, rect.v1))
    return float(u), float(v)


def path(draft: Draft, rect: Rect, material: str, dates: int) -> None:
    """A curved path or track from one side of the rectangle to the other."""
    rng = draft.rng
    steps = np.linspace(0, 1, 14)
    ends = rng.uniform(0.05, 0.95, 2)
    bow = np.sin(np.pi * steps) * rng.uniform(-0.25, 0.25)
    cross = (ends[0] + (ends[1] - ends[0]) * steps + bow).clip(0.02, 0.98)
    if rng.random() < 0.5:
        line = np.stack([rect.u0 + steps * rect.width, rect.v0 + cross * rect.height], axis=1)
    else:
        line = np.stack([rect.u0 + cross * rect.width, rect.v0 + steps * rect.height], axis=1)
    draft.ribbon(line, float(rng.uniform(3.0, 5.5)), material, DETAIL, dates)
