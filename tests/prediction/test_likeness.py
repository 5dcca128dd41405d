"""A pair unlike all that the model knows is warned of, in maps and in checks."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from scenes import write_scene
from scipy import ndimage
from standins import loaded, tiny_model

from scdcli.models.checkpoint import describe_familiar
from scdcli.models.familiarity import features, fit
from scdcli.prediction.likeness import judge_likeness
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.pair.settings import PairSettings


def smooth(rng, side):
    """Large soft shapes."""
    noise = ndimage.gaussian_filter(rng.normal(size=(3, side, side)), (0, 8, 8), mode="wrap")
    return (128 + 50 * noise / noise.std()).clip(0, 255).astype(np.uint8)


def rough(rng, side):
    """Noise, pixel by pixel."""
    return rng.integers(0, 256, (3, side, side)).astype(np.uint8)


@pytest.fixture(scope="module")
def familiarity():
    """Of the stand-in model with smooth images."""
    rng = np.random.default_rng(7)
    images = np.stack([smooth(rng, 256) for _ in range(24)]).astype(np.float32)
    described = features(loaded().model, torch.from_numpy(images))
    return fit(described[:16], described[16:], 1.0)


@pytest.fixture
def judge(familiarity, tmp_path):
    model = replace(loaded(), familiarity=familiarity)

    def judge(before, after, **settings):
        paths = [tmp_path / "before.tif", tmp_path / "after.tif"]
        for path, image in zip(paths, (before, after), strict=True):
            write_scene(path, image, **settings)
        with open_pair(*paths, PairSettings()) as pair:
            return judge_likeness(model, pair)

    return judge


@pytest.mark.parametrize("side", [256, 700])
def test_images_like_those_of_training_are_no_matter(judge, rng, side):
    assert judge(smooth(rng, side), smooth(rng, side)).lines == ()


@pytest.mark.parametrize(
    ("kinds", "sentence"),
    [
        ((smooth, rough), r"AFTER looks unlike .* stand-in learnt from \(distance .*up to"),
        ((rough, smooth), "BEFORE looks unlike"),
        ((rough, rough), "BEFORE and AFTER look unlike"),
    ],
)
def test_the_date_that_is_unlike_them_is_named(judge, rng, kinds, sentence):
    (warning,) = judge(*(kind(rng, 256) for kind in kinds)).warnings
    assert re.search(sentence, warning)
    assert "scd train --init" in warning


def test_there_is_nothing_to_judge_by_in_a_few_pixels_or_without_measurements(judge, rng):
    assert judge(rough(rng, 40), rough(rng, 40)).lines == ()
    empty = rough(rng, 256)
    empty[:, :, :160] = 0
    assert judge(empty, empty, nodata=0).lines == ()


def test_predict_and_check_say_it_and_the_summary_keeps_it(scd, familiarity, tmp_path, rng):
    model = tiny_model(tmp_path / "model.safetensors")
    describe_familiar(model, model, familiarity)
    for name in ("before", "after"):
        write_scene(tmp_path / f"{name}.tif", rough(rng, 256))
    pair = (tmp_path / "before.tif", tmp_path / "after.tif")
    done = scd("predict", *pair, "-o", tmp_path / "out", "-m", model)
    assert done.exit_code == 0
    assert "Warning: BEFORE and AFTER look unlike the images" in " ".join(done.stderr.split())
    warnings = json.loads((tmp_path / "out/summary.json").read_text())["warnings"]
    assert any("look unlike" in warning for warning in warnings)
    checked = scd("check", *pair, "-m", model, "--json")
    assert any("look unlike" in warning for warning in json.loads(checked.stdout)["warnings"])
