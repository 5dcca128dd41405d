"""The maps of the pyramids are the differences of Eq. 5 and Eq. 8, in the order they say."""

import numpy as np
import pytest
import torch
from pyramidmaps import pyramid_maps, with_pyramid_pairs

from scdcli.errors import ModelError
from scdcli.legend import SECOND
from scdcli.models.checkpoint import LoadedModel, ModelHeader
from scdcli.models.networks import NetworkSettings, build, initialize
from scdcli.models.networks.model import ChangeModel


def model_of(name="asn"):
    torch.manual_seed(0)
    chosen = NetworkSettings(name, width=0.125)
    network = build(chosen)
    initialize(network)
    model = ChangeModel(network, [100.0] * 3, [50.0] * 3).eval()
    return LoadedModel("tiny", model, ModelHeader(chosen, SECOND), "")


@pytest.fixture
def images(rng):
    return [rng.integers(0, 256, (3, 48, 64)).astype(np.float32) for _ in "ab"]


def test_a_map_is_the_difference_of_the_features_it_names(images):
    loaded = model_of()
    seen = {}
    asp, arp = loaded.model.network.asp, loaded.model.network.arp
    asp.register_forward_hook(lambda *given: seen.update(features=given[-1][2]))
    asp.w.register_forward_hook(lambda *given: seen.update(w=given[-1]))
    joined = []
    for convolve in arp.to_common:
        convolve.register_forward_hook(lambda *given: joined.append(given[-1]))
    maps = pyramid_maps(loaded, *images)
    assert maps.spatial.shape == (3, 3, 3, 6, 8)
    assert maps.representation.shape == (3, 3, 6, 8)
    assert maps.change.shape == (48, 64)
    for k, one, two in np.ndindex(3, 3, 3):
        before = seen["w"][0, k] * seen["features"][k][one][0]
        after = seen["w"][1, k] * seen["features"][k][two][1]
        expected = (before - after).abs().mean(0)
        np.testing.assert_allclose(maps.spatial[k, one, two], expected, rtol=1e-5)
    for one, two in np.ndindex(3, 3):
        expected = (joined[one][0] - joined[two][1]).abs().mean(0)
        np.testing.assert_allclose(maps.representation[one, two], expected, rtol=1e-5)


def test_equal_images_differ_nowhere_in_equal_features(images):
    maps = pyramid_maps(model_of(), images[0], images[0])
    for grid in (*maps.spatial, maps.representation):
        rounding = 1e-3 * grid.max()
        assert grid[0, 1].max() > 100 * rounding
        for each in range(3):
            np.testing.assert_allclose(grid[each, each], 0, atol=rounding)
        np.testing.assert_allclose(grid, grid.swapaxes(0, 1), atol=rounding)


def test_looking_changes_nothing(images):
    loaded = model_of()
    model = loaded.model
    batch = [torch.from_numpy(image)[None] for image in images]
    with torch.inference_mode():
        expected = model(*batch).change
        pyramid_maps(loaded, *images)
        assert torch.equal(model(*batch).change, expected)
    assert not [module for module in model.modules() if module._forward_pre_hooks]


@pytest.mark.parametrize("name", ["asn-atl", "asn-wo-arp"])
def test_other_networks_with_pairs_are_drawn_too(images, name):
    assert name in with_pyramid_pairs()
    maps = pyramid_maps(model_of(name), *images)
    assert maps.spatial.shape == (3, 3, 3, 6, 8)
    assert (maps.representation is None) == (name == "asn-wo-arp")


@pytest.mark.parametrize("name", ["hrscd-str4", "asn-wo-pairs", "asn-wo-unlike-pairs", "fc-ef"])
def test_a_network_without_all_pairs_is_refused_with_those_that_have_them(images, name):
    others = "asn-chained, asn-sum, asn-concat"
    said = rf"tiny is a model of {name}, .*: asn, asn-atl, asn-wo-arp, {others}\."
    with pytest.raises(ModelError, match=said):
        pyramid_maps(model_of(name), *images)
