"""Polygons of change as files for geographic information systems, one layer named `changes`.

All formats are written in one pass over the polygons, beside their destination, and appear together
at the end or not at all.
"""

import sqlite3
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import fiona
import pyogrio
import shapely
from fiona.errors import FionaError
from pyogrio import errors as pyogrio_errors

from scdcli.errors import OutputError, UnknownName
from scdcli.legend import Legend
from scdcli.polygons.area import Ground
from scdcli.polygons.files import geopackage, shapefile
from scdcli.polygons.files.features import Features, no_features, number_features
from scdcli.polygons.files.geojson import open_geojson
from scdcli.polygons.files.geoparquet import open_geoparquet, require_pyarrow
from scdcli.polygons.trace.trace import Polygons
from scdcli.rasters.grid import Grid

LAYER = "changes"
FIONA_TYPES = {"i": "int64", "f": "float", "O": "str"}
# from 1.4 on, GDAL before 3.7 (QGIS of 2022) warns that it may not understand the file
CREATION = {"GPKG": {"VERSION": "1.2"}}
FOREIGN_ERRORS = (
    OSError,
    sqlite3.Error,
    FionaError,
    fiona._err.CPLE_BaseError,
    pyogrio_errors.DataSourceError,
    pyogrio_errors.DataLayerError,
    pyogrio_errors.FeatureError,
    pyogrio_errors.FieldError,
    pyogrio_errors.GeometryError,
)

Put = Callable[[Features], None]


class Layer(NamedTuple):
    """Where a layer goes and what it needs besides features."""

    path: Path
    crs: str | None  # as WKT: each library carries a PROJ of its own, and they share no objects
    style: str | None  # QGIS layer style (QML)
    empty: Features  # the columns, without a feature


def require_formats(names: Iterable[str]) -> None:
    """Refuse formats that cannot be written, before any work is done.

    Raises:
        UnknownName: No such format.
        OutputError: A library that the format needs is not installed.
    """
    for name in names:
        if name not in DRIVERS:
            raise UnknownName("vector format", name, (*DRIVERS, "none"))
        if name == "parquet":
            require_pyarrow()


def write_polygons(
    folder: Path,
    polygons: Iterable[Polygons],
    grid: Grid,
    ground: Ground,
    legend: Legend,
    *,
    formats: Iterable[str] = ("gpkg",),
    style_qml: str | None = None,
) -> list[Path]:
    """Write ``changes.<format>`` into a folder; earlier files of these names are replaced.

    Features are numbered from 1 in the order given. Without any polygon the layers are empty and
    valid. Without a CRS coordinates are pixels and the columns are ``area_px``, ``perimeter_px``.

    Args:
        folder: An existing folder.
        polygons: Polygons as `polygons.trace` gives them.
        grid: Place of the map; only its CRS is used.
        ground: Tells the unit of the areas.
        legend: Names of the classes.
        formats: Names in `DRIVERS`.
        style_qml: QGIS style stored in the GeoPackage as the layer's default.

    Returns:
        The files written, those beside a shapefile included.

    Raises:
        UnknownName: No such format.
        InputError: A transition is not in the legend.
        OutputError: The files cannot be written, one of them would become too large, or a library
            is missing; nothing is left behind.
    """
    formats = tuple(formats)
    require_formats(formats)
    drivers = {name: DRIVERS[name] for name in formats}
    crs = None if grid.crs is None else grid.crs.to_wkt()
    empty = no_features(ground, legend)
    try:
        with TemporaryDirectory(prefix=f".{LAYER}.", dir=folder) as beside:
            with ExitStack() as layers:
                puts = [
                    layers.enter_context(
                        driver(Layer(Path(beside, f"{LAYER}.{name}"), crs, style_qml, empty))
                    )
                    for name, driver in drivers.items()
                ]
                count = 0
                for features in number_features(polygons, ground, legend):
                    count += len(features.outline)
                    for put in puts:
                        put(features)
            for name in drivers:
                _verify(Path(beside, f"{LAYER}.{name}"), count)
            return [file.replace(folder / file.name) for file in sorted(Path(beside).iterdir())]
    except FOREIGN_ERRORS as error:
        raise OutputError(
            f"the polygons cannot be written to {folder} ({error}); "
            "see that the folder exists, may be written to and has room."
        ) from error


def _verify(path: Path, count: int) -> None:
    """Refuse a file that lost features when it was closed: GDAL keeps a full disk to itself then.

    The last feature is read, attributes included. What GDAL does not write needs no check.
    """
    if count == 0 or path.suffix in (".geojson", ".parquet"):
        return
    about, _, _, columns = pyogrio.raw.read(path, layer=LAYER, skip_features=count - 1)
    ids = columns[about["fields"].tolist().index("id")]
    if len(ids) != 1 or not 1 <= ids[0] <= count:
        raise OSError(f"{path.name} does not hold the {count} polygons written to it")


def _append(layer: Layer, driver: str, features: Features) -> None:
    """Append features with pyogrio; the layer is made when there is none."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "'crs' was not provided", UserWarning)  # a pixel grid
        pyogrio.raw.write(
            layer.path,
            shapely.to_wkb(features.outline),
            list(features.columns.values()),
            list(features.columns),
            layer=LAYER,
            driver=driver,
            geometry_type="Polygon",
            crs=layer.crs,
            append=layer.path.exists(),
            dataset_options=CREATION.get(driver),
        )


@contextmanager
def _geopackage(layer: Layer) -> Iterator[Put]:
    _append(layer, "GPKG", layer.empty)
    yield lambda features: _append(layer, "GPKG", features)
    geopackage.finish(layer.path, LAYER, layer.style)


@contextmanager
def _shapefile(layer: Layer) -> Iterator[Put]:
    def put(features: Features) -> None:
        shapefile.require_room(layer.path, features)
        _append(layer, "ESRI Shapefile", shapefile.renamed(features))

    _append(layer, "ESRI Shapefile", shapefile.renamed(layer.empty))
    yield put


@contextmanager
def _flatgeobuf(layer: Layer) -> Iterator[Put]:
    """Kept open with fiona: pyogrio would write the whole file again for every chunk."""
    types = {name: FIONA_TYPES[column.dtype.kind] for name, column in layer.empty.columns.items()}
    schema = {"geometry": "Polygon", "properties": types}
    with fiona.open(
        layer.path, "w", driver="FlatGeobuf", layer=LAYER, schema=schema, crs_wkt=layer.crs
    ) as collection:
        yield lambda features: collection.writerecords(_records(features))


def _records(features: Features) -> Iterator[fiona.Feature]:
    names = list(features.columns)
    rows = zip(*(column.tolist() for column in features.columns.values()), strict=True)
    for outline, row in zip(features.outline, rows, strict=True):
        yield fiona.Feature(
            geometry=fiona.Geometry.from_dict(shapely.geometry.mapping(outline)),
            properties=fiona.Properties(**dict(zip(names, row, strict=True))),
        )


DRIVERS: dict[str, Callable[[Layer], AbstractContextManager[Put]]] = {
    "fgb": _flatgeobuf,
    "geojson": lambda layer: open_geojson(layer.path, LAYER, layer.crs),
    "gpkg": _geopackage,
    "parquet": lambda layer: open_geoparquet(layer.path, layer.crs, layer.empty),
    "shp": _shapefile,
}
