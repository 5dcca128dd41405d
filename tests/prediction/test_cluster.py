"""Supertiles predicted by other processes."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scenes import write_scene
from standins import tiny_model

from scdcli.errors import InputError, OutputError
from scdcli.prediction import cluster as clusters
from scdcli.prediction import task as tasks
from scdcli.prediction.chain import find_supertiles
from scdcli.prediction.cluster import Cluster, open_cluster, scheduler_address
from scdcli.prediction.layers import compute_layers
from scdcli.prediction.predictor import make_predictor
from scdcli.prediction.settings import InferenceSettings
from scdcli.prediction.task import compute, describe_task
from scdcli.prediction.tiling import Tiling
from scdcli.prediction.tta import TTA
from scdcli.rasters.pair.arrays import pair_of_arrays
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.pair.settings import PairSettings

HERE = Path(__file__).parents[1]
INFERENCE = InferenceSettings(device="cpu", engine="torch", tta="none", mmu="4px")


@pytest.fixture
def scenes(tmp_path, rng):
    for name in ("before", "after"):
        classes = np.kron(rng.integers(0, 6, (1, 20, 20)), np.ones((1, 9, 9)))
        image = np.repeat(classes * 40 + 20, 3, axis=0).astype(np.uint8)
        write_scene(tmp_path / f"{name}.tif", image)
    return tmp_path / "before.tif", tmp_path / "after.tif"


@pytest.fixture
def predictor(tmp_path):
    made = make_predictor(str(tiny_model(tmp_path / "model.safetensors")), INFERENCE)
    return replace(made, tiling=Tiling(64, 16, 2))


@pytest.fixture
def task(scenes, predictor):
    with open_pair(*scenes) as pair:
        return describe_task(pair, predictor, land_cover=True)


@pytest.mark.parametrize("settings", [PairSettings(), PairSettings(normalize="match")])
def test_a_task_gives_the_bits_of_this_process(scenes, predictor, settings):
    with open_pair(*scenes, settings) as pair:
        task = describe_task(pair, predictor, land_cover=True)
        tiles = list(find_supertiles(pair, predictor))
        assert len(tiles) > 2
        found = compute_layers(pair, tiles, predictor, land_cover=True)
        for number, here in enumerate(found):
            there = compute(task, number)
            assert here.keys() == there.keys()
            assert "before_cover" in there
            assert all((here[name] == there[name]).all() for name in here)


def test_a_worker_looks_again_at_the_chips_that_this_process_does(scenes, predictor, monkeypatch):
    monkeypatch.setitem(TTA, "adaptive", TTA["flip"])  # quicker
    used = replace(predictor, tta="adaptive", tiling=Tiling(64, 16, 1))
    with open_pair(*scenes) as pair:
        task = describe_task(pair, used, land_cover=False)
        first = next(find_supertiles(pair, used))
        (here,) = compute_layers(pair, [first], used, land_cover=False)
    there = compute(task, 0)
    assert here["looks"][:, 2].any()
    assert here.keys() == there.keys()
    assert all((here[name] == there[name]).all() for name in here)


def test_the_path_of_an_image_does_not_depend_on_the_folder(scenes, predictor, monkeypatch):
    monkeypatch.chdir(scenes[0].parent)
    with open_pair("before.tif", "after.tif") as pair:
        task = describe_task(pair, predictor, land_cover=False)
    assert task.images == tuple(map(str, scenes))


def test_another_image_of_the_name_is_refused(scenes, task):
    scenes[1].write_bytes(scenes[1].read_bytes() + b"more")
    with pytest.raises(InputError, match=r"after\.tif has \d+ bytes here and \d+ where"):
        compute(task, 0)


def test_an_image_that_is_not_there_is_named_with_the_machine(scenes, task):
    scenes[0].unlink()
    with pytest.raises(InputError, match=rf"before\.tif.*on {socket.gethostname()}"):
        compute(task, 0)


def test_other_versions_are_refused_with_both(task):
    other = replace(task.model, versions=task.model.versions | {"torch": "1.0"})
    with pytest.raises(InputError, match=r"torch \d\S* are installed here, and .*torch 1\.0"):
        compute(replace(task, model=other), 0)


def test_another_bundled_model_of_the_name_is_refused(task):
    other = replace(task.model, name="urban", content=None)
    with pytest.raises(InputError, match="the bundled model urban is another one here"):
        compute(replace(task, key="another", model=other), 0)


def test_arrays_stay_in_their_process(predictor):
    image = np.zeros((3, 80, 80), np.uint8)
    pair = pair_of_arrays(image, image, PairSettings())
    with pytest.raises(InputError, match="arrays are predicted in this process"):
        describe_task(pair, predictor, land_cover=False)


def test_a_pair_is_opened_once(task, monkeypatch):
    opened = []
    monkeypatch.setattr(tasks, "open_pair", lambda *a: opened.append(a) or open_pair(*a))
    compute(task, 0)
    compute(task, 1)
    assert len(opened) == 1


def test_a_scheduler_is_an_address_or_its_file(tmp_path):
    assert scheduler_address("tcp://10.0.0.7:8786") == "tcp://10.0.0.7:8786"
    file = tmp_path / "scheduler.json"
    file.write_text(json.dumps({"address": "tls://head:8786", "workers": {}}))
    assert scheduler_address(str(file)) == "tls://head:8786"


@pytest.mark.parametrize("where", ["local:0", "local:x", "head:8786", "tcp://head"])
def test_what_is_neither_is_refused(where):
    with pytest.raises(InputError, match=rf"--scheduler {where} is neither local:N"):
        scheduler_address(where)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"address": 8786}', '{"address": "head"}'])
def test_a_file_of_no_scheduler_is_refused(tmp_path, text):
    (tmp_path / "scheduler.json").write_text(text)
    with pytest.raises(InputError, match="is no file of a scheduler"):
        scheduler_address(str(tmp_path / "scheduler.json"))


def test_without_dask_the_line_that_installs_it_is_given(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'scdcli\[dask\]'"), open_cluster("local:2"):
        pass


def test_predictions_outlive_workers_and_schedulers(scenes, tmp_path):
    """A worker is killed, then a scheduler, and a scheduler has no worker."""
    pytest.importorskip("distributed", reason="needs scdcli[dask]")
    tiny_model(tmp_path / "model.safetensors")
    path = os.pathsep.join((str(HERE), os.environ.get("PYTHONPATH", "")))
    done = subprocess.run(
        [sys.executable, HERE / "clusters.py", tmp_path],
        capture_output=True,
        text=True,
        env=os.environ | {"SOURCE_DATE_EPOCH": "1700000000", "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["files"] > 10
    assert found["killed worker"] == []
    assert "is gone; what is done is kept; go on with --resume" in found["killed scheduler"]
    assert found["kept"] > 0
    assert found["resumed"] == []
    assert "here has had no worker for 2 seconds" in found["nobody"]


class Deaf:
    """A client of a scheduler whose workers offer what they are made with."""

    status = "running"

    def __init__(self, **resources):
        self.resources = resources

    def scheduler_info(self):
        return {"workers": {"tcp://a:1": {"nthreads": 1, "resources": self.resources}}}


def test_work_for_a_gpu_does_not_wait_for_workers_without_one(task, monkeypatch):
    monkeypatch.setattr(clusters, "PATIENCE", 0.05)
    monkeypatch.setattr(clusters, "POLL", 0.01)
    with pytest.raises(OutputError, match=r"no worker that offers a GPU .*--resources \"GPU=1\""):
        next(Cluster(Deaf(), "here").predict(task, [0], gpu=True))
    with pytest.raises(AttributeError, match="submit"):  # is given work
        next(Cluster(Deaf(GPU=1.0), "here").predict(task, [0], gpu=True))


def test_nobody_at_an_address_is_said_in_time(monkeypatch):
    pytest.importorskip("distributed", reason="needs scdcli[dask]")
    monkeypatch.setattr(clusters, "ANSWER", 0.5)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    with (
        pytest.raises(InputError, match=f"no scheduler answers at {address}"),
        open_cluster(address),
    ):
        pass
