"""Pictures and arrays as text inside a page, within a budget of bytes."""

import base64
import io
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

QUALITIES = (84, 70, 55, 40)
"""Of JPEG; the first that fits is taken."""


def jpeg(pixels: NDArray[np.uint8], most: int) -> bytes:
    """A picture (h, w, 3) uint8 as JPEG of at most so many bytes.

    Of less quality where it has to be, and then at half the size as often as it takes: noise, as of
    radar, shrinks by no quality.
    """
    while True:
        for quality in QUALITIES:
            file = io.BytesIO()
            Image.fromarray(pixels).save(file, "JPEG", quality=quality)
            encoded = file.getvalue()
            if len(encoded) <= most or max(pixels.shape[:2]) == 1:
                return encoded
        height, width = pixels.shape[:2]
        pixels = resized(pixels, (-(-height // 2), -(-width // 2)))


def jpeg_uri(pixels: NDArray[np.uint8], most: int) -> str:
    """A picture as the address of an image that is in the address itself."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg(pixels, most)).decode()


def resized(pixels: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """A picture (h, w, 3) uint8 of another size; averages where it becomes smaller."""
    if pixels.shape[:2] == shape:
        return pixels
    height, width = shape
    small = Image.fromarray(pixels).resize((width, height), Image.Resampling.BOX)
    return np.asarray(small)


def deflated(array: NDArray[np.uint8]) -> str:
    """The bytes of an array, zlib's, in base64."""
    return base64.b64encode(zlib.compress(array.tobytes(), 6)).decode()
