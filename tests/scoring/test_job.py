"""`scdcli.evaluate`: the scores of the command."""

import json

import pytest
from standins import tiny_model

import scdcli
from scdcli.scoring.job import EvaluationJob
from scdcli.scoring.scorefiles import document

QUICK = scdcli.InferenceSettings(device="cpu", chip=64, overlap=0, threshold=0.5)


@pytest.fixture
def labelled(second_tree):
    return second_tree(pairs=2, splits=("val",)) / "val"


def test_maps_score_as_in_the_command(scd, labelled):
    notes = []
    runs = scdcli.evaluate(labelled, predictions=[labelled], note=notes.append)
    told = json.loads(scd("evaluate", labelled, "--pred", labelled, "--json").stdout)
    assert json.loads(json.dumps(document(str(labelled), runs, None))) == told
    assert runs[0].headline()["miou"] == 1
    assert runs[0].evaluation.pairs == 2


def test_a_model_scores_as_in_the_command_once_per_augmentation(scd, labelled, tmp_path):
    model = tiny_model(tmp_path / "model.safetensors")
    watched = []

    class Counting:
        def __init__(self, title, total):
            watched.append((title, total))

        def __enter__(self):
            return lambda done, total: watched.append(done)

        def __exit__(self, *_):
            return None

    runs = scdcli.evaluate(
        labelled, models=[model], tta=["none", "flip"], inference=QUICK, watch=Counting
    )
    options = ("--chip", 64, "--overlap", 0, "--threshold", 0.5, "--device", "cpu")
    result = scd("evaluate", labelled, "-m", model, "--tta", "none,flip", *options, "--json")
    assert json.loads(json.dumps(document(str(labelled), runs, None))) == json.loads(result.stdout)
    assert [run.tta for run in runs] == ["none", "flip"]
    assert [each for each in watched if each in (1, 2)] == [1, 2, 1, 2]


def test_without_models_and_maps_the_default_model_is_meant(tmp_path):
    assert EvaluationJob(tmp_path).names == ("urban",)
    assert EvaluationJob(tmp_path, predictions=(tmp_path,)).names == ()


def test_a_legend_may_be_a_name_or_an_object(labelled):
    for legend in ("second", scdcli.load_model("second").header.legend):
        (run,) = scdcli.evaluate(labelled, predictions=[labelled], legend=legend)
        assert run.evaluation.legend.name == "second"
    with pytest.raises(scdcli.UnknownName, match="'secnd'"):
        scdcli.evaluate(labelled, predictions=[labelled], legend="secnd")
