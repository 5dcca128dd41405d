"""Contract of every network and block, and the published size of the trunk."""

from itertools import product
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from scdcli.errors import ModelError, UnknownName
from scdcli.models.contract import CHANNELS, check_network
from scdcli.models.networks import (
    BLOCKS,
    ENCODERS,
    NETWORKS,
    NetworkSettings,
    build,
    initialize,
)
from scdcli.models.networks.asn import ASN, SummedASN
from scdcli.models.networks.blocks import DownBlock, PlainBlock, UpBlock
from scdcli.models.networks.losses import ClassWeights, change_loss, inverse_frequency
from scdcli.models.networks.model import ChangeModel
from scdcli.models.networks.outputs import (
    OUTPUTS,
    CoverLogits,
    Logits,
    TypeLogits,
    probabilities,
)
from scdcli.models.networks.pyramids import (
    BranchWeights,
    ChainedPyramid,
    ConvolutionPyramid,
    LikeRepresentations,
    PairFusion,
    RepresentationPyramid,
    SpatialPyramid,
)
from scdcli.models.networks.trunk import WIDTHS, Decoder, Encoder, scaled
from scdcli.prediction.decode import READOUTS

ENTRIES = [(network, "residual") for network in NETWORKS]
# Blocks are in encoders only, so that one network of each kind will do for the others.
ENTRIES += product(
    ("fc-siam-diff", "hrscd-str1", "hrscd-str4", "asn-atl"), sorted(BLOCKS.keys() - {"residual"})
)


def parameters(module):
    return sum(p.numel() for p in module.parameters())


def gmac(module, *inputs):
    with FlopCounterMode(display=False) as counter:
        module(*inputs)
    return counter.get_total_flops() / 2e9


@pytest.mark.parametrize(("network", "blocks"), ENTRIES)
def test_every_network_keeps_the_contract(network, blocks):
    check_network(NETWORKS[network], blocks)


@pytest.mark.parametrize("output", OUTPUTS)
def test_probabilities_are_those_that_are_read(output):
    parts = CHANNELS[output](5)
    logits = OUTPUTS[output](**{name: torch.rand(2, k, 4, 6) for name, k in parts.items()})
    assert probabilities(logits).shape == (2, READOUTS[output].channels(5), 4, 6)


@pytest.mark.parametrize("network", NETWORKS)
def test_blocks_are_those_of_the_encoders(network):
    """All that differs between two kinds of blocks is in encoders."""

    def shapes(blocks):
        model = build(NetworkSettings(network, blocks, width=0.125))
        return {(name, tuple(p.shape)) for name, p in model.named_parameters()}

    usual = shapes("residual")
    for blocks in set(BLOCKS) - {"residual"}:
        differing = usual ^ shapes(blocks)
        assert differing
        assert all("encoder." in name for name, _ in differing)


def test_xception_blocks_are_separable_and_se_blocks_gated():
    separable = BLOCKS["xception"].plain(16, 16)
    assert {m.groups for m in separable.modules() if isinstance(m, torch.nn.Conv2d)} == {1, 16}
    gated = BLOCKS["se"].down(8, 16).eval()
    image = torch.rand(1, 8, 10, 10)
    with torch.no_grad():
        before = gated(image)
        for parameter in gated.gate.parameters():
            parameter.zero_()
        gated.gate.perceptron[2].bias.fill_(-50)  # every weight is 0: the shortcut alone is left
        shut = gated(image)
        shortcut = torch.nn.functional.max_pool2d(gated.shortcut(image), 2, ceil_mode=True)
    assert not torch.allclose(before, shut)
    torch.testing.assert_close(shut, torch.nn.functional.leaky_relu(shortcut, 0.01))


