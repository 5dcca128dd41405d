"""Files that ask for too much, or that are not what their names say."""

import struct
import warnings
import zipfile

import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window
from scenes import NORTH_UP, UTM, noise, write_scene

from scdcli.errors import InputError, PairError
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.pair.settings import PairSettings
from scdcli.rasters.scene import open_scene, read_window

VRT = (
    '<VRTDataset rasterXSize="40" rasterYSize="30"><VRTRasterBand dataType="Byte" band="1">'
    "<SimpleSource><SourceFilename>{}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"
)


def sparse(path, side, count=3, **profile):
    profile |= {"width": side, "height": side, "count": count, "sparse_ok": True}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", driver="GTiff", **profile):
            pass
    return path


def refused(path, message, **settings):
    with pytest.raises(InputError, match=message), open_scene(path, **settings):
        pass


def as_file(folder, real):
    (folder / "a.vrt").write_text(VRT.format(real))
    return str(folder / "a.vrt")


def renamed(folder, real):
    (folder / "a.tif").write_text(VRT.format(real))
    return str(folder / "a.tif")


def in_zip(folder, real):
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("a.tif", VRT.format(real))
    return f"/vsizip/{folder}/a.zip/a.tif"


def by_address(folder, real):
    (folder / "b.vrt").write_text(VRT.format(real))
    return f"file://{folder}/b.vrt"


@pytest.mark.parametrize("make", [as_file, renamed, in_zip, by_address])
def test_a_vrt_needs_permission_wherever_it_lies(tmp_path, make):
    real = write_scene(tmp_path / "real.tif", noise((1, 30, 40)))
    path = make(tmp_path, real)
    refused(path, "--allow-vrt")
    with open_scene(path, allow_vrt=True) as dataset:
        assert dataset.driver == "VRT"


@pytest.mark.parametrize("allow_vrt", [False, True])
@pytest.mark.parametrize("source", ["/etc/passwd", "https://host/a.tif?sig=secret"])
def test_vrt_text_as_a_path_is_no_file(source, allow_vrt):
    with pytest.raises(InputError, match=r"<VRTDataset .*does not exist") as found:
        open_scene(VRT.format(source), allow_vrt=allow_vrt).__enter__()
    assert len(str(found.value)) < 500


def test_a_vrt_that_names_itself_is_an_error(tmp_path):
    (tmp_path / "loop.vrt").write_text(VRT.format(tmp_path / "loop.vrt"))
    path = tmp_path / "loop.vrt"
    with open_scene(path, allow_vrt=True) as dataset, pytest.raises(InputError, match="loop"):
        read_window(dataset, Window(0, 0, 40, 30), (1,), path)


def test_other_virtual_formats_are_refused(tmp_path):
    (tmp_path / "index.gti").write_text("<GDALTileIndexDataset><IndexDataset>x</IndexDataset>")
    refused(tmp_path / "index.gti", "not an image that can be read")
    (tmp_path / "map.xml").write_text("<GDAL_WMS><Service name='TMS'></Service></GDAL_WMS>")
    refused(tmp_path / "map.xml", "not an image that can be read")


@pytest.mark.parametrize("driver", ["netCDF", "HDF5"])
def test_a_container_names_its_data_sets(tmp_path, driver):
    from scipy.io import netcdf_file

    path = tmp_path / "many.nc"
    if driver == "netCDF":
        with netcdf_file(path, "w") as file:
            file.createDimension("y", 4)
            file.createDimension("x", 5)
            for name in ("red", "snow"):
                file.createVariable(name, "f4", ("y", "x"))[:] = 1
        refused(path, rf"{path} is a netCDF file.*: netcdf:.*many\.nc:red; netcdf:.*many\.nc:snow")
    else:
        path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
        refused(path, "is a HDF5 file, which holds data sets.*: none that can be read")


def test_a_header_is_not_the_image(tmp_path):
    path = write_scene(tmp_path / "a.dat", noise((1, 30, 40)), driver="ENVI")
    refused(path.with_suffix(".hdr"), r"a\.hdr is the header of an ENVI file; name the file of its")


