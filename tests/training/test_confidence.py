"""A trained model's file holds the temperature and the threshold that suit its validation pairs."""

import numpy as np
import pytest
import torch
from runs import CPU, QUICK, TINY, tensors

from scdcli.datasets.chips import Chips
from scdcli.datasets.layouts import second_samples
from scdcli.legend import SECOND
from scdcli.models.checkpoint import load_model
from scdcli.models.networks.outputs import probabilities
from scdcli.prediction.decode import read
from scdcli.scoring.fitting import count_both, fit
from scdcli.training import loop
from scdcli.training.confidence import ModelFitted, fit_models
from scdcli.training.validation import predict_part


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Four pairs, of which the first has more than 1000 changed pixels."""
    from pictures import draw_labelled_pair, write_png

    root, rng = tmp_path_factory.mktemp("set"), np.random.default_rng(7)
    for number in range(4):
        for part, array in draw_labelled_pair(rng, 64).items():
            if not part.startswith("cover"):
                shown = array if part.startswith("im") else SECOND.encode(array)
                write_png(root / part / f"{number}.png", shown)
    return second_samples(root)


def train(pairs, out, **options):
    data = (pairs[1:], pairs[:1])
    return list(loop.train(*data, out, TINY, SECOND, QUICK, CPU, **options))


@pytest.fixture(scope="module")
def trained(pairs, tmp_path_factory):
    """Folders of two runs, alike but for the calibration, and the events of the calibrated one."""
    root = tmp_path_factory.mktemp("runs")
    train(pairs, root / "plain")
    return root, train(pairs, root / "fitted", calibrate=True)


@pytest.mark.parametrize("name", ["best.safetensors", "last.safetensors"])
def test_each_model_is_fitted_to_what_it_says_itself(trained, pairs, name):
    root, _ = trained
    plain, fitted = (load_model(str(root / run / name)) for run in ("plain", "fitted"))
    (batch,) = [Chips(pairs[:1], SECOND, bands=3, cover=False)]
    with torch.inference_mode():
        ((logits, labels),) = predict_part(plain.model, batch, CPU)
    said = read(probabilities(logits)[0].numpy(), plain.model.output, 6)
    maps = (each[0].numpy().astype(np.uint8) for each in labels[:2])
    expected = fit(count_both(*maps, said, 6))
    assert expected.by == "sek_from_to"
    assert expected.temperature != 1
    assert (fitted.header.temperature, fitted.header.threshold) == (
        expected.temperature,
        expected.threshold,
    )
    assert fitted.header.scores["calibration"] == expected.record()
    assert (plain.header.temperature, plain.header.threshold) == (1, 0.5)
    assert "calibration" not in plain.header.scores


def test_a_fit_leaves_the_weights_and_is_told(trained):
    root, events = trained
    for name in ("best.safetensors", "last.safetensors"):
        one, other = (tensors(root / run / name) for run in ("plain", "fitted"))
        assert all(torch.equal(one[key], other[key]) for key in one)
    fits = [event for event in events if isinstance(event, ModelFitted)]
    assert [event.path.name for event in fits] == ["best.safetensors", "last.safetensors"]
    assert events[-2:] == fits


def test_a_second_fit_changes_no_byte(trained, pairs):
    path = trained[0] / "fitted/best.safetensors"
    content = path.read_bytes()
    list(fit_models(path.parent, pairs[:1], SECOND, CPU))
    assert path.read_bytes() == content


def test_without_validation_nothing_is_fitted(pairs, tmp_path):
    events = list(loop.train(pairs, [], tmp_path / "run", TINY, SECOND, QUICK, CPU, calibrate=True))
    assert not any(isinstance(event, ModelFitted) for event in events)
    assert load_model(str(tmp_path / "run/best.safetensors")).header.temperature == 1
