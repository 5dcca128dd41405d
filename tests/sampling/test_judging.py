"""The judging page in a real browser: keys label, reloading keeps, all is saved as typed."""

import json

import numpy as np
import pytest
from browser import WHY_NOT, browsing
from finished import draw_classes, predict_images, write_images

from scdcli.errors import InputError
from scdcli.reporting.finished import read_finished
from scdcli.reporting.report import opened_images
from scdcli.sampling.assessment import assess
from scdcli.sampling.changemap import open_map
from scdcli.sampling.design import SampleSettings, draw_sample
from scdcli.sampling.judging import build_judging_page
from scdcli.sampling.pointfile import write_points
from scdcli.sampling.reference import UNJUDGED, read_reference

in_a_browser = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "there is a browser")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Images, a prediction in ``out``, its sample, and the page of that."""
    folder = tmp_path_factory.mktemp("judging")
    images = write_images(folder, draw_classes(np.random.default_rng(5), (16, 24)))
    predict_images(images, folder / "out")
    change_map = open_map(folder / "out")
    settings = SampleSettings(size=12, strata="change", minimum=4, unit="block")
    write_points(folder / "points.gpkg", draw_sample(change_map, settings))
    with opened_images(read_finished(folder / "out"), None, None) as (pair, _):
        page = build_judging_page(folder / "points.gpkg", change_map, pair)
        shown = build_judging_page(folder / "points.gpkg", change_map, pair, show_map=True)
    (folder / "judge.html").write_text(page, encoding="utf-8")
    (folder / "shown.html").write_text(shown, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def browser():
    with browsing() as started:
        yield started


@pytest.fixture
def page(browser, folder):
    """The page with nothing kept; afterwards it must not have complained or asked for anything."""
    browser.open(folder / "judge.html")
    browser.run("localStorage.clear()")
    browser.open(folder / "judge.html")
    browser.until("document.body.dataset.ready")
    yield browser
    assert browser.log("browser") == []
    assert set(browser.requests()) == {(folder / "judge.html").resolve().as_uri()}


def press(browser, keys):
    for key in keys:
        browser.type("body", key)


def text(browser, selector):
    return browser.run("return document.querySelector(arguments[0]).textContent", selector)


def saved(browser, folder, kind):
    """What the page saves, as the file on disk."""
    path = folder / f"saved.{kind}"
    path.write_text(browser.run("return exported(arguments[0])", kind), encoding="utf-8")
    return path


BACKSPACE, RIGHT = "\ue003", "\ue014"


@in_a_browser
@pytest.mark.parametrize("kind", ["csv", "geojson"])
def test_what_is_saved_is_what_was_typed(page, folder, kind):
    press(page, ["3", "5", "0", "1", "4", BACKSPACE, "2", "u", RIGHT, "2", "2"])
    page.type("#judge", "Ann\t")
    change_map = open_map(folder / "out")
    path = saved(page, folder, kind)
    found = read_reference(path, change_map.grid, change_map.legend)
    # 1 4 was undone to 1, then 2; the second unsure one lies after it
    assert found.judged[:4].tolist() == [305, 0, 102, UNJUDGED]
    assert found.judged[4:].tolist() == [202] + [UNJUDGED] * 7
    assert [record.cells.get("confidence") for record in found.records[:5]] == [
        *(None, None, None, "unsure", None)
    ]
    assert set(found.texts("judge")) == {"Ann"}
    assert set(found.texts("map")) == {assess_map(folder)}


def assess_map(folder):
    from scdcli.sampling.changemap import fingerprint

    return fingerprint(open_map(folder / "out"))


@in_a_browser
def test_reloading_keeps_what_was_judged_and_where(page, folder):
    press(page, ["3", "5", "0", "n"])
    page.type("#note", 'a "hedge", cut\ue00c')
    press(page, ["u"])
    before = saved(page, folder, "csv").read_text(encoding="utf-8")
    assert '"a ""hedge"", cut"' in before
    page.open(folder / "judge.html")
    page.until("document.body.dataset.ready")
    assert saved(page, folder, "csv").read_text(encoding="utf-8") == before
    assert text(page, "#where").startswith("Place 3 of 12")
    assert text(page, "#count") == "2 of 12 judged, 1 unsure"
    press(page, [BACKSPACE] * 6)
    assert text(page, "#count") == "0 of 12 judged, 0 unsure"
    assert text(page, "#where").startswith("Place 1 of 12")


@in_a_browser
def test_the_filter_shows_the_unsure_ones(page):
    press(page, ["3", "5", "u", RIGHT, RIGHT, "u", RIGHT])
    page.run(
        "const f = document.querySelector('#filter'); f.value = 'unsure';"
        "f.dispatchEvent(new Event('change'))"
    )
    assert text(page, "#where").startswith("Place 2 of 12")
    press(page, [RIGHT])
    assert text(page, "#where").startswith("Place 4 of 12")
    press(page, [RIGHT])
    assert text(page, "#where").startswith("Place 4 of 12")


@in_a_browser
def test_all_places_judged_in_the_browser_make_an_area(page, folder):
    press(page, "3503500350035003500"[:19])
    for _ in range(12):
        if text(page, "#count").startswith("12"):
            break
        press(page, ["0"])
    change_map = open_map(folder / "out")
    found = read_reference(saved(page, folder, "csv"), change_map.grid, change_map.legend)
    assert UNJUDGED not in found.judged
    areas = {target.kind: target.area.value for target in assess(change_map, found).targets}
    assert areas["changed"] > 0
    assert areas["changed"] + areas["unchanged"] == pytest.approx(
        change_map.ground.run_area(*(np.array([n]) for n in (0, 0, 1)))[0] * 160 * 240, rel=1e-3
    )


@in_a_browser
def test_the_pictures_are_of_the_place(page, folder):
    """The near picture's middle has the brightness of the image there, at both dates."""
    import rasterio

    middle = """
    const image = document.querySelector(arguments[0]);
    const copy = new OffscreenCanvas(image.naturalWidth, image.naturalHeight).getContext("2d");
    copy.drawImage(image, 0, 0);
    const unit = document.querySelector("#unit0").getBBox(), side = image.naturalWidth;
    const x = (unit.x + unit.width / 2) * side / 100, y = (unit.y + unit.height / 2) * side / 100;
    return copy.getImageData(Math.floor(x), Math.floor(y), 1, 1).data[0];
    """
    change_map = open_map(folder / "out")
    found = read_reference(saved(page, folder, "csv"), change_map.grid, change_map.legend)
    for date in ("before", "after"):
        page.until(f"document.querySelector('#{date}0').complete")
        with rasterio.open(folder / f"{date}.tif") as dataset:
            expected = dataset.read(1)[found.row[0], found.col[0]]
        assert abs(page.run(middle, f"#{date}0") - int(expected)) < 12


def test_the_map_shows_only_when_asked(folder):
    hidden, shown = (
        json.loads(
            (folder / name).read_text(encoding="utf-8").split('id="data">')[1].split("</script>")[0]
        )
        for name in ("judge.html", "shown.html")
    )
    assert not hidden["showMap"]
    assert {point["map"] for point in hidden["points"]} == {None}
    assert shown["showMap"]
    assert "unchanged" in {point["map"] for point in shown["points"]}


def test_what_is_no_sample_is_refused(folder):
    change_map = open_map(folder / "out")
    with opened_images(read_finished(folder / "out"), None, None) as (pair, _):
        for name in ("out/changes.gpkg", "before.tif"):
            with pytest.raises(InputError, match="Give a file of scd sample"):
                build_judging_page(folder / name, change_map, pair)
