"""Pictures inside a page keep to the bytes that they are given."""

import io

import numpy as np
import pytest
from PIL import Image

from scdcli.reporting.encoding import jpeg


@pytest.fixture
def noise(rng):
    return rng.integers(0, 256, (300, 500, 3), dtype=np.uint8)


def size(encoded):
    return Image.open(io.BytesIO(encoded)).size


def test_a_picture_keeps_its_size_where_it_fits(noise):
    assert size(jpeg(noise, 10**6)) == (500, 300)


@pytest.mark.parametrize("most", [30_000, 5_000, 1_500])
def test_noise_that_no_quality_shrinks_enough_is_made_smaller(noise, most):
    encoded = jpeg(noise, most)
    assert len(encoded) <= most
    assert size(encoded)[0] in (250, 125, 63, 32)
