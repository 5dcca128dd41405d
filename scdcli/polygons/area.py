"""Lengths and areas on the ground: metres per pixel anywhere on a grid, whatever its CRS.

The size of a pixel on the ellipsoid changes slowly across a scene, so it is measured on a lattice
of nodes (geodesics of `pyproj.Geod`) and interpolated in between. A region's area is the sum over
its pixels: straight edges of a grid stay straight, and polygons and tables agree to the last digit.
"""

from dataclasses import dataclass

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Geod, Transformer
from pyproj.exceptions import ProjError
from scipy.ndimage import distance_transform_edt

from scdcli.errors import InputError
from scdcli.files.naming import crs_name
from scdcli.rasters.crs import horizontal, is_local
from scdcli.rasters.grid import Grid

PIXELS = "px"
INTERVALS = 128
EXACT_BITS = 52

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Ground:
    """Size of a pixel on the ground at nodes spread over a grid.

    Attributes:
        unit: ``m`` or, for a grid without a CRS, ``px``.
        origin: Lattice row and column of the first node.
        spacing: Rows and columns between nodes, pixels.
        across: Ground length of one step along a row, (N, M).
        down: Ground length of one step along a column, (N, M).
        area: Ground area of a pixel, (N, M).
        quantum: Areas are whole multiples of this power of two, so that sums of them are exact and
            do not depend on their order.
    """

    unit: str
    origin: tuple[float, float]
    spacing: tuple[float, float]
    across: Floats
    down: Floats
    area: Floats
    quantum: float

    def run_area(
        self, row: NDArray[np.int64], col: NDArray[np.int64], length: NDArray[np.int64]
    ) -> Floats:
        """Area of runs of pixels, (n,): first pixel (row, col), length in pixels."""
        each = self._at(self.area, row + 0.5, col + 0.5 * length)
        rounded: Floats = np.rint(each * length / self.quantum) * self.quantum
        return rounded

    def pixel_areas(self, row: int, height: int, width: int) -> Floats:
        """Area of each pixel of full-width rows, (height, width)."""
        if self.area.shape == (1, 1):
            return np.full((height, width), self.area[0, 0])
        y = (np.arange(row, row + height) + 0.5 - self.origin[0]) / self.spacing[0]
        x = (np.arange(width) + 0.5 - self.origin[1]) / self.spacing[1]
        i = np.minimum(y.astype(np.intp), self.area.shape[0] - 2)
        j = np.minimum(x.astype(np.intp), self.area.shape[1] - 2)
        y, x = (y - i)[:, None], x - j
        lines = self.area[i] * (1 - y) + self.area[i + 1] * y
        areas: Floats = lines[:, j] * (1 - x) + lines[:, j + 1] * x
        return areas

    def edge_length(self, row: NDArray[np.int32], col: NDArray[np.int32]) -> Floats:
        """Length of consecutive edges of a path along pixel borders, (n - 1,).

        Args:
            row: Lattice rows of the n corners.
            col: Lattice columns; from one corner to the next only one of the two changes.
        """
        rows, cols = np.diff(row), np.diff(col)
        length = np.empty(len(rows))
        for nodes, which in ((self.down, rows != 0), (self.across, rows == 0)):
            y, x = row[:-1][which] + 0.5 * rows[which], col[:-1][which] + 0.5 * cols[which]
            length[which] = np.abs(rows[which] + cols[which]) * self._at(nodes, y, x)
        return length

    def pixel_size(self, row: Floats, col: Floats) -> tuple[Floats, Floats]:
        """Length of a step along a row and of one along a column, at lattice positions (n,)."""
        return self._at(self.across, row, col), self._at(self.down, row, col)

    def _at(self, nodes: Floats, row: NDArray[np.floating], col: NDArray[np.floating]) -> Floats:
        """Bilinear interpolation between the nodes; row and col in lattice units."""
        if nodes.shape == (1, 1):
            return np.broadcast_to(nodes[0, 0], row.shape)
        y, x = (row - self.origin[0]) / self.spacing[0], (col - self.origin[1]) / self.spacing[1]
        i = np.minimum(y.astype(np.intp), nodes.shape[0] - 2)
        j = np.minimum(x.astype(np.intp), nodes.shape[1] - 2)
        y -= i
        x -= j
        corner = i * nodes.shape[1] + j
        flat = nodes.ravel()
        top = flat[corner] * (1 - x) + flat[corner + 1] * x
        corner += nodes.shape[1]
        low = flat[corner] * (1 - x) + flat[corner + 1] * x
        value: Floats = top * (1 - y) + low * y
        return value


