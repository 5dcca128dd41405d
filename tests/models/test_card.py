"""Cards: every bundled model has one that says all it must, with the numbers of its file."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from standins import loaded, tiny_model

from scdcli.errors import ModelError
from scdcli.models import bundled_models
from scdcli.models.card import flat_scores, plain, read_card
from scdcli.models.checkpoint import save_model

ROOT = Path(__file__).parents[2]
# What the card of a bundled model has to tell.
HEADINGS = (
    "Use",
    "Data and attribution",
    "Licence",
    "Training",
    "Scores",
    "Known failures",
)
SECTION = re.compile(r"^## (.+?)\s*$", re.MULTILINE)
ROW = re.compile(r"^\|\s*`([\w.]+)`\s*\|\s*(-?[\d.]+)\s*%?\s*\|", re.MULTILINE)
PICTURE = re.compile(r"!\[[^\]]*\]\(([^)]+)\)")
PROSE = """# fields

Changes between fields and [houses](https://example.org). It has seen **one** valley.

## Scores

| score | % |
|---|---|
| `miou` | 64.4 |
| `test.sek` | -3 % |
| IoU of water | 12.0 |

## Known failures

| `sek` | 99 |
"""


def quoted_scores(prose):
    """The rows of the tables under ``## Scores`` that hold a name in backticks and a number."""
    parts = SECTION.split(prose)
    return dict(ROW.findall(dict(zip(parts[1::2], parts[2::2], strict=True)).get("Scores", "")))


@pytest.fixture(scope="module", params=sorted(bundled_models()))
def card(request):
    return read_card(request.param)


def test_a_bundled_card_says_all_it_must(card):
    assert card.prose is not None
    assert card.prose.startswith(f"# {card.name}\n")
    assert not set(HEADINGS) - set(SECTION.findall(card.prose))
    assert 20 < len(card.summary) < 160
    training = card.prose.split("\n## Training\n")[1].split("\n## ")[0]
    assert "scd train" in training
    scores = card.prose.split("\n## Scores\n")[1].split("\n## ")[0]
    assert "scd evaluate" in scores


def test_a_bundled_card_quotes_the_scores_of_its_file(card):
    known = flat_scores(card.header)
    quoted = quoted_scores(card.prose)
    assert quoted
    for name, text in quoted.items():
        digits = len(text.partition(".")[2])
        assert f"{100 * known[name]:.{digits}f}" == text, name


def test_a_bundled_card_shows_pictures_of_its_failures(card):
    failures = card.prose.split("\n## Known failures\n")[1].split("\n## ")[0]
    shown = PICTURE.findall(failures)
    assert shown
    for target in PICTURE.findall(card.prose):
        assert (card.file.parent / target).resolve().is_relative_to(ROOT / "docs/images")
        assert (card.file.parent / target).is_file(), target


def test_a_card_does_not_type_what_the_file_says(card):
    """Numbers that the program prints from the file would go stale in the text."""
    assert f"{card.parameters:,}" not in card.prose
    assert card.sha256[:12] not in card.prose


def test_scores_are_quoted_only_in_their_section():
    assert quoted_scores(PROSE) == {"miou": "64.4", "test.sek": "-3"}
    assert quoted_scores("# none") == {}


def test_scores_within_others_have_both_names():
    header = replace(loaded().header, scores={"miou": 0.5, "test": {"sek": -0.03}, "iou": None})
    assert flat_scores(header) == {"miou": 0.5, "test.sek": -0.03}


def test_a_model_of_ones_own_has_the_text_beside_it(tmp_path):
    file = tiny_model(tmp_path / "fields.safetensors")
    assert read_card(str(file)).prose is None
    assert read_card(str(file)).summary == ""
    file.with_suffix(".md").write_text(PROSE + "\x1b[2J", encoding="utf-8")
    card = read_card(str(file))
    assert card.prose == PROSE + "[2J"
    assert card.summary == "Changes between fields and houses."
    file.with_suffix(".md").write_bytes(b"\xff\xfe")
    with pytest.raises(ModelError, match=r"fields\.md cannot be read as text"):
        read_card(str(file))


def test_steps_are_those_of_the_epochs(tmp_path):
    made = loaded()
    training = {"pairs": 1203, "batch": 4, "accumulate": 2, "epoch": 3}
    for said, steps in ((training, 450), (training | {"pairs": 5}, 3), ({}, None)):
        path = tmp_path / "model.safetensors"
        save_model(path, made.model, replace(made.header, training=said))
        assert read_card(str(path)).steps == steps


def test_parameters_are_the_trained_ones(tmp_path):
    card = read_card(str(tiny_model(tmp_path / "model.safetensors")))
    network = loaded().model.network
    assert card.parameters == sum(each.numel() for each in network.parameters())


def test_markdown_is_made_plain():
    assert plain("**bold** `code` [text](target) ![alt](image.png)") == "bold code text alt"
