"""What the training of the default model learns from, and what it refuses."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from livebanks import bank
from PIL import Image

from scdcli.legend import URBAN
from scdcli.simulation.drawn import World
from scdcli.simulation.pairset import write_set

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


def test_a_drawn_world_is_a_bank_of_two_dates(script, tmp_path):
    write_set(tmp_path, World(128, URBAN), 2, seed=3)
    bank = script.packs.drawn(tmp_path)

    def read(kind):
        return np.array(Image.open(tmp_path / "train" / kind / "00001.png"))

    assert bank.images.shape == (4, 3, 128, 128)
    assert bank.pairs.tolist() == [[0, 1], [2, 3]]
    assert bank.images[3].permute(1, 2, 0).numpy().tolist() == read("im2").tolist()
    cover, label = read("cover2"), read("label1")
    assert bank.covers[3].numpy().tolist() == np.where(cover == 255, 0, cover).tolist()
    assert 0 < (label > 0).mean() < 1
    assert bank.changed[1].numpy().tolist() == np.where(label == 255, 255, label > 0).tolist()


def test_a_share_of_the_scenes_comes_from_the_drawn_world(script):
    run = script.Run(drawn=0.25, size=32, batch=64)
    ahead = script.Ahead(run, script.Draws.seeded(0, torch.device("cpu")))
    known = bank(dates=2)
    world = replace(known, covers=torch.full_like(known.covers, 5))
    nowhere = replace(known, covers=torch.zeros_like(known.covers))
    batch = ahead.next([(nowhere, 1.0)], world)
    share = (batch.covers.flatten(1) == 5).any(dim=1).float().mean()
    assert 0.1 < share < 0.4  # 64 scenes, of which 16 are expected
