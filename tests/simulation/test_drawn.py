"""Files of the simulator: layout, place, repeatability, and what is refused."""

import json
import os

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

from scdcli.errors import OutputError
from scdcli.legend import NODATA, SECOND, URBAN, Legend
from scdcli.rasters.cog import TAGS
from scdcli.simulation.drawn import World, in_urban_classes, write_demo
from scdcli.simulation.pairset import FOLDERS, write_set
from scdcli.simulation.world import draw_pair


def _contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.png")}


def _read(path):
    with rasterio.open(path, driver="PNG") as source:
        return source.read()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp("set") / "world"
    calls = []
    summary = write_set(out, World(128), 3, seed=4, progress=lambda *done: calls.append(done))
    return out, summary, calls


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_layout_is_that_of_second(written):
    out, summary, calls = written
    names = {f"{folder}/{number:05d}.png" for folder in FOLDERS for number in range(3)}
    everything = {p.relative_to(out / "train").as_posix() for p in (out / "train").rglob("*.*")}
    assert everything == names | {"simulation.json"}
    assert json.loads((out / "train/simulation.json").read_text())["pixel_size"] == 0.5
    assert [p.name for p in out.iterdir()] == ["train"]
    assert calls == [(1, 3), (2, 3), (3, 3)]
    assert summary.folder == out / "train"


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_labels_are_colors_of_the_legend_and_agree_with_the_cover(written):
    out, summary, _ = written
    changed = 0
    for number in range(3):
        maps = {
            name: SECOND.decode(_read(out / "train" / name / f"{number:05d}.png"), name)
            for name in ("label1", "label2", "cover1", "cover2")
        }
        here = maps["label1"] > 0
        changed += int(here.sum())
        np.testing.assert_array_equal(maps["label1"][here], maps["cover1"][here])
        np.testing.assert_array_equal(maps["label2"][here], maps["cover2"][here])
        assert maps["cover1"].min() > 0
    assert summary.changed_share == pytest.approx(changed / (3 * 128 * 128))
    assert sum(summary.transitions.values()) == changed


class Killed:
    """Makes no pair: the process that is to do it ends."""

    size = 8

    def make(self, seed):
        os._exit(9)


def test_a_killed_worker_is_an_error_with_advice(tmp_path):
    with pytest.raises(OutputError, match="one of the 2 processes .* use fewer --workers"):
        write_set(tmp_path, Killed(), 3, workers=2)
    assert not (tmp_path / "train").exists()


def test_workers_do_not_change_a_byte(written, tmp_path):
    out, summary, _ = written
    again = write_set(tmp_path, World(128), 3, seed=4, workers=2)
    assert _contents(tmp_path) == _contents(out)
    assert again.transitions == summary.transitions


def test_a_longer_set_begins_with_the_shorter(written, tmp_path):
    out, _, _ = written
    write_set(tmp_path, World(128), 1, seed=4)
    mine, theirs = _contents(tmp_path), _contents(out)
    assert all(theirs[name] == mine[name] for name in mine)


@pytest.mark.parametrize("change", [{"split": "test"}, {"seed": 5}], ids=["split", "seed"])
def test_split_and_seed_give_other_pairs(written, tmp_path, change):
    out, _, _ = written
    settings = {"split": "train", "seed": 4} | change
    write_set(tmp_path, World(128), 1, **settings)
    mine = (tmp_path / settings["split"] / "im1" / "00000.png").read_bytes()
    assert mine != (out / "train" / "im1" / "00000.png").read_bytes()


def test_an_existing_split_is_refused_and_kept(written):
    out, _, _ = written
    before = _contents(out)
    with pytest.raises(OutputError, match=r"train exists.*--overwrite"):
        write_set(out, World(128), 1, seed=9)
    assert _contents(out) == before


def test_overwrite_replaces_the_split(tmp_path):
    for pairs in (2, 1):
        write_set(tmp_path, World(128), pairs, overwrite=True)
    assert len(list((tmp_path / "train" / "im1").iterdir())) == 1


def test_an_interrupted_set_leaves_nothing(tmp_path):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_set(tmp_path / "world", World(128), 2, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_demo_is_a_georeferenced_scene_with_truth(tmp_path):
    out = tmp_path / "demo"
    write_demo(out, World(300, URBAN), seed=2)
    assert json.loads((out / "simulation.json").read_text())["pixel_size"] == 0.5
    pair = in_urban_classes(draw_pair(2, 300, 300))
    with rasterio.open(out / "before.tif") as before, rasterio.open(out / "after.tif") as after:
        assert before.crs.to_epsg() == 32632
        assert before.res == (0.5, 0.5)
        assert before.transform == after.transform
        assert before.colorinterp == (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
        assert before.profile["tiled"]
        assert before.profile["compress"] == "deflate"
        np.testing.assert_array_equal(after.read(), pair.after)
        place = before.transform
    for name, classes in (("from", pair.from_class), ("to", pair.to_class)):
        with rasterio.open(out / "truth" / f"{name}.tif") as truth:
            np.testing.assert_array_equal(truth.read(1), classes)
            assert truth.nodata == NODATA
            assert truth.transform == place
            assert truth.colormap(1)[2][:3] == URBAN[2].color


def test_demo_has_the_classes_asked_for(tmp_path):
    write_demo(tmp_path / "demo", World(128, SECOND), seed=2)
    with rasterio.open(tmp_path / "demo/truth/to.tif") as truth:
        np.testing.assert_array_equal(truth.read(1), draw_pair(2, 128, 128).to_class)
        assert Legend.from_dict(json.loads(truth.tags(ns=TAGS)["LEGEND"])) == SECOND


def test_an_existing_demo_is_refused(tmp_path):
    with pytest.raises(OutputError, match="exists"):
        write_demo(tmp_path, World(128))
