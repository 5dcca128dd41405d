"""Model files: what goes in comes out, and nothing foreign gets in."""

import json
import pickle

import pytest
import torch
from safetensors.torch import load_file, save_file

from scdcli import __version__
from scdcli.errors import ModelError, OutputError, UnknownName
from scdcli.legend import SECOND
from scdcli.models import bundled_models
from scdcli.models.checkpoint import (
    HEADER_KEY,
    ModelHeader,
    calibrate_model,
    load_model,
    read_tensors,
    save_model,
)
from scdcli.models.networks import NetworkSettings, build
from scdcli.models.networks.model import ChangeModel

SETTINGS = NetworkSettings(width=0.125)
HEADER = ModelHeader(SETTINGS, SECOND, threshold=0.4, training={"seed": 3}, scores={"miou": 0.5})


@pytest.fixture
def model():
    torch.manual_seed(0)
    return ChangeModel(build(SETTINGS), [1.0, 2.0, 3.0], [4.0, 5.0, 6.0]).eval()


@pytest.fixture
def saved(tmp_path, model):
    path = tmp_path / "model.safetensors"
    save_model(path, model, HEADER)
    return path


def rewrite(path, change_tensors=lambda t: t, **changes):
    """The same file with some of its header or tensors changed."""
    tensors, header = read_tensors(path)
    header = json.dumps(header | changes)
    save_file(change_tensors(tensors), path, {HEADER_KEY: header})


def test_a_model_survives_its_file(saved, model):
    loaded = load_model(str(saved))
    assert loaded.header == HEADER
    assert not loaded.model.training
    pair = torch.rand(2, 1, 3, 64, 64) * 255
    with torch.no_grad():
        for stored, original in zip(loaded.model(*pair), model(*pair), strict=True):
            torch.testing.assert_close(stored, original)  # another order of memory
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[name], tensor)


def test_half_precision_halves_the_file_and_keeps_the_answer(tmp_path, saved, model):
    half = tmp_path / "half.safetensors"
    save_model(half, model, HEADER, half=True)
    assert half.stat().st_size < 0.6 * saved.stat().st_size
    pair = torch.rand(2, 1, 3, 64, 64) * 255
    with torch.no_grad():
        stored = load_model(str(half)).model(*pair).change
        torch.testing.assert_close(stored, model(*pair).change, atol=0.05, rtol=0.05)
    assert {t.dtype for t in load_model(str(half)).model.parameters()} == {torch.float32}


def test_bytes_are_the_same_every_time(tmp_path, saved, model):
    save_model(tmp_path / "again.safetensors", model, HEADER)
    assert (tmp_path / "again.safetensors").read_bytes() == saved.read_bytes()


def test_a_pickle_is_refused_and_not_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "exploded"), "w"))

    (tmp_path / "model.pt").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ModelError, match=r"model\.pt is not an scd model file"):
        load_model(str(tmp_path / "model.pt"))
    assert not (tmp_path / "exploded").exists()


def test_a_truncated_file_is_refused(saved):
    saved.write_bytes(saved.read_bytes()[:1000])
    with pytest.raises(ModelError, match="is not an scd model file"):
        load_model(str(saved))


def test_an_exported_graph_is_for_other_programs(tmp_path):
    (tmp_path / "urban.onnx").write_bytes(b"\x08\x08")
    with pytest.raises(
        ModelError, match=r"onnx is a graph for other programs.* \.safetensors that"
    ):
        load_model(str(tmp_path / "urban.onnx"))


def test_foreign_tensors_are_refused(tmp_path):
    path = tmp_path / "foreign.safetensors"
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(ModelError, match="holds tensors but no scd header"):
        load_model(str(path))


def test_a_later_format_is_refused_with_both_numbers(saved):
    rewrite(saved, format=99)
    with pytest.raises(ModelError, match=r"format 99, this scd .* reads up to 3"):
        load_model(str(saved))


