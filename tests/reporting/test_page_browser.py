"""The page in a real browser: what moves, is switched off, is sorted, and is asked for."""

import re
import shutil

import pytest
from browser import WHY_NOT, browsing
from finished import draw_classes, predict_images, write_images

from scdcli.legend import SECOND
from scdcli.reporting.batchpage import write_index
from scdcli.reporting.page import REPORT

pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "there is a browser")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    import numpy as np

    folder = tmp_path_factory.mktemp("page")
    images = write_images(folder, draw_classes(np.random.default_rng(5), (16, 24)))
    predict_images(images, folder / "out")
    return folder / "out" / REPORT


@pytest.fixture(scope="module")
def browser():
    with browsing() as started:
        yield started


@pytest.fixture
def shown(browser, page):
    """The page, opened anew; afterwards it must not have complained or asked for anything."""
    browser.open(page)
    browser.until("document.body.dataset.ready")
    yield browser
    assert browser.log("browser") == []
    assert browser.requests() == [page.resolve().as_uri()]


SUM = """
const canvas = document.querySelector("#canvas");
const { width, height } = canvas;
const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
copy.drawImage(canvas, 0, 0);
const pixels = copy.getImageData(0, 0, width, height).data;
let sum = 0;
for (let at = 0; at < pixels.length; at++) sum = (sum * 31 + pixels[at]) % 1000000007;
return sum;
"""


def drawn(browser):
    """A number that changes with any pixel of the map, once what was asked for is drawn."""
    wait = "return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    browser.run(wait)
    return browser.run(SUM)


def in_stage(browser, x, y):
    """A place in the view, from shares of the map's width and height."""
    left, top, width, height = browser.box("#stage")
    return round(left + x * width), round(top + y * height)


def test_the_line_between_the_dates_follows_mouse_keys_and_buttons(shown):
    shown.run("document.querySelector('#map').scrollIntoView()")
    first = drawn(shown)
    shown.pointer(
        ("move", *in_stage(shown, 0.5, 0.5)),
        ("down",),
        ("move", *in_stage(shown, 0.8, 0.5)),
        ("up",),
    )
    moved = drawn(shown)
    value = "document.querySelector('#handle').getAttribute('aria-valuenow')"
    assert shown.run(f"return {value}") == "80"
    assert moved != first
    shown.type("#handle", "\ue012")  # left arrow
    assert shown.run(f"return {value}") == "78"
    shown.click("[data-split='0.5']")
    assert drawn(shown) == first
    shown.click("[data-split='0']")
    only_after = drawn(shown)
    shown.click("[data-split='1']")
    assert len({first, only_after, drawn(shown)}) == 3


def test_what_is_switched_off_leaves_the_map(shown):
    first = drawn(shown)
    shown.click("[data-class='2']")
    without = drawn(shown)
    assert without != first
    pairs = "[...document.querySelectorAll('[data-pair]')].filter((each) => !each.checked)"
    off = shown.run(f"return {pairs}.map((each) => each.dataset.pair)")
    assert off
    assert all("2" in pair.split(",") for pair in off)
    shown.click("#all")
    assert drawn(shown) == first
    shown.click("[data-pair]")
    assert drawn(shown) != first
    shown.click("#all")
    shown.run(
        "const o = document.querySelector('#opacity'); o.value = 0;"
        "o.dispatchEvent(new Event('input'))"
    )
    assert drawn(shown) not in (first, without)


def test_a_cell_of_the_matrix_shows_only_that_change(shown):
    wanted = shown.run("return document.querySelector('td [data-only]').dataset.only")
    shown.click("td [data-only]")
    left = "[...document.querySelectorAll('[data-pair]')].filter((each) => each.checked)"
    assert shown.run(f"return {left}.map((each) => each.dataset.pair)") == [wanted]


def test_other_colors_are_other_pixels_and_come_back(shown):
    first = drawn(shown)
    shown.click("#safe")
    safe = drawn(shown)
    shown.click("#safe")
    shown.click("[data-paint='sure']")
    assert len({first, safe, drawn(shown)}) == 3
    shown.click("[data-paint='class']")
    assert drawn(shown) == first


def test_zoom_and_pan_by_keys_and_back(shown):
    first = drawn(shown)
    shown.type("#canvas", "+")
    larger = drawn(shown)
    shown.type("#canvas", "\ue014")  # right arrow
    assert len({first, larger, drawn(shown)}) == 3
    shown.type("#canvas", "0")
    assert drawn(shown) == first


