"""Two coordinate reference systems (CRS): whether they place pixels alike, and which one is wrong.

A CRS goes from one library to another as text, since each has a PROJ of its own.
"""

import re
import shlex
from typing import NamedTuple

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from pyproj.exceptions import ProjError
from rasterio.crs import CRS
from rasterio.errors import CRSError

from scdcli.errors import PairError
from scdcli.files.naming import SURE, crs_name

Points = NDArray[np.float64]
"""x and y, or col and row, of N points, (2, N)."""
Outlines = NDArray[np.object_]
"""N polygons, (N,)."""

LONGEST = 80  # characters of an unknown CRS in a message
LOCAL = "Engineering CRS"  # how PROJ calls the CRS of a building site
# How PROJ, GDAL and Esri call the datum of a CRS that only names an ellipsoid.
UNKNOWN_DATUM = re.compile(r"(D_)?(unknown|unnamed|not[ _]specified)", re.IGNORECASE)
MOST_TURNED, POLE = 720.0, 90.1  # degrees that a longitude and a latitude may have
SAME_AXIS = 0.01  # meters: those of GRS 1980 and WGS 84 differ by a tenth of a millimeter


class Placed(NamedTuple):
    """A file and its CRS.

    Attributes:
        name: What a sentence calls it.
        crs: As the file says it.
        file: The file as a command needs it.
        polygons: Whether it holds polygons and no pixels.
    """

    name: str
    crs: CRS
    file: str
    polygons: bool = False

    def assign(self, crs: CRS | None) -> str:
        """The command that says in the file which CRS its coordinates are in."""
        code = ":".join((crs.to_authority(confidence_threshold=SURE) if crs else None) or ("CRS",))
        file = shlex.quote(self.file)
        if self.polygons:
            return f"ogr2ogr -a_srs {code} right.gpkg {file}"
        return f"gdal_edit.py -a_srs {code} {file}"


def placed_layer(name: str, crs: str, file: str) -> Placed:
    """A file of polygons and its CRS, given as text.

    Raises:
        PairError: The CRS is not known.
    """
    try:
        return Placed(name, CRS.from_user_input(crs), file, polygons=True)
    except (CRSError, ValueError) as error:
        raise PairError(
            f"{name} has the CRS {crs[:LONGEST]!r}, which is not known here; give it one that is, "
            f"for example: ogr2ogr -t_srs EPSG:4326 known.gpkg {file}"
        ) from error


def horizontal(crs: CRS) -> pyproj.CRS:
    """The CRS without heights."""
    return pyproj.CRS(crs.to_wkt()).to_2d()


def is_local(crs: CRS) -> bool:
    """Whether it is tied to no place on Earth, as that of a building site, whatever its name."""
    return bool(horizontal(crs).type_name == LOCAL)


def place_alike(first: CRS, second: CRS, points: Points, tolerance: float) -> bool:
    """Whether coordinates mean the same places in both.

    Heights, the order and the names of axes and the way in which a projection is written make no
    difference. A datum that is not named may be that of the other; two that are named differ.
    Points are coordinates that are to mean the same, (2, N), the tolerance is in units of the CRS.
    """
    if first == second:
        return True
    own, other = horizontal(first), horizontal(second)
    if not _may_share_datum(own, other):
        return False
    try:
        move = pyproj.Transformer.from_crs(own, other, always_xy=True)
    except ProjError:
        return False
    apart = np.abs(np.array(move.transform(*points)) - points)
    return bool((apart <= tolerance).all())


def _may_share_datum(first: pyproj.CRS, second: pyproj.CRS) -> bool:
    if first.ellipsoid is None or second.ellipsoid is None:
        return False
    for axis in ("semi_major_metre", "semi_minor_metre"):
        lengths = [getattr(crs.ellipsoid, axis) for crs in (first, second)]
        if abs(lengths[0] - lengths[1]) > SAME_AXIS:
            return False
    names = [_datum(crs) for crs in (first, second)]
    return (
        names[0] == names[1]
        or any(map(UNKNOWN_DATUM.match, names))
        or (first.datum == second.datum)
    )


def _datum(crs: pyproj.CRS) -> str:
    return str(crs.datum.name).removesuffix(" ensemble") if crs.datum else "unknown"


