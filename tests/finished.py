"""Small finished predictions: classes by brightness, change where the two dates differ."""

import numpy as np
import torch
from scenes import UTM, write_scene
from standins import Thresholds, loaded

from scdcli.prediction.chain import Predictor
from scdcli.prediction.settings import OutputSettings
from scdcli.prediction.tiling import Tiling
from scdcli.prediction.write import write_prediction
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.pair.settings import DEFAULTS


def draw_classes(rng, shape=(16, 20)):
    """Classes 0 to 5 of both dates, (2, h, w); a third of the places change."""
    before = rng.integers(0, 6, shape)
    changed = rng.random(shape) < 0.3
    return np.stack([before, np.where(changed, (before + rng.integers(1, 6, shape)) % 6, before)])


def write_images(folder, classes, *, enlarged=10, crs=UTM, **profile):
    """BEFORE and AFTER whose brightness is the class, each place ``enlarged`` pixels wide."""
    folder.mkdir(parents=True, exist_ok=True)
    square = np.ones((1, enlarged, enlarged))
    return [
        write_scene(
            folder / f"{name}.tif",
            np.kron(np.stack([each * 40 + 20] * 3), square).astype(np.uint8),
            crs=crs,
            **profile,
        )
        for name, each in zip(("before", "after"), classes, strict=True)
    ]


def predict_images(images, out, *, pair=DEFAULTS, say=lambda sentence: None, **settings):
    """The summary of a prediction of two images."""
    predictor = Predictor(
        loaded(Thresholds()),
        torch.device("cpu"),
        0.5,
        tiling=Tiling(64, 16, 2),
        say=say,
    )
    with open_pair(*images, pair) as opened:
        return write_prediction(opened, predictor, out, OutputSettings(**settings))
