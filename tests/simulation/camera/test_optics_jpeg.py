"""Compression without a file, against GDAL's."""

import numpy as np
import pytest
from grounds import ground
from rasterio.io import MemoryFile

from scdcli.simulation.camera.optics import jpeg


def through_a_file(pixels, quality):
    profile = {"driver": "JPEG", "quality": quality, "dtype": "uint8", "count": 3}
    profile |= {"height": pixels.shape[1], "width": pixels.shape[2]}
    with MemoryFile() as memory:
        with memory.open(**profile) as dataset:
            dataset.write(pixels)
        with memory.open() as dataset:
            return dataset.read()


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("quality", [35, 75, 95])
def test_it_loses_what_a_jpeg_file_loses(quality):
    pixels = np.rint(ground().scene * 255).astype(np.uint8)
    ours = np.clip(jpeg(pixels.astype(np.float32) / 255, quality), 0, 1) * 255
    theirs = through_a_file(pixels, quality).astype(np.float32)
    lost = np.abs(theirs - pixels).mean()
    assert np.abs(ours - theirs).mean() < 0.45 * lost + 0.35


def test_lower_quality_loses_more():
    scene = ground().scene
    lost = [np.abs(jpeg(scene, quality) - scene).mean() for quality in (30, 60, 90)]
    assert lost[0] > lost[1] > lost[2] > 0


@pytest.mark.parametrize("shape", [(16, 16), (17, 30), (5, 3)])
def test_any_size_keeps_its_shape(shape):
    gray = np.full((3, *shape), 0.5, dtype=np.float32)
    np.testing.assert_allclose(jpeg(gray, 80), gray, atol=0.01)
