"""Files of a set are found whatever their format, or named where they are not read."""

import warnings

import numpy as np
import pytest
from maps import draw, write_second
from rasterio.errors import NotGeoreferencedWarning
from rasterio.shutil import copy
from scenes import noise, write_scene
from sets import find_samples

from scdcli.datasets.dataset import read_images
from scdcli.datasets.layouts import LAYOUTS, list_samples
from scdcli.datasets.samples import IMAGE_SUFFIXES, by_stem, find_file
from scdcli.errors import DatasetError
from scdcli.rasters.scene import DRIVERS

SIZE = (64, 80)
# GDAL in the wheel writes these; all of them are read alike.
WRITTEN = ("GTiff", "JP2OpenJPEG", "PNG", "JPEG", "WEBP", "BMP", "HFA", "ENVI", "NITF", "PCIDSK")


def write_image(path, driver="PNG", seed=1):
    """Three bands of noise in a format; those that cannot be written are copied into."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = noise((3, *SIZE), seed=seed)
    source = path.with_name(f"{path.stem}-source.tif")
    write_scene(source, pixels, None, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        copy(str(source), str(path), driver=driver)
    source.unlink()
    return pixels


@pytest.fixture
def labels(tmp_path):
    """A set in the layout of SECOND with labels a, and no images yet."""
    return write_second(tmp_path / "set", {"a": draw(3, shape=SIZE)})


def test_every_driver_has_suffixes():
    assert set(WRITTEN) == set(DRIVERS)
    assert all(DRIVERS.values())


@pytest.mark.parametrize("driver", WRITTEN)
def test_images_of_every_format_are_read(labels, driver):
    for folder, suffix in (("im1", DRIVERS[driver][0]), ("im2", DRIVERS[driver][-1].upper())):
        pixels = write_image(labels / folder / f"a{suffix}", driver)
    (sample,) = find_samples(labels)
    (_, _), (after, seen) = read_images(sample)
    assert seen.all()
    if driver not in ("JPEG", "WEBP", "JP2OpenJPEG"):  # as they are written here, with losses
        np.testing.assert_array_equal(after, pixels)


def test_labels_of_jpeg_are_named(labels):
    for folder in ("im1", "im2"):
        write_image(labels / folder / "a.png")
    (labels / "label2/a.png").rename(labels / "label2/a.JPG")
    samples, problems = LAYOUTS["second"](labels)
    assert not samples
    (problem,) = problems
    assert problem.startswith(f"{labels}/label2/a.JPG is a JPEG, whose compression turns classes")
    assert "as PNG or GeoTIFF" in problem


def test_a_picture_beside_a_label_does_not_matter(labels):
    for folder in ("im1", "im2"):
        write_image(labels / folder / "a.png")
    (labels / "label2/a.jpg").write_bytes(b"a picture to look at")
    (labels / "im1/a.pgw").write_bytes(b"a place")
    (labels / "im1/a.png.aux.xml").write_bytes(b"statistics")
    samples, problems = LAYOUTS["second"](labels)
    assert [each.name for each in samples] == ["a"]
    assert not problems


def test_what_is_not_read_is_named_with_its_suffix(labels):
    write_image(labels / "im1/a.png")
    (labels / "im2").mkdir()
    (labels / "im2/a.gif").write_bytes(b"GIF89a")
    (labels / "im2/a.tfw").write_bytes(b"a place")
    (problem,) = LAYOUTS["second"](labels).problems
    assert problem.startswith(f"{labels}/im2/a.gif is not read, only .tif, .tiff, .jp2")
    assert problem.endswith("convert it")


def test_a_sidecar_alone_is_a_missing_image(labels):
    write_image(labels / "im1/a.png")
    (labels / "im2").mkdir()
    (labels / "im2/a.tfw").write_bytes(b"a place")
    assert LAYOUTS["second"](labels).problems == [f"{labels}/im2/a is missing"]


def test_a_set_without_any_image_says_what_is_there(tmp_path):
    for folder in ("im1", "im2", "label1", "label2"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.gif").write_bytes(b"GIF89a")
    with pytest.raises(DatasetError, match=r"im1 holds no \.tif, .* images, only \.gif files"):
        list_samples(tmp_path)


def test_an_image_in_two_formats_is_one_too_many(tmp_path):
    for name in ("a.jpg", "a.png"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(DatasetError, match=r"a\.jpg and \S+a\.png have the same name; keep one"):
        by_stem(tmp_path, IMAGE_SUFFIXES)
    with pytest.raises(DatasetError, match="have the same name; keep one"):
        find_file(tmp_path, "a", IMAGE_SUFFIXES)


def write_scenes(root, before="before.tif", after="after.tif", from_name="from.tif"):
    """A scene folder with files of these names."""
    first, second = draw(3, shape=SIZE)
    for name, seed in ((before, 1), (after, 2)):
        suffix = name[name.rindex(".") :].lower()
        driver = next(key for key, suffixes in DRIVERS.items() if suffix in suffixes)
        write_image(root / "[north]" / name, driver, seed)
    write_scene(root / "[north]" / from_name, first[None], None, None)
    write_scene(root / "[north]/to.tif", second[None], None, None)
    return root


def test_a_scene_may_have_images_of_any_format(tmp_path):
    samples, problems = LAYOUTS["scenes"](write_scenes(tmp_path, "before.JPG", "after.webp"))
    assert not problems
    assert [(each.before.name, each.after.name) for each in samples] == [
        ("before.JPG", "after.webp")
    ]


def test_a_scene_names_what_is_not_read(tmp_path):
    root = write_scenes(tmp_path)
    scene = root / "[north]"
    (scene / "to.tif").rename(scene / "to.jpeg")
    (problem,) = LAYOUTS["scenes"](root).problems
    assert problem.startswith(f"{scene}/to.jpeg is a JPEG, whose compression")
    (scene / "from.tif").unlink()
    (problem,) = LAYOUTS["scenes"](root).problems
    assert problem.startswith(f"{scene}/to.jpeg is a JPEG, whose compression")
    (scene / "after.tif").rename(scene / "after.gif")
    (problem,) = LAYOUTS["scenes"](root).problems
    assert problem.startswith(f"{scene}/after.gif is not read, only .tif")


def test_a_set_of_jpeg_images_is_trained_on_and_scored(scd, tmp_path):
    maps = {name: draw(seed, shape=SIZE) for seed, name in enumerate("ab")}
    root = write_second(tmp_path / "set", maps)
    for folder in ("im1", "im2"):
        for seed, name in enumerate(maps):
            write_image(root / folder / f"{name}.jpg", "JPEG", seed)
    checked = scd("check", root, "--legend", "second")
    assert (checked.exit_code, "No problems." in checked.stdout) == (0, True)
    split = tmp_path / "split.csv"
    split.write_text("name,split\na.jpg,train\nb.jpg,val\n")
    run = tmp_path / "run"
    tiny = ("--network", "fc-siam-diff", "--width", "0.1", "--chip", "64", "--epochs", "1")
    trained = scd(
        "train", root, "--legend", "second", "--split-file", split, "-o", run, "--batch", 1, *tiny
    )
    assert trained.exit_code == 0, trained.stderr
    scored = scd("evaluate", root, "-m", run / "best.safetensors", "--chip", "64", "--json")
    assert scored.exit_code == 0, scored.stderr