CHANGED = """
const from = arguments[0], canvas = document.querySelector("#canvas");
const pen = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
pen.drawImage(canvas, 0, 0);
const { data, width } = pen.getImageData(0, 0, canvas.width, canvas.height);
for (let at = 4 * (60 * width + 60); at < data.length; at += 4) {
  if (from.every((part, k) => Math.abs(data[at + k] - part) < 3)) {
    const pixel = at / 4;
    return [pixel % width + 4, Math.floor(pixel / width) + 4];
  }
}
"""


def test_hovering_says_what_became_what(shown):
    shown.click("[data-split='0']")
    shown.run(
        "const o = document.querySelector('#opacity'); o.value = 100;"
        "o.dispatchEvent(new Event('input'));"
        "document.querySelector('#map').scrollIntoView()"
    )
    drawn(shown)
    x, y = shown.run(CHANGED, list(SECOND[5].color))
    left, top, *_ = shown.box("#stage")
    shown.pointer(
        ("move", round(left + x) - 2, round(top + y)), ("move", round(left + x), round(top + y))
    )
    text = shown.run("return document.querySelector('#tip').innerText")
    assert re.search(r"\w → building\n[\d,]+ m², \d+ % sure", text), text


def test_a_thumbnail_jumps_to_its_place(shown):
    first = drawn(shown)
    shown.run("document.querySelector('.gallery li:nth-child(3) a').scrollIntoView()")
    shown.click(".gallery li:nth-child(3) a")
    shown.until("document.querySelector('#stage').getBoundingClientRect().top >= -60")
    assert drawn(shown) != first
    assert shown.run("return document.activeElement.id") == "canvas"


def test_columns_sort_both_ways(shown):
    column = (
        "[...document.querySelectorAll('#areas tbody tr')].map((row) => row.cells[%d].dataset.v)"
    )
    shown.click("#areas th:nth-child(2) button")
    names = shown.run("return " + column % 1)
    assert names == sorted(names)
    shown.click("#areas th:nth-child(4) button")
    down = [float(v) for v in shown.run("return " + column % 3)]
    assert down == sorted(down, reverse=True)
    shown.click("#areas th:nth-child(4) button")
    assert [float(v) for v in shown.run("return " + column % 3)] == down[::-1]


def test_on_paper_it_is_one_sheet(shown):
    document = shown.pdf()
    assert len(re.findall(rb"/Type\s*/Page\b", document)) == 1


@pytest.mark.parametrize(("width", "dark"), [(390, False), (1200, True)])
def test_narrow_or_dark_it_fits(browser, page, width, dark):
    browser.open(page, width=width, height=800, dark=dark)
    browser.until("document.body.dataset.ready")
    assert browser.run("return document.documentElement.scrollWidth") <= width
    paper = browser.run("return getComputedStyle(document.body).backgroundColor")
    bright = [int(part) > 128 for part in re.findall(r"\d+", paper)]
    assert bright == [not dark] * 3
    assert browser.log("browser") == []


CUT = """
return [...document.querySelectorAll(".scroll")]
  .filter((each) => each.scrollWidth > each.clientWidth)
  .map((each) => each.firstElementChild.id || each.innerText)
"""


def test_on_a_phone_tables_are_not_cut(browser, page):
    index, *_ = write_index(page.parent.parent)
    for file in (page, index):
        browser.open(file, width=360, height=800)
        assert browser.run("return document.documentElement.scrollWidth") <= 360
        assert browser.run(CUT) == []


def test_the_page_of_a_batch_sorts_and_leads_to_the_others(browser, page):
    shutil.copytree(page.parent, page.parent.parent / "another", dirs_exist_ok=True)
    index, *_ = write_index(page.parent.parent)
    browser.open(index)
    names = "return [...document.querySelectorAll('#batch a')].map((each) => each.innerText)"
    assert browser.run(names) == ["another", "out"]
    browser.click("#batch th:nth-child(2) button")
    assert browser.run(names) == ["out", "another"]
    browser.click("#batch a")
    browser.until("document.body.dataset.ready")
    assert browser.run("return location.href") == page.resolve().as_uri()
    assert browser.log("browser") == []