# Millions of parameters and GMAC of one 512×512 pair, 3 bands and 6 classes, at width 1; the
# published figures of HRSCD.str4 are 13.71 and 36.3.
COSTS = {
    "fc-ef": (1.598, 9.68),
    "fc-siam-conc": (1.832, 14.749),
    "fc-siam-diff": (1.778, 14.08),
    "hrscd-str1": (6.387, 23.47),
    "hrscd-str2": (6.387, 11.86),
    "hrscd-str3": (12.774, 35.26),
    "hrscd-str4": (13.713, 36.28),
    "asn": (24.491, 106.32),
    "asn-atl": (24.499, 109.19),
    "asn-wo-arp": (18.687, 82.13),
    "asn-wo-asp-arp": (12.533, 34.34),
    "asn-wo-pairs": (18.107, 79.76),
    "asn-wo-unlike-pairs": (18.453, 81.17),
    "asn-chained": (30.684, 144.37),
    "asn-sum": (24.491, 106.32),
    "asn-concat": (25.671, 108.26),
    "sscd-l": (4.024, 19.19),
}


@pytest.mark.parametrize("network", COSTS)
def test_networks_cost_what_is_documented(network):
    with torch.device("meta"), torch.no_grad():
        model = build(NetworkSettings(network)).eval()
        cost = gmac(model, *torch.rand(2, 1, 3, 512, 512))
    assert parameters(model) / 1e6 == pytest.approx(COSTS[network][0], abs=0.001)
    assert cost == pytest.approx(COSTS[network][1], abs=0.01)
    page = Path(__file__).parents[3] / "docs/explanation/the-network.md"
    millions, gigas = COSTS[network]
    assert f"| `{network}` | {millions:.2f} M | {gigas:.1f} G |" in page.read_text(encoding="utf-8")


def test_hrscd_str4_comes_within_two_percent_of_its_published_size():
    assert COSTS["hrscd-str4"] == pytest.approx((13.71, 36.3), rel=0.02)


def test_asn_costs_what_its_docstring_says():
    """At width 1 and at half of it."""
    with torch.device("meta"):
        half = build(NetworkSettings(width=0.5)).eval()
        costs = [COSTS["asn"], (parameters(half) / 1e6, gmac(half, *torch.rand(2, 1, 3, 512, 512)))]
    for millions, cost in costs:
        assert f"{millions:.2f} M" in ASN.__doc__
        assert f"{cost:.1f} GMAC" in ASN.__doc__


def test_ablations_are_asn_without_the_part():
    def names(network):
        model = build(NetworkSettings(network, width=0.125))
        return {n.split(".")[0] for n, _ in model.named_parameters()}

    whole = names("asn")
    assert {"asp", "arp"} <= whole
    assert names("asn-wo-arp") == whole - {"arp"}
    assert names("asn-wo-asp-arp") == whole - {"asp", "arp"}
    assert names("asn-wo-pairs") == whole - {"arp"}
    assert build(NetworkSettings("asn-wo-pairs", width=0.125)).asp.pairs is None
    like = build(NetworkSettings("asn-wo-unlike-pairs", width=0.125))
    assert like.asp.linked == [(0, 0), (1, 1), (2, 2)]
    assert isinstance(like.arp, LikeRepresentations)


@pytest.mark.parametrize("network", ["hrscd-str1", "hrscd-str3", "hrscd-str4", "asn", "sscd-l"])
def test_both_dates_share_the_semantic_branch(network):
    model = build(NetworkSettings(network, width=0.125)).eval()
    before, after = torch.rand(2, 1, 3, 64, 64)
    with torch.no_grad():
        there, back = model(before, after), model(after, before)
    torch.testing.assert_close(there.from_class, back.to_class)
    torch.testing.assert_close(there.to_class, back.from_class)


@pytest.mark.parametrize("network", ["fc-ef", "fc-siam-conc", "fc-siam-diff", "hrscd-str2"])
def test_from_to_types_see_which_date_is_first(network):
    torch.manual_seed(0)
    model = build(NetworkSettings(network, width=0.125)).eval()
    initialize(model)
    before, after = torch.rand(2, 1, 3, 64, 64)
    with torch.no_grad():
        there, back = model(before, after), model(after, before)
    assert not torch.allclose(there.types, back.types, atol=1e-4)


