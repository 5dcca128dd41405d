from dataclasses import replace
from io import BytesIO

import matplotlib.image
import numpy as np
import pytest
from maps import draw, write_png, write_prediction, write_second
from rasterio.windows import Window
from scenes import noise, write_scene

from scdcli.errors import DatasetError, OutputError
from scdcli.legend import SECOND, LandCover, Legend
from scdcli.scoring.evaluation import count_set
from scdcli.scoring.figures.panels import (
    Column,
    Panels,
    choose_pairs,
    draw_panel,
    numbered_legend,
    panel_files,
    picture_side,
    text_width,
)
from scdcli.scoring.figures.thumbnails import ClassThumbnail
from scdcli.scoring.mappairs import Prediction, ScoredWindow, pairs_of_files
from scdcli.scoring.mapsets import find_predictions, find_truth

SHAPE = (64, 64)
TRUTH = {name: draw(seed, shape=SHAPE) for seed, name in enumerate("abcdef")}
RED = (128, 0, 0)  # of buildings


@pytest.fixture
def truth(tmp_path):
    """Six labelled pairs of 64 pixels with images."""
    root = write_second(tmp_path / "set", TRUTH)
    for seed, folder in enumerate(("im1", "im2")):
        (root / folder).mkdir()
        for name in TRUTH:
            path = root / folder / f"{name}.png"
            write_scene(path, noise((3, *SHAPE), seed=seed), None, None, driver="PNG")
    return find_truth(root)


def pixels(png):
    """(H, W, 3) uint8."""
    return (matplotlib.image.imread(BytesIO(png), format="png")[..., :3] * 255).round()


def share_of(picture, color):
    return float((picture == np.array(color)).all(axis=-1).mean())


def column(title="x", shape=(100, 100), color=RED):
    picture = np.full((*shape, 3), color, np.uint8)
    return Column(title, picture, picture)


def test_the_first_four_pairs_are_drawn_unless_named(truth):
    assert list(choose_pairs(truth, []).maps) == ["a", "b", "c", "d"]
    assert list(choose_pairs(truth, ["f", "b", "f"]).maps) == ["f", "b"]


def test_an_unknown_pair_lists_the_first_ten(tmp_path):
    names = {f"{number:02}": draw(1) for number in range(12)}
    many = find_truth(write_second(tmp_path / "many", names))
    message = r"many has no pair named 'x'; it has 00, 01, .*, 09 and 2 more\."
    with pytest.raises(DatasetError, match=message):
        choose_pairs(many, ["00", "x"])


def test_panels_are_not_replaced_unasked(truth, tmp_path):
    files = panel_files(tmp_path / "new/p", truth, overwrite=False)
    assert files["c"] == tmp_path / "new/p/c.png"
    files["c"].touch()
    with pytest.raises(OutputError, match=r"p/c.png exists; replace it with --overwrite"):
        panel_files(tmp_path / "new/p", truth, overwrite=False)
    panel_files(tmp_path / "new/p", truth, overwrite=True)


