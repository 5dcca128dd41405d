"""Fixtures: everything a test reads is made here or in the test."""

import os
import signal

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, settings
from sets import write_second_tree

from scdcli.cli import main

# Tiny networks on one thread: more would only wait for each other. Before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# However busy the machine is: what a test says is not how long it takes.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

# A shell without job control ignores interruptions in the background, and children inherit that:
# what the tests start must hear them.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def _torch_runs_networks():
    """Only the tests of engines make graphs, which takes longer than to run a tiny network."""
    try:
        from scdcli.models import engines
    except ImportError:  # torch is not installed, and what is tested does without
        yield
        return
    fastest, engines.FASTEST = engines.FASTEST, "torch"
    yield
    engines.FASTEST = fastest


@pytest.fixture
def fastest(monkeypatch):
    """The engine that users get."""
    from scdcli.models import engines

    monkeypatch.setattr(engines, "FASTEST", "onnxruntime")


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def scd():
    """Run a command of the real group; returns click's result."""
    return lambda *args: CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture
def second_tree(tmp_path, rng):
    """A function that writes a SECOND-layout set: ``second_tree(pairs, size, splits, covers)``."""

    def write(pairs=4, size=64, splits=("train",), covers=False):
        return write_second_tree(tmp_path / "set", rng, pairs, size, splits, covers)

    return write
