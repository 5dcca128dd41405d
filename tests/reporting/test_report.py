"""The page of a prediction: when it is made, again afterwards, and what it survives."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from finished import draw_classes, predict_images, write_images
from scenes import NORTH_UP, write_scene

from scdcli.errors import InputError
from scdcli.legend import CHANGE
from scdcli.prediction import write
from scdcli.prediction.predict import predict
from scdcli.rasters.pair.settings import PairSettings
from scdcli.reporting.page import REPORT
from scdcli.reporting.report import rebuild_report


@pytest.fixture
def images(tmp_path, rng):
    return write_images(tmp_path / "images", draw_classes(rng))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A prediction without a page, and its images beside it; not to be changed."""
    folder = tmp_path_factory.mktemp("made")
    images = write_images(folder / "images", draw_classes(np.random.default_rng(7)))
    predict_images(images, folder / "out", report=False)
    return folder


@pytest.fixture
def copied(made, tmp_path):
    """The same, to be changed."""
    return Path(shutil.copytree(made / "out", tmp_path / "out"))


def data_of(page):
    """What the script of a page draws from."""
    text = page.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="data">(.*?)</script>', text)[1])


def test_a_prediction_has_a_page_of_its_own_numbers(images, tmp_path):
    summary = predict_images(images, tmp_path / "out")
    text = (tmp_path / "out" / REPORT).read_text(encoding="utf-8")
    assert f"{summary['changed']['hectares']:,.2f} ha" in text
    for row in summary["transitions"]:
        assert f'data-pair="{row["from_class"]},{row["to_class"]}"' in text
        assert f">{row['pixels']:,}</td>" in text
    data = data_of(tmp_path / "out" / REPORT)
    assert data["before"].startswith("data:image/jpeg")
    assert data["after"] != data["before"]


def test_a_page_refers_to_nothing_outside_it(images, tmp_path):
    predict_images(images, tmp_path / "out")
    text = (tmp_path / "out" / REPORT).read_text(encoding="utf-8")
    assert not re.search(r"(?:src|href)=[\"'](?!data:|#)", text)
    assert not re.search(r"https?://|@import|url\((?!#)", text)
    assert str(tmp_path) not in text


def test_no_page_where_none_is_wanted(images, tmp_path):
    predict_images(images, tmp_path / "out", report=False)
    assert not (tmp_path / "out" / REPORT).exists()


