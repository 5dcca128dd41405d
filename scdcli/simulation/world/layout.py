"""The street plan: streets of three ranks, blocks between them, parcels inside the blocks."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from scdcli.simulation.world.frame import Frame, Rect

MAIN_ROAD, STREET, LANE = 0, 1, 2


@dataclass(frozen=True)
class Street:
    """A straight strip of the plan, a main road, street or lane by its rank, along u or v."""

    rect: Rect
    rank: int
    along_u: bool


@dataclass(frozen=True)
class Parcel:
    """A piece of a block with one use; its urbanity runs from 0, open country, to 1, a center."""

    rect: Rect
    urbanity: float
    block: int


@dataclass(frozen=True)
class Plan:
    """All parcels and streets that touch the canvas."""

    parcels: tuple[Parcel, ...]
    streets: tuple[Street, ...]


def draw_plan(rng: np.random.Generator, frame: Frame) -> Plan:
    """Cut the plan into blocks and parcels until nothing is larger than a block.

    Block sizes do not depend on the canvas: a larger canvas shows more blocks.
    """
    urbanity = _draw_urbanity(rng)
    reach = frame.reach
    offset = rng.uniform(-60.0, 60.0, 2)
    whole = Rect(-reach + offset[0], -reach + offset[1], reach + offset[0], reach + offset[1])
    pending = [whole.inset(-70.0)]
    parcels: list[Parcel] = []
    streets: list[Street] = []
    block = 0
    while pending:
        rect = pending.pop()
        if not frame.shows(rect, 8.0):
            continue
        value = urbanity(*rect.center)
        if max(rect.width, rect.height) > rng.uniform(170.0, 300.0) + 90.0 * (1.0 - value):
            first, street, second = _cut(rng, rect, value)
            pending += [first, second]
            streets.append(street)
            continue
        parcels += [
            Parcel(part, float(np.clip(value + rng.normal(0, 0.1), 0, 1)), block)
            for part in _parcel_rects(rng, rect)
            if frame.shows(part, 8.0)
        ]
        block += 1
    shown = (street for street in streets if frame.shows(street.rect, 8.0))
    return Plan(tuple(parcels), tuple(shown))


def _draw_urbanity(rng: np.random.Generator) -> Callable[[float, float], float]:
    """How built-up a place is: a smooth function of the plan point with values 0..1."""
    mean = rng.uniform(0.15, 1.0)
    waves = rng.normal(0.0, 1.0, (4, 2)) * (2 * np.pi / 900.0)
    phases = rng.uniform(0, 2 * np.pi, 4)

    def urbanity(u: float, v: float) -> float:
        swing = np.sin(waves @ np.array([u, v]) + phases).sum() * 0.13
        return float(np.clip(mean + swing, 0.0, 1.0))

    return urbanity


def _cut(rng: np.random.Generator, rect: Rect, urbanity: float) -> tuple[Rect, Street, Rect]:
    """Two blocks and the street between them, across the longer side."""
    long_side = max(rect.width, rect.height)
    rank = MAIN_ROAD if long_side > 900 else STREET if long_side > 330 else LANE
    width = {MAIN_ROAD: 26.0, STREET: 15.0, LANE: 10.0}[rank] * rng.uniform(0.85, 1.2)
    width *= 0.65 + 0.35 * urbanity
    at = rng.uniform(0.36, 0.64)
    if rect.long_u:
        middle = rect.u0 + at * rect.width
        left, right = middle - width / 2, middle + width / 2
        street = Street(rect._replace(u0=left, u1=right), rank, along_u=False)
        return rect._replace(u1=left), street, rect._replace(u0=right)
    middle = rect.v0 + at * rect.height
    top, bottom = middle - width / 2, middle + width / 2
    street = Street(rect._replace(v0=top, v1=bottom), rank, along_u=True)
    return rect._replace(v1=top), street, rect._replace(v0=bottom)


def _parcel_rects(rng: np.random.Generator, rect: Rect) -> list[Rect]:
    """One to four parcels that tile a block."""
    if max(rect.width, rect.height) < 110 or rng.random() < 0.3:
        return [rect]
    halves = rect.split(rng.uniform(0.35, 0.65) * max(rect.width, rect.height))
    if rng.random() < 0.5:
        return list(halves)
    return [part for half in halves for part in _parcel_rects(rng, half)]
