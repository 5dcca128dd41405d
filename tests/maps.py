"""Class maps for the tests: written to disk as colors or indices, in each shape of folder."""

import numpy as np
import rasterio
from rasterio.windows import Window
from scenes import NORTH_UP, UTM, write_scene

from scdcli.legend import SECOND
from scdcli.scoring.evaluation import count_set, score_counts
from scdcli.scoring.mappairs import Prediction, ScoredPair, ScoredWindow

LABELS = ("label1", "label2")
MAPS = ("from.tif", "to.tif")


def draw(seed=0, classes=6, shape=(20, 30), share=0.4):
    """From and to map of a pair, (H, W) uint8: changed at both dates or at neither."""
    rng = np.random.default_rng(seed)
    changed = rng.random(shape) < share
    maps = (rng.integers(1, classes + 1, shape) for _ in range(2))
    return tuple((each * changed).astype(np.uint8) for each in maps)


def write_png(path, index, legend=None):
    """A map as PNG: colors with a legend, indices without."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_scene(
        path, legend.encode(index) if legend else index[None], None, None, driver="PNG"
    )


def write_tif(path, index, *, legend=None, transform=NORTH_UP, crs=UTM, **profile):
    """A map of indices as GeoTIFF, with its legend in the tags."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_scene(path, index[None], transform, crs, **profile)
    if legend:
        tag(path, "SCD", LEGEND=legend.dumps())
    return path


def tag(path, namespace=None, **tags):
    """Add tags to a file."""
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(ns=namespace, **tags)


def write_second(root, pairs, legend=SECOND):
    """A folder with label1 and label2; pairs is name to (from, to)."""
    for name, maps in pairs.items():
        for folder, index in zip(LABELS, maps, strict=True):
            write_png(root / folder / f"{name}.png", index, legend)
    return root


def write_prediction(folder, maps, **options):
    """A folder with from.tif and to.tif."""
    for file, index in zip(MAPS, maps, strict=True):
        write_tif(folder / file, index, **options)
    return folder


def scored_window(maps, name="x", covers=None, **predicted):
    """A pair as one window: truth from, truth to, predicted from, predicted to."""
    height, width = shape = maps[0].shape
    prediction = Prediction(Window(0, 0, width, height), maps[2:], **predicted)
    return ScoredWindow(name, shape, maps[:2], prediction, covers)


def scored_pair(name, sources, *windows):
    """A pair of windows of four maps each."""
    return ScoredPair(name, sources, [scored_window(maps, name) for maps in windows])


def score_maps(pairs, legend):
    """The scores of pairs of maps as one set."""
    return score_counts(count_set(pairs, legend), legend)