def taken_as_one(first: CRS, second: CRS, names: tuple[str, str]) -> str | None:
    """A sentence on what two CRS that place pixels alike leave open; None where it is nothing."""
    own, other = horizontal(first), horizontal(second)
    if own.type_name == other.type_name == LOCAL:
        if own.name == other.name:
            return None
        return (
            f"{names[0]} lies in the local CRS {own.name!r} and {names[1]} in {other.name!r}, tied "
            "to no place on Earth; both are taken for one."
        )
    datums = [_datum(crs) for crs in (own, other)]
    unnamed = [UNKNOWN_DATUM.match(name) is not None for name in datums]
    if unnamed[0] == unnamed[1]:
        return None
    vague = unnamed.index(True)
    return (
        f"The CRS of {names[vague]} names the ellipsoid only ({datums[vague]}); the datum is taken "
        f"to be that of {names[1 - vague]} ({datums[1 - vague]}). If it is another one, the images "
        "are shifted against each other."
    )


def no_way(first: Placed, second: Placed) -> str:
    """Why nothing leads from one CRS to the other, and what to do: one of them is wrong.

    Where something did, it would have been taken; so it is of no use to reproject the file.
    """
    local = [each for each in (first, second) if is_local(each.crs)]
    if len(local) == 1:
        other = second if local[0] is first else first
        wanted = crs_name(other.crs)
        return (
            f"{horizontal(local[0].crs).name!r} is a local CRS there, tied to no place on Earth, "
            f"whatever its name says. If {wanted} is meant, say so in the file: "
            f"{local[0].assign(other.crs)}"
        )
    return (
        "nothing leads from one to the other, so one of the two is wrong. Give that file the right "
        f"one, for example: {first.assign(second.crs)}"
    )


def reproject_points(source: CRS, target: CRS, points: Points) -> Points:
    """Points in another CRS, (2, N); infinite where it cannot express them.

    Raises:
        ProjError: There is no way from one CRS to the other.
    """
    # rasterio's own raises private errors for points that its PROJ cannot move.
    move = pyproj.Transformer.from_crs(source.to_wkt(), target.to_wkt(), always_xy=True)
    return np.array(move.transform(*points))


def reproject_outlines(
    outlines: Outlines, source: Placed, target: Placed, pieces: int | None = None
) -> Outlines:
    """Polygons in another CRS, as they are if it is the same.

    Args:
        outlines: The polygons, (N,).
        source: Whose they are.
        target: The scene whose CRS is wanted.
        pieces: How many the longest side of their box is cut into, so that a side that bends is
            followed; None to move the corners only.

    Raises:
        PairError: The CRS of the file is wrong, or a corner cannot be expressed in the other.
    """
    own, crs = horizontal(source.crs), horizontal(target.crs)
    if not len(outlines):
        return outlines
    require_degrees(outlines, source, target)
    if own == crs:
        return outlines
    lead = f"{source.name} cannot be brought from {crs_name(source.crs)} to {crs_name(target.crs)}"
    try:
        move = pyproj.Transformer.from_crs(own, crs, always_xy=True)
    except ProjError as error:
        raise PairError(f"{lead} of {target.name}: {no_way(source, target)}") from error
    if pieces is not None:
        left, bottom, right, top = shapely.total_bounds(outlines)
        longest = max(right - left, top - bottom, np.finfo(float).tiny)
        outlines = shapely.segmentize(outlines, longest / pieces)
    try:
        reprojected: Outlines = shapely.transform(
            outlines,
            lambda xy: np.column_stack(move.transform(xy[:, 0], xy[:, 1], errcheck=True)),
        )
    except ProjError as error:
        raise PairError(
            f"{lead} of {target.name}: a corner lies where that CRS shows nothing. Cut it to the "
            f"surroundings of the image, for example with ogr2ogr -clipsrc."
        ) from error
    return reprojected


def require_degrees(outlines: Outlines, source: Placed, target: Placed) -> None:
    """Refuse meters that claim to be degrees, as in GeoJSON that does not name its CRS.

    Raises:
        PairError: They are such.
    """
    own = horizontal(source.crs)
    left, bottom, right, top = shapely.total_bounds(outlines).tolist()
    beyond = max(abs(left), abs(right)) > MOST_TURNED or max(abs(bottom), abs(top)) > POLE
    if not own.is_geographic or not beyond:
        return
    guess = "" if target.crs.is_geographic else f", such as {crs_name(target.crs)} of {target.name}"
    raise PairError(
        f"{source.name} is said to be in {crs_name(source.crs)}, longitude and latitude, but "
        f"covers ({left:.8g}, {bottom:.8g}, {right:.8g}, {top:.8g}). Say which CRS these are "
        f"in{guess}: {source.assign(target.crs if guess else None)}"
    )
