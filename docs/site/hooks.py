"""What mkdocs cannot know of these pages: people read them in the repository, too.

Links there lead out of docs/, to examples, model cards and the changelog: what is linked joins the
site under its path in the repository. And the site's Markdown is not the repository's: a page of
which one shows other lists, tables or blocks of code than the other is a warning, so an error with
``--strict``; so is a page that would fetch something from elsewhere.
"""

import logging
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from markdown_it import MarkdownIt
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
MORE = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
LINK = re.compile(r"(?<=\]\()(?![a-z]+:)([^)#\s]+)")
STRUCTURE = ("h1", "h2", "h3", "ol", "ul", "li", "table", "tr", "pre", "img")

warn = logging.getLogger("mkdocs.hooks").warning


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Let what is linked outside of docs/ join the site."""
    waiting = [*(DOCS.rglob("*.md")), *(ROOT / name for name in MORE)]
    found: set[Path] = set()
    while waiting:
        page = waiting.pop()
        if page not in found and page.is_file():
            found.add(page)
            if page.suffix == ".md":
                waiting += _targets(page)
    for path in sorted(found):
        if not path.is_relative_to(DOCS):
            name = path.relative_to(ROOT).as_posix()
            files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def _targets(page: Path) -> Iterator[Path]:
    """Where the links of a page lead."""
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        yield (page.parent / target).resolve()


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Write links as they lead from one page of the site to another."""
    source = Path(page.file.abs_src_path)
    place = Path(page.file.src_uri).parent

    def within_site(link: re.Match[str]) -> str:
        target = (source.parent / link[1]).resolve()
        if not target.is_file():
            return link[1]
        name = target.relative_to(DOCS if target.is_relative_to(DOCS) else ROOT)
        return Path(os.path.relpath(name, place)).as_posix()

    return LINK.sub(within_site, markdown)


def on_page_content(html: str, page: Page, **_: object) -> None:
    """Warn of a page that the repository shows otherwise than the site."""
    markdown = Path(page.file.abs_src_path).read_text(encoding="utf-8")
    if "\n::: " in markdown:
        return
    here = _structure(html)
    there = _structure(MarkdownIt("commonmark").enable("table").render(markdown))
    if here != there:
        more = ", ".join(
            f"{tag} {here[tag]} / {there[tag]}" for tag in STRUCTURE if here[tag] != there[tag]
        )
        warn("%s differs between site and repository: %s", page.file.src_uri, more)


def _structure(html: str) -> Counter[str]:
    """How many of each element a page has."""
    return Counter(tag for tag in re.findall(r"<(\w+)", html) if tag in STRUCTURE)


def on_post_page(output: str, page: Page, **_: object) -> None:
    """Warn of what a reader's browser would fetch from elsewhere."""
    for fetched in re.findall(
        r"<(?:script|img|link|iframe)\s[^>]*(?:src|href)=.?https?:[^>]*", output
    ):
        warn("%s fetches %s", page.file.src_uri, fetched)