def test_the_change_branch_of_strategy_3_is_deaf_to_the_semantic_one():
    """Strategy 4 hears the semantic features, strategy 3 does not."""
    for network, hears in (("hrscd-str3", False), ("hrscd-str4", True)):
        model = build(NetworkSettings(network, width=0.125)).eval()
        model(*torch.rand(2, 1, 3, 64, 64)).change.sum().backward()
        reached = any(p.grad is not None for p in model.semantic_encoder.parameters())
        assert reached is hears


def atl(blocks="residual"):
    torch.manual_seed(0)
    return build(NetworkSettings("asn-atl", blocks, width=0.125))


def test_threshold_learning_starts_at_the_maps_of_the_asn():
    model = atl().eval()
    pair = torch.rand(2, 1, 3, 64, 64)
    with torch.no_grad():
        for raw, revised in zip(model.asn(*pair), model(*pair), strict=True):
            torch.testing.assert_close(raw, revised, atol=0.02, rtol=0)


@pytest.mark.parametrize(("blocks", "gamma"), [("residual", 0.5), ("xception", 0.4), ("se", 0.5)])
def test_threshold_learning_is_equations_10_and_11(blocks, gamma):
    model = atl(blocks).eval()
    pair = torch.rand(2, 1, 3, 64, 64)
    with torch.no_grad():
        for psi in (model.psi1, model.psi2):
            psi[-1].weight.mul_(1000)
        raw, revised = model.asn(*pair), model(*pair)
        first = raw.from_class + gamma * model.psi1(raw.from_class)
        second = raw.to_class + gamma * model.psi1(raw.to_class)
        change = raw.change + gamma * model.psi2(torch.cat((first, second), dim=1))
    for found, expected in zip(revised, (first, second, change), strict=True):
        torch.testing.assert_close(found, expected)
    assert not torch.allclose(raw.change, revised.change, atol=0.01)


def test_threshold_learning_leaves_the_asn_alone():
    model = atl().train()
    frozen = {name: x.clone() for name, x in model.asn.state_dict().items()}
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.1)
    labels = torch.randint(1, 7, (2, 2, 64, 64))
    change_loss(model(*torch.rand(2, 2, 3, 64, 64)), *labels, labels[0] % 2).backward()
    optimizer.step()
    assert {id(p) for p in trained} == {
        id(p) for psi in (model.psi1, model.psi2) for p in psi.parameters()
    }
    assert all(torch.equal(x, frozen[name]) for name, x in model.asn.state_dict().items())


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


def test_asn_concat_gives_the_change_decoder_the_skips_of_strategy_4():
    torch.manual_seed(0)
    model = build(NetworkSettings("asn-concat", width=0.125)).eval()
    received = []
    model.change_decoder.levels[-1].register_forward_pre_hook(lambda _, x: received.append(x[0]))
    encoded = []
    for encoder in (model.semantic_encoder, model.change_encoder):
        encoder.register_forward_hook(lambda _m, _x, out: encoded.append(out[0]))
    with torch.no_grad():
        model(*torch.rand(2, 1, 3, 64, 64))
    (before, after), change = encoded[0].chunk(2), encoded[1]
    expected = torch.cat((change, (before - after).abs()), dim=1)
    torch.testing.assert_close(received[0][:, -expected.shape[1] :], expected)


def test_a_sequence_sees_from_the_neighborhood_to_the_whole_image():
    """At 1/8: 88, 488 and 968 pixels of the image at the three dilations."""
    torch.manual_seed(0)
    pyramid = ChainedPyramid(2, (2,)).eval()
    received = []
    for gate in pyramid.gates:
        gate.register_forward_pre_hook(lambda _, args: received.append(args[0]))
    feature = torch.rand(1, 2, 3, 131, requires_grad=True)
    pyramid(feature, torch.ones(1, 15))
    for joined, pixels in zip(received, (88, 488, 968), strict=True):
        assert joined.shape[1] == 2 * 15
        (reach,) = torch.autograd.grad(joined[..., 1, 65].sum(), feature, retain_graph=True)
        columns = reach.abs().sum(dim=(0, 1, 2)).nonzero()
        assert int(columns.max() - columns.min() + 1) * 8 == pixels


