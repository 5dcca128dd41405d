"""What a training job means: what a model brings, and what the user's word is."""

from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from standins import loaded

from scdcli.errors import ModelError, OutputError
from scdcli.models.checkpoint import save_model
from scdcli.models.networks import NetworkSettings
from scdcli.training.distributed import ALONE, Ranks
from scdcli.training.job import prepare, workers_for
from scdcli.training.settings import DataSettings, HardwareSettings, TrainingJob, TrainingSettings


@pytest.fixture
def model(tmp_path):
    """A file of an asn of an eighth of the width that wants its dates at its own levels."""
    made = loaded()
    path = tmp_path / "start.safetensors"
    save_model(path, made.model, replace(made.header, normalization="per-date"))
    return str(path)


@pytest.fixture
def job(second_tree, tmp_path):
    settings = TrainingSettings(seed=3)
    second = replace(settings, epochs=2)
    data = DataSettings(val_share=0.5)
    return TrainingJob(
        (second_tree(),), tmp_path / "run", settings=settings, second=second, data=data
    )


@contextmanager
def unwatched(title, total):
    yield lambda done, total: None


def prepared(job):
    return prepare(job, torch.device("cpu"), ALONE, lambda sentence: None, unwatched)


def test_without_a_model_the_defaults_stand(job):
    training = prepared(job)
    assert training.network == NetworkSettings()
    assert training.settings.standardize == "none"
    assert len(training.data.samples) == len(training.data.validation) == 2
    assert training.start is None


def test_a_model_brings_what_nobody_asks_for_and_the_job_stays_as_it_is(job, model):
    asked = replace(job, init=model)
    before = replace(asked)
    training = prepared(asked)
    assert training.network == NetworkSettings(width=0.125)
    assert training.settings.standardize == training.second.standardize == "per-date"
    assert (training.second.epochs, training.second.seed) == (2, 3)
    assert asked == before
    assert prepared(replace(asked, standardize="none")).settings.standardize == "none"


def test_what_is_asked_for_must_be_what_the_model_is(job, model):
    with pytest.raises(ModelError, match="width"):
        prepared(replace(job, init=model, width=0.25))


def test_a_run_that_is_there_is_refused_before_the_set_is_looked_at(job):
    job.out.mkdir()
    (job.out / "best.safetensors").touch()
    (job.out / "log.csv").touch()
    missing = replace(job, datasets=(Path("nowhere"),))
    with pytest.raises(OutputError):
        prepared(missing)


@pytest.mark.parametrize(
    ("device", "cores", "local", "workers"),
    [
        ("cpu", 16, 1, 0),
        ("cuda", 4, 1, 4),
        ("cuda", 64, 4, 8),
        ("cuda", 8, 4, 2),
        ("cuda", 1, 4, 0),
    ],
)
def test_a_gpu_has_workers_by_itself(monkeypatch, device, cores, local, workers):
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    ranks = Ranks(0, local, 0, local)
    place = (torch.device(device), ranks)
    assert workers_for(HardwareSettings(), *place) == workers
    assert workers_for(HardwareSettings(workers=3), *place) == 3
