"""A trained model as the start of a training on other classes, with or without its encoders."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from pictures import write_png
from runs import train
from scenes import write_scene
from sets import find_samples
from standins import loaded, tiny_model

from scdcli.datasets.augment import Augmentation
from scdcli.errors import ModelError, UnknownName
from scdcli.legend import SECOND, URBAN, LandCover, Legend
from scdcli.models.checkpoint import LoadedModel, ModelHeader, load_model, save_model
from scdcli.models.networks import NETWORKS, NetworkSettings, build, freeze
from scdcli.models.networks.model import ChangeModel
from scdcli.training.finetuning import (
    describe_classes,
    places_of_classes,
    trained_parameters,
    with_classes,
)
from scdcli.training.startweights import require_same_network, require_same_standardization
from scdcli.training.trainer import Hardware, TrainingSettings

CPU = Hardware(torch.device("cpu"))
QUICK = TrainingSettings(epochs=1, batch=2, ema=0.9, augmentation=Augmentation(chip=32))
MINE = Legend(
    "mine",
    (
        LandCover("Building", (1, 2, 3)),
        LandCover("parking", (9, 9, 9)),
        LandCover("water", (0, 0, 255)),
    ),
)
BUILDING, WATER = 4, 0  # places in SECOND


def start_of(name, classes=SECOND):
    """An untrained model of a network, whose batch statistics and weights are all its own."""
    settings = NetworkSettings(name, width=0.125, classes=len(classes))
    torch.manual_seed(3)
    network = build(settings)
    for buffer in network.buffers():
        if buffer.is_floating_point():
            buffer.uniform_(0.5, 1.5)
    model = ChangeModel(network, [90.0, 100.0, 110.0], [40.0, 50.0, 60.0]).eval()
    return LoadedModel(name, model, ModelHeader(settings, classes), "0" * 64)


def pair():
    return torch.rand(2, 1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 255


def test_classes_are_found_by_name_whatever_order_color_and_capitals():
    assert places_of_classes(SECOND, MINE) == [BUILDING, None, WATER]
    told = describe_classes(start_of("asn"), MINE)
    assert "Building, water (known to it); parking (new, which start afresh); " in told
    assert "n.v.g. surface, low vegetation, tree, playground (of the model, which " in told
    turned = Legend("turned", tuple(reversed(SECOND.classes)))
    assert describe_classes(start_of("asn"), turned) is None
    assert places_of_classes(SECOND, turned) == [5, 4, 3, 2, 1, 0]


@pytest.mark.parametrize("name", sorted(NETWORKS.keys() - {"asn-atl"}))
@torch.inference_mode()
def test_known_classes_keep_their_logits_and_new_ones_start_afresh(name):
    start = start_of(name)
    made = with_classes(start, start.header.network, MINE)
    assert (made.header.network.classes, made.header.legend) == (3, MINE)
    require_same_network(made, replace(start.header.network, classes=3))
    old, new = start.model(*pair()), made.model.eval()(*pair())
    if made.model.output == "types":
        kept = {0: 0, 1: 1 + 6 * BUILDING + BUILDING, 3: 1 + 6 * BUILDING + WATER}
        kept |= {7: 1 + 6 * WATER + BUILDING, 9: 1}
        assert new.types.shape[1] == 10
        for here, there in kept.items():
            torch.testing.assert_close(new.types[:, here], old.types[:, there])
        assert not any(torch.allclose(new.types[:, 5], each) for each in old.types.unbind(1))
        return
    for mine, theirs in ((new.from_class, old.from_class), (new.to_class, old.to_class)):
        torch.testing.assert_close(mine[:, [0, 2]], theirs[:, [BUILDING, WATER]])
        assert not any(torch.allclose(mine[:, 1], each) for each in theirs.unbind(1))
    if made.model.output == "branches":
        assert torch.equal(new.change, old.change)


@torch.inference_mode()
def test_the_same_classes_in_another_order_change_places():
    start = start_of("asn")
    turned = Legend("turned", tuple(reversed(SECOND.classes)))
    made = with_classes(start, start.header.network, turned)
    new, old = made.model.eval()(*pair()), start.model(*pair())
    torch.testing.assert_close(new.from_class, old.from_class.flip(1))
    assert with_classes(start, start.header.network, SECOND) is start


@torch.inference_mode()
def test_of_a_network_that_revises_an_asn_the_asn_may_go_on():
    start = start_of("asn-atl")
    wanted = replace(start.header.network, name="asn")
    require_same_network(start, wanted)
    made = with_classes(start, wanted, SECOND)
    raw = start.model.network.asn(*((x - 100.0) / 50.0 for x in pair()))
    middle = ChangeModel(made.model.network, [100.0] * 3, [50.0] * 3).eval()(*pair())
    assert torch.equal(middle.change, raw.change)
    assert all(each.requires_grad for each in made.model.parameters())


@pytest.fixture
def samples(second_tree):
    return find_samples(second_tree(pairs=3, size=64) / "train")


def tuned(samples, out, start, **settings):
    """What training makes of a start, in one epoch."""
    network = start.header.network
    list(train(samples, [], out, network, SECOND, replace(QUICK, **settings), CPU, start=start))
    return load_model(str(out / "last.safetensors"))


@pytest.mark.parametrize("name", ["asn", "fc-siam-diff"])
def test_a_frozen_encoder_stays_as_it_is_and_the_rest_learns(samples, tmp_path, name):
    start = start_of(name)
    made = tuned(samples, tmp_path, start, freeze="encoder", weight_decay=0.1)
    assert made.header.training["freeze"] == "encoder"
    before, after = start.model.state_dict(), made.model.state_dict()
    same = {key for key in before if torch.equal(before[key], after[key])}
    inside = {key for key in before if "encoder." in key}
    assert any(key.endswith("running_mean") for key in inside)
    assert inside <= same
    assert not any(key.endswith("weight") for key in same - inside)


def test_all_but_the_normalization_learns_unless_something_is_frozen(samples, tmp_path):
    start = start_of("asn")
    before, after = start.model.state_dict(), tuned(samples, tmp_path, start).model.state_dict()
    same = {key for key in before if torch.equal(before[key], after[key])}
    assert {"mean", "std"} <= same
    assert not any(key.endswith(("weight", "running_mean")) for key in same)


def test_nothing_is_kept_for_gradients_of_a_frozen_encoder():
    network = build(NetworkSettings(width=0.125)).train()
    freeze(network, "encoder")
    features = network.semantic_encoder(torch.rand(1, 3, 64, 64))
    assert not any(feature.requires_grad for feature in features)
    logits = network(*torch.rand(2, 1, 3, 64, 64))
    logits.change.sum().backward()
    assert all((p.grad is None) >= ("encoder." in n) for n, p in network.named_parameters())
    with pytest.raises(UnknownName, match="no part to freeze named 'head'; choose one of: encoder"):
        freeze(network, "head")


def test_trained_parameters_are_counted():
    settings = NetworkSettings("fc-ef", width=0.125)
    trained, every = trained_parameters(settings, "encoder")
    network = build(settings)
    assert every == sum(each.numel() for each in network.parameters())
    assert every - trained == sum(each.numel() for each in network.encoder.parameters()) > 0
    assert trained_parameters(settings, "none") == (every, every)


def test_images_are_normalized_as_what_stays_of_the_start_knows_them():
    start = start_of("asn")
    asn, atl = start.header.network, replace(start.header.network, name="asn-atl")
    require_same_standardization(start, asn, "per-date")
    for network, frozen, told in ((asn, "encoder", "keeps its encoder"), (atl, "none", "revised")):
        require_same_standardization(start, network, "none", frozen)
        with pytest.raises(ModelError, match=f"standardize none and .*{told} with per-date"):
            require_same_standardization(start, network, "per-date", frozen)


LEGEND = """
name = "mine"
[[classes]]
name = "building"
color = "#800000"
value = 20
[[classes]]
name = "open land"
color = "#008000"
value = 30
"""


@pytest.fixture
def mine(second_tree, tmp_path):
    """A set of two classes, building and open land, and its legend file."""
    root = second_tree(pairs=3, size=64)
    for part in ("label1", "label2"):
        for number in range(3):
            label = np.zeros((64, 64), np.uint8)
            label[:30, :30] = 20 + 10 * (part == "label2")
            write_png(root / "train" / part / f"{number:05d}.png", label)
    legend = tmp_path / "mine.toml"
    legend.write_text(LEGEND, encoding="utf-8")
    return ["train", root, "--legend", legend, "--chip", "64", "--epochs", "1", "--batch", "2"]


def test_a_start_brings_its_network_and_classes_of_the_same_name(scd, mine, tmp_path):
    settings = NetworkSettings("hrscd-str4", "se", 0.125)
    torch.manual_seed(0)
    model = ChangeModel(build(settings), [100.0] * 3, [50.0] * 3)
    first = tmp_path / "first.safetensors"
    save_model(first, model, ModelHeader(settings, SECOND, normalization="per-date"))
    command = [*mine, "-o", tmp_path / "run", "--init", first, "--freeze", "encoder"]
    command += ["--val-share", "0.4"]
    result = scd(*command)
    assert result.exit_code == 0, result.output
    assert "building (known to it); open land (new, which start afresh); " in result.stderr
    assert "parameters are trained; the encoder stays as it is." in result.stderr
    header = load_model(str(tmp_path / "run/best.safetensors")).header
    assert header.network == replace(settings, classes=2)
    assert (header.normalization, header.training["init"]["name"]) == ("per-date", first.name)
    assert scd(*command, "--resume").exit_code == 0
    assert json.loads((tmp_path / "run/settings.json").read_text())["freeze"] == "encoder"


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--width", "0.5"], 1, "width 0.125 there and 0.5 here; leave out what is to be as in"),
        (["--network", "fc-ef"], 1, "name asn there and fc-ef here"),
        (["--network", "asn-atl"], 1, "train --network asn on them first"),
        (["--freeze", "head"], 1, "no part to freeze named 'head'"),
        (["--bands", "1,2"], 1, "reads 3 bands and the images of the set have 2; give a model of"),
    ],
)
def test_what_contradicts_the_start_shows_both(scd, mine, tmp_path, options, code, words):
    command = [*mine, "-o", tmp_path / "run", "--init", tiny_model(tmp_path / "m.safetensors")]
    command = [
        each for each in command if "atl" not in str(options) or each not in ("--epochs", "1")
    ]
    result = scd(*command, "-q", *options)
    assert result.exit_code == code, result.output
    assert words in result.stderr
    assert not (tmp_path / "run").exists()


def test_there_is_nothing_to_freeze_without_a_start(scd, mine, tmp_path):
    result = scd(*mine, "-o", tmp_path / "run", "--freeze", "encoder")
    assert result.exit_code == 2
    assert "give a model with --init" in result.stderr


def test_a_start_of_three_bands_takes_the_colors_of_more(scd, tmp_path):
    folder = tmp_path / "set/north"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("before.tif", "after.tif"):
        pixels = rng.integers(1, 250, (4, 128, 64)).astype(np.uint8)
        write_scene(folder / name, pixels, photometric="rgb", alpha="no")
    labels = np.zeros((1, 128, 64), np.uint8)
    labels[:, :90, :40] = 3
    write_scene(folder / "from.tif", labels)
    write_scene(folder / "to.tif", labels + (labels > 0))
    command = ["train", tmp_path / "set", "--legend", "second", "--chip", "64", "--epochs", "1"]
    command += ["--init", tiny_model(tmp_path / "three.safetensors")]
    taken = scd(*command, "-o", tmp_path / "run")
    assert taken.exit_code == 0, taken.output
    header = load_model(str(tmp_path / "run/last.safetensors")).header
    assert header.training["bands"] == [1, 2, 3]
    refused = scd(*command, "-o", tmp_path / "other", "--bands", "1,2,3,4")
    assert refused.exit_code == 1
    assert "reads 3 bands and the images of the set have 4; choose as many with" in refused.stderr


def test_other_bundled_classes_are_compared_by_name():
    places = places_of_classes(SECOND, URBAN)
    kept = [name for name, place in zip(URBAN.names, places, strict=True) if place is not None]
    assert kept == ["water", "building"]
    assert describe_classes(loaded(), SECOND) is None
