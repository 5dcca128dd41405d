"""A running command that is stopped: its exit status, what it says, what it leaves."""

import os
import signal
import subprocess
import sys
import time

import pytest
from scenes import noise, write_scene
from standins import tiny_model

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
    assert "go on with --resume" in error
    assert "Traceback" not in error
    assert not (tmp_path / "out").exists()
    assert [path.name for path in (tmp_path / ".out.partial").iterdir()] == ["journal"]