def test_a_network_that_does_not_fit_is_refused_in_one_sentence(saved):
    rewrite(saved, network={**HEADER.network.__dict__, "width": 0.5})
    with pytest.raises(ModelError, match=r"for example .* should be \(.*\) and is ") as caught:
        load_model(str(saved))
    assert len(str(caught.value)) < 500


def test_weights_that_are_not_numbers_are_refused(saved):
    name = next(n for n, t in load_file(saved).items() if n.endswith("weight"))
    rewrite(saved, lambda tensors: tensors | {name: tensors[name] * float("nan")})
    with pytest.raises(ModelError, match=f"{name} holds values that are not numbers"):
        load_model(str(saved))


def test_a_model_knows_what_it_was_asked_for_by(saved):
    assert load_model(str(saved)).requirements.given == str(saved)
    assert load_model("urban").requirements.given == "urban"


@pytest.mark.parametrize("wrong", [0.0, -2.0])
def test_a_spread_that_is_none_is_refused(saved, wrong):
    rewrite(saved, lambda tensors: tensors | {"std": tensors["std"] * 0 + wrong})
    with pytest.raises(ModelError, match="std, the spread of the bands, is"):
        load_model(str(saved))


def test_a_training_state_is_not_a_model(tmp_path):
    from scdcli.models.checkpoint import FORMAT, write_tensors
    from scdcli.training.runfolder import STATE

    write_tensors(tmp_path / STATE, {"model/x": torch.zeros(1)}, {"format": FORMAT, "progress": {}})
    with pytest.raises(ModelError, match=r"Give best\.safetensors or last\.safetensors"):
        load_model(str(tmp_path / "state.safetensors"))


def test_an_unknown_model_lists_the_bundled_ones():
    with pytest.raises(UnknownName, match=f"'mine'.*choose one of: {', '.join(bundled_models())}"):
        load_model("mine")


def test_a_model_that_cannot_be_written_leaves_nothing(tmp_path, model):
    with pytest.raises(OutputError, match="nowhere/m.safetensors cannot be written"):
        save_model(tmp_path / "nowhere" / "m.safetensors", model, HEADER)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_format_1_is_read_as_it_was_meant(saved):
    tensors, header = read_tensors(saved)
    for entry in ("temperature", "normalization", "pixel_size"):
        del header[entry]
    save_file(tensors, saved, {HEADER_KEY: json.dumps(header | {"format": 1})})
    found = load_model(str(saved)).header
    assert (found.temperature, found.normalization, found.pixel_size) == (1.0, "none", None)


def test_a_file_of_format_2_says_all(saved):
    tensors, header = read_tensors(saved)
    del header["temperature"]
    save_file(tensors, saved, {HEADER_KEY: json.dumps(header)})
    with pytest.raises(ModelError, match="temperature"):
        load_model(str(saved))


def test_a_calibrated_copy_differs_in_its_header_only(saved, tmp_path):
    rewrite(saved, version="0.0.1")
    copy = tmp_path / "copy.safetensors"
    calibrate_model(saved, copy, threshold=0.3, temperature=1.5, record={"pixels": 7})
    (before, old), (after, new) = (read_tensors(path) for path in (saved, copy))
    assert all(torch.equal(before[name], after[name]) for name in before)
    changed = {name for name in new if new[name] != old[name]}
    assert changed == {"threshold", "temperature", "scores", "version"}
    assert new["version"] == __version__
    assert (new["threshold"], new["temperature"]) == (0.3, 1.5)
    assert new["scores"] == old["scores"] | {"calibration": {"pixels": 7}}


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"temperature": 0.0}, r"threshold 0\.4 and the temperature 0\.0"),
        ({"threshold": 1.5}, r"threshold 1\.5 and the temperature 1\.0"),
    ],
)
def test_a_threshold_or_temperature_out_of_range_is_refused(saved, entry, words):
    rewrite(saved, **entry)
    with pytest.raises(ModelError, match=words):
        load_model(str(saved))
