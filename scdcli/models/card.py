"""The card of a model: what its file says of itself, and what people wrote beside it."""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scdcli.errors import ModelError
from scdcli.models.checkpoint import ModelHeader, bundled_models, find_model, load_model

HEADINGS = (
    "Use",
    "Data and attribution",
    "Licence",
    "Training",
    "Scores",
    "Known failures",
)
"""What the card of a bundled model has to tell, as its second-level headings."""

LONGEST = 1 << 20  # bytes: a card is read, a book that lies there by accident is not

Section = re.compile(r"^## (.+?)\s*$", re.MULTILINE)
Row = re.compile(r"^\|\s*`([\w.]+)`\s*\|\s*(-?[\d.]+)\s*%?\s*\|", re.MULTILINE)


@dataclass(frozen=True)
class Card:
    """All that is known of a model.

    Attributes:
        name: Its name, or that of the file.
        file: Where it lies.
        sha256: Of the file.
        parameters: How many weights are trained.
        header: What the file says of itself.
        prose: What ``NAME.md`` beside the file says, Markdown; None without it.
    """

    name: str
    file: Path
    sha256: str
    parameters: int
    header: ModelHeader
    prose: str | None

    @property
    def summary(self) -> str:
        """The first sentence of the prose; empty without any."""
        paragraphs = (self.prose or "").split("\n\n")
        first = next((p for p in paragraphs if p.strip() and not p.lstrip().startswith("#")), "")
        return re.split(r"(?<=[.!?])\s", " ".join(plain(first).split()))[0]

    @property
    def steps(self) -> int | None:
        """Steps of the optimizer up to these weights; None where the file does not say it."""
        said = self.header.training
        try:
            size = said["batch"] * said.get("accumulate", 1)
            return int(said["epoch"] * max(1, said["pairs"] // size))
        except (KeyError, TypeError, ZeroDivisionError):
            return None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: the card, then the entries of the header."""
        return {
            "name": self.name,
            "summary": self.summary,
            "bytes": self.file.stat().st_size,
            "sha256": self.sha256,
            "parameters": self.parameters,
            "steps": self.steps,
            "card": self.prose,
            **asdict(self.header),
            "legend": self.header.legend.to_dict(),
        }


def read_card(name: str) -> Card:
    """The card of a bundled model by name, or of a model file.

    Raises:
        UnknownName: Neither a bundled model nor a file.
        ModelError: The file is no model of ours, or what lies beside it is no text.
    """
    loaded = load_model(name)
    file = find_model(name)
    parameters = sum(weights.numel() for weights in loaded.model.parameters())
    return Card(loaded.name, file, loaded.sha256, parameters, loaded.header, _prose(file))


def bundled_cards() -> Iterator[Card]:
    """The cards of the models that come with the package."""
    return map(read_card, bundled_models())


def flat_scores(header: ModelHeader) -> dict[str, float]:
    """The scores of a header that are known, scores within others as ``outer.inner``."""
    return dict(_flat(header.scores))


def quoted_scores(prose: str) -> dict[str, str]:
    """Scores that a card quotes of the file, in percent as written.

    These are the rows of the tables under ``## Scores`` that begin with a name in backticks, as
    the header has it, and a number: ``| `miou` | 64.4 |``.
    """
    parts = Section.split(prose)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    return dict(Row.findall(sections.get("Scores", "")))


def headings(prose: str) -> list[str]:
    """The second-level headings of a card."""
    return Section.findall(prose)


def plain(markdown: str) -> str:
    """Markdown without emphasis, code marks and the targets of links."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", markdown)
    return re.sub(r"\*\*|`", "", text)


def _flat(scores: dict[str, Any], outer: str = "") -> Iterator[tuple[str, float]]:
    for name, value in scores.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{outer}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{outer}{name}", float(value)


def _prose(file: Path) -> str | None:
    beside = file.with_suffix(".md")
    try:
        if not beside.is_file():
            return None
        with beside.open("rb") as stream:
            text = stream.read(LONGEST).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(
            f"{beside} cannot be read as text ({error}); write the card in UTF-8, or move the file "
            "away."
        ) from error
    # What a terminal takes for a command is no text.
    return "".join(sign for sign in text if sign.isprintable() or sign in "\n\t")
