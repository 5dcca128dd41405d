import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp
from rasterio.windows import Window
from scenes import noise, write_scene

from scdcli.errors import PairError
from scdcli.rasters.georeference import place_scene
from scdcli.rasters.pair.bands import choose_bands, same_bands
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.pair.settings import PairSettings
from scdcli.rasters.scene import open_scene

PLAIN = {"photometric": "MINISBLACK", "alpha": "NO"}
R, G, B, N = (ColorInterp[name] for name in ("red", "green", "blue", "nir"))


@pytest.fixture
def scene(tmp_path):
    """Writes a scene of which every band holds its own number, with names and colors."""

    def write(name, count, descriptions=(), colors=()):
        pixels = np.repeat(np.arange(1, count + 1, dtype=np.uint8)[:, None, None], 20, axis=1)
        path = write_scene(tmp_path / name, np.repeat(pixels, 20, axis=2), **PLAIN)
        with rasterio.open(path, "r+") as dataset:
            for band, text in enumerate(descriptions, start=1):
                dataset.set_band_description(band, text)
            if colors:
                dataset.colorinterp = colors
        return path

    return write


def read(paths, **settings):
    with open_pair(*paths, PairSettings(**settings)) as pair:
        before, after, _ = pair.read(Window(0, 0, 20, 20))
    bands = [tuple(image[:, 5, 5].astype(int).tolist()) for image in (before, after)]
    assert bands == [pair.bands, pair.after_bands]
    assert pair.provenance["bands"] == list(pair.bands)
    assert pair.provenance["after_bands"] == list(pair.after_bands)
    return (*bands, pair.notes)


NAMES = ("red", "green", "blue", "nir")
BY_NAME = {
    "another order": ((NAMES[:3], ()), (NAMES[2::-1], ()), (1, 2, 3), (3, 2, 1)),
    "more bands": ((NAMES[:3], ()), (NAMES, ()), (1, 2, 3), (1, 2, 3)),
    "fewer bands": ((NAMES, ()), (("blue", "red"), ()), (1, 3), (2, 1)),
    "colors": (((), (B, G, R)), ((), (R, G, B)), (1, 2, 3), (3, 2, 1)),
    "text and colors": ((("Red", " GREEN", "Blue"), ()), ((), (N, R, G, B)), (1, 2, 3), (2, 3, 4)),
}


@pytest.mark.parametrize("case", BY_NAME)
def test_bands_of_one_name_are_compared(scene, case):
    first, second, before, after = BY_NAME[case]
    counts = [max(len(texts), len(colors)) for texts, colors in (first, second)]
    paths = scene("a.tif", counts[0], *first), scene("b.tif", counts[1], *second)
    *bands, notes = read(paths)
    assert bands == [before, after]
    assert notes[0].startswith("Bands are matched by name (")
    assert f": {', '.join(map(str, before))} of {paths[0]}, " in notes[0]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((), ()),
        (("B2", "B3", "B4"), ("red", "green", "blue")),
        (("red", "green", "blue"), ()),
        (("band", "band", "band"), ("band", "band", "band")),
        (("red", "green", "blue"), ("red", "green")),
    ],
    ids=["none", "of two kinds", "of one file", "one for all", "in part"],
)
def test_names_that_contradict_nothing_change_nothing(scene, first, second):
    paths = scene("a.tif", 3, first), scene("b.tif", 3, second)
    assert read(paths) == ((1, 2, 3), (1, 2, 3), ())


@pytest.mark.parametrize(
    ("first", "second"),
    [((3, ()), (4, ())), ((3, ("red", "red", "blue")), (4, ("red", "blue", "green", "nir")))],
    ids=["without names", "one name twice"],
)
def test_what_names_do_not_settle_is_refused_with_both_lists(scene, first, second):
    paths = scene("a.tif", *first), scene("b.tif", *second)
    listing = ", ".join(rf"{band} \({name}\)" for band, name in enumerate(first[1], 1))
    listing = listing or r"1, 2, 3 \(no names\)"
    with pytest.raises(PairError, match=rf"3 bands and .*b\.tif has 4: {listing} in the first, 1"):
        open_pair(*paths).__enter__()


