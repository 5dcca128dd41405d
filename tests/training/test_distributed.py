"""Two processes train as one: on the CPU over gloo, started by torchrun as a user would."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from ranks import SETTINGS, scores_of_validation, second_stage
from sets import write_second_tree
from standins import tiny_model

from scdcli.errors import InputError
from scdcli.training.distributed import ALONE, Ranks, launched, pick_shared_device
from scdcli.training.trainer import Hardware

HERE = Path(__file__).parents[1]
CPU = Hardware(torch.device("cpu"))
LAUNCH = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("ranks")


def launch(*words):
    return subprocess.run(
        [sys.executable, *LAUNCH, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"OMP_NUM_THREADS": "1", "GOMP_SPINCOUNT": "20000"},
        check=False,
    )


@pytest.fixture(scope="module")
def outcome(folder):
    """What both processes did, in order of rank."""
    write_second_tree(folder / "set", np.random.default_rng(7), pairs=8)
    tiny_model(folder / "asn.safetensors")
    done = launch(HERE / "ranks.py", folder)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    return json.loads((folder / "outcome.json").read_text())


def comparable(logs):
    # Approximate equality knows no None, which a score is where it is undefined, and no nesting.
    flat = [log | log["class_iou"] | {"class_iou": None} for log in logs]
    return [{k: v for k, v in log.items() if "second" not in k and v is not None} for log in flat]


def test_nothing_holds_the_connection_when_it_is_closed(folder, outcome):
    """Else its threads may abort a process that has done all its work."""
    assert json.loads((folder / "left.json").read_text()) == 0


def test_both_compute_what_one_does(outcome, folder):
    alone = comparable(second_stage(folder, "one", SETTINGS, CPU))
    for rank in outcome:
        for name in ("logs", "accumulated"):
            for log, expected in zip(comparable(rank[name]), alone, strict=True):
                assert log == pytest.approx(expected, rel=1e-5)


def test_the_scores_of_one_state_are_equal(outcome, folder):
    expected = scores_of_validation(folder, CPU)
    assert [rank["validation"] for rank in outcome] == [expected, expected]


def test_every_sample_is_seen_once_an_epoch(outcome):
    one, two = ({tuple(item) for item in rank["seen"]} for rank in outcome)
    assert not one & two
    assert one | two == {(epoch, index) for epoch in (1, 2) for index in range(8)}
    assert len(one) == len(two) == 8


def test_a_whole_network_trains_and_resumes_in_step(outcome):
    epochs, losses, _ = outcome[0]["whole"]
    assert (epochs, len(losses)) == ([2], 1)
    assert outcome[0]["whole"] == outcome[1]["whole"]


def test_the_error_of_one_ends_all(outcome):
    assert "gone.png" in outcome[0]["error"]
    assert outcome[0]["error"] == outcome[1]["error"]


def test_whatever_stops_one_is_told_to_all(outcome):
    assert [rank["trouble"] for rank in outcome] == ["ScdError('MemoryError()')", "MemoryError()"]


def test_a_loss_that_is_no_number_ends_all(outcome):
    assert "Lower --lr" in outcome[0]["ruined"]
    assert outcome[0]["ruined"] == outcome[1]["ruined"]


def test_only_the_first_process_writes_and_prints(outcome, folder):
    command = ("train", folder / "set", "--network", "asn-atl", "--width", "0.125")
    command += ("--init", folder / "asn.safetensors", "--chip", "64", "--atl-epochs", "1")
    done = launch("-m", "scdcli", *command, "-o", folder / "run", "--batch", "2")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{folder / 'run/best.safetensors'}\n"
    assert done.stderr.count("on cpu in 2 processes") == 1
    assert done.stderr.count("epoch 1/1") == 1
    with (folder / "run/log.csv").open() as stream:
        assert len(list(csv.DictReader(stream))) == 1


@pytest.mark.parametrize(("rank", "said"), [("0", True), ("1", False)])
def test_an_error_before_they_are_connected_is_said_once(scd, monkeypatch, tmp_path, rank, said):
    places = {"RANK": rank, "WORLD_SIZE": "2", "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": "2"}
    for name, value in places.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    result = scd("train", tmp_path, "-o", tmp_path / "run")
    assert result.exit_code == 1
    assert ("2 processes are started" in result.stderr) == said


def test_a_place_is_what_torchrun_says(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert launched() == ALONE
    places = {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4"}
    for name, value in places.items():
        monkeypatch.setenv(name, value)
    assert launched() == Ranks(5, 8, 1, 4)


def test_each_process_takes_its_own_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    second = Ranks(1, 2, 1, 2)
    assert pick_shared_device("auto", second) == torch.device("cuda", 1)
    assert pick_shared_device("cuda", second) == torch.device("cuda", 1)
    assert pick_shared_device("cpu", second) == torch.device("cpu")
    assert pick_shared_device("cuda:1", ALONE) == torch.device("cuda", 1)
    with pytest.raises(InputError, match=r"cuda:1 is one GPU for 2 processes; give --device cuda"):
        pick_shared_device("cuda:1", second)
    with pytest.raises(InputError, match=r"4 processes are started .* sees 2 CUDA GPUs; start 2"):
        pick_shared_device("auto", Ranks(0, 4, 0, 4))
