"""What surfaces are made of: class, colors by season, texture and how they reflect."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WATER, GROUND, LOW_VEGETATION, TREE, BUILDING, PLAYGROUND = range(1, 7)
SEASON_COUNT = 5  # spring, summer, drought, autumn, winter

Rgb = tuple[int, int, int]
Tones = tuple[Rgb, Rgb]


@dataclass(frozen=True)
class Material:
    """A surface.

    Attributes:
        cover: Class index.
        tones: Dark and light sRGB end of its color, one pair or one per season.
        texture: Strength of noise at 1, 3, 10 and 45 pixels, as a share of brightness.
        spread: How much brightness differs from one object to the next.
    """

    cover: int
    tones: tuple[Tones, ...]
    texture: tuple[float, float, float, float]
    spread: float = 0.12

    def season_tones(self, season: int) -> Tones:
        """Dark and light end in a season."""
        return self.tones[season % len(self.tones)]


def _paved(dark: Rgb, light: Rgb, spread: float = 0.14) -> Material:
    return Material(GROUND, ((dark, light),), (0.06, 0.06, 0.07, 0.06), spread)


def _roof(dark: Rgb, light: Rgb, rough: float = 0.05, spread: float = 0.2) -> Material:
    return Material(BUILDING, ((dark, light),), (rough, rough, 0.06, 0.05), spread)


def _sport(dark: Rgb, light: Rgb) -> Material:
    return Material(PLAYGROUND, ((dark, light),), (0.035, 0.03, 0.04, 0.05), 0.12)


MATERIALS: dict[str, Material] = {
    "asphalt": _paved((82, 84, 88), (112, 112, 112)),
    "old asphalt": _paved((112, 110, 108), (142, 138, 132)),
    "concrete": _paved((142, 138, 132), (182, 178, 168)),
    "paving": _paved((138, 118, 108), (172, 156, 144)),
    "gravel": _paved((140, 128, 110), (182, 168, 146)),
    "soil": Material(GROUND, (((136, 108, 82), (196, 172, 140)),), (0.08, 0.1, 0.1, 0.09), 0.18),
    "rubble": Material(
        GROUND, (((112, 104, 96), (178, 168, 154)),), (0.16, 0.18, 0.12, 0.12), 0.14
    ),
    "sand": Material(GROUND, (((176, 156, 122), (212, 196, 164)),), (0.04, 0.05, 0.09, 0.1), 0.1),
    "marking": Material(GROUND, (((205, 204, 198), (228, 226, 220)),), (0.05, 0.08, 0.0, 0.0)),
    "lawn": Material(
        LOW_VEGETATION,
        (
            ((84, 112, 54), (122, 142, 78)),
            ((72, 100, 52), (108, 132, 70)),
            ((120, 116, 74), (160, 150, 104)),
            ((88, 100, 56), (130, 128, 82)),
            ((98, 98, 68), (134, 126, 94)),
        ),
        (0.07, 0.07, 0.09, 0.13),
    ),
    "meadow": Material(
        LOW_VEGETATION,
        (
            ((78, 108, 50), (132, 146, 78)),
            ((74, 98, 52), (126, 134, 78)),
            ((128, 116, 74), (176, 160, 112)),
            ((104, 100, 58), (150, 134, 86)),
            ((104, 94, 66), (148, 134, 100)),
        ),
        (0.1, 0.11, 0.14, 0.18),
    ),
    "scrub": Material(
        LOW_VEGETATION,
        (
            ((58, 82, 42), (128, 132, 80)),
            ((54, 76, 42), (118, 124, 76)),
            ((84, 84, 54), (150, 138, 98)),
            ((82, 76, 48), (142, 122, 80)),
            ((78, 70, 54), (132, 116, 90)),
        ),
        (0.14, 0.22, 0.2, 0.16),
    ),
    "undergrowth": Material(
        TREE,
        (
            ((44, 62, 34), (84, 100, 56)),
            ((30, 48, 28), (60, 80, 44)),
            ((44, 56, 32), (78, 86, 52)),
            ((74, 64, 38), (124, 100, 58)),
            ((70, 62, 54), (104, 94, 82)),
        ),
        (0.16, 0.22, 0.15, 0.1),
    ),
    "crop": Material(LOW_VEGETATION, (((90, 90, 60), (130, 130, 90)),), (0.06, 0.07, 0.08, 0.12)),
    "water": Material(WATER, (((34, 52, 56), (62, 80, 72)),), (0.03, 0.04, 0.05, 0.1), 0.25),
    "green water": Material(WATER, (((40, 60, 46), (68, 86, 64)),), (0.03, 0.04, 0.05, 0.1), 0.2),
    "brown water": Material(WATER, (((70, 68, 50), (100, 92, 70)),), (0.03, 0.04, 0.05, 0.08), 0.2),
    "flat roof": _roof((128, 126, 124), (176, 172, 166)),
    "dark roof": _roof((72, 72, 76), (104, 102, 102)),
    "white roof": _roof((198, 198, 196), (232, 230, 226), 0.03, 0.08),
    "gravel roof": _roof((150, 144, 134), (188, 180, 168), 0.09),
    "tile roof": _roof((136, 72, 52), (176, 104, 76), 0.08),
    "brown roof": _roof((98, 76, 62), (136, 108, 88), 0.08),
    "slate roof": _roof((84, 88, 96), (120, 122, 128), 0.07),
    "blue metal": _roof((62, 100, 160), (96, 136, 190), 0.03),
    "green metal": _roof((92, 126, 112), (130, 160, 144), 0.03),
    "gray metal": _roof((150, 156, 162), (196, 200, 204), 0.03),
    "rust metal": _roof((136, 98, 76), (176, 140, 112), 0.08),
    "box": _roof((140, 140, 138), (200, 198, 192), 0.05),
    "skylight": _roof((150, 164, 172), (206, 214, 216), 0.04),
    "tartan": _sport((150, 72, 56), (184, 100, 78)),
    "turf": _sport((58, 104, 54), (94, 136, 76)),
    "court green": _sport((62, 112, 88), (88, 138, 108)),
    "court blue": _sport((56, 96, 146), (80, 120, 168)),
    "court red": _sport((158, 84, 66), (186, 112, 88)),
    "clay": _sport((176, 106, 70), (204, 136, 98)),
    "line": Material(PLAYGROUND, (((205, 208, 202), (226, 228, 222)),), (0.04, 0.04, 0.0, 0.0)),
}
INDEX = {name: index for index, name in enumerate(MATERIALS)}
TABLE = tuple(MATERIALS.values())
# What is driven on.
ASPHALT = frozenset(INDEX[name] for name in ("asphalt", "old asphalt", "marking"))

# What a field may look like, and how likely in each season (columns: the five seasons).
CROPS: tuple[tuple[Tones, tuple[float, ...]], ...] = (
    (((92, 74, 58), (126, 102, 80)), (3, 1, 1, 3, 4)),  # ploughed
    (((72, 60, 50), (100, 84, 70)), (2, 0.5, 0, 2, 3)),  # wet soil
    (((150, 128, 96), (178, 156, 122)), (1, 0.7, 2, 2, 1)),  # dry soil
    (((86, 112, 52), (116, 138, 72)), (3, 2, 0.7, 2, 2)),  # young green
    (((56, 90, 40), (84, 114, 58)), (3, 4, 1, 1, 0.5)),  # dense green
    (((176, 156, 92), (204, 184, 122)), (0, 2, 3, 0.5, 0)),  # ripe
    (((160, 142, 104), (192, 174, 134)), (0, 1, 3, 2, 1)),  # stubble
    (((168, 164, 60), (196, 188, 80)), (1, 0, 0, 0, 0)),  # rape in flower
)

# Crowns by species (rows) and season: dark and light end.
SPECIES: tuple[tuple[Tones, ...], ...] = (
    (  # broadleaved
        ((72, 98, 42), (116, 136, 70)),
        ((48, 76, 38), (88, 112, 60)),
        ((58, 78, 40), (102, 112, 64)),
        ((112, 92, 40), (176, 130, 62)),
        ((92, 82, 72), (130, 118, 106)),
    ),
    (  # early coloring
        ((82, 106, 52), (128, 142, 82)),
        ((56, 84, 44), (96, 120, 66)),
        ((78, 88, 48), (122, 124, 76)),
        ((142, 82, 44), (198, 152, 66)),
        ((86, 78, 70), (124, 112, 102)),
    ),
    (((40, 62, 40), (70, 90, 58)),) * SEASON_COUNT,  # conifer
)
OPACITY: NDArray[np.float32] = np.array(
    [[0.9, 1.0, 1.0, 0.92, 0.5], [0.9, 1.0, 1.0, 0.8, 0.45], [1.0, 1.0, 1.0, 1.0, 1.0]],
    dtype=np.float32,
)
