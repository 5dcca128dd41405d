"""`write_prediction` with ``resume``: what it takes up, leaves alone and refuses."""

import os
import pkgutil
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from scenes import write_scene
from standins import Thresholds, loaded

from scdcli.errors import OutputError
from scdcli.prediction.chain import Predictor
from scdcli.prediction.settings import MappingUnit, OutputSettings
from scdcli.prediction.tiling import Tiling
from scdcli.prediction.write import write_prediction
from scdcli.rasters.pair.open import open_pair

RASTERS = ("from.tif", "to.tif", "transition.tif", "probability.tif")


class Stopped(Thresholds):
    """Is interrupted after so many forward passes."""

    def __init__(self, passes):
        super().__init__()
        self.left, self.seen = passes, 0

    def forward(self, before, after):
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1
        self.seen += 1
        return super().forward(before, after)


@pytest.fixture
def scenes(tmp_path, rng):
    """BEFORE and AFTER of 100 × 140 pixels: six supertiles of one stride."""
    blocks = rng.integers(0, 6, (2, 10, 14))
    return [
        write_scene(
            tmp_path / name,
            np.kron(np.stack([classes * 40 + 20] * 3), np.ones((1, 10, 10))).astype(np.uint8),
        )
        for name, classes in zip(("before.tif", "after.tif"), blocks, strict=True)
    ]


