"""Plan coordinates, and the map from them to the picture: rotated and gently bent."""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


class Rect(NamedTuple):
    """A rectangle of the street plan, in pixels (u, v) before rotation and bend."""

    u0: float
    v0: float
    u1: float
    v1: float

    @property
    def long_u(self) -> bool:
        """Whether the longer side runs along u."""
        return self.width >= self.height

    @property
    def width(self) -> float:
        """Extent along u in pixels."""
        return self.u1 - self.u0

    @property
    def height(self) -> float:
        """Extent along v in pixels."""
        return self.v1 - self.v0

    @property
    def center(self) -> tuple[float, float]:
        """(u, v) of the middle."""
        return (self.u0 + self.u1) / 2, (self.v0 + self.v1) / 2

    def inset(self, margin: float) -> "Rect":
        """The rectangle without a margin on every side; never inside out."""
        du, dv = min(margin, self.width / 2 - 1), min(margin, self.height / 2 - 1)
        return Rect(self.u0 + du, self.v0 + dv, self.u1 - du, self.v1 - dv)

    def strip(self, low: float, high: float, *, along_u: bool) -> "Rect":
        """The part from `low` to `high` pixels along u or v, over the whole other side."""
        if along_u:
            return self._replace(u0=self.u0 + low, u1=self.u0 + high)
        return self._replace(v0=self.v0 + low, v1=self.v0 + high)

    def split(self, length: float) -> tuple["Rect", "Rect"]:
        """The first `length` pixels along the longer side, and the rest."""
        if self.long_u:
            middle = self.u0 + length
            return self._replace(u1=middle), self._replace(u0=middle)
        middle = self.v0 + length
        return self._replace(v1=middle), self._replace(v0=middle)

    def tiles(self, pitch_u: float, pitch_v: float) -> list["Rect"]:
        """Equal tiles of about the given size that fill the rectangle, row by row along u."""
        us = np.linspace(self.u0, self.u1, max(round(self.width / pitch_u), 1) + 1).tolist()
        vs = np.linspace(self.v0, self.v1, max(round(self.height / pitch_v), 1) + 1).tolist()
        return [Rect(u0, v0, u1, v1) for v0, v1 in pairwise(vs) for u0, u1 in pairwise(us)]

    def ring(self, step: float) -> Points:
        """Corners and points every `step` pixels of the outline, (N, 2) of (u, v)."""
        across = max(int(self.width / step), 1)
        down = max(int(self.height / step), 1)
        us = np.linspace(self.u0, self.u1, across + 1)
        vs = np.linspace(self.v0, self.v1, down + 1)
        top = np.stack([us[:-1], np.full(across, self.v0)], axis=1)
        right = np.stack([np.full(down, self.u1), vs[:-1]], axis=1)
        bottom = np.stack([us[:0:-1], np.full(across, self.v1)], axis=1)
        left = np.stack([np.full(down, self.u0), vs[:0:-1]], axis=1)
        return np.concatenate([top, right, bottom, left])


class Pose(NamedTuple):
    """A position (x, y) on the canvas in pixels and a direction in radians."""

    x: float
    y: float
    angle: float

    @property
    def position(self) -> tuple[float, float]:
        """(x, y) in pixels."""
        return self.x, self.y

    def turned(self, angle: float) -> "Pose":
        """The same position, turned by radians."""
        return self._replace(angle=self.angle + angle)


@dataclass(frozen=True)
class Frame:
    """Map from the plan to the canvas: a rotation about the middle, then a sine bend.

    Attributes:
        height: Canvas height in pixels.
        width: Canvas width in pixels.
        angle: Rotation in radians.
        bend: Amplitude of the bend in pixels.
        waves: Wave vectors of the two bends in radians per pixel, ((x, y), (x, y)).
        phases: Phases of the two bends in radians.
    """

    height: int
    width: int
    angle: float
    bend: float
    waves: tuple[tuple[float, float], tuple[float, float]]
    phases: tuple[float, float]

    @property
    def reach(self) -> float:
        """Half side of the plan square that covers the canvas, in pixels."""
        return float(np.hypot(self.height, self.width) / 2 + 2 * self.bend + 8)

    def to_canvas(self, points: Points) -> Points:
        """Plan points (N, 2) of (u, v) to canvas points (N, 2) of (x, y) in pixels."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        x = cos * points[:, 0] - sin * points[:, 1] + self.width / 2
        y = sin * points[:, 0] + cos * points[:, 1] + self.height / 2
        (ax, ay), (bx, by) = self.waves
        shift_x = self.bend * np.sin(ax * x + ay * y + self.phases[0])
        shift_y = self.bend * np.sin(bx * x + by * y + self.phases[1])
        return np.stack([x + shift_x, y + shift_y], axis=1)

    def place(self, u: float, v: float) -> Pose:
        """Where a plan point lies on the canvas, and the local direction of u."""
        x, y = self._point(u, v)
        ahead_x, ahead_y = self._point(u + 4.0, v)
        return Pose(x, y, math.atan2(ahead_y - y, ahead_x - x))

    def _point(self, u: float, v: float) -> tuple[float, float]:
        """`to_canvas` of one point, many times faster than an array of one."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        x = cos * u - sin * v + self.width / 2
        y = sin * u + cos * v + self.height / 2
        (ax, ay), (bx, by) = self.waves
        shift_x = self.bend * math.sin(ax * x + ay * y + self.phases[0])
        shift_y = self.bend * math.sin(bx * x + by * y + self.phases[1])
        return x + shift_x, y + shift_y

    def shows(self, rect: Rect, margin: float) -> bool:
        """Whether any part of a plan rectangle may lie on the canvas."""
        xy = self.to_canvas(rect.ring(64.0))
        low, high = xy.min(axis=0) - margin, xy.max(axis=0) + margin
        return bool(low[0] < self.width and low[1] < self.height and high.min() > 0)


def draw_frame(rng: np.random.Generator, height: int, width: int) -> Frame:
    """A random frame for a canvas of this size."""
    lengths = rng.uniform(380.0, 800.0, 2)
    angles = rng.uniform(0, 2 * np.pi, 2)
    waves = 2 * np.pi / lengths[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    phases = rng.uniform(0, 2 * np.pi, 2)
    straight = rng.random() < 0.4
    return Frame(
        height=height,
        width=width,
        angle=float(rng.uniform(0, np.pi)),
        bend=0.0 if straight else float(rng.uniform(4.0, 22.0)),
        waves=((float(waves[0, 0]), float(waves[0, 1])), (float(waves[1, 0]), float(waves[1, 1]))),
        phases=(float(phases[0]), float(phases[1])),
    )
