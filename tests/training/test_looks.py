"""The models of a run know what its images looked like, where it had enough of them."""

from dataclasses import replace

import pytest
import rasterio
import torch
from runs import CPU, TINY, tensors, train
from sets import find_samples
from standins import Thresholds, loaded

from scdcli.datasets.augmentation import Augmentation
from scdcli.legend import SECOND
from scdcli.models.checkpoint import load_model, save_model
from scdcli.models.familiarity import features
from scdcli.training import looks
from scdcli.training.settings import TrainingSettings

SIAMESE = replace(TINY, name="hrscd-str4")
BRIEF = TrainingSettings(epochs=1, batch=2, augmentation=Augmentation(chip=32))


@pytest.fixture
def samples(second_tree):
    return find_samples(second_tree(pairs=4, size=64) / "train")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(looks, "LEAST", 2)
    monkeypatch.setattr(looks, "SIDE", 64)


def distances(path, images):
    loaded = load_model(str(path))
    return loaded.familiarity.distance(features(loaded.model, images)) / loaded.familiarity.limit


def test_a_run_tells_its_models_what_its_images_look_like(samples, tmp_path):
    list(train(samples[:2], samples[2:], tmp_path, SIAMESE, SECOND, BRIEF))
    kept = [load_model(str(tmp_path / f"{name}.safetensors")) for name in ("best", "last")]
    # The same epoch twice: the same is known, and to each model for its own weights.
    assert torch.equal(kept[0].familiarity.center, kept[1].familiarity.center)
    noise = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 255
    assert (distances(tmp_path / "best.safetensors", noise) > 1).all()


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_what_is_held_out_is_mostly_ordinary(samples, tmp_path):
    list(train(samples[:2], samples[2:], tmp_path, SIAMESE, SECOND, BRIEF))
    images = []
    for sample in samples[2:]:
        with rasterio.open(sample.before) as dataset:
            images.append(torch.from_numpy(dataset.read([1, 2, 3])).float())
    known = distances(tmp_path / "last.safetensors", torch.stack(images)) <= 1
    assert known.sum() >= len(known) - 1  # of so few the quantile leaves one out


def test_to_go_on_with_a_finished_run_changes_nothing(samples, tmp_path):
    list(train(samples[:2], samples[2:], tmp_path, SIAMESE, SECOND, BRIEF))
    before = tensors(tmp_path / "best.safetensors")
    list(train(samples[:2], samples[2:], tmp_path, SIAMESE, SECOND, BRIEF, resume=True))
    after = tensors(tmp_path / "best.safetensors")
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("held_out", [0, 1])
def test_too_few_pairs_say_nothing(samples, tmp_path, held_out):
    list(train(samples[:2], samples[2 : 2 + held_out], tmp_path, SIAMESE, SECOND, BRIEF))
    assert load_model(str(tmp_path / "best.safetensors")).familiarity is None


def test_networks_without_an_encoder_of_dates_stay_as_they_are(samples, tmp_path, monkeypatch):
    made = loaded(Thresholds())
    for name in ("best", "last"):
        header = replace(made.header, training={"epoch": 1})
        save_model(tmp_path / f"{name}.safetensors", made.model, header)
    monkeypatch.setattr(looks, "load_model", lambda *_: replace(made, header=header))
    before = (tmp_path / "best.safetensors").read_bytes()
    looks.keep_looks(tmp_path, samples[:2], samples[2:], SECOND, CPU)
    assert (tmp_path / "best.safetensors").read_bytes() == before
