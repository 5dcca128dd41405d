"""The drawing in the making: surfaces, trees and cars, each with the dates at which it exists."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from scdcli.simulation.world.frame import Frame, Points, Pose, Rect
from scdcli.simulation.world.materials import BUILDING, INDEX, TABLE

BEFORE, AFTER, BOTH = 1, 2, 3
FILL, DETAIL, WATERWAY, ROAD, ROOF, ROOF_DETAIL = range(6)
EDGE_STEP = 20.0


@dataclass(frozen=True)
class Relief:
    """Form of a roof, and pattern of furrows, ribs or mowing stripes, of one part.

    Attributes:
        height: Height of the eaves in meters.
        ridge: Rise from eaves to ridge in meters; 0 is a flat roof.
        half: Distance from ridge to eaves in pixels.
        hip: Half length of the ridge in pixels for hipped ends, 0 for gables.
        period: Spacing of furrows, ribs or mowing stripes in pixels; 0 for none.
        strength: Brightness swing of that pattern, as a share.
    """

    height: float = 0.0
    ridge: float = 0.0
    half: float = 1.0
    hip: float = 0.0
    period: float = 0.0
    strength: float = 0.0


FLAT = Relief()


@dataclass(frozen=True)
class Part:
    """One polygon of one material on the canvas.

    Attributes:
        ring: Outline, (N, 2) of (x, y) pixels.
        material: Index into `materials.TABLE`.
        layer: Higher layers cover lower ones.
        dates: Bits of the dates at which it exists.
        owner: Number of the building or sports ground it belongs to; 0 for none.
        shade: Brightness factor of this object.
        tint: Factors on red and blue of this object.
        pose: Origin of roof and pattern, and the direction across ridge or furrows.
        relief: Its form.
    """

    ring: Points
    material: int
    layer: int
    dates: int
    owner: int
    shade: float
    tint: tuple[float, float]
    pose: Pose
    relief: Relief


@dataclass
class Draft:
    """Collects what is drawn.

    Attributes:
        rng: The only source of chance.
        frame: Map from the plan to the canvas.
        churn: Share of single objects, such as houses and trees, that differ between the dates.
        parts: Surfaces, in the order in which they were drawn.
        crowns: Trees, arrays (N, 7) of x, y, radius, height, species, dates, brightness factor.
        cars: Position (x, y), direction in radians, and dates of each car.
        buildings: Numbers given to buildings and sports grounds so far.
        palette: Materials that the roofs of the present parcel share; none for any.
    """

    rng: np.random.Generator
    frame: Frame
    churn: float
    parts: list[Part] = field(default_factory=list)
    crowns: list[NDArray[np.float64]] = field(default_factory=list)
    cars: list[tuple[float, float, float, int]] = field(default_factory=list)
    buildings: int = 0
    palette: Sequence[str] = ()

    def new_building(self) -> int:
        """A fresh number for a building or a sports ground."""
        self.buildings += 1
        return self.buildings

    def fates(self, dates: int, weight: float = 1.0) -> list[int]:
        """Dates of one object in a place that exists at `dates`.

        Usually the object stays; now and then it vanishes, appears, or is replaced (two entries:
        one object before, another one after).
        """
        if dates != BOTH or self.rng.random() > self.churn * weight:
            return [dates]
        return [[BEFORE], [AFTER], [BEFORE, AFTER]][int(self.rng.choice(3, p=[0.3, 0.4, 0.3]))]

    def area(
        self,
        rect: Rect,
        material: str,
        layer: int,
        dates: int,
        relief: Relief = FLAT,
        *,
        across_u: bool = True,
    ) -> None:
        """A ground surface: a plan rectangle that bends with the streets.

        `across_u` says that furrows or stripes follow each other along u.
        """
        pose = self.frame.place(*rect.center).turned(0.0 if across_u else np.pi / 2)
        ring = self.frame.to_canvas(rect.ring(EDGE_STEP))
        self._add(ring, material, layer, dates, pose, relief)

    def patch(self, ring: Points, material: str, layer: int, dates: int, owner: int = 0) -> None:
        """A surface of any outline, (N, 2) of canvas pixels."""
        x, y = ring.mean(axis=0)
        self._add(ring, material, layer, dates, Pose(float(x), float(y), 0.0), FLAT, owner)

    def ribbon(self, line: Points, width: float, material: str, layer: int, dates: int) -> None:
        """A band of `width` pixels along a plan line (N, 2)."""
        self.patch(band(self.frame.to_canvas(line), width), material, layer, dates)

    def blob(
        self, u: float, v: float, size: tuple[float, float], material: str, dates: int
    ) -> None:
        """A rounded irregular patch around a plan point, `size` the half axes in pixels."""
        pose = self.frame.place(u, v)
        turn = np.linspace(0, 2 * np.pi, 28, endpoint=False)
        phases = self.rng.uniform(0, 2 * np.pi, 3)
        swing = sum(0.13 / k * np.sin((k + 1) * turn + phases[k - 1]) for k in (1, 2, 3))
        local = np.stack([size[0] * np.cos(turn), size[1] * np.sin(turn)], axis=1)
        ring = _placed(local * (1 + np.asarray(swing))[:, None], pose)
        self._add(ring, material, DETAIL, dates, pose, FLAT)

    def box(
        self,
        at: tuple[float, float],
        size: tuple[float, float],
        material: str,
        dates: int,
        *,
        owner: int = 0,
        layer: int = ROOF,
        relief: Relief = FLAT,
        across_u: bool = True,
    ) -> None:
        """A true rectangle centered on a plan point, `size` its extents along u and v in pixels.

        `across_u` says that roof slope or ribs vary along u, so that the ridge runs along v.
        """
        pose = self.frame.place(*at)
        du, dv = size[0] / 2, size[1] / 2
        ring = _placed(np.array([[-du, -dv], [du, -dv], [du, dv], [-du, dv]]), pose)
        slope = pose.turned(0.0 if across_u else np.pi / 2)
        self._add(ring, material, layer, dates, slope, relief, owner)

    def plant(self, rows: NDArray[np.float64]) -> None:
        """Add trees: rows of (u, v, radius, height, species, dates)."""
        if len(rows) == 0:
            return
        shade = self.rng.normal(1.0, 0.13, (len(rows), 1)).clip(0.7, 1.35)
        rows = np.concatenate([rows, shade], axis=1)
        rows[:, :2] = self.frame.to_canvas(rows[:, :2])
        self.crowns.append(rows)

    def park(self, u: float, v: float, turn: float, dates: int) -> None:
        """A car at a plan point, `turn` radians from the u direction."""
        x, y, angle = self.frame.place(u, v)
        self.cars.append((x, y, angle + turn, dates))

    def _add(
        self,
        ring: Points,
        material: str,
        layer: int,
        dates: int,
        pose: Pose,
        relief: Relief,
        owner: int = 0,
    ) -> None:
        low, high = ring.min(axis=0), ring.max(axis=0)
        size = (self.frame.width, self.frame.height)
        if (high < 0).any() or low[0] > size[0] or low[1] > size[1]:
            return
        index = INDEX[material]
        surface = TABLE[index]
        if surface.cover == BUILDING and owner == 0:
            owner = self.new_building()
        shade = float(np.exp(self.rng.normal(0, surface.spread)))
        red, blue = self.rng.normal(1.0, 0.03, 2)
        tint = (float(red), float(blue))
        self.parts.append(Part(ring, index, layer, dates, owner, shade, tint, pose, relief))


def _placed(points: Points, pose: Pose) -> Points:
    """Points around the origin, turned and moved to a pose."""
    cos, sin = np.cos(pose.angle), np.sin(pose.angle)
    return np.asarray(points @ np.array([[cos, sin], [-sin, cos]]) + np.array(pose.position))


def band(line: Points, width: float | NDArray[np.float64]) -> Points:
    """Outline of a band along a canvas line (N, 2); `width` in pixels, one or one per point."""
    along = np.gradient(line, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1)
    half = np.broadcast_to(np.asarray(width, dtype=np.float64) / 2, (len(line),))[:, None]
    return np.concatenate([line + normal * half, (line - normal * half)[::-1]])
