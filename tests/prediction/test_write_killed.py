"""Whatever ends a prediction, and whenever: no wreck, and the same result afterwards."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from scenes import write_scene

HERE = Path(__file__).parents[1]
KILLS = 8

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs signals and fork")


def test_a_prediction_killed_at_any_moment_goes_on_to_the_same_bytes(tmp_path, rng):
    """By SIGKILL and by an interruption, in one process that has imported everything."""
    for name in ("before", "after"):
        classes = np.kron(rng.integers(0, 6, (1, 20, 20)), np.ones((1, 12, 12)))
        image = np.repeat(classes * 40 + 20, 3, axis=0).astype(np.uint8)
        write_scene(tmp_path / f"{name}.tif", image)
    path = os.pathsep.join((str(HERE), os.environ.get("PYTHONPATH", "")))
    done = subprocess.run(
        [sys.executable, "-W", "error", HERE / "kills.py", tmp_path, str(KILLS), "KILL", "INT"],
        capture_output=True,
        text=True,
        env=os.environ | {"SOURCE_DATE_EPOCH": "1700000000", "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    by_signal = json.loads(done.stdout.splitlines()[-1])
    assert list(by_signal) == ["KILL", "INT"]
    for name, found in by_signal.items():
        assert found["files"] > 10, name
        assert found["kills"] >= KILLS, name
        assert found["resumed"] > 0, name
        assert found["failures"] == 0, done.stderr
        assert found["wrecks"] == 0, name
        assert found["different"] == [], name
        assert found["left"] == [], name


LONG_CALL = """
    import sys, time
    from contextlib import nullcontext
    from scdcli.files.interruption import mortal, owning_the_process

    try:
        with owning_the_process() if sys.argv[1] == "ours" else nullcontext(), mortal():
            print("in it", flush=True)
            time.sleep(60)
    except KeyboardInterrupt:
        print("unwound", flush=True)
"""


@pytest.mark.parametrize(("whose", "ending"), [("ours", -signal.SIGINT), ("theirs", 0)])
def test_only_a_process_of_ours_dies_in_a_long_call(whose, ending):
    command = [sys.executable, "-c", textwrap.dedent(LONG_CALL), whose]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "in it\n"
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    assert process.returncode == ending
    assert rest == ("" if whose == "ours" else "unwound\n")
