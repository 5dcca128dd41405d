"""A trained model's file holds the temperature and the threshold that suit its validation pairs."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from runs import CPU, QUICK, TINY, tensors, train
from sets import find_samples

from scdcli.cli.sweeping import fitted_line
from scdcli.datasets.chips import Chips
from scdcli.legend import SECOND
from scdcli.models.checkpoint import ModelHeader, load_model, save_model
from scdcli.models.networks import build
from scdcli.models.networks.model import ChangeModel
from scdcli.models.networks.outputs import probabilities
from scdcli.prediction.decode import read
from scdcli.scoring.fitting import count_both, fit
from scdcli.training.confidence import CalibratedModel, fit_models
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
    return find_samples(root)


def untrained(path, epoch):
    """A model that is sure of nothing."""
    torch.manual_seed(epoch)
    settings = replace(TINY, name="asn")
    model = ChangeModel(build(settings), [128.0] * 3, [60.0] * 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_model(path, model, ModelHeader(settings, SECOND, training={"epoch": epoch}))


def said_of(path, samples):
    """What a model says of the first pair, and its labels from and to."""
    model = load_model(str(path)).model
    with torch.inference_mode():
        ((logits, labels),) = predict_part(model, Chips(samples, SECOND, bands=3, cover=False), CPU)
    maps = [each[0].numpy().astype(np.uint8) for each in labels[:2]]
    return maps, read(
        probabilities(logits)[0].numpy(), model.output, 6, replaceable=SECOND.replaceable_indices()
    )


def label_as(path, pairs, root):
    """The first pair with labels that are mostly what a model says where it is surer of change."""
    from pictures import write_png

    _, said = said_of(path, pairs[:1])
    wrong = np.random.default_rng(3).random(said.change.shape) < 0.05
    changed = (said.change > np.median(said.change)) ^ wrong
    for part, classes in (("label1", said.from_class), ("label2", said.to_class)):
        write_png(root / part / "0.png", SECOND.encode(np.where(changed, classes, 0)))
    for part in ("im1", "im2"):
        (root / part).mkdir()
        shutil.copy(getattr(pairs[0], "before" if part == "im1" else "after"), root / part)
    return find_samples(root)


@pytest.fixture(scope="module")
def trained(pairs, tmp_path_factory):
    """Folders of two runs, alike but for the calibration; its pair and its events."""
    root = tmp_path_factory.mktemp("runs")
    for epoch, name in enumerate(("best.safetensors", "last.safetensors"), start=1):
        untrained(root / "plain" / name, epoch)
    shutil.copytree(root / "plain", root / "fitted")
    known = label_as(root / "plain/best.safetensors", pairs, root / "set")
    return root, known, list(fit_models(root / "fitted", known, SECOND, CPU))


@pytest.mark.parametrize("name", ["best.safetensors", "last.safetensors"])
def test_each_model_is_fitted_to_what_it_says_itself(trained, name):
    root, known, _ = trained
    plain, fitted = (load_model(str(root / run / name)) for run in ("plain", "fitted"))
    maps, said = said_of(root / "plain" / name, known)
    expected = fit(count_both(*maps, said, 6))
    if name.startswith("best"):
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
    root, _, fits = trained
    for name in ("best.safetensors", "last.safetensors"):
        one, other = (tensors(root / run / name) for run in ("plain", "fitted"))
        assert all(torch.equal(one[key], other[key]) for key in one)
    assert [event.path.name for event in fits] == ["best.safetensors", "last.safetensors"]


def test_a_second_fit_changes_no_byte(trained):
    root, known, _ = trained
    path = root / "fitted/best.safetensors"
    content = path.read_bytes()
    list(fit_models(path.parent, known, SECOND, CPU))
    assert path.read_bytes() == content


def test_a_model_that_tells_nothing_apart_keeps_its_threshold(pairs, tmp_path):
    data = (pairs[1:], pairs[:1])
    run = train(*data, tmp_path / "run", TINY, SECOND, QUICK, CPU, calibrate=True)
    events = list(run)
    fits = [event for event in events if isinstance(event, CalibratedModel)]
    assert events[-2:] == fits
    for event in fits:
        header = load_model(str(event.path)).header
        assert (header.temperature, header.threshold) == (1, 0.5)
        assert header.scores["calibration"]["bound"] == "threshold"
        said = fitted_line(event.fit, event.path)
        assert "has the threshold 0.5, and its temperature was left alone: 1,024 of 4,096" in said
        assert "all changed, or all unchanged, would score as well" in said


def test_without_validation_nothing_is_fitted(pairs, tmp_path):
    events = list(train(pairs, [], tmp_path / "run", TINY, SECOND, QUICK, CPU, calibrate=True))
    assert not any(isinstance(event, CalibratedModel) for event in events)
    assert load_model(str(tmp_path / "run/best.safetensors")).header.temperature == 1
