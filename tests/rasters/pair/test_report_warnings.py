import pytest
import rasterio
from affine import Affine
from rasterio.windows import Window
from scenes import NORTH_UP, noise, write_scene

from scdcli.errors import PairError
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.pair.settings import PairSettings


def notes_of(*paths, **settings):
    with open_pair(*paths, PairSettings(**settings)) as pair:
        return " ".join(pair.notes)


@pytest.fixture
def scene(tmp_path):
    def write(name, shape=(60, 60), transform=NORTH_UP, **profile):
        return write_scene(tmp_path / name, noise((1, *shape)), transform, **profile)

    return write


@pytest.mark.parametrize(
    ("scale", "said"), [(2, ""), (2.5, "2.5"), (0.5, ""), (0.4, "2.5"), (1, "")]
)
def test_pixels_of_very_different_size_are_said(scene, scale, said):
    paths = scene("a.tif"), scene("b.tif", (160, 160), NORTH_UP @ Affine.scale(scale))
    notes = notes_of(*paths)
    coarser, finer = paths[::-1] if scale > 1 else paths
    expected = f"A pixel of {coarser} is {said} times as wide as one of {finer}"
    assert (expected in notes) == bool(said)
    assert bool(said) == ("times as wide" in notes)


@pytest.mark.parametrize(
    ("aside", "said"),
    [
        (590, "overlap in 6000 pixels only, less than the 512 x 512"),
        (599, "overlap in 600 pixels only, less than 1%"),
        (40, ""),
    ],
)
def test_a_small_overlap_is_said(scene, aside, said):
    paths = (
        scene("a.tif", (600, 600)),
        scene("b.tif", (600, 600), NORTH_UP @ Affine.translation(aside, 0)),
    )
    notes = notes_of(*paths)
    assert said in notes
    assert bool(said) == ("pixels only" in notes)


def test_a_margin_of_a_few_pixels_is_no_small_overlap(scene):
    paths = (
        scene("a.tif", (512, 512)),
        scene("b.tif", (512, 512), NORTH_UP @ Affine.translation(2, 3)),
    )
    assert "pixels only" not in notes_of(*paths)


def dated(path, **tags):
    with rasterio.open(path, "r+") as dataset:
        for name, text in tags.items():
            namespace = "IMAGERY" if name == "ACQUISITIONDATETIME" else None
            dataset.update_tags(ns=namespace, **{name: text})
    return path


TAGS = ("TIFFTAG_DATETIME", "ACQUISITIONDATETIME")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({TAGS[0]: "2019:05:01 10:00:00"}, {TAGS[0]: "2018:05:01 10:00:00"}, True),
        ({TAGS[0]: "2018:05:01 10:00:00"}, {TAGS[0]: "2018:05:01 10:00:00"}, False),
        ({TAGS[0]: "2018:05:01 10:00:00"}, {TAGS[0]: "2019:05:01 10:00:00"}, False),
        ({TAGS[0]: "2019:05:01 10:00:00"}, {}, False),
        ({TAGS[0]: "2019:05:01 10:00:00"}, {TAGS[1]: "2018-05-01 10:00:00"}, False),
        ({TAGS[1]: "2019-05-01 10:00:00"}, {TAGS[1]: "2018-05-01T10:00:00Z"}, True),
        (
            {TAGS[0]: "2019:05:01 10:00:00", TAGS[1]: "2017-01-01 10:00:00"},
            {TAGS[0]: "2018:05:01 10:00:00", TAGS[1]: "2018-01-01 10:00:00"},
            False,
        ),
        ({TAGS[0]: "yesterday"}, {TAGS[0]: "today"}, False),
    ],
    ids=["earlier", "same", "later", "one", "of two kinds", "acquired", "acquired counts", "words"],
)
def test_an_after_that_is_earlier_is_said(scene, before, after, said):
    paths = dated(scene("a.tif"), **before), dated(scene("b.tif"), **after)
    assert (f"{paths[1]} (" in (notes := notes_of(*paths))) == said
    assert ("the earlier image comes first" in notes) == said


