import numpy as np
import pytest
import rasterio

from scdcli.datasets.classmap import open_label, read_label
from scdcli.datasets.indexpng import write_index_png
from scdcli.errors import OutputError
from scdcli.legend import SECOND, URBAN, LandCover, Legend

INDEX = np.array([[0, 1, 2, 3], [4, 0, 5, 255]], np.uint8)
UMLAUTS = Legend("Flächen → Ziel", (LandCover("Gebäude", (1, 2, 3)), LandCover("水", (0, 0, 0))))


def test_what_was_written_is_read_back_with_its_legend(tmp_path):
    write_index_png(tmp_path / "a.png", INDEX, URBAN)
    with open_label(tmp_path / "a.png") as label:
        assert label.carried == label.legend == URBAN
        assert not label.colored
    np.testing.assert_array_equal(read_label(tmp_path / "a.png"), INDEX)
    np.testing.assert_array_equal(read_label(tmp_path / "a.png", URBAN), INDEX)


def test_everything_is_in_the_one_file(tmp_path):
    write_index_png(tmp_path / "a.png", INDEX, URBAN)
    assert [each.name for each in tmp_path.iterdir()] == ["a.png"]


def test_programs_see_one_band_with_the_colors_of_the_legend_and_nodata(tmp_path):
    write_index_png(tmp_path / "a.png", INDEX, URBAN)
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning):
        source = rasterio.open(tmp_path / "a.png")
    with source:
        colors = source.colormap(1)
        assert (source.driver, source.count, source.nodata) == ("PNG", 1, 255)
        assert source.colorinterp == (rasterio.enums.ColorInterp.palette,)
        assert [colors[i][:3] for i in range(6)] == [(255,) * 3, *(c.color for c in URBAN.classes)]


def test_names_in_any_script_and_a_black_class_survive(tmp_path):
    index = np.array([[0, 1, 2, 255]], np.uint8)
    write_index_png(tmp_path / "a.png", index, UMLAUTS)
    with open_label(tmp_path / "a.png") as label:
        assert label.carried == UMLAUTS
    np.testing.assert_array_equal(read_label(tmp_path / "a.png"), index)


def test_a_file_that_exists_is_replaced(tmp_path):
    write_index_png(tmp_path / "a.png", INDEX, URBAN)
    write_index_png(tmp_path / "a.png", INDEX[:1], SECOND)
    with open_label(tmp_path / "a.png") as label:
        assert (label.carried, label.grid.shape) == (SECOND, (1, 4))


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(OutputError, match=r"gone.a\.png cannot be written"):
        write_index_png(tmp_path / "gone" / "a.png", INDEX, URBAN)