def test_a_folder_that_cannot_be_made_is_named(truth, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file/p cannot be made \(Not a directory\)"):
        panel_files(tmp_path / "file/p", truth, overwrite=False)


def test_more_systems_get_smaller_pictures():
    assert picture_side(1) == 512
    assert 160 <= picture_side(18) < picture_side(8) < 512
    assert picture_side(500) == 160


def keep(panels, title, predictions):
    """Score maps that exist, which the panels keep."""
    count_set(pairs_of_files(panels.truth, predictions, SECOND), SECOND, [panels.tally(title)])


def test_maps_are_kept_of_the_pairs_that_are_drawn(truth):
    maps = TRUTH["b"]
    panels = Panels(choose_pairs(truth, ["b"]), SECOND, 32)
    tally = panels.tally("asn")
    for name in "bc":
        for top in (0, 32):
            part = tuple(each[top : top + 32] for each in maps)
            predicted = Prediction(Window(0, top, 64, 32), part)
            tally.add(ScoredWindow(name, SHAPE, part, predicted))
    assert list(panels.predicted["asn"]) == ["b"]
    np.testing.assert_array_equal(panels.predicted["asn"]["b"][1].index, maps[1][::2, ::2])


def test_a_panel_shows_images_truth_and_every_system(truth, tmp_path):
    write_second(tmp_path / "maps", {name: draw(9, shape=SHAPE) for name in TRUTH})
    predictions = find_predictions(tmp_path / "maps")
    panels = Panels(choose_pairs(truth, ["a"]), SECOND, 512)
    one = replace(predictions, maps={"a": predictions.maps["a"]})
    keep(panels, "one", one)
    narrow = pixels(panels.draw("a"))
    keep(panels, "two", one)
    wide = pixels(panels.draw("a"))
    # A picture of 64 pixels is drawn four times as large, with a gap.
    assert wide.shape[1] - narrow.shape[1] == 4 * 64 + 6
    for index in range(1, 7):
        assert share_of(narrow, SECOND[index].color) > 0.01


def test_maps_keep_every_pixel_and_its_color(truth):
    panels = Panels(choose_pairs(truth, ["a"]), SECOND, 512)
    unchanged = ClassThumbnail(*SHAPE, 512)
    unchanged.index[:] = 0
    panels.predicted["none"] = {"a": (unchanged, unchanged)}
    picture = pixels(panels.draw("a"))
    buildings = sum(np.count_nonzero(index == 5) for index in TRUTH["a"])
    drawn = (picture == np.array(RED)).all(axis=-1).sum()
    # The legend's swatch has some more, the frames take some.
    assert abs(drawn - 16 * buildings) < 0.03 * 16 * buildings + 14 * 14


def test_a_set_without_images_starts_with_the_truth(tmp_path, truth):
    alone = find_truth(write_second(tmp_path / "labels", TRUTH))
    with_images, without = (
        pixels(Panels(choose_pairs(each, ["a"]), SECOND, 512).draw("a")) for each in (truth, alone)
    )
    assert with_images.shape[1] - without.shape[1] == 4 * 64 + 6


def test_nodata_is_black_and_in_the_legend_only_where_it_occurs(tmp_path):
    hole = [each.copy() for each in TRUTH["a"]]
    hole[0][:32] = hole[1][:32] = 255
    write_prediction(tmp_path / "p/a", TRUTH["a"])
    write_prediction(tmp_path / "h/a", hole)
    shares = []
    for folder in ("p", "h"):
        panels = Panels(find_truth(tmp_path / folder), SECOND, 512)
        shares.append(share_of(pixels(panels.draw("a")), (0, 0, 0)))
    assert shares[0] < 0.02
    assert shares[1] > 0.3


def test_indices_that_nobody_named_have_colors(tmp_path):
    write_prediction(tmp_path / "p/a", draw(1, classes=9, shape=SHAPE))
    picture = pixels(Panels(find_truth(tmp_path / "p"), None, 512).draw("a"))
    legend = numbered_legend(9)
    assert all(share_of(picture, legend[index].color) > 0.005 for index in legend.indices())


def test_99_numbers_have_99_colors():
    assert len(numbered_legend(99)) == 99  # a legend refuses a color that it has


def test_pictures_lie_where_they_should():
    red, blue = column("a"), column("b", color=(0, 0, 255))
    picture = pixels(draw_panel("name", [red, blue], []))
    for color, left, right in ((RED, 0, 0.5), ((0, 0, 255), 0.5, 1)):
        rows, cols = np.nonzero((picture == np.array(color)).all(axis=-1))
        assert left * picture.shape[1] - 12 < cols.min()
        assert cols.max() < right * picture.shape[1] + 12
        assert rows.max() - rows.min() > 0.8 * (2 * 200)
        assert rows.max() < picture.shape[0] - 4


@pytest.mark.parametrize("title", ["a system with a rather long name, ms+flip", "x" * 90])
def test_long_titles_are_broken_and_not_cut(title):
    short, long = (pixels(draw_panel("n", [column(text)], [])) for text in ("a", title))
    assert short.shape[1] == long.shape[1]
    extra = long.shape[0] - short.shape[0]
    assert extra >= 20
    assert extra % 20 == 0
    # Nothing is drawn at the sides.
    assert (long[:, :2] == 255).all()
    assert (long[:, -2:] == 255).all()


def test_long_legends_are_broken_and_not_cut():
    covers = [LandCover(f"class of land cover {n}", (n, n, n)) for n in range(12)]
    picture = pixels(draw_panel("n", [column()], covers))
    assert (picture[:, -2:] == 255).all()
    assert all(share_of(picture, cover.color) > 0 for cover in covers)


def test_large_pictures_are_drawn_pixel_by_pixel():
    picture = pixels(draw_panel("n", [column(shape=(300, 400))], []))
    assert 400 < picture.shape[1] < 460
    assert 606 < picture.shape[0] < 710


def test_names_are_no_formulas():
    name = "lot $_$ b"  # no formula either that could be drawn
    draw_panel(name, [column(name)], [LandCover(name, (1, 2, 3))])
    assert text_width("$a$") > text_width("a")


def test_width_of_text_grows_with_the_text():
    assert text_width("") == 0
    assert text_width("building") < text_width("building building")


def test_the_legend_of_a_set_is_the_one_that_is_drawn(tmp_path):
    other = Legend("two", (LandCover("ice", (1, 200, 200)), LandCover("sand", (200, 200, 1))))
    for folder, index in zip(("label1", "label2"), draw(1, 2, SHAPE), strict=True):
        write_png(tmp_path / folder / "a.png", index, other)
    picture = pixels(Panels(find_truth(tmp_path), other, 512).draw("a"))
    assert share_of(picture, (1, 200, 200)) > 0.1
