"""Predictions by the engine that users get."""

import json
from dataclasses import replace

import numpy as np
import pytest
from pictures import draw_labelled_pair
from standins import tiny_model

from scdcli.prediction.chain import read_windows
from scdcli.prediction.predict import predict
from scdcli.prediction.predictor import make_predictor
from scdcli.prediction.settings import InferenceSettings
from scdcli.prediction.tiling import Tiling
from scdcli.rasters.pair.arrays import pair_of_arrays
from scdcli.rasters.pair.settings import DEFAULTS

pytestmark = pytest.mark.usefixtures("fastest")

SETTINGS = InferenceSettings(chip=64, overlap=16, threshold=0.5, tta="flip", batch=2)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("model") / "tiny.safetensors")


@pytest.fixture
def images(rng):
    drawn = draw_labelled_pair(rng, 160)
    return drawn["im1"], drawn["im2"]


def test_classes_are_those_of_torch(model, images):
    fast = predict(*images, model=model, inference=SETTINGS)
    plain = predict(*images, model=model, inference=replace(SETTINGS, engine="torch"))
    assert [each.summary["settings"]["engine"] for each in (fast, plain)] == [
        "onnxruntime",
        "torch",
    ]
    assert len(np.unique(plain.before_cover)) > 1
    for name in ("before_cover", "after_cover", "from_class", "to_class"):
        assert (getattr(fast, name) == getattr(plain, name)).mean() >= 0.9999


def test_every_split_gives_the_same_bits(model, images):
    predictor = make_predictor(model, SETTINGS)
    assert predictor.engine.name == "onnxruntime"
    pair = pair_of_arrays(*images, predictor.loaded.reads(DEFAULTS))
    maps = np.zeros((2, 160, 160), dtype=np.float32)
    for change, side in zip(maps, (1, 4), strict=True):
        split = replace(predictor, tiling=Tiling(64, 16, side))
        for window, predicted in read_windows(pair, split):
            change[window.toslices()] = predicted.reading.change
    np.testing.assert_array_equal(*maps)
    assert maps.std() > 0


def test_an_evaluation_says_what_ran(scd, second_tree, model):
    scored = scd(
        "evaluate", second_tree(1, splits=("test",)), "-m", model, "--json", "--chip", "64"
    )
    assert scored.exit_code == 0, scored.output
    assert "on cpu with onnxruntime" in scored.stderr
    assert json.loads(scored.stdout)["settings"]["engine"] == "onnxruntime"
