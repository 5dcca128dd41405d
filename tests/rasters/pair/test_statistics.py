"""A file of statistics: maps a pair as its own would, and many tiles as one."""

import json

import numpy as np
import pytest
from rasterio.windows import Window
from scenes import NORTH_UP, noise, write_scene

from scdcli.errors import InputError, PairError
from scdcli.rasters.pair.arrays import pair_of_arrays
from scdcli.rasters.pair.mappings import MeanStd
from scdcli.rasters.pair.open import match_pair, open_pair
from scdcli.rasters.pair.pooling import pool_statistics
from scdcli.rasters.pair.settings import PairSettings
from scdcli.rasters.pair.statistics import read_statistics, write_statistics

KNOWN = MeanStd((100.0, 90.0), (40.0, 50.0))
ALL = Window(0, 0, 60, 40)


def write(folder, name, seed, low=0.0, dtype="uint16", count=2):
    """A scene of slopes and noise."""
    slope = np.arange(60) * 30 + np.arange(40)[:, None] * 10 + low
    pixels = (slope + noise((count, 40, 60), "float64", 0, 100, seed)).astype(dtype)
    return write_scene(folder / f"{name}.tif", pixels)


@pytest.fixture
def pair(tmp_path):
    return write(tmp_path, "a", 1), write(tmp_path, "b", 2, 50)


def kept(folder, statistics):
    path = folder / "stats.json"
    write_statistics(path, statistics)
    return str(path)


@pytest.mark.parametrize("normalize", ["none", "match", "pif"])
@pytest.mark.parametrize("mean_std", [None, KNOWN])
def test_a_file_of_one_pair_maps_it_as_it_is_mapped_without(tmp_path, pair, normalize, mean_std):
    settings = PairSettings(normalize=normalize)
    path = kept(tmp_path, pool_statistics([pair], settings))
    read = []
    for statistics in ("whole", path):
        asked = PairSettings(normalize=normalize, mean_std=mean_std, statistics=statistics)
        with open_pair(*pair, asked) as opened:
            read.append(opened.read(ALL))
    for own, others in zip(*read, strict=True):
        np.testing.assert_array_equal(own, others)
    assert any("by the statistics of 1 pair in stats.json" in note for note in opened.notes)
    assert opened.provenance["statistics"]["pairs"] == 1


def test_tiles_are_mapped_as_the_image_they_were_cut_from(tmp_path):
    """Of pictures as small as these all pixels are samples."""
    images = [noise((2, 40, 120), "uint16", 100, 3000, seed) for seed in (1, 2)]
    images[1] += np.arange(120, dtype=np.uint16) * 20
    tiles = []
    for left in (0, 60):
        place = NORTH_UP @ NORTH_UP.translation(left, 0)
        files = (tmp_path / f"{name}{left}.tif" for name in "ab")
        cuts = (image[:, :, left : left + 60] for image in images)
        tiles.append(tuple(write_scene(*each, place) for each in zip(files, cuts, strict=True)))
    wholes = [write_scene(tmp_path / f"{n}.tif", i) for n, i in zip("ab", images, strict=True)]
    path = kept(tmp_path, pool_statistics(tiles, PairSettings(normalize="match")))
    settings = {"normalize": "match", "mean_std": KNOWN}
    with open_pair(*wholes, PairSettings(**settings)) as whole:
        expected = whole.read(Window(60, 0, 60, 40))
    with open_pair(*tiles[1], PairSettings(**settings, statistics=path)) as tile:
        got = tile.read(ALL)
    assert tile.stretch == whole.stretch
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)
    with open_pair(*tiles[1], PairSettings(**settings)) as alone:
        assert np.abs(alone.read(ALL)[0] - expected[0]).max() > 1


def test_arrays_take_them_too(tmp_path):
    images = [noise((2, 40, 60), "uint16", 100, 3000, seed) for seed in (1, 2)]
    files = [write_scene(tmp_path / f"{n}.tif", i) for n, i in zip("ab", images, strict=True)]
    path = kept(tmp_path, pool_statistics([files], PairSettings()))
    part = pair_of_arrays(*(image[:, 5:20] for image in images), PairSettings(statistics=path))
    whole = pair_of_arrays(*images)
    np.testing.assert_array_equal(
        part.read(Window(0, 0, 60, 15))[0], whole.read(Window(0, 5, 60, 15))[0]
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bands": (1,)}, "with the bands 1,2, and .*a.tif and .*b.tif are read with 1; make it"),
        ({"normalize": "match"}, "with --normalize none, .* with match"),
        ({"scale": (0, 500)}, "with --scale none, .* with 0,500"),
    ],
)
def test_statistics_of_pairs_read_otherwise_are_refused_at_once(tmp_path, pair, settings, message):
    path = kept(tmp_path, pool_statistics([pair], PairSettings()))
    with pytest.raises(PairError, match=message):
        match_pair(*pair, PairSettings(statistics=path, **settings))


def test_statistics_of_another_type_are_refused(tmp_path, pair):
    path = kept(tmp_path, pool_statistics([pair], PairSettings()))
    others = [write(tmp_path, name, 3, dtype="float32") for name in "cd"]
    with pytest.raises(PairError, match=r"the types uint16,uint16, and .* with float32,float32"):
        match_pair(*others, PairSettings(statistics=path))
    with pytest.raises(PairError, match=r"are read with the bands .* float32.*no statistics fit"):
        pool_statistics([pair, others], PairSettings())


def spoiled(said, path):
    if path == "absent":
        return None
    if path == "no JSON":
        return "{"
    if path == "a list":
        return "[1]"
    if path == "later":
        return json.dumps(said | {"statistics": 7})
    if path == "short":
        return json.dumps(said | {"stretch": {"low": [1], "high": [2]}})
    return json.dumps({name: value for name, value in said.items() if name != path})


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("absent", r"stats.json cannot be read \(No such file"),
        ("no JSON", "stats.json holds no statistics"),
        ("a list", "stats.json holds no statistics"),
        ("later", "stats.json has format 7 of statistics, this scd .* reads up to 1"),
        ("short", "1 values for 2 bands"),
        ("stretch", "stats.json lacks 'stretch'"),
        ("statistics", "stats.json lacks 'statistics'"),
        ("before", "stats.json lacks 'before'"),
    ],
)
def test_what_is_no_file_of_statistics_is_one_sentence(tmp_path, pair, fault, message):
    said = pool_statistics([pair], PairSettings()).to_dict()
    text = spoiled(said, fault)
    if text is not None:
        (tmp_path / "stats.json").write_text(text)
    with pytest.raises(InputError, match=message) as refused:
        read_statistics(str(tmp_path / "stats.json"))
    assert "\n" not in str(refused.value)
    assert "scd check --statistics" in str(refused.value)