def test_a_sequence_weighs_what_each_of_its_convolutions_gives():
    pyramid = ChainedPyramid(2, (2, 3)).eval()
    received = []
    for gate in pyramid.gates:
        gate.register_forward_pre_hook(lambda _, args: received.append(args[0]))
    weights = torch.zeros(1, 15)
    weights[0, 5 + 1] = 1  # j = 2, i = 2
    with torch.no_grad():
        rows = pyramid(torch.rand(1, 2, 9, 9), weights)
    assert [[x.shape[1] for x in row] for row in rows] == [[2] * 3, [3] * 3]
    used = [x.abs().amax(dim=(0, 2, 3)) > 0 for x in received]
    assert [int(each.sum()) for each in used] == [0, 4, 0, 0, 6, 0]
    assert used[1].nonzero().flatten().tolist() == [2, 3, 4, 5]


def test_of_like_pairs_the_pyramid_of_the_change_branch_falls_out():
    """M_k(1) - M_k(2) of Eq. 8 does not change with the feature of the change branch."""
    torch.manual_seed(0)
    pyramid = RepresentationPyramid(8, 8, (2, 4, 8)).eval()
    dates = [[torch.randn(2, r, 6, 6) for _ in range(3)] for r in (2, 4, 8)]
    received = []
    pyramid.pairs.register_forward_pre_hook(lambda _, args: received.append(args[0]))
    with torch.no_grad():
        for _ in range(2):
            pyramid(torch.randn(1, 8, 6, 6), torch.randn(1, 8, 6, 6), dates)
    same = [torch.allclose(one, other, atol=1e-5) for one, other in zip(*received, strict=True)]
    assert same == [True, False, False, False, True, False, False, False, True]


def test_sums_as_skips_hold_no_difference():
    change, before, after = torch.randn(3, 1, 4, 8, 8)
    joined = SummedASN.join(None, change, torch.cat((before, after)))
    torch.testing.assert_close(joined, change + before + after)


def test_the_plain_baseline_compares_its_dates_at_an_eighth():
    model = build(NetworkSettings("sscd-l", width=0.125)).eval()
    seen = []
    model.change_decoder.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape))
    blocks = sum(isinstance(x, PlainBlock) for x in model.change_decoder)
    with torch.no_grad():
        model(*torch.rand(2, 1, 3, 64, 96))
    assert seen == [(1, 2 * 16, 8, 12)]
    assert blocks == 6


def test_dates_that_agree_leave_only_the_change_encoder_in_the_skips():
    from scdcli.models.networks.asn import ASN

    change, date = torch.randn(1, 4, 8, 8), torch.randn(1, 4, 8, 8)
    torch.testing.assert_close(ASN.join(None, change, torch.cat((date, date))), change)


def test_loss_ignores_unchanged_and_nodata_pixels():
    logits = build(NetworkSettings(width=0.125)).eval()(*torch.rand(2, 1, 3, 32, 32))
    label = torch.randint(1, 7, (1, 32, 32))
    changed = torch.ones(1, 32, 32, dtype=torch.long)
    whole = change_loss(logits, label, label, changed)
    half = label.clone()
    half[:, :16] = 0
    masked = change_loss(logits, half, label, changed)
    flipped = [x.clone() for x in logits]
    flipped[0][:, :, :16] += 5 * torch.randn(1, 6, 16, 32)  # only where the label is 0
    torch.testing.assert_close(change_loss(type(logits)(*flipped), half, label, changed), masked)
    assert not torch.isclose(whole, masked)
    nothing = torch.full_like(label, 255)
    assert change_loss(logits, nothing, nothing, nothing).item() == 0


def test_the_loss_of_types_is_one_cross_entropy_over_all_types():
    torch.manual_seed(0)
    types = torch.randn(1, 1 + 4, 4, 4)
    from_label = torch.randint(1, 3, (1, 4, 4))
    to_label = torch.randint(1, 3, (1, 4, 4))
    changed = torch.randint(0, 2, (1, 4, 4))
    changed[0, 0, 0] = 255
    target = torch.where(changed == 1, (from_label - 1) * 2 + to_label, 0)
    target[0, 0, 0] = -100
    expected = torch.nn.functional.cross_entropy(types, target, ignore_index=-100)
    found = change_loss(TypeLogits(types), from_label, to_label, changed)
    torch.testing.assert_close(found, expected)
    # A changed pixel without both classes does not count, and is no unchanged one.
    from_label[changed == 1] = 0
    only = torch.where(changed == 0, 0, -100)
    expected = torch.nn.functional.cross_entropy(types, only, ignore_index=-100)
    found = change_loss(TypeLogits(types), from_label, to_label, changed)
    torch.testing.assert_close(found, expected)


