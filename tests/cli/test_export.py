import json

import onnx
import onnxruntime
import pytest
import torch
from standins import loaded, tiny_model


@pytest.fixture
def model(tmp_path):
    return tiny_model(tmp_path / "tiny.safetensors")


def test_the_file_gives_the_logits_of_the_model_and_says_what_they_mean(scd, model, tmp_path):
    out = tmp_path / "tiny.onnx"
    done = scd("export", model, "-o", out, "--json")
    assert done.exit_code == 0, done.output
    record = json.loads(done.stdout)
    assert record["difference"] <= 1e-4
    assert "on 3 pairs of random pixels" in done.stderr

    running = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    pair = torch.rand(2, 2, 3, 40, 56) * 255
    given = running.run(None, {"before": pair[0].numpy(), "after": pair[1].numpy()})
    with torch.inference_mode():
        wanted = loaded().model(*pair)
    for one, other in zip(given, wanted, strict=True):
        assert abs(one - other.numpy()).max() <= 1e-4

    stored = {each.key: each.value for each in onnx.load(out).metadata_props}
    assert stored == record["metadata"]
    assert json.loads(stored["legend"])["name"] == "second"
    assert (stored["threshold"], stored["output"]) == ("0.5", "branches")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["-o", "tiny.safetensors", "--overwrite"], "ends in .onnx"),
        (["-o", "there.onnx"], "there.onnx exists; replace it with --overwrite"),
        (["-o", "nowhere/tiny.onnx"], "cannot be written"),
    ],
)
def test_what_cannot_be_written_is_refused(scd, model, tmp_path, monkeypatch, options, why):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.onnx").write_bytes(b"mine")
    before = model.read_bytes()
    refused = scd("export", model, *options)
    assert (refused.exit_code, why in refused.output) == (1, True), refused.output
    assert (tmp_path / "there.onnx").read_bytes() == b"mine"
    assert model.read_bytes() == before


def test_a_file_that_gives_other_logits_is_not_written(scd, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    other = loaded().model
    with torch.no_grad():
        other.network.change_decoder.head.bias += 1
    monkeypatch.setattr("scdcli.models.export.run_graph", lambda graph, output: other)
    refused = scd("export", model)
    assert refused.exit_code == 1
    assert "differ from PyTorch's by 1" in refused.output
    assert not (tmp_path / "tiny.onnx").exists()