def central_pixel(grid: Grid) -> tuple[float, float] | None:
    """Width and height in metres of the pixel in the middle of a grid; None without a CRS.

    Raises:
        InputError: The CRS cannot be related to the ellipsoid.
    """
    if grid.crs is None:
        return None
    middle = grid.transform @ Affine.translation(grid.width // 2, grid.height // 2)
    ground = measure_ground(Grid(1, 1, middle, grid.crs))
    return float(ground.across.mean()), float(ground.down.mean())


def measure_ground(grid: Grid) -> Ground:
    """Pixel sizes of a grid in metres on its CRS's ellipsoid, or in pixels without a CRS.

    Raises:
        InputError: The CRS cannot be related to the ellipsoid.
    """
    one = np.ones((1, 1))
    if grid.crs is None:
        return Ground(PIXELS, (0.0, 0.0), (1.0, 1.0), one, one, one, 1.0)
    try:
        crs = horizontal(grid.crs)
        return _flat_ground(grid, crs) if is_local(grid.crs) else _curved_ground(grid, crs)
    except ProjError as error:
        left, bottom, right, top = grid.bounds
        raise InputError(
            f"areas cannot be measured: nothing of ({left:.8g}, {bottom:.8g}, {right:.8g}, "
            f"{top:.8g}) lies on the Earth in the CRS {crs_name(grid.crs)}. Give both files the "
            "CRS that these are in, for example with gdal_edit.py -a_srs."
        ) from error


def _flat_ground(grid: Grid, crs: CRS) -> Ground:
    metres = crs.axis_info[0].unit_conversion_factor
    width, height = (size * metres for size in grid.pixel_size)
    area = abs(grid.transform.determinant) * metres * metres
    return Ground(
        "m",
        (0.0, 0.0),
        (1.0, 1.0),
        np.full((1, 1), width),
        np.full((1, 1), height),
        np.full((1, 1), area),
        _quantum(area * grid.height * grid.width),
    )


def _curved_ground(grid: Grid, crs: CRS) -> Ground:
    rows, cols = _nodes(grid.height), _nodes(grid.width)
    row, col = np.meshgrid(rows, cols, indexing="ij")
    to_lonlat = Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
    geod = crs.get_geod()
    assert geod is not None  # a CRS with a geodetic base has an ellipsoid
    across, bearing_across = _step(grid, to_lonlat, geod, row, col, (0.0, 0.5))
    down, bearing_down = _step(grid, to_lonlat, geod, row, col, (0.5, 0.0))
    area = across * down * np.abs(np.sin(np.radians(bearing_across - bearing_down)))
    across, down, area = (_fill(nodes) for nodes in (across, down, area))
    return Ground(
        "m",
        (float(rows[0]), float(cols[0])),
        (float(rows[1] - rows[0]), float(cols[1] - cols[0])),
        across,
        down,
        area,
        _quantum(float(area.max()) * grid.height * grid.width),
    )


def _nodes(size: int) -> Floats:
    """Lattice positions from the center of the first to that of the last of ``size`` pixels."""
    margin = 0.5 if size > 1 else 0.25  # one pixel still needs two nodes to interpolate between
    return np.linspace(margin, size - margin, min(size, INTERVALS) + 1)


def _step(
    grid: Grid,
    to_lonlat: Transformer,
    geod: Geod,
    row: Floats,
    col: Floats,
    half: tuple[float, float],
) -> tuple[Floats, Floats]:
    """Length of one pixel step through each node, and its bearing there in degrees."""
    a, b, c, d, e, f = tuple(grid.transform)[:6]
    (lon0, lat0), (lon, lat), (lon1, lat1) = (
        to_lonlat.transform(a * x + b * y + c, d * x + e * y + f)
        for x, y in ((col + side * half[1], row + side * half[0]) for side in (-1, 0, 1))
    )
    _, _, length = geod.inv(lon0, lat0, lon1, lat1)
    bearing, _, _ = geod.inv(lon, lat, lon1, lat1)
    return np.asarray(length), np.asarray(bearing)


def _fill(nodes: Floats) -> Floats:
    """Nodes off the Earth (corners of some projections) take the nearest node's value."""
    off = ~np.isfinite(nodes)
    if not off.any():
        return nodes
    if off.all():
        raise ProjError("no point of the grid lies on the Earth")
    nearest = distance_transform_edt(off, return_distances=False, return_indices=True)
    filled: Floats = nodes[tuple(nearest)]
    return filled


def _quantum(total: float) -> float:
    """A power of two whose multiples up to ``total`` are exact in float64."""
    return float(2.0 ** (np.ceil(np.log2(total)) - EXACT_BITS))
