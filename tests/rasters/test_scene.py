import math
import zipfile

import numpy as np
import pytest
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.shutil import copy
from rasterio.windows import Window
from scenes import NORTH_UP, UTM, noise, write_scene

from scdcli.errors import InputError
from scdcli.rasters.pair.report import describe
from scdcli.rasters.scene import (
    has_size,
    measured_window,
    open_scene,
    read_window,
    scene_grid,
    scene_reader,
    spectral_bands,
    valid_window,
)

WHOLE = Window(0, 0, 40, 30)


def truncate(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


@pytest.mark.parametrize(
    ("name", "driver", "exact"),
    [
        ("scene.tif", "GTiff", True),
        ("scene.png", "PNG", True),
        ("scene.jpg", "JPEG", False),
        ("scene.jp2", "JP2OpenJPEG", False),
        ("scene.img", "HFA", True),
        ("scene.dat", "ENVI", True),
    ],
)
def test_common_formats_open(tmp_path, name, driver, exact):
    pixels = noise((3, 30, 40))
    path = write_scene(tmp_path / name, pixels, driver=driver)
    with open_scene(path) as dataset:
        assert dataset.driver == driver
        read = read_window(dataset, WHOLE, (1, 2, 3), path)
    assert read.shape == (3, 30, 40)
    assert not exact or (read == pixels).all()


def test_an_image_inside_a_zip_opens(tmp_path):
    write_scene(tmp_path / "a.tif", noise((1, 30, 40)))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "a.tif", "a.tif")
    with open_scene(f"/vsizip/{tmp_path}/a.zip/a.tif") as dataset:
        assert dataset.shape == (30, 40)


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"gone\.tif does not exist"), open_scene("gone.tif"):
        pass


def test_missing_file_in_a_zip(tmp_path):
    path = f"/vsizip/{tmp_path}/a.zip/a.tif"
    with pytest.raises(InputError, match=r"a\.zip/a\.tif"), open_scene(path):
        pass


def test_folder(tmp_path):
    with pytest.raises(InputError, match="is a folder"), open_scene(tmp_path):
        pass


@pytest.mark.parametrize("content", [b"", b"no image at all"], ids=["empty", "text"])
def test_what_is_no_image_is_refused(tmp_path, content):
    path = tmp_path / "text.tif"
    path.write_bytes(content)
    message = r"text\.tif is not an image that can be read here \(GTiff, .*gdal_translate"
    with pytest.raises(InputError, match=message), open_scene(path):
        pass


def test_a_file_cut_in_its_header_is_named(tmp_path):
    path = truncate(write_scene(tmp_path / "cut.tif", noise((1, 30, 40))), 0.02)
    with pytest.raises(InputError, match=r"cut\.tif cannot be opened: .*directory"):
        open_scene(path).__enter__()


def test_a_file_cut_in_its_pixels_names_the_window(tmp_path):
    scene = write_scene(tmp_path / "cut.tif", noise((1, 300, 400)), compress="deflate")
    path = truncate(scene, 0.5)
    window = Window(10, 200, 50, 90)
    message = r"cut\.tif \(rows 200-289, columns 10-59\) cannot be read: the file is cut off"
    with open_scene(path) as dataset, pytest.raises(InputError, match=message):
        read_window(dataset, window, (1,), path)


@pytest.mark.parametrize("profile", [{"tiled": True, "blockxsize": 128, "blockysize": 128}, {}])
@pytest.mark.parametrize("share", [0.3, 0.98])
def test_a_file_that_ends_too_early_is_said_to_be_cut_off(tmp_path, profile, share):
    """In the words of libtiff it may be at row 4294967295."""
    scene = write_scene(tmp_path / "cut.tif", noise((1, 500, 400)), compress="deflate", **profile)
    path = truncate(scene, share)
    message = r"cut\.tif \(rows 0-499, columns 0-399\) cannot be read: the file is cut off: of the "
    with open_scene(path) as dataset, pytest.raises(InputError, match=message) as refused:
        read_window(dataset, Window(0, 0, 400, 500), (1,), path)
    assert "429496" not in str(refused.value)
    assert refused.match(r"bytes of a block \d+ are there\. Copy the file again")


def test_a_damaged_header_of_a_mask_is_one_sentence(tmp_path):
    """It is read when something is asked of the mask first, and told at the next question."""
    path = write_scene(tmp_path / "a.tif", noise((3, 64, 64)), mask=np.full((64, 64), 255, "u1"))
    content = bytearray(path.read_bytes())
    image = int.from_bytes(content[4:8], "little")  # where the directory of the image begins
    tags = int.from_bytes(content[image : image + 2], "little")
    after = image + 2 + 12 * tags
    mask = int.from_bytes(content[after : after + 4], "little")
    entries = range(
        mask + 2, mask + 2 + 12 * int.from_bytes(content[mask : mask + 2], "little"), 12
    )
    height = next(k for k in entries if content[k : k + 2] == (257).to_bytes(2, "little"))
    content[height : height + 2] = (258).to_bytes(2, "little")
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.tif cannot be opened: .*Copy the file again"):
        open_scene(path).__enter__()


def test_ground_control_points_are_refused_with_the_remedy(tmp_path):
    corners = [(0, 0), (0, 40), (30, 0), (30, 40)]
    points = [GroundControlPoint(row, col, 500_000 + col, 4e6 - row) for row, col in corners]
    path = tmp_path / "gcp.tif"
    write_scene(path, noise((1, 30, 40)), transform=None, crs=UTM, gcps=points)
    message = r"gcp\.tif is placed by 4 ground control points.*gdalwarp -tps"
    with open_scene(path) as dataset, pytest.raises(InputError, match=message):
        scene_grid(dataset, path)