@pytest.fixture(autouse=True)
def same_time(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


def run(scenes, out, network=None, threshold=0.5, supertile=1, batch=1, mmu="0", **settings):
    predictor = Predictor(
        loaded(network or Thresholds()),
        torch.device("cpu"),
        threshold,
        tiling=Tiling(64, 16, supertile),
        batch=batch,
        unit=MappingUnit.parse(mmu),
    )
    with open_pair(*scenes) as pair:
        return write_prediction(pair, predictor, out, OutputSettings(**settings))


def interrupt(scenes, out, passes=5, **settings):
    network = Stopped(passes)
    with pytest.raises(KeyboardInterrupt):
        run(scenes, out, network, **settings)
    return network.seen


def rasters(out):
    return [(out / name).read_bytes() for name in RASTERS]


def test_an_interrupted_prediction_goes_on_where_it_was(scenes, tmp_path):
    whole = Stopped(-1)
    run(scenes, tmp_path / "whole", whole)
    interrupt(scenes, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    rest = Stopped(-1)
    summary = run(scenes, tmp_path / "out", rest, resume=True)
    assert summary["supertiles_resumed"] > 0
    assert rest.seen <= whole.seen
    assert rasters(tmp_path / "out") == rasters(tmp_path / "whole")
    assert not (tmp_path / ".out.partial").exists()


def test_a_chip_on_the_border_of_supertiles_is_predicted_once(scenes, tmp_path):
    one, many = Stopped(-1), Stopped(-1)
    run(scenes, tmp_path / "one", one, supertile=100)
    run(scenes, tmp_path / "many", many, supertile=1)
    assert many.seen == one.seen > 1
    assert rasters(tmp_path / "many") == rasters(tmp_path / "one")
    assert not (tmp_path / "many/chips").exists()


def test_without_room_for_chips_they_are_predicted_again(scenes, tmp_path, monkeypatch):
    def full(stream, layer, **more):
        stream.write(b"half of it")
        raise OSError(28, "No space left on device")

    one, many = Stopped(-1), Stopped(-1)
    run(scenes, tmp_path / "one", one, supertile=100)
    monkeypatch.setattr("scdcli.prediction.chipstore.np.save", full)
    run(scenes, tmp_path / "many", many, supertile=1)
    assert many.seen > one.seen
    assert rasters(tmp_path / "many") == rasters(tmp_path / "one")


@pytest.mark.parametrize("batch", [1, 2])
def test_a_single_supertile_goes_on_at_the_chip_where_it_was(scenes, tmp_path, monkeypatch, batch):
    monkeypatch.setattr("scdcli.prediction.journal.KEEP_EVERY", 0)
    one = {"supertile": 100, "batch": batch}
    whole = Stopped(-1)
    run(scenes, tmp_path / "whole", whole, **one)
    passes = whole.seen // 2
    assert interrupt(scenes, tmp_path / "out", passes, **one) == passes
    kept = [path.name for path in (tmp_path / ".out.partial/journal").iterdir()]
    assert sorted(kept) == ["000000.part", "identity.json"]
    rest = Stopped(-1)
    run(scenes, tmp_path / "out", rest, resume=True, **one)
    assert rest.seen == whole.seen - passes
    assert rasters(tmp_path / "out") == rasters(tmp_path / "whole")
    assert not (tmp_path / ".out.partial").exists()


def test_a_damaged_part_of_a_supertile_is_done_again(scenes, tmp_path, monkeypatch):
    monkeypatch.setattr("scdcli.prediction.journal.KEEP_EVERY", 0)
    run(scenes, tmp_path / "whole", supertile=100)
    interrupt(scenes, tmp_path / "out", 3, supertile=100)
    part = tmp_path / ".out.partial/journal/000000.part"
    part.write_bytes(part.read_bytes()[:-1000])
    run(scenes, tmp_path / "out", resume=True, supertile=100)
    assert rasters(tmp_path / "out") == rasters(tmp_path / "whole")


STAGES = {  # where it fails, with what, and what of that reaches the caller
    "reading": ("scdcli.prediction.chain.read_chips", RuntimeError("gone"), RuntimeError),
    "network": ("scdcli.prediction.chain._forward", RuntimeError("shapes"), RuntimeError),
    "adding": ("scdcli.prediction.tiling.Blend.add", KeyboardInterrupt(), KeyboardInterrupt),
    "cleaning": ("scdcli.prediction.chain.clean", KeyboardInterrupt(), KeyboardInterrupt),
    "keeping": ("scdcli.prediction.journal.Journal.store", OSError(28, "full"), OutputError),
}


@pytest.mark.parametrize("stage", STAGES)
def test_what_fails_in_one_thread_ends_all_and_what_is_done_is_kept(
    scenes, tmp_path, monkeypatch, stage
):
    name, error, raised = STAGES[stage]
    run(scenes, tmp_path / "whole", mmu="2px")
    calls = []
    with monkeypatch.context() as patch:
        whole = pkgutil.resolve_name(name)

        def failing(*arguments, **named):
            calls.append(threading.current_thread() is threading.main_thread())
            if len(calls) == 4:  # in the third supertile at the latest
                raise error
            return whole(*arguments, **named)

        patch.setattr(name, failing)
        threads = threading.active_count()
        with pytest.raises(raised):
            run(scenes, tmp_path / "out", mmu="2px")
    assert set(calls) == {stage not in ("reading", "network")}
    assert threading.active_count() == threads
    assert [path.name for path in (tmp_path / ".out.partial").iterdir()] == ["journal"]
    summary = run(scenes, tmp_path / "out", resume=True, mmu="2px")
    assert summary["supertiles_resumed"] > 0
    assert rasters(tmp_path / "out") == rasters(tmp_path / "whole")


def test_without_resume_all_is_done_again(scenes, tmp_path):
    interrupt(scenes, tmp_path / "out")
    assert run(scenes, tmp_path / "out")["supertiles_resumed"] == 0


def test_what_does_not_touch_the_rasters_may_change(scenes, tmp_path):
    interrupt(scenes, tmp_path / "out")
    summary = run(scenes, tmp_path / "out", resume=True, formats=("fgb",), simplify=2)
    assert summary["supertiles_resumed"] > 0
    assert (tmp_path / "out/changes.fgb").exists()


@pytest.mark.parametrize("land_cover", [False, True])
def test_land_cover_is_kept_when_it_is_wanted(scenes, tmp_path, land_cover):
    interrupt(scenes, tmp_path / "out", land_cover=land_cover)
    run(scenes, tmp_path / "out", resume=True, land_cover=land_cover)
    assert (tmp_path / "out/before_cover.tif").exists() == land_cover


def test_other_settings_or_images_are_refused_and_nothing_is_lost(scenes, tmp_path):
    interrupt(scenes, tmp_path / "out")
    with pytest.raises(OutputError, match=r"threshold was 0\.5 and is 0\.6.*leave out --resume"):
        run(scenes, tmp_path / "out", threshold=0.6, resume=True)
    with pytest.raises(OutputError, match="land_cover was false and is true"):
        run(scenes, tmp_path / "out", land_cover=True, resume=True)
    before = scenes[0].stat()
    os.utime(scenes[0], (before.st_atime, before.st_mtime + 60))
    with pytest.raises(OutputError, match="inputs before modified was"):
        run(scenes, tmp_path / "out", resume=True)
    os.utime(scenes[0], (before.st_atime, before.st_mtime))
    assert run(scenes, tmp_path / "out", resume=True)["supertiles_resumed"] > 0


def test_a_finished_prediction_is_left_alone(scenes, tmp_path):
    first = run(scenes, tmp_path / "out")
    network = Stopped(0)
    assert run(scenes, tmp_path / "out", network, resume=True) == first
    assert run(scenes, tmp_path / "out", network, resume=True, overwrite=True) == first


def test_the_lock_of_a_process_killed_after_the_naming_goes_with_the_next_run(scenes, tmp_path):
    first = run(scenes, tmp_path / "out")
    (tmp_path / "out/.lock").touch()
    assert run(scenes, tmp_path / "out", resume=True) == first
    assert not (tmp_path / "out/.lock").exists()


def test_a_finished_prediction_of_something_else_is_replaced_only_when_allowed(scenes, tmp_path):
    run(scenes, tmp_path / "out")
    with pytest.raises(OutputError, match=r"is finished.*threshold was 0\.5 and is 1\.0"):
        run(scenes, tmp_path / "out", threshold=1.0, resume=True)
    again = run(scenes, tmp_path / "out", threshold=1.0, resume=True, overwrite=True)
    assert again["settings"]["threshold"] == 1.0


def test_a_folder_that_is_no_prediction_is_never_taken_for_one(scenes, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/summary.json").write_text("{}")
    with pytest.raises(OutputError, match="is finished, but was made from something else"):
        run(scenes, tmp_path / "out", resume=True)


def test_a_full_disk_keeps_what_is_done(scenes, tmp_path, monkeypatch):
    from scdcli.prediction import journal

    sync, calls = os.fsync, []

    def full(stream):
        calls.append(stream)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        sync(stream)

    monkeypatch.setattr(journal.os, "fsync", full)
    with pytest.raises(OutputError, match=r"No space left on device.*has room"):
        run(scenes, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert sorted(path.name for path in (tmp_path / ".out.partial").iterdir()) == ["journal"]
    names = {path.name for path in (tmp_path / ".out.partial/journal").iterdir()}
    assert names == {"identity.json", "000000.npz", "000001.npz"}
    assert run(scenes, tmp_path / "out", resume=True)["supertiles_resumed"] == 2


def test_a_supertile_of_another_size_is_another_journal(scenes, tmp_path):
    interrupt(scenes, tmp_path / "out")
    predictor = Predictor(
        loaded(Thresholds()), torch.device("cpu"), 0.5, tiling=replace(Tiling(64, 16), supertile=2)
    )
    settings = OutputSettings(resume=True)
    with open_pair(*scenes) as pair, pytest.raises(OutputError, match="supertile was 1 and is 2"):
        write_prediction(pair, predictor, tmp_path / "out", settings)
