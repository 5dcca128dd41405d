"""Training learns, resumes to the same bits, and stops in time."""

import csv
import json
from dataclasses import replace
from shutil import copytree

import numpy as np
import pytest
import torch
from runs import CPU, QUICK, TINY, run, tensors, train
from sets import find_samples, write_second_tree

from scdcli.datasets.augment import Augmentation
from scdcli.errors import ModelError, OutputError, TrainingError, UnknownName
from scdcli.legend import SECOND
from scdcli.models.checkpoint import load_model
from scdcli.models.networks import NetworkSettings
from scdcli.training import loop, optimization, runfolder
from scdcli.training.loop import StepDone
from scdcli.training.runfolder import EpochLog
from scdcli.training.trainer import OPTIMIZERS, TrainingSettings, WeightAverage


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    root = tmp_path_factory.mktemp("samples")
    return find_samples(write_second_tree(root, np.random.default_rng(7), covers=True) / "train")


@pytest.fixture(scope="module")
def whole(samples, tmp_path_factory):
    """The folder of a run to the end, and what it told of each epoch."""
    out = tmp_path_factory.mktemp("whole")
    return out, run(samples, out)


@pytest.fixture(scope="module")
def first_epoch(samples, tmp_path_factory):
    out = tmp_path_factory.mktemp("first")
    run(samples, out, stop_after=1)
    return out


@pytest.fixture
def begun(first_epoch, tmp_path):
    """The folder of a run that was killed after its first epoch."""
    return copytree(first_epoch, tmp_path / "begun")


def exhausted(*_, **__):
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")


def spoil(patch):
    """Let every loss be no number."""
    original = optimization.change_loss
    patch.setattr(optimization, "change_loss", lambda *a, **k: original(*a, **k) * float("nan"))


