"""Polygons of change as files for geographic information systems, one layer named `changes`.

The polygons are gathered once, as Arrow record batches on disk; every format reads those. All files
are written beside their destination and appear together at the end or not at all.
"""

import sqlite3
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pyarrow as pa
import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj.exceptions import ProjError

from scdcli.errors import OutputError, UnknownName
from scdcli.files.interruption import mortal
from scdcli.legend import Legend
from scdcli.polygons.area import Ground
from scdcli.polygons.files import geopackage, shapefile
from scdcli.polygons.files.features import GEOMETRY, feature_schema, number_features
from scdcli.polygons.files.geojson import require_lonlat, write_geojson
from scdcli.polygons.files.geoparquet import write_geoparquet
from scdcli.polygons.trace.trace import Polygons
from scdcli.rasters.grid import Grid

LAYER = "changes"
SPOOL = "features.arrow"
# from 1.4 on, GDAL before 3.7 (QGIS of 2022) warns that it may not understand the file
CREATION = {"GPKG": {"VERSION": "1.2"}}
FOREIGN_ERRORS = (
    OSError,
    sqlite3.Error,
    pa.ArrowException,
    DataSourceError,
    DataLayerError,
    ProjError,
)


class Layer(NamedTuple):
    """Where a layer goes and what it needs besides its features."""

    path: Path
    crs: str | None  # as WKT: each library carries a PROJ of its own, and they share no objects
    styles: Mapping[str, str]  # QGIS layer styles (QML) by name, the default one first


def require_formats(names: Iterable[str]) -> None:
    """Refuse unknown formats, before any work is done.

    Raises:
        UnknownName: No such format.
    """
    for name in names:
        if name not in DRIVERS:
            raise UnknownName("vector format", name, (*DRIVERS, "none"))


def require_place(names: Iterable[str], grid: Grid) -> None:
    """Refuse formats that cannot hold the coordinates of a grid, before any work is done.

    Raises:
        OutputError: GeoJSON is among them, and the grid has no longitude and latitude on the Earth.
    """
    if "geojson" in names:
        require_lonlat(grid)


def write_polygons(
    folder: Path,
    polygons: Iterable[Polygons],
    grid: Grid,
    ground: Ground,
    legend: Legend,
    *,
    formats: Iterable[str] = ("gpkg",),
    styles: Mapping[str, str] | None = None,
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
        styles: QGIS styles by name, as `style.polygon_styles` gives them: all are stored in the
            GeoPackage, and the first lies as ``changes.qml`` beside files of other formats.

    Returns:
        The files written, those beside a shapefile and the style included.

    Raises:
        UnknownName: No such format.
        InputError: A transition is not in the legend.
        OutputError: The files cannot be written, or one of them would become too large; nothing is
            left behind.
    """
    formats = tuple(formats)
    require_formats(formats)
    return write_features(
        folder,
        number_features(polygons, ground, legend),
        feature_schema(ground.unit),
        None if grid.crs is None else grid.crs.to_wkt(),
        formats=formats,
        styles=styles or {},
    )


def write_features(
    folder: Path,
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    crs: str | None,
    *,
    formats: Iterable[str],
    styles: Mapping[str, str],
) -> list[Path]:
    """Write features as ``changes.<format>`` into a folder, as `write_polygons` does.

    They are numbered from 1 in a column ``id``; the CRS of their outlines is WKT.

    Raises:
        OutputError: The files cannot be written, or one of them would become too large; nothing is
            left behind.
    """
    try:
        with TemporaryDirectory(prefix=f".{LAYER}.", dir=folder) as beside:
            spool = Path(beside, SPOOL)
            count = _gather(spool, batches, schema)
            for name in formats:
                layer = Layer(Path(beside, f"{LAYER}.{name}"), crs, styles)
                with pa.OSFile(str(spool)) as file, pa.ipc.open_stream(file) as features:
                    DRIVERS[name](layer, features)
                _verify(layer.path, count)
            if styles and set(formats) - {"gpkg"}:
                default = next(iter(styles.values()))
                Path(beside, f"{LAYER}.qml").write_text(default, encoding="utf-8", newline="\n")
            spool.unlink()
            return [file.replace(folder / file.name) for file in sorted(Path(beside).iterdir())]
    except FOREIGN_ERRORS as error:
        raise OutputError(
            f"the polygons cannot be written to {folder} ({error}); "
            "see that the folder exists, may be written to and has room."
        ) from error


def _gather(spool: Path, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> int:
    """Keep the batches on disk; returns the number of features in them."""
    count = 0
    packed = pa.ipc.IpcWriteOptions(compression="zstd")  # a tenth of what a GeoPackage takes
    with (
        pa.OSFile(str(spool), "wb") as file,
        pa.ipc.new_stream(file, schema, options=packed) as stream,
    ):
        for batch in batches:
            stream.write_batch(batch)
            count += len(batch)
    return count


def _verify(path: Path, count: int) -> None:
    """Refuse a file that lost features when it was closed: GDAL does not report a full disk then.

    The last feature is read, attributes included. Files that GDAL does not write need no check.
    """
    if count == 0 or path.suffix in (".geojson", ".parquet"):
        return
    about, _, _, columns = pyogrio.raw.read(path, layer=LAYER, skip_features=count - 1)
    ids = columns[about["fields"].tolist().index("id")]
    if len(ids) != 1 or not 1 <= ids[0] <= count:
        raise OSError(f"{path.name} does not hold the {count} polygons written to it")


def _write(
    layer: Layer, driver: str, features: pa.RecordBatchReader | pa.Table, *, append: bool = False
) -> None:
    """Write features with GDAL, batch by batch, into a new layer or at the end of one."""
    with warnings.catch_warnings(), mortal():
        warnings.filterwarnings("ignore", "'crs' was not provided", UserWarning)  # a pixel grid
        pyogrio.raw.write_arrow(
            features,
            layer.path,
            layer=LAYER,
            driver=driver,
            geometry_name=GEOMETRY,
            geometry_type="Polygon",
            crs=layer.crs,
            encoding="UTF-8",
            append=append,
            dataset_options=CREATION.get(driver),
        )


def _flatgeobuf(layer: Layer, features: pa.RecordBatchReader) -> None:
    """In one call, as the format cannot be appended to; all whole numbers are 64-bit."""
    wide = [
        field.with_type(pa.int64()) if pa.types.is_integer(field.type) else field
        for field in features.schema
    ]
    _write(layer, "FlatGeobuf", features.cast(pa.schema(wide)))


def _geopackage(layer: Layer, features: pa.RecordBatchReader) -> None:
    _write(layer, "GPKG", features.schema.empty_table())
    for batch in features:
        _write(layer, "GPKG", pa.Table.from_batches([batch]), append=True)
    geopackage.finish(layer.path, LAYER, layer.styles)


def _shapefile(layer: Layer, features: pa.RecordBatchReader) -> None:
    _write(layer, "ESRI Shapefile", shapefile.with_short_names(features.schema.empty_table()))
    for batch in features:
        shapefile.require_room(layer.path, batch)
        table = shapefile.with_short_names(pa.Table.from_batches([batch]))
        _write(layer, "ESRI Shapefile", table, append=True)


DRIVERS: dict[str, Callable[[Layer, pa.RecordBatchReader], None]] = {
    "fgb": _flatgeobuf,
    "geojson": lambda layer, features: write_geojson(layer.path, LAYER, layer.crs, features),
    "gpkg": _geopackage,
    "parquet": lambda layer, features: write_geoparquet(layer.path, layer.crs, features),
    "shp": _shapefile,
}
