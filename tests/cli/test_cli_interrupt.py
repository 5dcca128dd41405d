"""A running command that is stopped: its exit status, what it says, what it leaves."""

import os
import signal
import subprocess
import sys
import time

import pytest
from scenes import noise, write_scene
from standins import tiny_model

from scdcli.cli.terminal import resuming_call
from scdcli.training import loop

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs signals")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_prediction_says_how_to_go_on(tmp_path, number, status):
    for seed, name in enumerate(("a.tif", "b.tif")):
        write_scene(tmp_path / name, noise((3, 1300, 1300), seed=seed))
    tiny_model(tmp_path / "model.safetensors")
    command = [sys.executable, "-m", "scdcli", "predict", "a.tif", "b.tif", "-o", "out"]
    options = ["-m", "model.safetensors", "--chip", "64", "--overlap", "0"]
    with subprocess.Popen(
        [*command, *options],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"NO_COLOR": "1"},
    ) as process:
        while process.poll() is None and not (tmp_path / ".out.partial/journal").exists():
            time.sleep(0.01)
        process.send_signal(number)
        said, error = process.communicate(timeout=60)
    assert process.returncode == status, error
    assert said == ""
    kept, call, *_ = error[error.index("What is done is kept in ") :].splitlines()
    assert kept == f"What is done is kept in {tmp_path / '.out.partial'}; go on with"
    assert call.startswith("  scd predict a.tif b.tif -o out -m model.safetensors ")
    assert call.endswith(" --overlap 0 --resume")
    assert "Traceback" not in error
    assert not (tmp_path / "out").exists()
    assert [path.name for path in (tmp_path / ".out.partial").iterdir()] == ["journal"]


@pytest.fixture
def stop(monkeypatch):
    """Let a function be interrupted instead of run: ``stop(name)``."""

    def stop(name):
        def interrupted(*_, **__):
            raise KeyboardInterrupt

        monkeypatch.setattr(name, interrupted)

    return stop


def test_before_anything_is_kept_that_is_said(scd, tmp_path, stop):
    for seed, name in enumerate(("a.tif", "b.tif")):
        write_scene(tmp_path / name, noise((3, 60, 60), seed=seed))
    tiny_model(tmp_path / "model.safetensors")
    stop("scdcli.prediction.write.compute_layers")
    images = (tmp_path / "a.tif", tmp_path / "b.tif")
    options = ("-m", tmp_path / "model.safetensors", "-o", tmp_path / "out", "--chip", "64")
    result = scd("predict", *images, *options)
    assert result.exit_code == 130
    assert "Nothing is kept yet: parts are, after 30 seconds of work each.\n" in result.stderr
    assert not (tmp_path / ".out.partial").exists()


@pytest.mark.parametrize(
    ("given", "typed"),
    [
        (["a.tif", "b c.tif", "--resume"], "scd predict a.tif 'b c.tif' --resume"),
        (["--", "-a.tif", "b.tif"], "scd predict --resume -- -a.tif b.tif"),
        (["https://h/a.tif?sig=key", "b.tif"], "scd predict 'https://h/a.tif' b.tif --resume"),
    ],
)
def test_the_call_that_goes_on_is_the_one_that_was_typed(scd, monkeypatch, given, typed):
    seen = []

    def remembered(*_, **__):
        seen.append(resuming_call())
        raise KeyboardInterrupt

    monkeypatch.setattr("scdcli.cli.predict._predict_one", remembered)
    assert scd("predict", *given).exit_code == 130
    assert seen == [typed]


def test_a_stopped_training_says_whether_an_epoch_is_kept(scd, second_tree, tmp_path, monkeypatch):
    root = second_tree(pairs=2, size=64)
    protocol = ("--width", "0.125", "--chip", "64", "--batch", "2", "--epochs", "2")
    command = ("train", root, "-o", tmp_path / "run", *protocol)
    plan = loop.plan_epoch
    stop_at = [1]

    def plan_or_stop(pairs, epoch, *rest):
        if epoch == stop_at[0]:
            raise KeyboardInterrupt
        return plan(pairs, epoch, *rest)

    monkeypatch.setattr("scdcli.training.loop.plan_epoch", plan_or_stop)
    first = scd(*command)
    assert first.exit_code == 130
    assert "Nothing is kept: a run is kept from its first finished epoch on.\n" in first.stderr
    stop_at[0] = 2
    second = scd(*command)
    assert second.exit_code == 130
    typed = " ".join(map(str, command))
    kept = f"All finished epochs are kept in {tmp_path / 'run'}; go on with\n  scd {typed} --resume"
    assert kept in second.stderr
    stop_at[0] = 3
    assert scd(*command, "--resume").exit_code == 0


def test_what_cannot_go_on_says_so(scd, tmp_path, stop):
    stop("scdcli.simulation.job.SimulationJob.write_pairs")
    simulated = scd("simulate", tmp_path / "set", "--pairs", "2")
    assert simulated.exit_code == 130
    assert "Nothing is kept: a split appears when all its pairs are made." in simulated.stderr
    assert scd("simulate", tmp_path / "set", "--pairs", "2", "-q").stderr == "Interrupted.\n"


def test_a_stopped_evaluation_says_so(scd, second_tree, stop):
    root = second_tree(pairs=1, size=64, splits=("test",))
    stop("scdcli.scoring.run.Scoring.score")
    result = scd("evaluate", root, "--pred", root)
    assert result.exit_code == 130
    assert "Nothing is kept: scores are written when all pairs are scored." in result.stderr
