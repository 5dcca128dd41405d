"""``scd models``: the list, a card for a person, a card for a script."""

import json
from dataclasses import replace

import pytest
from standins import loaded

from scdcli.models import DEFAULT_MODEL, bundled_models
from scdcli.models.checkpoint import save_model

TRAINING = {
    "data": "valley",
    "pairs": 1200,
    "validation_pairs": 16,
    "batch": 4,
    "epochs": 5,
    "epoch": 3,
    "seed": 7,
    "init": {"name": "urban", "sha256": "ab" * 32},
}


@pytest.fixture
def model(tmp_path):
    """A model file that says all that one can say."""
    made = loaded()
    header = replace(
        made.header,
        threshold=0.41,
        temperature=1.7,
        normalization="per-date",
        pixel_size=(0.3, 1.2),
        training=TRAINING,
        scores={
            **{"miou": 0.7312, "sek_from_to": -0.021, "val_loss": 2.345, "score_from_to": None},
            "calibration": {"ece_after": 0.0519, "nll_after": 0.1603},
        },
    )
    path = tmp_path / "fields.safetensors"
    save_model(path, made.model, header)
    return path


def test_a_card_tells_some_epochs_of_the_run(scd, model, tmp_path):
    made = loaded()
    epochs = list(range(1, 101))
    history = {
        "epoch": epochs,
        "lr": [0.01 / epoch for epoch in epochs],
        "loss": [3.0 / epoch for epoch in epochs],
        "val_loss": [None] * 100,
        "miou": [epoch / 200 for epoch in epochs],
        "sek_from_to": [None, *(epoch / 400 for epoch in epochs[1:])],
    }
    path = tmp_path / "told.safetensors"
    told = TRAINING | {"epoch": 37, "history": history}
    save_model(path, made.model, replace(made.header, training=told))
    shown = scd("models", path).stdout.split("Training history\n")[1].splitlines()
    assert shown[0].split() == [
        "epoch",
        "learning",
        "rate",
        "loss",
        "validation",
        "loss",
        "mIoU",
        "SeK",
    ]
    cells = [line.split() for line in shown[1 : shown.index("")]]
    assert {"1", "37", "100"} <= {row[0] for row in cells}
    assert 10 <= len(cells) <= 14
    assert cells[0] == ["1", "0.01", "3", "0.5", "%"]
    assert cells[-1] == ["100", "0.0001", "0.03", "50.0", "%", "25.0", "%"]
    damaged = TRAINING | {"history": {"epoch": [1, 2], "loss": [1]}}
    save_model(path, made.model, replace(made.header, training=damaged))
    for silent in (path, model):
        result = scd("models", silent)
        assert result.exit_code == 0
        assert "Training history" not in result.stdout


def rows(output):
    return {line[:14].strip(): line[14:].strip() for line in output.splitlines()}


def test_the_list_says_what_each_model_is(scd):
    result = scd("models")
    assert result.exit_code == 0, result.output
    assert f"{DEFAULT_MODEL}  (default)\n" in result.stdout
    for words in ("classes water, ", "pixels  ", "file    ", "scores  miou "):
        assert words in result.stdout
    assert "calibration" not in result.stdout
    listed = json.loads(scd("models", "--json").stdout)
    assert listed["default"] == DEFAULT_MODEL
    assert [each["name"] for each in listed["models"]] == list(bundled_models())
    assert listed["models"][0]["bytes"] > 1e6
    assert listed["models"][0]["summary"]


def test_a_card_is_what_the_file_says(scd, model):
    result = scd("models", model)
    assert result.exit_code == 0, result.output
    assert max(map(len, result.stdout.split("\nNobody")[0].splitlines())) <= 80
    found = rows(result.stdout)
    assert found["network"] == "asn, residual blocks, width 0.125"
    assert found["pixels"] == "0.3 to 1.2 m"
    assert found["normalization"] == "per-date"
    assert (found["threshold"], found["temperature"]) == ("0.41", "1.7")
    assert found["trained on"] == "valley: 1,200 pairs, 16 to validate"
    assert found["started from"] == "urban, SHA-256 abababababab…"
    assert found["training"] == "900 steps of 4, chips of 512: epoch 3 of 5, seed 7"
    assert "1  #0000FF  water" in result.stdout
    scores = [line.split(maxsplit=1) for line in result.stdout.splitlines()]
    for words in (
        ["miou", "73.1 %"],
        ["sek_from_to", "-2.1 %"],
        ["val_loss", "2.345"],
        ["calibration.ece_after", "5.2 %"],
        ["calibration.nll_after", "0.160"],
    ):
        assert words in [[word.strip() for word in line] for line in scores]
    assert "score_from_to" not in result.stdout
    assert "Nobody has written fields.md beside the file" in result.stdout


def test_the_text_beside_a_file_is_printed_with_its_card(scd, model):
    model.with_suffix(".md").write_text("# fields\n\nOf one valley.\n\n## Use\n\n- hay\n")
    result = scd("models", model)
    assert result.stdout.endswith("# fields\n\nOf one valley.\n\n## Use\n\n- hay\n\n")
    assert "Nobody has written" not in result.stdout
    described = json.loads(scd("models", model, "--json").stdout)
    assert described["summary"] == "Of one valley."
    assert described["card"].startswith("# fields")
    assert described["pixel_size"] == [0.3, 1.2]
    assert described["training"] == TRAINING
    assert described["legend"]["classes"][0] == {"name": "water", "color": "#0000FF"}


def test_on_a_terminal_colors_are_seen_and_the_text_is_set(scd, model, monkeypatch):
    model.with_suffix(".md").write_text("# fields\n\nOf one valley.\n\n## Use\n\n- hay\n")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLORTERM", "truecolor")
    shown = scd("models", model).stdout
    assert "\x1b[38;2;0;0;255m\N{FULL BLOCK}" in shown
    assert "## Use" not in shown
    assert "• " in shown


def test_a_file_of_others_cannot_speak_to_the_terminal(scd, model):
    made = loaded()
    header = replace(made.header, training=TRAINING | {"data": "x\x1b[2Jy"})
    save_model(model, made.model, header)
    shown = scd("models", model).stdout
    assert "\x1b" not in shown
    assert "x\\x1b[2Jy: 1,200 pairs" in shown


def test_what_is_no_model_is_one_sentence(scd, tmp_path):
    assert "choose one of: " in scd("models", "urbn").stderr
    (tmp_path / "notes.txt").write_text("no model")
    result = scd("models", tmp_path / "notes.txt")
    assert result.exit_code == 1
    assert "notes.txt is not an scd model file" in result.stderr