def test_names_choose_bands_of_both(scene):
    paths = scene("a.tif", 4, NAMES), scene("b.tif", 4, NAMES[::-1])
    assert read(paths, bands=("NIR", "red"))[:2] == ((4, 1), (1, 4))


def test_the_second_image_may_have_numbers_of_its_own(scene):
    paths = scene("a.tif", 4, NAMES), scene("b.tif", 5)
    *bands, notes = read(paths, bands=("red", "green"), after_bands=(5, 2))
    assert bands == [(1, 2), (5, 2)]
    assert f"Of {paths[1]} they are compared with bands 5, 2." in notes
    assert read((paths[0], paths[0]), after_bands=(4, 3, 2, 1))[1] == (4, 3, 2, 1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"bands": ("swir",)},
            r"--bands asks for swir, but .*a\.tif has no band named so; .*4 \(nir",
        ),
        ({"bands": ("red",)}, r"--bands asks for red, but .*b\.tif has 2 bands named so"),
        ({"bands": (1, 5)}, r"--bands asks for band 5, but .*a\.tif has bands 1 to 4"),
        ({"bands": (1,), "after_bands": (9,)}, r"--after-bands asks for band 9, but .*b\.tif has"),
        ({"bands": (1, 2), "after_bands": (1,)}, r"2 bands are chosen of .*a\.tif and 1 of"),
    ],
)
def test_bands_that_are_not_there_are_refused(scene, settings, message):
    paths = scene("a.tif", 4, NAMES), scene("b.tif", 4, ("red", "red", "blue", "nir"))
    with pytest.raises(PairError, match=message):
        open_pair(*paths, PairSettings(**settings)).__enter__()


def test_a_model_of_three_bands_takes_the_colors(scene):
    paths = scene("a.tif", 4, NAMES[::-1]), scene("b.tif", 5, ("swir", *NAMES))
    *bands, notes = read(paths, count=3)
    assert bands == [(4, 3, 2), (2, 3, 4)]
    said = "Of 4 bands red, green and blue are used: 4, 3, 2 and 2, 3, 4; for others give --bands."
    assert said in notes
    assert read(paths, count=4)[0] == (4, 3, 2, 1)[::-1]
    assert read(paths, count=3, bands=("nir",))[0] == (1,)
    unnamed = scene("c.tif", 4), scene("d.tif", 4)
    assert read(unnamed, count=3)[0] == (1, 2, 3, 4)


def test_what_reads_the_same_numbers_of_both_refuses_another_order(scene):
    paths = scene("a.tif", 3, NAMES[:3]), scene("b.tif", 3, NAMES[2::-1])
    with open_scene(paths[0]) as first, open_scene(paths[1]) as second:
        scenes = place_scene(first, paths[0]), place_scene(second, paths[1])
        assert same_bands(*scenes, (1, 2, 3)) == (1, 2, 3)
        assert choose_bands(*scenes).after == (3, 2, 1)
        with pytest.raises(PairError, match=r"different orders: 1 \(red\).* 1 \(blue\)"):
            same_bands(*scenes, None)


def test_an_alpha_band_may_come_anywhere(tmp_path):
    pixels = noise((4, 20, 20))
    pixels[0] = 255
    paths = [write_scene(tmp_path / f"{name}.tif", pixels, **PLAIN) for name in "ab"]
    with rasterio.open(paths[1], "r+") as dataset:
        dataset.colorinterp = (ColorInterp.alpha, *[ColorInterp.undefined] * 3)
    with open_pair(*paths, PairSettings(bands=(2, 3, 4))) as pair:
        assert pair.read(Window(0, 0, 20, 20))[2].all()
