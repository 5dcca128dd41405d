"""The preview: four pictures of one size, and the classes that occur."""

import io

import numpy as np
import pytest
from finished import draw_classes, predict_images, write_images
from PIL import Image

from scdcli.legend import SECOND
from scdcli.reporting.preview import GAP, LINE, MARGIN, PREVIEW, _drawn
from scdcli.reporting.report import rebuild_report


def pictures(path, size):
    shown = np.asarray(Image.open(path).convert("RGB"))
    height, width = size
    lefts = [MARGIN + number * (width + GAP) for number in range(4)]
    return [shown[MARGIN + LINE :, left:][:height, :width] for left in lefts]


def test_it_shows_both_dates_and_what_was_and_is_there(tmp_path, rng):
    classes = draw_classes(rng)
    predict_images(write_images(tmp_path, classes), tmp_path / "out")
    before, after, was, now = pictures(tmp_path / "out" / PREVIEW, (160, 200))
    assert (before[::10, ::10] == (classes[0] * 40 + 20)[..., None]).all()
    assert (after[::10, ::10] == (classes[1] * 40 + 20)[..., None]).all()
    row, col = np.argwhere(classes[0] != classes[1])[0]
    place = (10 * row + 5, 10 * col + 5)
    assert tuple(was[place]) == SECOND[int(classes[0, row, col]) + 1].color
    assert tuple(now[place]) == SECOND[int(classes[1, row, col]) + 1].color


def test_made_again_it_is_the_same(tmp_path, rng):
    predict_images(write_images(tmp_path, draw_classes(rng)), tmp_path / "out")
    first = (tmp_path / "out" / PREVIEW).read_bytes()
    (tmp_path / "out" / PREVIEW).unlink()
    rebuild_report(tmp_path / "out")
    assert (tmp_path / "out" / PREVIEW).read_bytes() == first


@pytest.mark.parametrize("shape", [(1, 1), (480, 3), (5, 480)])
def test_odd_shapes_and_long_legends_fit(shape):
    blank = np.zeros((*shape, 3), dtype=np.uint8)
    covers = [*SECOND.classes] * 5
    page = Image.open(io.BytesIO(_drawn([blank] * 4, ["name"] * 4, covers)))
    assert page.width >= 600
    assert page.height >= shape[0] + 2 * LINE