def test_a_run_leaves_models_log_and_curves(whole):
    out, logs = whole
    assert [log.epoch for log in logs] == [1, 2, 3]
    names = {path.name for path in out.iterdir()}
    assert names == {
        "best.safetensors",
        "last.safetensors",
        "state.safetensors",
        "log.csv",
        "curves.png",
        "confusion.png",
        "settings.json",
    }
    for name in ("curves.png", "confusion.png"):
        assert (out / name).read_bytes().startswith(b"\x89PNG")
    with (out / "log.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["loss"]) for row in rows] == [log.loss for log in logs]
    assert all(float(row["gradient_norm"]) > 0 for row in rows)
    for name in SECOND.names:
        ious = [log.class_iou[name] for log in logs]
        assert [row[f"iou_{name}"] for row in rows] == ["" if x is None else str(x) for x in ious]
    header = load_model(str(out / "last.safetensors")).header
    history = header.training["history"]
    assert history["epoch"] == [1, 2, 3]
    assert history["loss"] == [log.loss for log in logs]
    assert (header.network, header.legend, header.chip) == (TINY, SECOND, 32)
    assert header.training["epoch"] == 3


def test_the_confusion_is_that_of_the_best_epoch_on_every_labelled_pixel(
    samples, tmp_path, monkeypatch
):
    drawn = []
    monkeypatch.setattr(loop, "write_confusion", lambda *given: drawn.append(given))
    logs = run(samples, tmp_path, stop_after=2)
    assert drawn == []
    logs += run(samples, tmp_path, resume=True)
    ((folder, matrix, classes, title),) = drawn
    assert (folder, classes) == (tmp_path, SECOND.names)
    assert matrix.shape == (7, 7)
    assert matrix.sum() == 2 * 64 * 64
    best = load_model(str(tmp_path / "best.safetensors")).header
    assert title == f"epoch {best.training['epoch']}, 1 validation pair"
    hits = matrix.diagonal()
    with np.errstate(invalid="ignore"):
        ious = (hits / (matrix.sum(axis=0) + matrix.sum(axis=1) - hits))[1:]
    logged = logs[best.training["epoch"] - 1].class_iou
    assert logged == {n: None if np.isnan(x) else x for n, x in zip(classes, ious, strict=True)}


def test_curves_are_drawn_at_the_end_and_before_it_now_and_then(samples, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(runfolder, "draw_curves", lambda logs: drawn.append(len(logs)) or b"")
    run(samples, tmp_path / "quick", replace(QUICK, epochs=2))
    monkeypatch.setattr(runfolder, "DRAW_EVERY", 0)
    run(samples, tmp_path / "slow", replace(QUICK, epochs=2))
    assert drawn == [2, 1, 2]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_resumed_run_ends_in_the_same_bits(samples, tmp_path, optimizer):
    settings = replace(QUICK, optimizer=optimizer)
    whole = run(samples, tmp_path / "whole", settings)
    run(samples, tmp_path / "cut", settings, stop_after=1)
    resumed = run(samples, tmp_path / "cut", settings, resume=True)
    assert [log.epoch for log in resumed] == [2, 3]
    assert [log.loss for log in resumed] == [log.loss for log in whole[1:]]
    for name in ("last.safetensors", "best.safetensors", "state.safetensors"):
        one, two = tensors(tmp_path / "whole" / name), tensors(tmp_path / "cut" / name)
        assert all(torch.equal(one[key], two[key]) for key in one)


def test_a_kill_in_mid_epoch_resumes_from_the_last_whole_one(samples, whole, tmp_path):
    events = train(samples[1:], samples[:1], tmp_path / "cut", TINY, SECOND, QUICK, CPU)
    for event in events:
        if not isinstance(event, EpochLog) and event.epoch == 2:
            events.close()
            break
    resumed = run(samples, tmp_path / "cut", resume=True)
    assert [log.loss for log in resumed] == [log.loss for log in whole[1][1:]]


def test_an_existing_run_is_not_overwritten(samples, begun):
    with pytest.raises(
        OutputError, match="holds a training run already; continue it with --resume"
    ):
        run(samples, begun)


def test_resuming_with_other_settings_names_them(samples, begun):
    with pytest.raises(TrainingError, match=r"lr was 0\.003 and is 0\.1"):
        run(samples, begun, replace(QUICK, lr=0.1), resume=True)


def test_a_run_from_before_a_setting_existed_had_its_default(samples, begun):
    path = begun / "settings.json"
    older = json.loads(path.read_text())
    del older["accumulate"]
    path.write_text(json.dumps(older))
    with pytest.raises(TrainingError, match=r"accumulate was 1 and is 2"):
        run(samples, begun, replace(QUICK, batch=1, accumulate=2), resume=True)
    assert [log.epoch for log in run(samples, begun, resume=True)] == [2, 3]


def test_an_interrupted_run_goes_on(samples, whole, tmp_path, monkeypatch):
    original = loop.optimize
    steps = iter([False, True])  # in the second epoch

    def interrupted(*arguments):
        if next(steps):
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(loop, "optimize", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(samples, tmp_path / "cut")
    monkeypatch.setattr(loop, "optimize", original)
    assert not list((tmp_path / "cut").glob("*.partial"))
    resumed = run(samples, tmp_path / "cut", resume=True)
    assert [log.loss for log in resumed] == [log.loss for log in whole[1][1:]]


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_model(samples, begun, monkeypatch):
    good = (begun / "last.safetensors").read_bytes()
    spoil(monkeypatch)
    with pytest.raises(TrainingError, match=r"loss is nan at step 1 of epoch 2.*Lower --lr"):
        run(samples, begun, resume=True)
    assert (begun / "last.safetensors").read_bytes() == good


@pytest.mark.parametrize(
    ("where", "batch", "sentence"),
    [
        ("optimize", 2, r"batch of 2 chips of 32 pixels; give --batch 1 --accumulate 2"),
        ("optimize", 1, r"batch of 1 chips of 32 pixels; give a smaller --chip, for example 16"),
    ],
)
def test_too_little_memory_is_one_sentence_with_a_way_out(
    samples, tmp_path, monkeypatch, where, batch, sentence
):
    run(samples, tmp_path, replace(QUICK, batch=batch), stop_after=1)
    monkeypatch.setattr(loop, where, exhausted)
    with pytest.raises(TrainingError, match=sentence):
        run(samples, tmp_path, replace(QUICK, batch=batch), resume=True)
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 2


def test_an_epoch_that_cannot_be_scored_is_kept_and_scored_when_resumed(
    samples, whole, begun, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr(loop, "validate", exhausted)
        for _ in range(2):  # twice without memory is one epoch still
            with pytest.raises(TrainingError, match=r"whole validation pairs.* kept.*--resume"):
                run(samples, begun, resume=True)
            rows = (begun / "log.csv").read_text().splitlines()
            assert len(rows) == 3
            assert load_model(str(begun / "last.safetensors")).header.training["epoch"] == 2
            assert load_model(str(begun / "best.safetensors")).header.training["epoch"] == 1
            assert rows[2].split(",")[3:8] == [""] * 5
    assert [log.epoch for log in run(samples, begun, resume=True)] == [2, 3]
    for name in ("last.safetensors", "best.safetensors"):
        one, two = tensors(whole[0] / name), tensors(begun / name)
        assert all(torch.equal(one[key], two[key]) for key in one)
    scores = [
        [row["miou"] for row in csv.DictReader((out / "log.csv").read_text().splitlines())]
        for out in (whole[0], begun)
    ]
    assert scores[0] == scores[1]


def test_a_batch_that_ends_in_a_single_pixel_is_one_sentence(samples, tmp_path):
    deep = replace(TINY, name="hrscd-str2")
    alone = replace(QUICK, batch=1)
    with pytest.raises(TrainingError, match="one chip of 32 pixels.* larger --batch, or --chip 64"):
        list(train(samples, [], tmp_path, deep, SECOND, alone, CPU))


def test_without_validation_the_last_epoch_is_the_result(samples, tmp_path):
    events = train(samples, [], tmp_path / "run", TINY, SECOND, QUICK, CPU)
    logs = [event for event in events if isinstance(event, EpochLog)]
    assert all(log.val_loss is None and log.miou is None for log in logs)
    best, last = (tmp_path / "run" / f"{name}.safetensors" for name in ("best", "last"))
    assert best.read_bytes() == last.read_bytes()


def test_learning_rate_decays_by_poly(samples, tmp_path):
    logs = run(samples, tmp_path, replace(QUICK, epochs=3, poly_power=0.9))
    steps = 3  # 3 samples in batches of 2, the short batch dropped: 1 step an epoch
    expected = [QUICK.lr * (1 - done / steps) ** 0.9 for done in range(3)]
    np.testing.assert_allclose([log.lr for log in logs], expected)


def test_unknown_optimizers_and_wrong_band_counts_are_refused(samples, tmp_path):
    with pytest.raises(UnknownName, match="'lion'; choose one of: adamw, sgd"):
        run(samples, tmp_path, replace(QUICK, optimizer="lion"))
    four = replace(TINY, bands=4)
    events = train(samples, [], tmp_path / "run", four, SECOND, QUICK, CPU)
    with pytest.raises(TrainingError, match=r"has 3 bands, the network is built for 4"):
        next(events)


def test_a_tiny_network_overfits_one_pair(second_tree, tmp_path):
    """The only test of learning itself: the changes of one pair, from its labels."""
    samples = find_samples(second_tree(pairs=1, size=64, covers=True) / "train")
    settings = TrainingSettings(
        epochs=1,
        batch=1,
        optimizer="adamw",
        lr=5e-3,
        cover=True,
        augmentation=Augmentation(chip=64, scale=(1.0, 1.0), flip=False),
    )
    network = NetworkSettings("hrscd-str4", width=0.125)  # a quarter of the time of asn
    out = tmp_path / "run"
    events = train(samples * 30, [], out, network, SECOND, settings, CPU)
    losses = [event.loss for event in events if isinstance(event, StepDone)]
    assert len(losses) == 30
    assert losses[-1] < 0.4 * losses[0]


def test_the_average_follows_quickly_at_first_and_slowly_later():
    model = torch.nn.Linear(1, 1)
    torch.nn.init.zeros_(model.weight)
    average = WeightAverage(model, decay=0.99)
    torch.nn.init.ones_(model.weight)
    average.update(model)
    assert average.model.weight.item() == pytest.approx(1 - 2 / 11)
    average.updates = 10**6
    before = average.model.weight.item()
    average.update(model)
    assert average.model.weight.item() == pytest.approx(1 - 0.99 * (1 - before))


def test_weights_ruined_by_the_last_step_are_not_kept(samples, begun, monkeypatch):
    good = {path.name: path.read_bytes() for path in begun.glob("*.safetensors")}
    original = loop.optimize

    def ruin(trainer, parts, hardware):
        loss = original(trainer, parts, hardware)
        next(trainer.model.parameters()).data.fill_(float("nan"))
        return loss

    monkeypatch.setattr(loop, "optimize", ruin)
    with pytest.raises(TrainingError, match=r"no longer numbers at the end of epoch 2.*epoch 1"):
        run(samples, begun, resume=True)
    assert good == {path.name: path.read_bytes() for path in begun.glob("*.safetensors")}


def test_a_run_whose_state_is_gone_is_not_trained_anew(samples, begun):
    (begun / "state.safetensors").unlink()
    with pytest.raises(TrainingError, match=r"models but no state\.safetensors"):
        run(samples, begun, resume=True)


def test_a_run_that_never_finished_an_epoch_does_not_block_the_next(samples, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        spoil(patch)
        with pytest.raises(TrainingError, match="no epoch was finished before"):
            run(samples, tmp_path)
    assert len(run(samples, tmp_path, replace(QUICK, lr=1e-3), stop_after=1)) == 1


def test_a_run_may_start_from_the_weights_of_another(samples, first_epoch, tmp_path):
    start = load_model(str(first_epoch / "last.safetensors"))
    still = replace(QUICK, lr=1e-12, ema=0.0, weight_decay=0.0)
    run(samples, tmp_path / "second", still, stop_after=1, start=start)
    going_on = load_model(str(tmp_path / "second/last.safetensors"))
    assert going_on.header.training["init"]["sha256"] == start.sha256
    for name, tensor in going_on.model.named_parameters():
        torch.testing.assert_close(tensor, dict(start.model.named_parameters())[name])


def test_a_start_of_another_network_names_both(samples, first_epoch, tmp_path):
    start = load_model(str(first_epoch / "last.safetensors"))
    wider = replace(TINY, width=0.25)
    events = train(samples, [], tmp_path / "second", wider, SECOND, QUICK, CPU, start=start)
    with pytest.raises(ModelError, match=r"width 0\.125 there and 0\.25 here"):
        next(events)
