"""How long a run is: until its patience is over, and longer than was first asked for."""

import json
from dataclasses import replace

import numpy as np
import pytest
from runs import CPU, QUICK, TINY, run, train
from sets import find_samples, write_second_tree

from scdcli.errors import TrainingError
from scdcli.legend import SECOND
from scdcli.models.checkpoint import load_model
from scdcli.scoring.metrics import ChangeScores, Undefined
from scdcli.training import loop
from scdcli.training.loop import Stopped
from scdcli.training.runfolder import EpochLog
from scdcli.training.validation import Validation

UNKNOWN = Undefined("not scored here")


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    root = tmp_path_factory.mktemp("samples")
    return find_samples(write_second_tree(root, np.random.default_rng(7)) / "train")


def events_of(samples, out, settings, seks=(), patch=None, validation=1, **options):
    """All events of a run whose epochs score as given."""
    scores = iter(seks)

    def scored(*_, **__):
        found = ChangeScores(*[0.5] * 5, sek=next(scores), fscd=0.5, score=0.5)
        return Validation(1.0, found, found, UNKNOWN, {}, np.eye(7, dtype=np.int64))

    if patch:
        patch.setattr(loop, "validate", scored)
    held_out, rest = samples[:validation], samples[validation:]
    return list(train(rest, held_out, out, TINY, SECOND, settings, CPU, **options))


def epochs(events):
    return [event.epoch for event in events if isinstance(event, EpochLog)]


def test_a_run_ends_when_its_patience_is_over_and_goes_on_with_more(samples, tmp_path, monkeypatch):
    settings = replace(QUICK, epochs=8, patience=2)
    seks = (0.1, 0.3, 0.3, 0.2)
    events = events_of(samples, tmp_path, settings, seks, monkeypatch)
    assert epochs(events) == [1, 2, 3, 4]
    assert events[-1] == Stopped(epoch=4, best=2)
    assert load_model(str(tmp_path / "best.safetensors")).header.training["epoch"] == 2
    again = events_of(samples, tmp_path, settings, (), monkeypatch, resume=True)
    assert again == [Stopped(epoch=4, best=2)]
    longer = replace(settings, patience=3)
    more = events_of(samples, tmp_path, longer, (0.4, 0.1, 0.1, 0.1), monkeypatch, resume=True)
    assert epochs(more) == [5, 6, 7, 8]
    assert not any(isinstance(event, Stopped) for event in more)


def test_patience_needs_scores(samples, tmp_path):
    with pytest.raises(TrainingError, match="--patience 2 counts .* validation pairs"):
        events_of(samples, tmp_path, replace(QUICK, patience=2), validation=0)
    assert not list(tmp_path.iterdir())


def test_a_finished_run_gets_more_epochs_at_the_rate_of_the_longer_run(samples, tmp_path):
    short, long = replace(QUICK, epochs=2), replace(QUICK, epochs=4)
    run(samples, tmp_path, short)
    more = run(samples, tmp_path, long, resume=True, stop_after=3)
    more += run(samples, tmp_path, long, resume=True)
    assert [log.epoch for log in more] == [3, 4]
    expected = [QUICK.lr * (1 - done / 4) ** 0.9 for done in (2, 3)]  # a step an epoch
    np.testing.assert_allclose([log.lr for log in more], expected)
    settings = json.loads((tmp_path / "settings.json").read_text())
    recorded = load_model(str(tmp_path / "last.safetensors")).header.training
    assert (settings["epochs"], settings["extended"]) == (4, [2])
    assert (recorded["epochs"], recorded["extended"]) == (4, [2])
    with pytest.raises(TrainingError, match="epochs was 4 and is 2"):
        run(samples, tmp_path, short, resume=True)


def test_only_a_finished_run_gets_more_epochs(samples, tmp_path):
    run(samples, tmp_path, replace(QUICK, epochs=2), stop_after=1)
    with pytest.raises(TrainingError, match="finished 1 of its 2 epochs.*resume with 2 epochs"):
        run(samples, tmp_path, replace(QUICK, epochs=3), resume=True)
    assert json.loads((tmp_path / "settings.json").read_text())["epochs"] == 2