def test_large_blocks_are_refused_with_both_sizes(tmp_path):
    path = sparse(
        tmp_path / "a.tif",
        16384,
        1,
        dtype="float32",
        tiled=True,
        blockxsize=16384,
        blockysize=16384,
    )
    refused(path, r"blocks of 16384 x 16384 pixels, 1024 MiB each, but at most 512 MiB.*TILED=YES")
    options = {"dtype": "uint8", "tiled": True, "blockxsize": 4096, "blockysize": 4096}
    with open_scene(sparse(tmp_path / "b.tif", 8192, 40, interleave="band", **options)):
        pass
    refused(sparse(tmp_path / "c.tif", 8192, 40, interleave="pixel", **options), "640 MiB each")


def test_more_bands_than_an_image_has_are_refused(tmp_path):
    path = sparse(tmp_path / "a.tif", 16, 65535, dtype="uint8")
    refused(path, r"a\.tif has 65535 bands; from 1 to 4096 can be read.*gdal_translate -b 1")


def test_a_huge_scene_opens_and_is_read_by_windows(tmp_path):
    """12 TB of float32, of which nothing is stored; see the memory grow if any of it is held."""
    import tracemalloc

    options = {"dtype": "float32", "tiled": True, "blockxsize": 4096, "blockysize": 4096}
    placed = {"crs": UTM, "transform": NORTH_UP, "interleave": "band"}
    path = sparse(tmp_path / "a.tif", 1_000_000, 3, **options, **placed)
    with pytest.raises(
        PairError, match=r"1000000 x 1000000 pixels, 1e\+12 in all, more than the 4e\+10"
    ):
        open_pair(path, path).__enter__()
    tracemalloc.start()
    settings = PairSettings(scale=(0, 1), max_pixels=10**13)
    with open_pair(path, path, settings) as pair:
        before, _, valid = pair.read(Window(900_000, 900_000, 64, 64))
    assert tracemalloc.get_traced_memory()[1] < 50 << 20
    tracemalloc.stop()
    assert (before.shape, valid.all(), before.max()) == ((3, 64, 64), True, 0)


def test_a_png_that_swells_is_refused_before_it_is_unpacked(tmp_path):
    """60000 x 60000 pixels said in a file of a hundred bytes."""
    import zlib

    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    content = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )
    path = tmp_path / "bomb.png"
    path.write_bytes(content)
    with pytest.raises(PairError, match="60000 x 60000 pixels, 3.6e"):
        open_pair(path, path, PairSettings(max_pixels=10**9)).__enter__()
    with open_pair(path, path) as pair, pytest.raises(InputError, match=r"bomb\.png \(rows 0-9"):
        pair.read(Window(0, 0, 10, 10))


NAMES = [
    "ein Bild mit Leerzeichen.tif",
    "空から-Ärger 🛰.tif",
    "zwei\nZeilen.tif",
    "50%?#[x]&'\".tif",
    f"{'n' * 251}.tif",
    "-o.tif",
]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_strange_names_are_read_and_shown_in_one_line(tmp_path, name):
    path = write_scene(tmp_path / name, noise((1, 30, 40)))
    other = write_scene(tmp_path / "b.tif", noise((2, 30, 40)))
    with open_pair(path, path) as pair:
        assert pair.read(Window(0, 0, 40, 30))[2].all()
        assert pair.provenance["before"]["name"] == name.replace("\n", "\\n")
    with pytest.raises(PairError) as found:
        open_pair(path, other).__enter__()
    assert "\n" not in str(found.value)
    assert name[:4] in str(found.value)


@pytest.mark.parametrize("name", ["no\0name.tif", "x" * 5000])
def test_names_that_no_file_can_have(name):
    refused(name, r"cannot be opened: |does not exist")


def test_a_file_without_permission_is_named(tmp_path, monkeypatch):
    path = write_scene(tmp_path / "a.tif", noise((1, 30, 40)))

    def forbidden(self, *args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", forbidden)
    refused(path, r"a\.tif cannot be opened: Permission denied")
