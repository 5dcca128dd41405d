"""Pictures for `urban_protocol.py`: pairs with the maps of every system, a few to a sheet.

Each pair has two rows. Of a model the upper one shows the class before and the lower one the class
after, where changed; of a map without classes the upper one shows its score, the lower one the map.
"""

import io
from pathlib import Path

import matplotlib.image
import numpy as np
from protocol_parts import (
    landsat_pairs,
    naip_pairs,
    read_images,
    real_label,
    real_pairs,
    unchanged_pairs,
)
from protocol_systems import Found, Pairs, System

from scdcli.legend import LandCover
from scdcli.scoring.figures.panels import GAP, MARGIN, ROW_LABEL, Column, draw_panel

WIDEST = 1800  # pixels of a sheet
LARGEST_CELL = 384
PAIRS_PER_SHEET = 3
CHANGED, UNCHANGED, NODATA = (30, 30, 30), (255, 255, 255), (200, 200, 235)


def draw_sheets(data: Path, out: Path, systems: list[System]) -> list[Path]:
    """Sheets of all sets there are; returns their files."""
    sets = (real_pairs(data), unchanged_pairs(data), naip_pairs(data), landsat_pairs(data))
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for pairs in sets:
        found = {system: dict(system.maps(pairs)) for system in systems} if pairs.files else {}
        names = list(pairs.files)
        for start in range(0, len(names), PAIRS_PER_SHEET):
            few = names[start : start + PAIRS_PER_SHEET]
            panels = [_panel(data, pairs, name, found) for name in few]
            path = out / f"{pairs.name}-{start // PAIRS_PER_SHEET + 1}.png"
            matplotlib.image.imsave(path, stacked(panels))
            written.append(path)
    return written


def _panel(data: Path, pairs: Pairs, name: str, found: dict) -> np.ndarray:
    images = read_images(pairs, name)
    truth = [real_label(data, name)] if pairs.name == "real" else []
    unit = _unit(images[0].shape[1:], 1 + len(truth) + len(found))
    columns = [Column("images (before, after)", *_pictures(images, unit))]
    columns += [Column("label", *[_binary(each[::unit, ::unit])] * 2) for each in truth]
    covers: dict[str, LandCover] = {}
    for system, maps in found.items():
        columns.append(_column(system, maps[name], unit))
        for cover in system.legend.classes if system.legend else ():
            known = covers.get(cover.name)
            alike = known is None or known.color == cover.color
            covers[cover.name if alike else f"{cover.name} ({system.legend.name})"] = cover
    shown = [LandCover(title, cover.color) for title, cover in covers.items()]
    png = draw_panel(f"{pairs.name} {name}", columns, shown)
    return matplotlib.image.imread(io.BytesIO(png))[..., :3]


def _column(system: System, found: Found, unit: int) -> Column:
    small = Found(*(layer if layer is None else layer[::unit, ::unit] for layer in found))
    share = 100 * (found.changed == 1).sum() / max(1, (found.changed != 255).sum())
    title = f"{system.name} {share:.0f} %"
    if small.from_class is None:
        gray = (255 * (1 - np.clip(small.score, 0, 1))).astype(np.uint8)
        above = np.where(small.changed[..., None] == 255, np.uint8(NODATA), gray[..., None])
        return Column(f"{title} (score, map)", above, _binary(small.changed))
    both = (_classes(each, system.legend) for each in (small.from_class, small.to_class))
    return Column(title, *both)


def _classes(index: np.ndarray, legend) -> np.ndarray:
    colors = np.moveaxis(legend.encode(index), 0, -1)
    return np.where(index[..., None] == 255, np.uint8(NODATA), colors)


def _binary(changed: np.ndarray) -> np.ndarray:
    table = np.zeros((256, 3), np.uint8)
    table[0], table[1], table[255] = UNCHANGED, CHANGED, NODATA
    return table[changed]


def _pictures(images, unit: int) -> list[np.ndarray]:
    """Both dates in one stretch, each pixel the mean of those it stands for, (h, w, 3)."""
    low, high = np.percentile(np.stack(images), (0.5, 99.5))
    shown = []
    for image in images:
        padding = ((0, 0), *((0, -side % unit) for side in image.shape[1:]))
        whole = np.pad(image, padding, mode="edge")
        height, width = whole.shape[1:]
        blocks = whole.reshape(3, height // unit, unit, width // unit, unit)
        values = (blocks.mean(axis=(2, 4)) - low) / max(high - low, 1)
        shown.append(np.moveaxis((255 * np.clip(values, 0, 1)).astype(np.uint8), 0, -1))
    return shown


def _unit(shape: tuple[int, int], columns: int) -> int:
    """Of how many pixels one is drawn, so that a sheet is no wider than `WIDEST`."""
    room = (WIDEST - 2 * MARGIN - ROW_LABEL) // columns - GAP
    return max(1, -(-max(shape) // min(room, LARGEST_CELL)))


def stacked(panels: list[np.ndarray]) -> np.ndarray:
    """Panels one below the other, filled up to one width."""
    width = max(panel.shape[1] for panel in panels)
    rows = [
        np.pad(panel, ((0, 0), (0, width - panel.shape[1]), (0, 0)), constant_values=1)
        for panel in panels
    ]
    return np.concatenate(rows)
