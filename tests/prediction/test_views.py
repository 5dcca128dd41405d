"""Views that share passes and resizings say what each of them says alone."""

import pytest
import torch
import torch.nn.functional as F

from scdcli.models.networks import outputs
from scdcli.prediction.tta import TTA
from scdcli.prediction.views import sum_views


class Blurred(torch.nn.Module):
    """Random features of 5 x 5 pixels, cheap and without any symmetry."""

    output = "branches"

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.features = torch.nn.Conv2d(6, 14, 5, padding=2)

    def forward(self, before, after):
        features = 20 * self.features(torch.cat((before, after), dim=1))
        return outputs.Logits(*features.split((6, 6, 2), dim=1))


@pytest.fixture(scope="module")
def model():
    return Blurred().eval()


@pytest.fixture(scope="module")
def dates():
    random = torch.Generator().manual_seed(0)
    return torch.rand((2, 3, 3, 64, 96), generator=random)


def one_by_one(model, before, after, views):
    """The mean over views, each resized there and back by itself."""
    total = 0
    for view in views:
        side = [max(32, round(length * view.scale)) for length in before.shape[-2:]]
        seen = (F.interpolate(x, size=side, mode="bilinear") for x in (before, after))
        logits = model(*(x.flip(view.axes) for x in seen))
        upright = outputs.probabilities(outputs.in_float(logits)).flip(view.axes)
        total = total + F.interpolate(upright, size=before.shape[-2:], mode="bilinear")
    return total / len(views)


@torch.inference_mode()
@pytest.mark.parametrize("name", TTA)
@pytest.mark.parametrize("size", [1, 8])
def test_shared_views_are_those_that_are_looked_at_one_by_one(model, dates, name, size):
    views = TTA[name]
    expected = one_by_one(model, *dates, views)
    found = sum_views(model, *dates, views, size, fill=True) / len(views)
    assert float((found - expected).abs().max()) < 1e-6
    for first in (0, 6):  # classes before and after
        parts = (each[:, first : first + 6].argmax(1) for each in (found, expected))
        assert torch.equal(*parts)


@torch.inference_mode()
def test_what_a_chip_gets_does_not_depend_on_its_neighbors(model, dates):
    views = TTA["ms+flip"]
    together = sum_views(model, *dates, views, 4, fill=True)
    alone = [sum_views(model, *dates[:, chip : chip + 1], views, 4, fill=True) for chip in range(3)]
    assert torch.equal(together, torch.cat(alone))


@torch.inference_mode()
def test_each_date_is_resized_once_per_scale_and_so_is_what_is_said_of_it(
    model, dates, monkeypatch
):
    seen = []

    def counted(x, **options):
        seen.append(x.shape[1])
        return torch.zeros(len(x), x.shape[1], *options["size"])

    monkeypatch.setattr("scdcli.prediction.views.F.interpolate", counted)

    def forward(before, after):
        zeros = torch.zeros(len(before), 2, *before.shape[-2:])
        return outputs.Logits(zeros, zeros, zeros)

    sum_views(forward, *dates, TTA["ms+flip"], 1, fill=True)
    assert seen == [3, 3, 5] * 5  # five scales but 1
