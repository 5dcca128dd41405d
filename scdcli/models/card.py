"""The card of a model: what its file says about itself, and the text written beside it."""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scdcli.errors import ModelError
from scdcli.models import bundled_models, find_model
from scdcli.models.checkpoint import ModelHeader, load_model

LONGEST = 1 << 20  # bytes: a card is read, a book that lies there by accident is not


@dataclass(frozen=True)
class Card:
    """All that is known about a model.

    Attributes:
        name: The name of a bundled model, or of the file.
        file: The model file.
        sha256: The SHA-256 of the file, in hexadecimal.
        parameters: The number of trained weights.
        header: The header of the file.
        prose: The text of ``NAME.md`` beside the file, Markdown; None without such a file.
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
        """Steps of the optimizer up to these weights; None where the file does not tell them."""
        record = self.header.training
        try:
            size = record["batch"] * record.get("accumulate", 1)
            return int(record["epoch"] * max(1, record["pairs"] // size))
        except (KeyError, TypeError, ZeroDivisionError):
            return None

    @property
    def history(self) -> list[dict[str, Any]]:
        """What the file tells of each epoch of its run, by name; empty where it tells nothing."""
        columns: Any = self.header.training.get("history")
        try:
            rows = zip(*columns.values(), strict=True)
            return [dict(zip(columns, row, strict=True)) for row in rows]
        except (AttributeError, TypeError, ValueError):
            return []

    def to_dict(self) -> dict[str, Any]:
        """The card and then the entries of the header, JSON-ready."""
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
    """The scores in a header by name; those inside another entry as ``outer.inner``."""
    return dict(_flat(header.scores))


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
