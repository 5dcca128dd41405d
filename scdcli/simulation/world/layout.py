"""The street plan: streets of three ranks, blocks between them, parcels inside the blocks."""

from dataclasses import dataclass

import numpy as np

from scdcli.simulation.world.frame import Frame, Rect

MAIN_ROAD, STREET, LANE = 0, 1, 2


@dataclass(frozen=True)
class Street:
    """A straight strip of the plan; `along_u` says which way it runs."""

    rect: Rect
    rank: int
    along_u: bool


@dataclass(frozen=True)
class Parcel:
    """A piece of a block with one use; `urbanity` runs from 0 (open country) to 1 (center)."""

    rect: Rect
    urbanity: float
    block: int


@dataclass(frozen=True)
class Plan:
    """All parcels and streets that touch the canvas."""

    parcels: tuple[Parcel, ...]
    streets: tuple[Street, ...]


class Urbanity:
    """How built-up a place is: a smooth field of the plan with values 0..1."""

    def __init__(self, rng: np.random.Generator) -> None:
        """Draw the field's mean and waves."""
        self._mean = rng.uniform(0.15, 1.0)
        self._waves = rng.normal(0.0, 1.0, (4, 2)) * (2 * np.pi / 900.0)
        self._phases = rng.uniform(0, 2 * np.pi, 4)

    def __call__(self, u: float, v: float) -> float:
        """Value at a plan point."""
        swing = np.sin(self._waves @ np.array([u, v]) + self._phases).sum() * 0.13
        return float(np.clip(self._mean + swing, 0.0, 1.0))


def draw_plan(rng: np.random.Generator, frame: Frame) -> Plan:
    """Cut the plan into blocks and parcels until nothing is larger than a block.

    Block sizes do not depend on the canvas: a larger canvas shows more blocks.
    """
    urbanity = Urbanity(rng)
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
        if max(rect.width, rect.height) > _largest_side(rng, value):
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


def _largest_side(rng: np.random.Generator, urbanity: float) -> float:
    return float(rng.uniform(170.0, 300.0) + 90.0 * (1.0 - urbanity))


def _cut(rng: np.random.Generator, rect: Rect, urbanity: float) -> tuple[Rect, Street, Rect]:
    """Two blocks and the street between them, across the longer side."""
    long_side = max(rect.width, rect.height)
    rank = MAIN_ROAD if long_side > 900 else STREET if long_side > 330 else LANE
    width = {MAIN_ROAD: 26.0, STREET: 15.0, LANE: 10.0}[rank] * rng.uniform(0.85, 1.2)
    width *= 0.65 + 0.35 * urbanity
    at = rng.uniform(0.36, 0.64)
    if rect.width >= rect.height:
        middle = rect.u0 + at * rect.width
        left, right = middle - width / 2, middle + width / 2
        street = Street(Rect(left, rect.v0, right, rect.v1), rank, along_u=False)
        return rect._replace(u1=left), street, rect._replace(u0=right)
    middle = rect.v0 + at * rect.height
    top, bottom = middle - width / 2, middle + width / 2
    street = Street(Rect(rect.u0, top, rect.u1, bottom), rank, along_u=True)
    return rect._replace(v1=top), street, rect._replace(v0=bottom)


def _parcel_rects(rng: np.random.Generator, rect: Rect) -> list[Rect]:
    """One to four parcels that tile a block."""
    if max(rect.width, rect.height) < 110 or rng.random() < 0.3:
        return [rect]
    at = rng.uniform(0.35, 0.65)
    if rect.width >= rect.height:
        middle = rect.u0 + at * rect.width
        halves = [rect._replace(u1=middle), rect._replace(u0=middle)]
    else:
        middle = rect.v0 + at * rect.height
        halves = [rect._replace(v1=middle), rect._replace(v0=middle)]
    if rng.random() < 0.5:
        return halves
    return [part for half in halves for part in _parcel_rects(rng, half)]
