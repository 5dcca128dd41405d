"""What images a model knows: a distance that is fair, in the model's file and out of it."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from standins import Thresholds, loaded, tiny_model

from scdcli.errors import ModelError
from scdcli.models import bundled_models
from scdcli.models.checkpoint import (
    calibrate_model,
    describe_familiar,
    load_model,
    read_tensors,
    write_tensors,
)
from scdcli.models.familiarity import features, fit
from scdcli.models.networks import NetworkSettings, build
from scdcli.models.networks.model import ChangeModel


def rows(seed, count=200, width=8, spread=1.0, shift=0.0):
    drawn = torch.randn(count, width, generator=torch.Generator().manual_seed(seed))
    mixing = torch.eye(width) + 0.5 * torch.ones(width, width)  # so that they depend on each other
    return drawn @ mixing * spread * 7 + 100 + shift


def test_training_images_lie_at_about_one_and_a_share_of_ordinary_ones_beyond_the_limit():
    training, ordinary = rows(0), rows(1)
    known = fit(training, ordinary, 0.9)
    assert known.distance(training).mean() == pytest.approx(1, abs=0.1)
    assert (known.distance(ordinary) > known.limit).float().mean() == pytest.approx(0.1, abs=0.01)
    assert (known.distance(rows(2, spread=3)) > known.limit).float().mean() > 0.9
    assert (known.distance(rows(3, shift=200)) > known.limit).all()


@given(st.integers(0, 1000), st.floats(0.01, 100), st.floats(-1000, 1000))
def test_units_of_features_do_not_matter(seed, gain, offset):
    training, other = rows(seed), rows(seed + 1, 20)
    plain = fit(training, other, 0.9)
    moved = fit(training * gain + offset, other * gain + offset, 0.9)
    distances = moved.distance(other * gain + offset)
    assert torch.allclose(distances, plain.distance(other), rtol=0.02, atol=0.02)


def test_a_feature_that_never_changes_is_no_trouble():
    training = rows(0)
    training[:, 3] = 5
    assert torch.isfinite(fit(training, training, 0.9).distance(training)).all()


@pytest.mark.parametrize("encoder", ["paper", "efficientnet-lite0"])
def test_features_do_not_depend_on_the_size_of_a_uniform_image(encoder):
    network = build(NetworkSettings("hrscd-str4", width=0.25, encoder=encoder))
    model = ChangeModel(network, [100.0] * 3, [50.0] * 3).eval()
    image = torch.rand(2, 3, 64, 64) * 255
    described = features(model, image)
    assert described.shape == (2, 2 * (16 + 32))  # widths at 1/8 and 1/16
    assert not torch.allclose(described[0], described[1])


def test_networks_without_an_encoder_of_dates_know_nothing():
    model = ChangeModel(Thresholds(), [0.0] * 3, [1.0] * 3)
    assert features(model, torch.zeros(1, 3, 64, 64)) is None


def known_model(folder):
    path = tiny_model(folder / "model.safetensors")
    described = features(load_model(str(path)).model, torch.rand(30, 3, 64, 64) * 255)
    known = fit(described, described, 0.9)
    describe_familiar(path, path, known)
    return path, known


def test_a_model_file_keeps_it_also_when_calibrated(tmp_path):
    path, known = known_model(tmp_path)
    calibrate_model(path, path, threshold=0.3, temperature=2.0, record={})
    kept = load_model(str(path)).familiarity
    for name, tensor in vars(known).items():
        assert torch.equal(getattr(kept, name), tensor)
    assert load_model(str(tiny_model(tmp_path / "other.safetensors"))).familiarity is None


@pytest.mark.parametrize("damage", ["whitening", "center", "limit"])
def test_what_is_damaged_is_refused(tmp_path, damage):
    path, _ = known_model(tmp_path)
    tensors, header = read_tensors(path)
    name = f"familiar.{damage}"
    for broken in (None, tensors[name] * float("nan"), torch.zeros(3, 5)):
        others = {k: x for k, x in tensors.items() if k != name}
        write_tensors(path, others if broken is None else others | {name: broken}, header)
        with pytest.raises(ModelError, match="images it knows"):
            load_model(str(path))


def test_the_default_model_knows_its_images():
    path = bundled_models()["urban"]
    assert {name for name in load_file(path) if name.startswith("familiar.")} == {
        "familiar.center",
        "familiar.whitening",
        "familiar.limit",
    }


def test_it_moves_with_its_model(tmp_path):
    _, known = known_model(tmp_path)
    moved = replace(loaded(), familiarity=known.to("meta"))
    assert moved.familiarity.center.device.type == "meta"
