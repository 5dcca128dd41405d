"""A small place with buildings, plants and water, for what photographs do to it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scdcli.simulation.camera.noise import fractal_noise


@dataclass(frozen=True)
class Ground:
    """A scene (3, H, W) float32 in 0..1 and what is known of it."""

    scene: NDArray[np.float32]
    vegetation: NDArray[np.bool_]
    buildings: NDArray[np.int32]
    water: NDArray[np.bool_]

    @property
    def masks(self):
        return {
            "vegetation": self.vegetation,
            "buildings": self.buildings,
            "water": self.water,
        }

    @property
    def bare(self):
        return ~(self.vegetation | self.water | (self.buildings > 0))


def ground(height=64, width=80, seed=0):
    """Bare ground with two buildings, a meadow at the left and a pond at the right."""
    rng = np.random.default_rng(seed)
    texture = 0.06 * fractal_noise(rng, (height, width), 9.0)
    scene = np.stack([level + texture for level in (0.5, 0.46, 0.4)]).astype(np.float32)
    vegetation, water = np.zeros((2, height, width), dtype=bool)
    buildings = np.zeros((height, width), dtype=np.int32)
    vegetation[:, : width // 4] = True
    water[height // 2 :, -width // 5 :] = True
    buildings[10:26, 32:52] = 1
    buildings[40:54, 28:38] = 2
    color = np.array([[0.24], [0.36], [0.2]], dtype=np.float32)
    scene[:, vegetation] = color + texture[vegetation]
    scene[:, water] = color[::-1] * 0.6 + 0.2 * texture[water]
    scene[:, buildings > 0] = 0.8 + 0.3 * texture[buildings > 0]
    return Ground(np.clip(scene, 0, 1), vegetation, buildings, water)
