"""Encoders with published weights: sizes, padding, and what is taken over."""

from inspect import signature

import pytest
import torch
import torch.nn.functional as F
from encoderweights import published
from hypothesis import given, settings
from hypothesis import strategies as st

from scdcli.errors import ModelError, UnknownName
from scdcli.models.networks import (
    ENCODERS,
    NETWORKS,
    NetworkSettings,
    build,
    freeze,
    initialize,
)
from scdcli.models.networks.encoders import (
    LITE,
    STANDARDIZED,
    EfficientNetLite,
    SameConv,
    adapted,
    load_imagenet,
)

TAKERS = [name for name in NETWORKS if "encoder" in signature(NETWORKS[name]).parameters]
OWN_ENCODER = NETWORKS.keys() - set(TAKERS)
CHANNELS = {
    "efficientnet-lite0": (16, 24, 40, 112, 320),
    "efficientnet-lite2": (16, 24, 48, 120, 352),
}


@pytest.mark.parametrize("encoder", [name for name in ENCODERS if name != "paper"])
@pytest.mark.parametrize("network", TAKERS)
def test_networks_give_logits_of_the_size_of_the_images(network, encoder):
    chosen = NetworkSettings(network, width=0.125, bands=4, classes=3, encoder=encoder)
    model = build(chosen).eval()
    with torch.no_grad():
        logits = model(*torch.rand(2, 2, 4, 45, 71))
    assert all(x.shape[0] == 2 and x.shape[-2:] == (45, 71) for x in logits)
    assert all(torch.isfinite(x).all() for x in logits)


def test_networks_that_read_each_date_by_itself_take_another_encoder():
    assert {"hrscd-str1", "hrscd-str3", "hrscd-str4", "asn", "asn-atl", "sscd-l"} <= {*TAKERS}


@pytest.mark.parametrize("network", sorted(OWN_ENCODER))
def test_networks_with_an_encoder_of_their_own_take_no_other(network):
    with pytest.raises(ModelError, match=f"{network} cannot take the encoder .*these can: .*asn"):
        build(NetworkSettings(network, encoder="efficientnet-lite0"))


def test_an_unknown_encoder_is_refused_with_those_there_are():
    with pytest.raises(UnknownName, match="efficientnet-lite0, efficientnet-lite2, paper"):
        build(NetworkSettings("asn", encoder="resnet"))


@pytest.mark.parametrize("name", LITE)
def test_features_lie_at_each_half_of_the_scale_before(name):
    encoder = EfficientNetLite(3, name).eval()
    with torch.no_grad():
        features = encoder(torch.rand(1, 3, 65, 96))
    assert tuple(x.shape[1] for x in features) == encoder.channels == CHANNELS[name]
    assert [tuple(x.shape[-2:]) for x in features] == [(33, 48), (17, 24), (9, 12), (5, 6), (3, 3)]


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([3, 5]), st.sampled_from([1, 2]))
@settings(max_examples=40, deadline=None)
def test_padding_is_that_of_tensorflow(height, width, size, stride):
    """SAME: ⌈n/s⌉ outputs; what is missing is split, the odd one to the end."""
    convolution = SameConv(1, 1, size, stride)
    image = torch.rand(1, 1, height, width)
    with torch.no_grad():
        found = convolution(image)
    pads = []
    for length in (width, height):
        outputs = -(-length // stride)
        missing = max((outputs - 1) * stride + size - length, 0)
        pads += [missing // 2, missing - missing // 2]
    wanted = F.conv2d(F.pad(image, pads), convolution.weight, stride=stride)
    assert found.shape[-2:] == (-(-height // stride), -(-width // stride))
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("name", LITE)
def test_every_tensor_is_taken_over_and_the_head_left_out(name):
    theirs = published(name)
    encoder = EfficientNetLite(3, name)
    load_imagenet(encoder, theirs, "weights.pth")
    assert torch.equal(encoder.stem[0].weight, theirs["_conv_stem.weight"] * STANDARDIZED)
    assert torch.equal(encoder.stem[1].running_mean, theirs["_bn0.running_mean"])
    second = encoder.blocks[1]
    assert torch.equal(second.expand[0].weight, theirs["_blocks.1._expand_conv.weight"])
    assert torch.equal(second.expand[1].bias, theirs["_blocks.1._bn0.bias"])
    assert torch.equal(second.depthwise[1].weight, theirs["_blocks.1._bn1.weight"])
    assert torch.equal(second.project[1].running_var, theirs["_blocks.1._bn2.running_var"])
    taken = {id(x) for x in theirs.values()}
    assert len(encoder.state_dict()) == len(taken) - 2  # all but the two of the head


@given(st.integers(1, 8), st.integers(0, 10))
@settings(max_examples=20, deadline=None)
def test_a_gray_image_looks_the_same_in_any_number_of_bands(bands, seed):
    weight = torch.rand(4, 3, 3, 3, generator=torch.Generator().manual_seed(seed))
    gray = torch.rand(1, 1, 9, 9, generator=torch.Generator().manual_seed(seed + 1))
    wanted = F.conv2d(gray.expand(-1, 3, -1, -1), weight * STANDARDIZED)
    found = F.conv2d(gray.expand(-1, bands, -1, -1), adapted(weight, bands))
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("bands", [0, 9])
def test_a_first_layer_that_cannot_be_adapted_is_refused(bands):
    with pytest.raises(ModelError, match=f"1 to 8 bands and the images have {bands}"):
        EfficientNetLite(bands, "efficientnet-lite0")


def test_weights_of_another_variant_are_refused():
    with pytest.raises(ModelError, match=r"lite2.pth does not hold the weights .* should be \("):
        load_imagenet(
            EfficientNetLite(3, "efficientnet-lite0"), published("efficientnet-lite2"), "lite2.pth"
        )
    with pytest.raises(ModelError, match="and is absent"):
        load_imagenet(EfficientNetLite(3, "efficientnet-lite0"), {}, "none.pth")


@pytest.mark.parametrize("network", ["hrscd-str4", "asn"])
def test_a_frozen_encoder_stands_still_and_the_rest_learns(network):
    model = build(NetworkSettings(network, width=0.125, encoder="efficientnet-lite0"))
    initialize(model)
    freeze(model, "encoder")
    model.train()
    body = model.semantic_encoder.body
    before = {name: tensor.clone() for name, tensor in body.state_dict().items()}
    sum(x.square().mean() for x in model(*torch.rand(2, 2, 3, 64, 64))).backward()
    assert all(torch.equal(before[name], tensor) for name, tensor in body.state_dict().items())
    assert all(parameter.grad is None for parameter in body.parameters())
    assert model.change_encoder.convolve[0][0][0].weight.grad.abs().sum() > 0


def test_the_change_branch_reads_both_dates_in_their_order():
    model = build(NetworkSettings("hrscd-str4", width=0.125, encoder="efficientnet-lite0")).eval()
    one, two = torch.rand(2, 1, 3, 64, 64)
    with torch.no_grad():
        forward, backward = model(one, two), model(two, one)
    torch.testing.assert_close(forward.from_class, backward.to_class)
    assert not torch.allclose(forward.change, backward.change, atol=1e-6)