def test_the_loss_of_covers_is_that_of_the_two_semantic_terms():
    torch.manual_seed(0)
    logits = [torch.randn(1, 3, 4, 4) for _ in range(2)]
    labels = torch.randint(1, 4, (2, 1, 4, 4))
    found = change_loss(CoverLogits(*logits), *labels, torch.ones(1, 4, 4).long())
    terms = [
        torch.nn.functional.cross_entropy(x, label - 1)
        for x, label in zip(logits, labels, strict=True)
    ]
    torch.testing.assert_close(found, sum(terms))


def test_class_weights_are_pytorchs_weighted_mean():
    torch.manual_seed(0)
    logits = Logits(*torch.randn(2, 1, 3, 8, 8), torch.randn(1, 2, 8, 8))
    labels = torch.randint(1, 4, (2, 1, 8, 8))
    changed = torch.randint(0, 2, (1, 8, 8))
    weights = ClassWeights(torch.tensor([0.2, 1.0, 3.0]), torch.tensor([0.5, 2.0]))
    expected = sum(
        torch.nn.functional.cross_entropy(x, target, weight)
        for x, target, weight in (
            (logits.from_class, labels[0] - 1, weights.classes),
            (logits.to_class, labels[1] - 1, weights.classes),
            (logits.change, changed, weights.change),
        )
    )
    torch.testing.assert_close(change_loss(logits, *labels, changed, weights=weights), expected)
    types = TypeLogits(torch.randn(1, 10, 8, 8))
    plain = change_loss(types, *labels, changed)
    equal = ClassWeights(torch.ones(3), torch.ones(2))
    torch.testing.assert_close(change_loss(types, *labels, changed, weights=equal), plain)
    # A type weighs what its change does, times the mean of its classes.
    by_class = (weights.classes[:, None] + weights.classes) / 2
    by_type = torch.cat((torch.tensor([0.5]), 2.0 * by_class.flatten()))
    target = torch.where(changed == 1, (labels[0] - 1) * 3 + labels[1], 0)
    expected = torch.nn.functional.cross_entropy(types.types, target, by_type)
    torch.testing.assert_close(change_loss(types, *labels, changed, weights=weights), expected)


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=7), st.sampled_from([0.5, 1.0]))
def test_inverse_frequency_evens_labels_out(pixels, power):
    weights = inverse_frequency(pixels, power).double()
    count = torch.tensor(pixels, dtype=torch.float64)
    assert (weights[count == 0] == 1).all()
    if count.sum():
        mean = float((weights * count).sum() / count.sum())
        assert mean == pytest.approx(1, rel=1e-5)
        totals = (weights * count**power)[count > 0]  # alike for all labels at power 1
        assert float(totals.max() / totals.min()) == pytest.approx(1, rel=1e-4)


def test_another_encoder_is_taken_or_refused_with_who_takes_it():
    other = next(name for name in ENCODERS if name != "paper")
    with pytest.raises(ModelError, match=f"fc-ef cannot take the encoder {other}") as refused:
        build(NetworkSettings("fc-ef", encoder=other))
    takers = str(refused.value).split("these can: ")[1].rstrip(".").split(", ")
    assert {"hrscd-str4", "asn"} <= set(takers) < NETWORKS.keys()
    with torch.device("meta"):
        for name in takers:
            build(NetworkSettings(name, encoder=other))


def test_unknown_names_list_what_exists():
    with pytest.raises(UnknownName, match="'asm'; choose one of: .*asn.*hrscd-str4"):
        build(NetworkSettings("asm"))
    with pytest.raises(UnknownName, match="'vgg'.*residual.*se.*xception"):
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
