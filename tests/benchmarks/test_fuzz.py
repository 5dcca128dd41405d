"""A small share of the campaign of damaged inputs; the whole is `benchmarks/fuzz.py`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(sys.platform != "linux", reason="forks, and limits memory")
def test_damaged_inputs_are_sentences():
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks/fuzz.py", "--inputs", "20", "--seed", "7"],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\n20 inputs, seed 7: 0 traceback, 0 crash, 0 hang, 0 memory, 0 output\n" in done.stdout
