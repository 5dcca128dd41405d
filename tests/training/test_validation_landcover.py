"""The land cover in validation: counted while training, logged, and absent where unknown."""

import csv

import numpy as np
import pytest
import torch
from covers import write_covered
from runs import train
from sets import find_samples

from scdcli.datasets.augment import Augmentation
from scdcli.datasets.dataset import read_images
from scdcli.datasets.indexpng import write_index_png
from scdcli.legend import NODATA, SECOND
from scdcli.models.checkpoint import load_model, read_tensors, write_tensors
from scdcli.models.networks import NetworkSettings
from scdcli.training import loop
from scdcli.training.runfolder import EpochLog
from scdcli.training.trainer import Hardware, TrainingSettings
from scdcli.training.validation import validate

TINY = NetworkSettings("asn", width=0.125)
TYPES = NetworkSettings("fc-siam-diff", width=0.125)
CPU = Hardware(torch.device("cpu"))


def settings_of(epochs=1, *, cover=True):
    return TrainingSettings(epochs=epochs, batch=2, cover=cover, augmentation=Augmentation(chip=32))


@pytest.fixture
def samples(tmp_path):
    """Four pairs, the second without land cover; of the first rows the class is not known."""
    write_covered(tmp_path / "set", "abcd", without="b", unknown=slice(0, 16))
    return find_samples(tmp_path / "set")


def run(samples, out, settings, network=TINY, **options):
    validation = samples[:2]
    events = train(samples[2:], validation, out, network, SECOND, settings, CPU, **options)
    return [event for event in events if isinstance(event, EpochLog)]


def rows_of(out):
    with (out / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def miou_by_hand(model, sample, drawn, labelled):
    """Mean IoU over both dates of one pair, from the definition."""
    images = (torch.from_numpy(x).float()[None] for x, _ in read_images(sample))
    with torch.inference_mode():
        logits = model.eval()(*images)
    found = [x[0].argmax(0).numpy() + 1 for x in (logits.from_class, logits.to_class)]
    counts = [labelled & (cover != NODATA) for cover in drawn]
    ious = []
    for index in range(1, 7):
        both = [
            ((p == index) & (t == index) & c).sum()
            for p, t, c in zip(found, drawn, counts, strict=True)
        ]
        either = [
            (((p == index) | (t == index)) & c).sum()
            for p, t, c in zip(found, drawn, counts, strict=True)
        ]
        if sum(either):
            ious.append(sum(both) / sum(either))
    return np.mean(ious)


def test_an_epoch_logs_the_land_cover_of_the_pairs_that_have_it(samples, tmp_path):
    drawn = write_covered(tmp_path / "set", "abcd", without="b", unknown=slice(0, 16))
    label = drawn["a"]["label1"].copy()
    label[:, 60:] = NODATA  # what has no label does not count
    write_index_png(tmp_path / "set/label1/a.png", label, SECOND)
    (log,) = run(samples, tmp_path / "run", settings_of())
    model = load_model(str(tmp_path / "run/last.safetensors")).model
    covers = [drawn["a"][part] for part in ("cover1", "cover2")]
    expected = miou_by_hand(model, samples[0], covers, label != NODATA)
    assert 0 < expected < 1
    assert log.landcover_miou == pytest.approx(expected)
    (row,) = rows_of(tmp_path / "run")
    assert float(row["landcover_miou"]) == log.landcover_miou


@pytest.mark.parametrize(
    ("network", "cover"), [(TINY, False), (TYPES, True)], ids=["changes only", "types of change"]
)
def test_a_network_that_learns_no_land_cover_logs_none(samples, tmp_path, network, cover):
    (log,) = run(samples, tmp_path / "run", settings_of(cover=cover), network)
    assert log.landcover_miou is None
    assert log.miou is not None
    assert rows_of(tmp_path / "run")[0]["landcover_miou"] == ""


def test_without_land_cover_in_the_validation_the_score_is_undefined(samples):
    model = loop.make_trainer(samples, TINY, settings_of(), CPU).model
    found = validate(model, samples[1:2], SECOND, CPU, land_cover=True)
    assert found.landcover_miou.reason == "no pixel of known land cover has a predicted one"


def test_a_run_from_before_the_score_goes_on(samples, tmp_path):
    events = train(samples[2:], samples[:2], tmp_path / "run", TINY, SECOND, settings_of(2), CPU)
    for event in events:
        if isinstance(event, EpochLog):
            break
    events.close()
    state = tmp_path / "run/state.safetensors"
    tensors, described = read_tensors(state)
    for log in described["progress"]["logs"]:
        del log["landcover_miou"]
    write_tensors(state, tensors, described)
    (second,) = run(samples, tmp_path / "run", settings_of(2), resume=True)
    assert second.epoch == 2
    assert second.landcover_miou is not None
    rows = rows_of(tmp_path / "run")
    assert [row["landcover_miou"] for row in rows] == ["", str(second.landcover_miou)]
    assert (tmp_path / "run/curves.png").read_bytes().startswith(b"\x89PNG")
