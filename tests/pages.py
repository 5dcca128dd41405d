"""The pages of the project, and the blocks of code in them."""

import re
import textwrap
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A block of code as a page shows it."""

    page: Path
    language: str  # may be empty
    code: str


def page_id(path: Path) -> str:
    """The name of a page in the repository."""
    return path.relative_to(ROOT).as_posix()


def read_blocks(page: Path) -> list[Block]:
    """All blocks of a page, in order."""
    found = FENCE.findall(page.read_text(encoding="utf-8"))
    return [Block(page, language, textwrap.dedent(code)) for language, code in found]


def calls_in(code: str) -> list[str]:
    """The calls of scd in a block, each on one line, without what is said of it."""
    lines = [line.strip() for line in re.sub(r"[\\`^]\n", " ", code).splitlines()]
    calls = [line.removeprefix("$ ") for line in lines]
    # An explanation is set off by spaces; pipes and redirections end a call, too.
    ends = r"\s{3,}(?![\s-])|\s\|\|?\s|\s>|;"
    return [re.split(ends, call)[0] for call in calls if call.startswith("scd ")]
