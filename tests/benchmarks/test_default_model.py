"""The training of the default model refuses a pack that lacks what it learns from."""

import sys
from pathlib import Path

import pytest
from livebanks import bank

FOLDER = str(Path(__file__).parents[2] / "benchmarks/gpu")


@pytest.fixture(scope="module")
def script():
    sys.path.insert(0, FOLDER)
    import default_model

    yield default_model
    sys.path.remove(FOLDER)
    for name in ("default_model", "pack"):
        del sys.modules[name]


@pytest.mark.parametrize(
    ("dates", "real", "refused"), [(1, True, True), (1, False, False), (2, True, False)]
)
def test_without_two_dates_of_a_place_a_sentence_comes_first(script, dates, real, refused):
    unpacked = script.packs.Unpacked(bank(), bank(dates=dates), None, [])
    run = script.Run(real=real)
    if not refused:
        script.require_places(unpacked, run, Path("pack.zip"))
        return
    with pytest.raises(SystemExit, match=r"pack\.zip: none of its 4 pairs .* give --no-real"):
        script.require_places(unpacked, run, Path("pack.zip"))
