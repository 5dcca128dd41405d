"""Pictures inside a page keep to the bytes that they are given."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from scdcli.reporting.encoding import fitting_jpeg_uri, jpeg_uri


@pytest.fixture
def noise(rng):
    return rng.integers(0, 256, (300, 500, 3), dtype=np.uint8)


def decoded(address):
    content = base64.b64decode(address.partition(",")[2])
    return len(content), Image.open(io.BytesIO(content)).size


def test_a_picture_keeps_its_size_where_it_fits(noise):
    assert decoded(fitting_jpeg_uri(noise, 10**6))[1] == (500, 300)


@pytest.mark.parametrize("most", [30_000, 5_000, 1_500])
def test_noise_that_no_quality_shrinks_enough_is_made_smaller(noise, most):
    assert decoded(jpeg_uri(noise, most))[1] == (500, 300)
    length, (width, _) = decoded(fitting_jpeg_uri(noise, most))
    assert length <= most
    assert width in (250, 125, 63, 32)
