"""How large the pixels of a training set are: by georeference, by record, or as the user says."""

import json
import re
from pathlib import Path

import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from scenes import noise, write_scene

from scdcli.datasets.pixelsizes import pixel_sizes, widen
from scdcli.datasets.samples import Sample
from scdcli.errors import DatasetError


def sample(path):
    path = Path(path)
    return Sample(path.stem, path, path, path, path)


@pytest.fixture
def scene(tmp_path):
    """Writes an image with pixels of so many meters; None for a PNG that says nothing."""

    def write(name, size):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if size is None:
            return sample(write_scene(path, noise((1, 30, 20)), crs=None, driver="PNG"))
        place = Affine(size, 0, 500_000, 0, -size, 4_000_000)
        return sample(write_scene(path, noise((1, 30, 20)), place, crs="EPSG:32650"))

    return write


def test_georeferenced_images_say_their_sizes_themselves(scene):
    samples = [scene("a.tif", 0.5), scene("b.tif", 2.0), scene("c.tif", 1.0)]
    assert pixel_sizes([*samples, samples[0]]) == pytest.approx((0.5, 2.0), rel=1e-3)


def test_degrees_are_measured_in_meters(tmp_path):
    step = 1 / 3600
    place = Affine(step, 0, 10, 0, -step, 60)
    image = write_scene(tmp_path / "a.tif", noise((1, 30, 20)), place, crs="EPSG:4326")
    (size, other) = pixel_sizes([sample(image)])
    assert size == other == pytest.approx((15.5 * 30.95) ** 0.5, rel=3e-3)


def test_images_that_say_nothing_have_the_size_that_is_given(scene):
    assert pixel_sizes([scene("a.png", None)]) is None
    assert pixel_sizes([scene("a.png", None)], (0.5, 3.0)) == (0.5, 3.0)
    mixed = [scene("a.png", None), scene("b.tif", 0.25)]
    assert pixel_sizes(mixed) == pytest.approx((0.25, 0.25), rel=1e-3)
    assert pixel_sizes(mixed, (0.5, 3.0)) == pytest.approx((0.25, 3.0), rel=1e-3)


def test_a_size_that_no_image_needs_is_refused(scene):
    said = re.escape("says 3 to 3 m, but all images say their own: 0.5 to 2 m")
    with pytest.raises(DatasetError, match=said):
        pixel_sizes([scene("a.tif", 0.5), scene("b.tif", 2.0)], (3.0, 3.0))


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"pixel_size": 0.5}, (0.5, 0.5)),
        ({"pixel_size": [0.5, 1.2]}, (0.5, 1.2)),
        ({"seed": 3}, None),
        ({"pixel_size": None}, None),
        ({"pixel_size": [1.2, 0.5]}, None),
        ({"pixel_size": "fine"}, None),
        ([], None),
    ],
    ids=["one", "range", "older", "none", "descending", "words", "no record"],
)
def test_a_set_that_was_made_says_it_in_its_record(scene, tmp_path, record, expected):
    samples = [scene("train/im1/0.png", None), scene("train/im1/1.png", None)]
    (tmp_path / "train/simulation.json").write_text(json.dumps(record))
    assert pixel_sizes(samples) == expected


sizes = st.floats(0.01, 100)


@given(st.tuples(sizes, sizes).map(sorted), st.tuples(sizes, sizes).map(sorted))
def test_random_scales_only_widen(range_, scale):
    if not scale[0] <= 1 <= scale[1]:
        return
    fine, coarse = widen(tuple(range_), tuple(scale))
    assert fine <= range_[0] <= range_[1] <= coarse


def test_magnified_pixels_are_finer():
    assert widen((0.5, 0.5), (0.8, 1.25)) == pytest.approx((0.4, 0.625))
    assert widen(None, (0.5, 2.0)) is None
