"""Sets of binary change: two folders of images and one of masks."""

import numpy as np
from pictures import write_png
from PIL import Image
from scenes import noise

SIZE = (64, 64)


def draw_mask(seed=0, size=SIZE):
    """Where something changed, (H, W) bool: a rectangle of a third of the picture."""
    rng = np.random.default_rng(seed)
    changed = np.zeros(size, bool)
    top, left = rng.integers(2, size[0] // 3, 2)
    changed[top : top + size[0] // 2, left : left + size[1] // 2] = True
    return changed


def write_masks(root, names="ab", folders=("A", "B", "label"), size=SIZE):
    """A set in which what changed is brighter; returns its folder."""
    before, after, masks = (root / each for each in folders)
    for seed, name in enumerate(names):
        changed = draw_mask(seed, size)
        first = noise((3, *size), seed=seed) // 2
        write_png(before / f"{name}.png", first)
        write_png(after / f"{name}.png", np.where(changed, first + 120, first).astype(np.uint8))
        masks.mkdir(parents=True, exist_ok=True)
        Image.fromarray(changed.astype(np.uint8) * 255).save(masks / f"{name}.png")
    return root
