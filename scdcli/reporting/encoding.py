"""Pictures and arrays as text inside a page, within a budget of bytes."""

import base64
import io
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

QUALITIES = (84, 70, 55, 40)
"""Of JPEG; the first that fits is taken, the last one in any case."""


def jpeg(pixels: NDArray[np.uint8], most: int) -> bytes:
    """A picture (h, w, 3) uint8 as JPEG, of at most so many bytes if that can be."""
    encoded = b""
    for quality in QUALITIES:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=quality)
        encoded = file.getvalue()
        if len(encoded) <= most:
            break
    return encoded


def jpeg_uri(pixels: NDArray[np.uint8], most: int) -> str:
    """A picture as the address of an image that is in the address itself."""
    return _uri(jpeg(pixels, most))


def fitting_jpeg_uri(pixels: NDArray[np.uint8], most: int) -> str:
    """The same, of at most so many bytes: at half the size as often as it takes.

    Noise, as of radar, becomes small enough at no quality.
    """
    while len(encoded := jpeg(pixels, most)) > most and max(pixels.shape[:2]) > 1:
        height, width = pixels.shape[:2]
        pixels = resized(pixels, (-(-height // 2), -(-width // 2)))
    return _uri(encoded)


def _uri(encoded: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(encoded).decode()


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