def test_made_again_it_is_the_same_page(images, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    out = tmp_path / "images/out"
    predict_images(images, out, simplify=2.0)
    first = (out / REPORT).read_bytes()
    page, missing = rebuild_report(out)
    assert (page, missing) == (out / REPORT, None)
    assert page.read_bytes() == first


def test_of_a_part_it_is_the_same_page_too(images, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    monkeypatch.chdir(tmp_path / "images")
    left, top = NORTH_UP.c, NORTH_UP.f
    bounds = (left + 13.5, top - 101, left + 150, top - 7)
    predict_images(images, tmp_path / "out", pair=PairSettings(bounds=bounds))
    first = (tmp_path / "out" / REPORT).read_bytes()
    page, missing = rebuild_report(tmp_path / "out", tmp_path / "again.html")
    assert missing is None
    assert page.read_bytes() == first


def test_images_that_are_gone_are_said_and_may_be_named(images, tmp_path):
    predict_images(images, tmp_path / "deep/er/out", report=False)
    images = [path.rename(tmp_path / path.name) for path in images]
    page, missing = rebuild_report(tmp_path / "deep/er/out")
    assert missing.startswith("This page shows no images: before.tif is not where it is looked for")
    assert "--before" in missing
    assert missing.split(":")[0] in page.read_text(encoding="utf-8")
    assert (data_of(page)["before"], data_of(page)["after"]) == (None, None)
    page, missing = rebuild_report(tmp_path / "deep/er/out", before=images[0], after=images[1])
    assert missing is None
    assert data_of(page)["after"]


def test_images_lie_where_the_project_says_wherever_both_are_now(images, tmp_path):
    predict_images(images, tmp_path / "deep/er/out", report=False)
    shutil.copytree(tmp_path, tmp_path.with_name("elsewhere"))
    shutil.rmtree(tmp_path / "images")
    page, missing = rebuild_report(tmp_path.with_name("elsewhere") / "deep/er/out")
    assert missing is None
    assert data_of(page)["before"]
    for content in (b"no ZIP", b""):
        (tmp_path / "deep/er/out/changes.qgz").write_bytes(content)
        assert rebuild_report(tmp_path / "deep/er/out")[1] is not None


def test_a_page_with_images_is_not_replaced_by_one_without(images, tmp_path):
    out = tmp_path / "out"
    predict_images(images, out)
    files = [out / REPORT, out / "preview.png"]
    first = [file.read_bytes() for file in files]
    images = [path.rename(tmp_path / f"moved-{path.name}") for path in images]
    page, told = rebuild_report(out)
    assert told.startswith("report.html is left as it was, since it shows images and a new one")
    assert "name it with --before. Or make it without them, with --overwrite." in told
    assert [file.read_bytes() for file in files] == first
    assert rebuild_report(out, before=images[0], after=images[1])[1] is None
    _, told = rebuild_report(out, bare=True)
    assert told.startswith("This page shows no images")
    assert data_of(page)["before"] is None
    assert rebuild_report(out)[1] == told  # it has none to lose


def test_another_image_of_the_same_name_is_not_taken(images, tmp_path, rng):
    out = tmp_path / "images/out"
    predict_images(images, out)
    write_images(tmp_path / "images", draw_classes(rng, (16, 21)))
    assert "not the same file" in rebuild_report(out)[1]
    _, missing = rebuild_report(out, before=images[0], after=images[1])
    assert "210 x 160 pixels" in missing
    assert "200 x 160" in missing


def test_what_fails_in_the_page_costs_no_prediction(images, tmp_path, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError("of no use")

    monkeypatch.setattr(write, "write_report", fail)
    said = []
    predict_images(images, tmp_path / "out", say=said.append)
    assert (tmp_path / "out/summary.json").exists()
    assert not (tmp_path / "out" / REPORT).exists()
    assert any("report.html could not be made (ZeroDivisionError: of no use)" in s for s in said)


def _batch(folder):
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for file in ("summary.json", "transition.tif"):
            (folder / name / file).touch()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda folder: None, "is not a folder"),
        (lambda folder: folder.mkdir(), "is no prediction: it holds no summary.json"),
        (lambda folder: folder.with_name(".out.partial").mkdir(), "is not finished"),
        (_batch, r"holds 2 predictions and is none itself; scd report --pairs .*out makes a page"),
        (lambda folder: folder.write_text("x"), "is not a folder"),
    ],
)
def test_a_folder_without_a_finished_prediction_is_refused(make, reason, tmp_path):
    make(tmp_path / "out")
    with pytest.raises(InputError, match=reason):
        rebuild_report(tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("summary.json", "{", "cannot be read"),
        ("summary.json", "[]", "inputs is missing"),
        ("transition.tif", None, "transition.tif is missing"),
    ],
)
def test_a_prediction_that_is_not_whole_is_refused(name, content, reason, copied):
    if content is None:
        (copied / name).unlink()
    else:
        (copied / name).write_text(content)
    with pytest.raises(InputError, match=reason):
        rebuild_report(copied)


def test_nothing_changed(tmp_path, rng):
    classes = draw_classes(rng)[[0, 0]]
    predict_images(write_images(tmp_path, classes), tmp_path / "out")
    text = (tmp_path / "out" / REPORT).read_text(encoding="utf-8")
    assert "Nothing changed" in text
    assert "From what to what" not in text
    assert "The largest changes" not in text