def test_alpha_is_a_mask_and_no_band(tmp_path):
    pixels = noise((4, 30, 40))
    pixels[3] = 255
    pixels[3, :5, :7] = 0
    path = write_scene(tmp_path / "a.tif", pixels, photometric="RGB", alpha="YES")
    with open_scene(path) as dataset:
        assert spectral_bands(dataset) == (1, 2, 3)
        valid = valid_window(dataset, WHOLE, path)
    assert (~valid).sum() == 35
    assert not valid[:5, :7].any()


def with_nodata(tmp_path):
    pixels = noise((2, 30, 40))
    pixels[:, :5, :7] = 0
    pixels[0, 20, 20] = 0  # one band only: still a measurement
    return write_scene(tmp_path / "nodata.tif", pixels, nodata=0)


def with_mask(tmp_path):
    mask = np.full((30, 40), 255, np.uint8)
    mask[:5, :7] = 0
    return write_scene(tmp_path / "mask.tif", noise((2, 30, 40)), mask=mask)


def with_nan(tmp_path):
    pixels = noise((2, 30, 40), "float32")
    pixels[1, :5, :7] = np.nan
    return write_scene(tmp_path / "nan.tif", pixels)


def with_infinity_and_nodata(tmp_path):
    pixels = noise((2, 30, 40), "float32")
    pixels[:, :4, :7] = -9999
    pixels[1, 4, :7] = np.inf
    return write_scene(tmp_path / "both.tif", pixels, nodata=-9999)


def with_nodata_beside_a_nitf(tmp_path):
    """Of which GDAL makes no mask; far from its edge the collar of a JPEG is exact."""
    pixels = np.full((3, 30, 40), 120, np.uint8)
    pixels[:, :5, :7] = 0
    blocks = pixels.repeat(16, 1).repeat(16, 2)
    plain = write_scene(tmp_path / "plain.tif", blocks, nodata=0)
    copy(plain, tmp_path / "jpeg.ntf", driver="NITF", IC="C3")
    return tmp_path / "jpeg.ntf"


def test_a_nodata_value_of_which_gdal_makes_no_mask_is_one(tmp_path):
    path = with_nodata_beside_a_nitf(tmp_path)
    with open_scene(path) as dataset:
        assert dataset.nodata == 0
        valid = valid_window(dataset, Window(0, 0, 640, 480), path)
    assert not valid[:64, :96].any()
    assert valid[96:, 128:].all()


@pytest.mark.parametrize("scene", [with_nodata, with_mask, with_nan, with_infinity_and_nodata])
def test_every_kind_of_nodata_becomes_nan(tmp_path, scene):
    path = scene(tmp_path)
    with open_scene(path) as dataset:
        pixels = measured_window(dataset, WHOLE, (1, 2), path)
    assert np.isnan(pixels[:, :5, :7]).all()
    assert np.isnan(pixels).sum() == 2 * 35


def test_outside_the_scene_is_nan(tmp_path):
    pixels = noise((2, 30, 40))
    path = write_scene(tmp_path / "a.tif", pixels)
    with open_scene(path) as dataset:
        read = scene_reader(dataset, (2, 1), path, offset=(-3, 5))
        got = read(Window(0, 0, 60, 50))
        far = read(Window(1000, 0, 8, 9))
    expected = np.full((2, 50, 60), np.nan, np.float32)
    expected[:, :27, 5:45] = pixels[::-1, 3:]
    np.testing.assert_array_equal(got, expected)
    assert far.shape == (2, 9, 8)
    assert np.isnan(far).all()


def test_the_description_keeps_no_folder_and_hashes_the_metadata(tmp_path):
    facts = []
    for name, value in (("a.tif", 0), ("b.tif", 0), ("c.tif", 1)):
        (tmp_path / name[0]).mkdir()
        path = write_scene(tmp_path / name[0] / "scene.tif", noise((1, 30, 40)), nodata=value)
        with open_scene(path) as dataset:
            facts.append(describe(dataset, path))
    assert facts[0]["name"] == "scene.tif"
    assert (facts[0]["width"], facts[0]["height"], facts[0]["dtype"]) == (40, 30, "uint8")
    assert facts[0]["crs"] == UTM
    assert str(tmp_path) not in str(facts)
    assert facts[0]["metadata_sha256"] == facts[1]["metadata_sha256"]
    assert facts[0]["metadata_sha256"] != facts[2]["metadata_sha256"]


def test_grid_of_a_scene(tmp_path):
    path = write_scene(tmp_path / "a.tif", noise((1, 30, 40)))
    with open_scene(path) as dataset:
        grid = scene_grid(dataset, path)
    assert (grid.shape, grid.transform, grid.crs.to_string()) == ((30, 40), NORTH_UP, UTM)


@pytest.mark.parametrize(
    "transform",
    [
        Affine(1, 1, 500_000, 1, 1, 4_000_000),
        Affine(1, 1, 500_000, 1, 1 + 1e-12, 4_000_000),
        Affine(1, 0, math.nan, 0, -1, 4_000_000),
        Affine(1e-300, 0, 500_000, 0, -1e29, 4_000_000),
    ],
    ids=["a line", "nearly a line", "no place", "no size"],
)
def test_pixels_without_size_or_place_are_refused(tmp_path, transform):
    path = write_scene(tmp_path / "a.tif", noise((1, 30, 40)), transform)
    with (
        open_scene(path) as dataset,
        pytest.raises(InputError, match=r"a\.tif has a geotransform in which .*gdal_edit"),
    ):
        scene_grid(dataset, path)


@pytest.mark.parametrize("side", [1e-9, 1e-6, 0.05, 1e6])
def test_pixels_of_any_unit_have_a_size(side):
    for transform in (Affine.scale(side, -side), Affine.rotation(20) @ Affine.scale(side)):
        assert has_size(transform)
