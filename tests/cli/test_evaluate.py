import json

import numpy as np
import pytest
from maps import draw, write_prediction, write_second
from scenes import noise, write_scene

from scdcli.legend import SECOND
from scdcli.scoring.counting import count_joint
from scdcli.scoring.metrics import scores

TRUTH = {name: draw(seed) for seed, name in enumerate(("a", "b", "c"))}
PREDICTION = {name: draw(seed + 10) for seed, name in enumerate(TRUTH)}


@pytest.fixture
def folders(tmp_path):
    """Three labelled pairs as colors, and their predictions as tagged GeoTIFFs."""
    for name, maps in PREDICTION.items():
        write_prediction(tmp_path / "maps" / name, maps, legend=SECOND)
    return write_second(tmp_path / "set/test", TRUTH).parent, tmp_path / "maps"


def test_json_is_one_document_with_the_scores_of_one_matrix(scd, folders):
    truth, maps = folders
    result = scd("evaluate", truth, "--pred", maps, "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    stacked = [np.stack(each) for each in zip(*TRUTH.values(), strict=True)]
    stacked += [np.stack(each) for each in zip(*PREDICTION.values(), strict=True)]
    expected = scores(count_joint(tuple(stacked)), 6)
    assert document["pairs"] == 3
    assert document["pixels"] == 3 * 600
    assert document["sek_from_to"] == expected.from_to.sek
    assert document["sek_stacked"] == expected.stacked.sek
    assert document["legend"]["name"] == "second"
    assert document["predictions"] == str(maps)


def test_the_alias_answers_the_same(scd, folders):
    truth, maps = folders
    found, alias = (
        scd(command, truth, "--pred", maps, "--json") for command in ("evaluate", "eval")
    )
    assert alias.stdout == found.stdout


def test_notes_go_to_stderr_and_none_when_quiet(scd, folders):
    truth, maps = folders
    result = scd("evaluate", truth, "--pred", maps)
    assert "set/test is used" in result.stderr
    assert "is used" not in result.stdout
    assert scd("evaluate", truth, "--pred", maps, "--quiet").stderr == ""


def test_the_table_shows_both_seks_classes_and_transitions(scd, folders):
    truth, maps = folders
    text = scd("evaluate", truth, "--pred", maps).stdout
    document = json.loads(scd("evaluate", truth, "--pred", maps, "--json").stdout)
    (line,) = (line for line in text.splitlines() if line.startswith("│ SeK "))
    assert f"{100 * document['sek_from_to']:.2f}" in line
    assert f"{100 * document['sek_stacked']:.2f}" in line
    assert f"{100 * document['categorical_sek_masked']['305']:.2f}" in text
    assert "3 pairs, 1,800 pixels (0 nodata left out), legend second" in text
    assert "6 playground" in text


def test_what_is_undefined_is_explained_to_people_too(scd, tmp_path):
    truth = write_second(tmp_path / "t", {"a": (np.zeros((2, 3), np.uint8),) * 2})
    text = " ".join(scd("evaluate", truth, "--pred", truth).stdout.split())
    assert "SeK (from-to), SeK (stacked), F_scd (from-to), " in text
    assert " IoU changed (stacked) are undefined: nothing changed, neither" in text


def test_output_is_written_whole_and_never_over_another_file_unasked(scd, folders, tmp_path):
    truth, maps = folders
    file = tmp_path / "scores.json"
    result = scd("evaluate", truth, "--pred", maps, "-o", file, "--json")
    assert json.loads(file.read_text()) == json.loads(result.stdout)
    again = scd("evaluate", truth, "--pred", maps, "-o", file)
    assert again.exit_code == 1
    assert "scores.json exists; replace it with --overwrite" in again.stderr
    assert scd("evaluate", truth, "--pred", maps, "-o", file, "--overwrite").exit_code == 0


def test_indices_without_a_legend_say_how_many_classes_were_taken(scd, tmp_path):
    truth = write_second(tmp_path / "t", {"a": draw(1, classes=4)}, None)
    result = scd("evaluate", truth, "--pred", truth, "--json")
    assert "K = 4, the largest index present" in result.stderr
    assert json.loads(result.stdout)["classes"] == 4
    named = scd("evaluate", truth, "--pred", truth, "--json", "--legend", "second")
    assert json.loads(named.stdout)["classes"] == 6
    assert "largest index" not in named.stderr


def test_a_set_without_a_valid_pixel_has_no_score_and_says_so(scd, tmp_path):
    nothing = (np.full((4, 4), 255, np.uint8),) * 2
    truth = write_second(tmp_path / "t", {"a": nothing, "b": nothing}, None)
    result = scd("evaluate", truth, "--pred", truth, "--bootstrap", 100)
    assert result.exit_code == 0, result.output
    assert "2 pairs, 0 pixels (32 nodata left out), 1 class\n" in result.stdout
    told = " ".join(result.stdout.split())
    assert "OA (from-to), OA (stacked)" in told
    assert " are undefined: no pixel is valid in both" in told


def test_masks_taken_for_class_maps_are_asked_for(scd, tmp_path):
    mask = np.zeros((20, 30), np.uint8)
    mask[5:9] = 255
    truth = write_second(tmp_path / "t", {"a": (mask, mask)}, None)
    told = scd("evaluate", truth, "--pred", truth, "--legend", "second")
    assert "Are these masks of change (0 and 255)? Give --binary" in told.stderr
    named = scd("evaluate", truth, "--pred", truth, "--binary")
    assert "masks of change" not in named.stderr


def test_half_predicted_changes_are_noted(scd, tmp_path):
    before, after = draw(1)
    truth = write_second(tmp_path / "t", {"a": (before, after)})
    maps = write_second(tmp_path / "p", {"a": (before, np.zeros_like(after))})
    result = scd("evaluate", truth, "--pred", maps)
    assert f"{np.count_nonzero(before)} pixels are predicted as changed at one date" in (
        result.stderr
    )


def test_names_that_do_not_match_end_with_one_sentence(scd, folders):
    truth, maps = folders
    (maps / "c").rename(maps / "d")
    result = scd("evaluate", truth, "--pred", maps)
    assert result.exit_code == 1
    assert "1 without prediction (c), 1 without labels (d)" in result.stderr
    assert "Traceback" not in result.output


def test_an_unknown_legend_lists_the_known_ones(scd, folders):
    truth, maps = folders
    result = scd("evaluate", truth, "--pred", maps, "--legend", "third")
    assert result.exit_code == 1
    assert "named 'third'; choose one of: second" in result.stderr


@pytest.fixture
def model(tmp_path):
    """An untrained model of 1/8 width."""
    import torch

    from scdcli.models.checkpoint import ModelHeader, save_model
    from scdcli.models.networks import NetworkSettings, build
    from scdcli.models.networks.model import ChangeModel

    torch.manual_seed(0)
    settings = NetworkSettings("asn", "residual", 0.125, 3, 6)
    network = ChangeModel(build(settings), [128.0] * 3, [60.0] * 3)
    save_model(tmp_path / "m.safetensors", network, ModelHeader(settings, SECOND, chip=64))
    return tmp_path / "m.safetensors"


def test_a_model_predicts_a_labelled_set_and_is_scored(scd, tmp_path, model):
    truth = write_second(tmp_path / "t", {"a": draw(1, shape=(64, 64))})
    for seed, folder in enumerate(("im1", "im2")):
        (truth / folder).mkdir()
        write_scene(
            truth / folder / "a.png", noise((3, 64, 64), seed=seed), None, None, driver="PNG"
        )
    options = ("--device", "cpu", "--chip", 64, "--overlap", 0)
    result = scd("evaluate", truth, "--model", model, *options, "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["pixels"] == 64 * 64
    assert -1 <= document["sek_from_to"] <= 1


def test_labels_without_images_ask_for_maps(scd, tmp_path, model):
    truth = write_second(tmp_path / "t", {"a": TRUTH["a"]})
    result = scd("evaluate", truth, "--model", model)
    assert result.exit_code == 1
    assert "Score maps that exist with --pred" in result.stderr
