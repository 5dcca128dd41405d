"""Small scenes for the tests: written to disk, without any symmetry."""

import warnings
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.errors import NotGeoreferencedWarning

UTM = "EPSG:32650"
NORTH_UP = Affine(1.0, 0.0, 500_000.0, 0.0, -1.0, 4_000_000.0)
ROTATED = NORTH_UP @ Affine.rotation(20)
SOUTH_UP = Affine(1.0, 0.0, 500_000.0, 0.0, 1.0, 3_999_000.0)


def noise(shape, dtype="uint8", low=1, high=250, seed=0):
    """Random pixels (C, H, W); 0 is left for nodata."""
    return np.random.default_rng(seed).integers(low, high, shape).astype(dtype)


def ramp(height, width, count=1):
    """A plane over the scene, (C, H, W) float32, which bilinear sampling keeps as it is."""
    rows, cols = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([10 * (band + 1) + rows + 2 * cols for band in range(count)])


def write_scene(path, pixels, transform=NORTH_UP, crs=UTM, mask=None, driver="GTiff", **profile):
    """Write (C, H, W) pixels; returns the path."""
    count, height, width = pixels.shape
    profile |= {"count": count, "height": height, "width": width, "dtype": pixels.dtype}
    if crs is not None:
        profile |= {"crs": crs, "transform": transform}
    with warnings.catch_warnings(), rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", driver=driver, **profile) as dataset:
            dataset.write(pixels)
            if mask is not None:
                dataset.write_mask(mask)
    return Path(path)
