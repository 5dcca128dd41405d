"""The contract of networks finds what would fail later, on networks of one's own."""

import pytest
import torch
from torch import nn

from scdcli.errors import ModelError, UnknownName
from scdcli.models.contract import check_network
from scdcli.models.networks import Logits


class Plain(nn.Module):
    """A network that keeps to everything: both dates through one convolution, and compared."""

    output = "branches"

    def __init__(self, *, bands, classes, **_):
        super().__init__()
        self.features = nn.Conv2d(bands, 8, 3, padding=1)
        self.classes = nn.Conv2d(8, classes, 1)
        self.change = nn.Conv2d(8, 2, 1)

    def forward(self, before, after):
        before, after = self.features(before).relu(), self.features(after).relu()
        return Logits(
            self.classes(before), self.classes(after), self.change((before - after).abs())
        )


class Unnamed(Plain):
    output = "maps"


class WithoutKeywords(Plain):
    def __init__(self, bands):
        super().__init__(bands=bands, classes=6)


class Tuple(Plain):
    def forward(self, *pair):
        return tuple(super().forward(*pair))


class Halved(Plain):
    def forward(self, *pair):
        return Logits(*(x[..., ::2] for x in super().forward(*pair)))


class Unable(Plain):
    def forward(self, before, after):
        return super().forward(before.reshape(2, 3, 64, 64), after)


class Mixing(Plain):
    def forward(self, *pair):
        return Logits(*(x - x.mean() for x in super().forward(*pair)))


class Forgetful(Plain):
    def __init__(self, **settings):
        super().__init__(**settings)
        self.kept = torch.rand(1)

    def forward(self, *pair):
        return Logits(*(x * self.kept for x in super().forward(*pair)))


class Lazy(Plain):
    def __init__(self, **settings):
        super().__init__(**settings)
        self.unused = nn.Linear(1, 1)


def test_a_network_that_keeps_to_it_passes_and_moves_no_random_numbers():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    check_network(Plain)
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (Unnamed, "output 'maps', not one of branches, types, covers"),
        (WithoutKeywords, "cannot be built with the keywords bands, classes, blocks and width"),
        (lambda **_: 3, "is a int, not a torch.nn.Module"),
        (Tuple, "returns a tuple"),
        (Halved, r"returns from_class of shape \(2, 6, 64, 32\), not \(2, 6, 64, 64\)"),
        (Unable, "cannot be run .*3 bands, 6 classes and images of 64 by 64 pixels"),
        (Mixing, "gives a pair other logits alone than beside others"),
        (Forgetful, "keeps something outside its state"),
        (Lazy, r"get no gradient: unused.weight, unused.bias \(2 in all\)"),
    ],
)
def test_what_would_fail_later_is_found(network, words):
    with pytest.raises(ModelError, match=words):
        check_network(network)


def test_blocks_are_looked_up():
    with pytest.raises(UnknownName, match="'dense'"):
        check_network(Plain, "dense")
