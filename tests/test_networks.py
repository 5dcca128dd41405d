"""Contract of every network and block, and the published size of the trunk."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from scdcli.errors import ModelError, UnknownName
from scdcli.networks import BLOCKS, NETWORKS, NetworkSettings, build, initialize
from scdcli.networks.asn import ASN
from scdcli.networks.blocks import DownBlock, PlainBlock, UpBlock
from scdcli.networks.losses import asn_loss
from scdcli.networks.model import ChangeModel
from scdcli.networks.pyramids import (
    BranchWeights,
    ConvolutionPyramid,
    PairFusion,
    RepresentationPyramid,
    SpatialPyramid,
)
from scdcli.networks.trunk import WIDTHS, Decoder, Encoder, scaled

ENTRIES = [(network, blocks) for network in NETWORKS for blocks in BLOCKS]


def parameters(module):
    return sum(p.numel() for p in module.parameters())


def gmac(module, *inputs):
    with FlopCounterMode(display=False) as counter:
        module(*inputs)
    return counter.get_total_flops() / 2e9


@pytest.mark.parametrize(("network", "blocks"), ENTRIES)
@pytest.mark.parametrize(("bands", "classes", "size"), [(3, 6, (64, 64)), (5, 2, (45, 71))])
def test_logits_have_the_size_of_the_images(network, blocks, bands, classes, size):
    settings = NetworkSettings(network, blocks, width=0.125, bands=bands, classes=classes)
    pair = torch.rand(2, 2, bands, *size)
    with torch.no_grad():
        logits = build(settings).eval()(*pair)
    assert logits.from_class.shape == logits.to_class.shape == (2, classes, *size)
    assert logits.change.shape == (2, 2, *size)


@pytest.mark.parametrize(("network", "blocks"), ENTRIES)
def test_gradients_reach_every_parameter(network, blocks):
    model = build(NetworkSettings(network, blocks, width=0.125))
    initialize(model)
    logits = model(*torch.rand(2, 2, 3, 64, 64))
    classes = torch.randint(1, 7, (2, 2, 64, 64))
    asn_loss(logits, classes[0], classes[1], torch.randint(0, 2, (2, 64, 64))).backward()
    dead = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum()]
    assert dead == []


def test_the_trunk_is_hrscd_str4():
    """13.71 M parameters and 36.3 GMAC for a 512×512 pair and 7 classes, as published."""
    with torch.device("meta"):
        semantic, change = (
            Encoder(3, WIDTHS, BLOCKS["residual"]),
            Encoder(6, WIDTHS, BLOCKS["residual"]),
        )
        decoders = Decoder(WIDTHS, 7, skips=1), Decoder(WIDTHS, 2, skips=2)
        trunk = torch.nn.ModuleList([semantic, change, *decoders])

        def forward(before, after):
            f1, f2, c = semantic(before), semantic(after), change(torch.cat((before, after), 1))
            skips = [torch.cat((x, (a - b).abs()), 1) for x, a, b in zip(c, f1, f2, strict=True)]
            return decoders[0](f1), decoders[0](f2), decoders[1](skips)

        trunk.eval().forward = forward
        cost = gmac(forward, *torch.rand(2, 1, 3, 512, 512))
    assert parameters(trunk) / 1e6 == pytest.approx(13.71, abs=0.01)
    assert cost == pytest.approx(36.3, abs=0.1)


@pytest.mark.parametrize(("width", "millions", "cost"), [(1, 24.49, 106.3), (0.5, 6.15, 30.8)])
def test_asn_costs_what_its_docstring_says(width, millions, cost):
    with torch.device("meta"):
        model = build(NetworkSettings(width=width)).eval()
        measured = gmac(model, *torch.rand(2, 1, 3, 512, 512))
    assert parameters(model) / 1e6 == pytest.approx(millions, abs=0.005)
    assert measured == pytest.approx(cost, abs=0.05)
    assert f"{millions} M" in ASN.__doc__
    assert f"{cost} GMAC" in ASN.__doc__


def test_trunk_block_counts_are_the_papers():
    encoder, decoder = Encoder(3, WIDTHS, BLOCKS["residual"]), Decoder(WIDTHS, 6, skips=1)

    def count(module, kind):
        return sum(isinstance(m, kind) for m in module.modules())

    assert (count(encoder, PlainBlock), count(encoder, DownBlock)) == (10, 5)
    assert (count(decoder, PlainBlock), count(decoder, UpBlock)) == (13, 5)


def test_the_pyramids_stand_between_the_6th_and_7th_plain_block():
    decoder = Decoder(WIDTHS, 6, skips=1).eval()
    seen = []
    for module in decoder.modules():
        if isinstance(module, PlainBlock):
            module.register_forward_hook(lambda *_: seen.append("plain"))
    features = [torch.rand(1, w, 64 >> s, 64 >> s) for s, w in enumerate(WIDTHS)]
    with torch.no_grad():
        middle = decoder.deep(features)
        assert (len(seen), tuple(middle.shape)) == (6, (1, 64, 8, 8))
        decoder.shallow(middle, features)
    assert len(seen) == 13


def test_branch_weights_are_normalized():
    weights = BranchWeights(8, 15)(torch.randn(3, 8, 5, 5))
    assert weights.shape == (3, 15)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(3))


def test_one_wide_convolution_equals_the_separate_ones_of_equation_3():
    """φ_{i,j,k} with its own weight v_{i,j}, computed one by one, gives the same sequence."""
    torch.manual_seed(0)
    pyramid = ConvolutionPyramid(4, (2, 3)).eval()
    feature, v = torch.randn(1, 4, 9, 9), torch.rand(1, 15)
    received = []
    for gate in pyramid.gates:
        gate.register_forward_pre_hook(lambda _, args: received.append(args[0]))
    with torch.no_grad():
        pyramid(feature, v)
        j, dilation = 1, 6
        convolution, bn = pyramid.phi[j][0]
        parts, start = [], 2 * 15  # k = 2 (r = 3) follows the 2·15 channels of k = 1
        for i, c in enumerate((1, 2, 3, 4, 5)):
            rows = slice(start, start + 3 * c)
            out = torch.conv2d(feature, convolution.weight[rows], padding=6, dilation=dilation)
            out = (out - bn.running_mean[rows, None, None]) / (1 + bn.eps) ** 0.5
            parts.append(v[0, j * 5 + i] * torch.nn.functional.leaky_relu(out, 0.01))
            start += 3 * c
    expected = torch.cat(parts, dim=1)
    torch.testing.assert_close(received[3 + j], expected)  # gates run k by k, j inside


def test_pairs_are_all_index_combinations_and_not_linear():
    fusion_inputs = []
    pyramid = SpatialPyramid(8, 8, (2, 4)).eval()
    pyramid.pairs.register_forward_pre_hook(lambda _, args: fusion_inputs.append(args[0]))
    with torch.no_grad():
        pyramid(torch.randn(2, 8, 16, 16), torch.randn(2, 8, 16, 16))
    assert [d.shape[1] for d in fusion_inputs[0]] == [2] * 9 + [4] * 9
    representation = RepresentationPyramid(8, 8, (2, 4, 8)).eval()
    assert representation.common == 4
    fusion = PairFusion(4, 3).eval()
    x = [torch.randn(1, 4, 6, 6)]
    negative = [-x[0]]
    with torch.no_grad():
        zero = fusion([torch.zeros_like(x[0])])
        assert not torch.allclose(fusion(x) + fusion(negative), 2 * zero, atol=1e-3)


def test_dates_that_agree_leave_only_the_change_encoder_in_the_skips():
    from scdcli.networks.asn import _sum_skip

    change, date = torch.randn(1, 4, 8, 8), torch.randn(1, 4, 8, 8)
    torch.testing.assert_close(_sum_skip(change, torch.cat((date, date))), change)


def test_loss_ignores_unchanged_and_nodata_pixels():
    logits = build(NetworkSettings(width=0.125)).eval()(*torch.rand(2, 1, 3, 32, 32))
    label = torch.randint(1, 7, (1, 32, 32))
    changed = torch.ones(1, 32, 32, dtype=torch.long)
    whole = asn_loss(logits, label, label, changed)
    half = label.clone()
    half[:, :16] = 0
    masked = asn_loss(logits, half, label, changed)
    flipped = [x.clone() for x in logits]
    flipped[0][:, :, :16] += 5 * torch.randn(1, 6, 16, 32)  # only where the label is 0
    torch.testing.assert_close(asn_loss(type(logits)(*flipped), half, label, changed), masked)
    assert not torch.isclose(whole, masked)
    nothing = torch.full_like(label, 255)
    assert asn_loss(logits, nothing, nothing, nothing).item() == 0


def test_unknown_names_list_what_exists():
    with pytest.raises(UnknownName, match="'asm'; choose one of: asn"):
        build(NetworkSettings("asm"))
    with pytest.raises(UnknownName, match="'vgg'.*residual"):
        build(NetworkSettings(blocks="vgg"))
    with pytest.raises(ModelError, match="-1"):
        build(NetworkSettings(width=-1))


def test_normalization_is_in_the_model():
    seen = []
    model = ChangeModel(torch.nn.Identity(), [10.0, 20.0], [2.0, 4.0])
    model.network.forward = lambda a, b: seen.append((a, b))
    model(torch.full((1, 2, 4, 4), 20.0), torch.full((1, 2, 4, 4), 10.0))
    assert seen[0][0][0, :, 0, 0].tolist() == [5.0, 0.0]
    assert seen[0][1][0, :, 0, 0].tolist() == [0.0, -2.5]
    assert {"mean", "std"} <= set(model.state_dict())


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70))
def test_down_then_up_returns_to_any_size(height, width):
    down, up = DownBlock(2, 4).eval(), UpBlock(4, 2).eval()
    with torch.no_grad():
        assert up(down(torch.rand(1, 2, height, width)), [height, width]).shape[-2:] == (
            height,
            width,
        )


def test_widths_scale_together():
    assert scaled(WIDTHS, 1) == WIDTHS
    assert scaled(WIDTHS, 0.5) == (8, 8, 16, 32, 64, 128)
    assert scaled((8, 16), 0.01) == (8, 8)
