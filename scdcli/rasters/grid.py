"""The place of a scene on Earth: one immutable object instead of four loose arguments."""

from dataclasses import dataclass

from affine import Affine
from rasterio.crs import CRS


@dataclass(frozen=True)
class Grid:
    """Height and width in pixels, affine transform (pixel to map), and CRS (None: pixel grid)."""

    height: int
    width: int
    transform: Affine
    crs: CRS | None

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)."""
        return self.height, self.width

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top in CRS units (the envelope when the grid is rotated)."""
        corners = [
            self.transform @ (col, row) for col in (0, self.width) for row in (0, self.height)
        ]
        xs, ys = zip(*corners, strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    @property
    def pixel_size(self) -> tuple[float, float]:
        """Width and height of a pixel in CRS units, both positive."""
        a, b, _, d, e, _ = tuple(self.transform)[:6]
        return (a * a + d * d) ** 0.5, (b * b + e * e) ** 0.5
