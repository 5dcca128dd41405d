import numpy as np
import pytest
from maps import draw, write_png, write_prediction, write_second
from rasterio.windows import Window
from scenes import NORTH_UP

from scdcli.errors import DatasetError, ScdError
from scdcli.legend import SECOND, LandCover, Legend
from scdcli.scoring.mappairs import Prediction, files_legend, pairs_of_files, pairs_of_predictor
from scdcli.scoring.mapsets import find_predictions, find_truth

# The same 20 x 30 pixels on the ground, with the rows in the other order.
FLIPPED = NORTH_UP @ NORTH_UP.translation(0, 20) @ NORTH_UP.scale(1, -1)
TRUTH, PREDICTION = draw(1), draw(2)
RENAMED = Legend("renamed", tuple(LandCover(f"c{i}", (i, i, i)) for i in range(6)))


def windows(truth, predictions, legend=None, **options):
    pairs = pairs_of_files(find_truth(truth), find_predictions(predictions), legend, **options)
    return [window for pair in pairs for window in pair.windows]


def test_maps_of_files_come_in_order_whatever_their_form(tmp_path):
    write_second(tmp_path / "t", {"x": TRUTH}, SECOND)
    write_prediction(tmp_path / "p/x", PREDICTION, legend=SECOND)
    (found,) = windows(tmp_path / "t", tmp_path / "p", SECOND)
    maps = (*found.labels, *found.predicted.classes)
    for map_, expected in zip(maps, (*TRUTH, *PREDICTION), strict=True):
        np.testing.assert_array_equal(map_, expected)


def test_maps_of_another_size_are_refused_with_both_sizes(tmp_path):
    write_prediction(tmp_path / "t", draw(shape=(20, 30)))
    write_prediction(tmp_path / "p", draw(shape=(20, 31)))
    with pytest.raises(DatasetError, match=r"t/from.* and .*p/from.*: 30 x 20 and 31 x 20 pixels"):
        windows(tmp_path / "t", tmp_path / "p")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"transform": FLIPPED}, "direction of the axes differs"),
        ({"transform": NORTH_UP @ NORTH_UP.translation(1, 0)}, "1 columns and 0 rows apart"),
        ({"crs": "EPSG:32651"}, "do not overlap"),
    ],
    ids=["south up", "shifted", "other CRS"],
)
def test_maps_on_another_grid_are_refused(tmp_path, options, message):
    write_prediction(tmp_path / "t", TRUTH)
    write_prediction(tmp_path / "p", PREDICTION, **options)
    with pytest.raises(ScdError, match=message):
        windows(tmp_path / "t", tmp_path / "p")


def test_a_grid_on_one_side_only_is_compared_by_size(tmp_path):
    write_second(tmp_path / "t", {"x": TRUTH})
    write_prediction(tmp_path / "p/x", PREDICTION)
    assert windows(tmp_path / "t", tmp_path / "p", SECOND)


def test_the_legend_comes_from_tags_before_colors_before_none(tmp_path):
    colors = find_truth(write_second(tmp_path / "colors", {"x": TRUTH}))
    tagged = find_predictions(write_prediction(tmp_path / "p", TRUTH, legend=RENAMED))
    indices = find_truth(write_second(tmp_path / "indices", {"x": TRUTH}, None))
    assert files_legend(indices, tagged) == RENAMED
    assert files_legend(colors, tagged) == RENAMED
    assert files_legend(colors, indices) == SECOND
    assert files_legend(indices) is None


def test_a_map_with_other_classes_is_refused_unless_overruled(tmp_path):
    write_prediction(tmp_path / "t", TRUTH, legend=SECOND)
    write_prediction(tmp_path / "p", PREDICTION, legend=RENAMED)
    message = r"p/from.tif has the legend 'renamed' .*before it have legend 'second' .water, "
    with pytest.raises(DatasetError, match=message):
        windows(tmp_path / "t", tmp_path / "p", SECOND)
    assert windows(tmp_path / "t", tmp_path / "p", SECOND, overrule=True)


def test_a_legend_that_turns_up_late_is_refused(tmp_path):
    for folder in ("t", "p"):
        write_prediction(tmp_path / folder / "first", TRUTH)
        write_prediction(tmp_path / folder / "second", TRUTH, legend=SECOND)
    with pytest.raises(DatasetError, match="but the maps before it have none. Say which"):
        windows(tmp_path / "t", tmp_path / "p")


def labelled(root, shape=(20, 30)):
    write_second(root, {"x": draw(1, shape=shape)})
    for folder in ("im1", "im2"):
        write_png(root / folder / "x.png", np.zeros(shape, np.uint8))
    return find_truth(root)


def in_halves(before, after):
    assert (before.parent.name, after.parent.name) == ("im1", "im2")
    for top in (10, 0):
        part = (slice(top, top + 10), slice(0, 30))
        yield Prediction(Window(0, top, 30, 10), (PREDICTION[0][part], PREDICTION[1][part]))


def test_predicted_windows_meet_their_part_of_the_labels(tmp_path):
    (pair,) = pairs_of_predictor(labelled(tmp_path), in_halves, SECOND)
    bottom, top = pair.windows
    maps = (*bottom.labels, *bottom.predicted.classes)
    for found, expected in zip(maps, (*TRUTH, *PREDICTION), strict=True):
        np.testing.assert_array_equal(found, expected[10:])
    np.testing.assert_array_equal(top.labels[0], TRUTH[0][:10])


@pytest.mark.parametrize("shape", [(20, 31), (21, 30), (20, 20), (15, 30)])
def test_labels_of_another_size_than_the_image_are_refused(tmp_path, shape):
    (pair,) = pairs_of_predictor(labelled(tmp_path, shape), in_halves, SECOND)
    with pytest.raises(DatasetError, match=rf"{shape[1]} x {shape[0]} pixels, but .*im1/x.png"):
        list(pair.windows)