def test_a_nodata_value_that_cannot_occur_marks_nothing(scene):
    """As older programs wrote it; rasterio refuses to write it, and to tell of it."""
    path = scene("a.tif", nodata=123)
    content = path.read_bytes()
    assert content.count(b"123\0") == 1
    path.write_bytes(content.replace(b"123\0", b"-99\0"))
    for shift in ((0, 0), (0.5, 0)):
        with open_pair(path, path, PairSettings(shift=shift)) as pair:
            assert pair.read(Window(0, 5, 60, 50))[2].all()


def test_a_file_of_several_images_is_said(tmp_path):
    path = tmp_path / "pages.tif"
    pages = noise((1, 60, 60)), noise((1, 60, 60), seed=1)
    for page in pages:
        write_scene(path, page, append_subdataset=path.exists())
    assert f"{path} holds 2 images; the first is read." in notes_of(path, path)


def test_a_first_image_that_is_a_preview_is_said_with_the_command_for_the_other(tmp_path):
    path = tmp_path / "two pages.tif"
    for size in (40, 60, 200, 40):
        write_scene(path, noise((1, size, size)), append_subdataset=path.exists())
    assert (
        f"{path} holds 4 images; the first is read, which has 40 x 40 pixels and may be a preview: "
        "number 3 has 200 x 200. Write that one into a file of its own: gdal_translate "
        f"'GTIFF_DIR:3:{path}' image.tif"
    ) in notes_of(path, path)
    with rasterio.open(f"GTIFF_DIR:3:{path}") as page:
        assert page.shape == (200, 200)


def test_a_preview_that_does_not_fit_the_other_image_is_said_in_the_error(tmp_path):
    path = tmp_path / "pages.tif"
    for size in (40, 60):
        write_scene(path, noise((1, size, size)), crs=None, append_subdataset=path.exists())
    other = write_scene(tmp_path / "b.tif", noise((1, 60, 60)), crs=None)
    with pytest.raises(PairError, match=r"sizes differ: 40 x 40 and 60 x 60 .* holds 2 images; "):
        notes_of(path, other)


def test_overviews_are_no_images_of_their_own(scene):
    path = scene("a.tif", (300, 300))
    with rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2, 4])
    assert "images" not in notes_of(path, path)


def test_a_sound_pair_gets_no_warning(scene):
    assert (
        notes_of(
            dated(scene("a.tif"), TIFFTAG_DATETIME="2018:05:01 10:00:00"), scene("b.tif", nodata=0)
        )
        == ""
    )


COLORS = ("red", "green", "blue", "infrared")


def named(path, names, **profile):
    write_scene(path, noise((len(names), 60, 60), "uint16"), **profile)
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = names
    return path


def test_bands_that_nobody_chose_out_of_more_are_doubtful(tmp_path):
    paths = [named(tmp_path / f"{name}.tif", COLORS) for name in "ab"]
    with open_pair(*paths, PairSettings(count=3)) as pair:
        (said,) = pair.warnings
        assert said == "Of 4 bands red, green and blue are used: 1, 2, 3; for others give --bands."
        assert pair.notes.count(said) == 1
    for settings in (PairSettings(count=4), PairSettings(count=3, bands=(1, 2, 3))):
        with open_pair(*paths, settings) as pair:
            assert pair.warnings == ()


def test_bands_matched_by_name_are_doubtful_only_where_some_are_left_out(tmp_path):
    before = named(tmp_path / "a.tif", COLORS[:3])
    for names, doubtful in ((COLORS[2::-1], False), (COLORS, True), (COLORS[::-1], True)):
        with open_pair(before, named(tmp_path / "b.tif", names)) as pair:
            assert any("matched by name" in note for note in pair.notes)
            assert bool(pair.warnings) == doubtful
