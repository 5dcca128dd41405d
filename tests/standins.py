"""Stand-ins for trained models: exact, or tiny."""

import torch

from scdcli.legend import SECOND
from scdcli.models.checkpoint import LoadedModel, ModelHeader, save_model
from scdcli.models.networks import Logits, NetworkSettings, build
from scdcli.models.networks.model import ChangeModel
from scdcli.prediction.chain import Predictor
from scdcli.prediction.tiling import Tiling


class Thresholds(torch.nn.Module):
    """A stand-in that is local and exact: classes by the red band, change where dates differ."""

    output = "branches"

    def forward(self, before, after):
        def classes(image):
            level = (image[:, :1] / 40).floor().clamp(0, 5)
            return 20.0 * (level == torch.arange(6.0)[:, None, None])

        changed = ((before - after).abs().sum(1, keepdim=True) > 30).float()
        return Logits(classes(before), classes(after), torch.cat((1 - changed, changed), 1) * 20)


def loaded(network=None, bands=3):
    settings = NetworkSettings(width=0.125, bands=bands)
    torch.manual_seed(0)
    model = ChangeModel(network or build(settings), [0.0] * bands, [1.0] * bands).eval()
    return LoadedModel("stand-in", model, ModelHeader(settings, SECOND), "0" * 64)


def tiny_model(path, bands=3):
    """An untrained model file; returns its path."""
    made = loaded(bands=bands)
    save_model(path, made.model, made.header)
    return path


def predictor(network=None, **kwargs):
    kwargs.setdefault("tiling", Tiling(64, 16, 2))
    return Predictor(loaded(network), torch.device("cpu"), 0.5, **kwargs)