def test_nothing_measured(tmp_path, rng):
    images = write_images(tmp_path, np.full((2, 3, 3), 1), nodata=60)
    predict_images(images, tmp_path / "out")
    text = (tmp_path / "out" / REPORT).read_text(encoding="utf-8")
    assert "No pixel is measured in both images" in text


def test_one_pixel(tmp_path):
    images = write_images(tmp_path, np.array([[[1]], [[4]]]), enlarged=1)
    predict_images(images, tmp_path / "out")
    data = data_of(tmp_path / "out" / REPORT)
    assert (data["rows"], data["cols"]) == (1, 1)


def test_without_a_crs_areas_are_pixels(tmp_path, rng):
    images = write_images(tmp_path, draw_classes(rng), crs=None)
    summary = predict_images(images, tmp_path / "out")
    text = (tmp_path / "out" / REPORT).read_text(encoding="utf-8")
    assert f"{summary['changed']['pixels']:,} px" in text
    assert "Hectares" not in text
    assert rebuild_report(tmp_path / "out")[1] is None


def test_images_on_other_grids_and_in_other_types(tmp_path, rng):
    before, after = (each * 3000.0 for each in draw_classes(rng).repeat(10, 1).repeat(10, 2))
    images = [
        write_scene(tmp_path / "before.tif", before[None].astype(np.uint16)),
        write_scene(
            tmp_path / "after.tif",
            after[None, 3:, 7:].astype(np.uint16),
            NORTH_UP @ NORTH_UP.translation(7.3, 3.4),
        ),
    ]
    predict_images_of_one_band(images, tmp_path / "out")
    data = data_of(tmp_path / "out" / REPORT)
    assert data["before"]
    assert data["after"]


def predict_images_of_one_band(images, out):
    from standins import Thresholds, loaded

    return predict(*images, out, model=loaded(Thresholds(), bands=1))


def test_arrays_have_a_page_with_pictures(tmp_path, rng):
    from standins import Thresholds, loaded

    pixels = (draw_classes(rng) * 40 + 20).astype(np.uint8)[:, None].repeat(3, 1)
    predict(*pixels, tmp_path / "out", model=loaded(Thresholds()))
    assert data_of(tmp_path / "out" / REPORT)["after"]
    assert "was an array" in rebuild_report(tmp_path / "out")[1]


def test_names_of_classes_cannot_end_the_page(copied):
    path = copied / "summary.json"
    summary = json.loads(path.read_text())
    name = "</script><b>$&amp;"
    summary["model"]["legend"]["classes"][0]["name"] = name
    for row in summary["transitions"]:
        row["from_name"] = name if row["from_class"] == 1 else row["from_name"]
    path.write_text(json.dumps(summary))
    page, _ = rebuild_report(copied)
    assert "</script><b>" not in page.read_text()
    assert data_of(page)["classes"][0]["name"] == name


def test_a_copy_elsewhere_is_as_good(made, tmp_path):
    shutil.copytree(made / "out", tmp_path / "moved/out")
    assert rebuild_report(tmp_path / "moved/out")[1] is not None
    shutil.copytree(made / "images", tmp_path / "moved/images")
    shutil.copytree(made / "out", tmp_path / "moved/images/out")
    assert rebuild_report(tmp_path / "moved/images/out")[1] is None


def test_a_legend_of_change_alone_has_no_flow(copied):
    path = copied / "summary.json"
    summary = json.loads(path.read_text())
    summary["model"]["legend"] = CHANGE.to_dict()
    row = summary["transitions"][0] | {"from_class": 1, "to_class": 1}
    summary["transitions"] = [row | {"from_name": "changed", "to_name": "changed"}]
    path.write_text(json.dumps(summary))
    text = rebuild_report(copied)[0].read_text(encoding="utf-8")
    assert "From what to what" not in text
    assert "Most of it" not in text
    assert "The largest changes" in text
    assert "→ changed" not in text
