"""The example that redraws the paper's Fig. 6."""

import subprocess
import sys
from pathlib import Path

from maps import draw, write_second

SCRIPT = Path(__file__).parents[2] / "examples/score_collapse.py"


def run(*arguments, cwd):
    command = [sys.executable, SCRIPT, *arguments]
    return subprocess.run(map(str, command), cwd=cwd, capture_output=True, text=True, check=False)


def test_scores_collapse_with_the_prediction(tmp_path):
    small = ("--pairs", 2, "--size", 128)
    result = run("drawn.png", *small, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "drawn.png").read_bytes().startswith(b"\x89PNG")
    rows = [line.split() for line in result.stdout.splitlines()[1:]]
    share, accuracy, kappa, sek = zip(*[map(float, row) for row in rows], strict=True)
    assert (share[0], share[-1], kappa[-1], sek[-1]) == (0, 1, 0, 0)
    # All fall, accuracy least and SeK most.
    assert accuracy[0] > accuracy[-1] > 0.5
    assert kappa[10] / kappa[0] > sek[10] / sek[0]


def test_scores_collapse_on_a_labelled_set(tmp_path):
    maps = {name: draw(seed, shape=(64, 64)) for seed, name in enumerate("ab")}
    write_second(tmp_path / "set", maps)
    result = run("out.png", "set", "--start", "perfect", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[1].split() == ["0.00", "1.000", "1.000", "1.000"]
