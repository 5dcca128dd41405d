"""Sunlight on a height map: cast shadows, slopes, and the lean of high objects."""

import numpy as np

from scdcli.simulation.camera.noise import Field
from scdcli.simulation.camera.placing import shift
from scdcli.simulation.camera.relief import shadow_edge
from scdcli.simulation.world.conditions import Conditions

PIXEL_SIZE = 0.5
HIGHEST = 52.0


def sunlight(height: Field, conditions: Conditions) -> Field:
    """Share of direct sun that reaches every pixel, (H, W) float32 in 0..1."""
    drop = np.float32(np.tan(conditions.elevation) * PIXEL_SIZE)
    direction = np.array([np.sin(conditions.azimuth), np.cos(conditions.azimuth)])
    direction /= np.abs(direction).max()
    drop *= np.float32(np.hypot(*direction))
    edge = shadow_edge(height, direction, drop, HIGHEST)
    covered = (edge - height - np.float32(0.15)) / np.float32(0.5)
    return np.asarray(1.0 - np.clip(covered, 0.0, 1.0), dtype=np.float32)


def slope_light(height: Field, conditions: Conditions) -> Field:
    """Brightness factor of slopes turned to or from the sun, (H, W) float32 around 1."""
    down = np.diff(height, axis=0, prepend=height[:1])
    across = np.diff(height, axis=1, prepend=height[:, :1])
    toward = down * np.float32(np.sin(conditions.azimuth))
    toward += across * np.float32(np.cos(conditions.azimuth))
    tilt = np.clip(toward / np.float32(PIXEL_SIZE), -1.3, 1.3)
    strength = np.float32(0.42 * conditions.direct / np.tan(max(conditions.elevation, 0.45)) ** 0.5)
    return np.asarray(np.clip(1.0 + strength * tilt, 0.3, 1.7), dtype=np.float32)


def lean(image: Field, height: Field, wall: Field, conditions: Conditions) -> Field:
    """The scene viewed slightly from the side: high things are displaced, and their walls show.

    Args:
        image: The scene viewed from straight above, (3, H, W) float32.
        height: Height above ground in meters, (H, W).
        wall: Color of walls, (3, H, W).
        conditions: Of the date; its lean is how far things are displaced per meter of height.

    Returns:
        (3, H, W) float32.
    """
    per_meter = float(np.hypot(*conditions.lean))
    steps = round(per_meter * float(height.max()))
    if steps < 1:
        return image
    view = image.copy()
    unit = np.array(conditions.lean[::-1]) / per_meter
    for step in range(1, steps + 1):
        rows, cols = (round(step * float(part)) for part in unit)
        level = step / per_meter
        moved = shift(height, rows, cols)
        roof = np.abs(moved - level) <= 0.5 / per_meter
        facade = moved > level + 0.5 / per_meter
        np.copyto(view, shift(wall, rows, cols), where=facade)
        np.copyto(view, shift(image, rows, cols), where=roof)
    return view
