"""The site of the pages as a reader opens it: from disk, without a network."""

from pathlib import Path

import pytest
from browser import WHY_NOT, browsing

SITE = Path(__file__).parents[1] / "out/site"
pytestmark = [
    pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT)),
    pytest.mark.skipif(not (SITE / "index.html").exists(), reason="no site: mkdocs build"),
]


@pytest.fixture(scope="module")
def browser():
    with browsing() as browser:
        yield browser


def test_the_search_finds_an_option_and_leads_to_its_page(browser):
    browser.open(SITE / "index.html")
    browser.click(".md-search__input")
    browser.type(".md-search__input", "minimum mapping unit")
    browser.until("document.querySelector('.md-search-result__link')", seconds=60)
    found = browser.run(
        "return [...document.querySelectorAll('.md-search-result__link')].map(a => a.href)"
    )
    assert any("clean-maps.html" in link for link in found)


@pytest.mark.parametrize("page", ["index.html", "explanation/the-network.html"])
def test_a_page_asks_for_nothing_but_files_and_complains_of_nothing(browser, page):
    browser.open(SITE / page)
    browser.until("[...document.images].every(image => image.complete)", seconds=60)
    assert browser.run("return [...document.images].every(image => image.naturalWidth)")
    assert all(url.startswith("file:") for url in browser.requests())
    assert not [line for line in browser.log("browser") if line["level"] == "SEVERE"]


def test_nothing_hangs_over_the_edge_of_a_phone(browser):
    browser.open(SITE / "explanation/the-network.html", width=390, height=800)
    assert browser.run("return document.documentElement.scrollWidth") <= 390
