"""How unlike the images a model learnt from an image is, by the features of its encoder."""

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from scdcli.models.networks.model import ChangeModel

SIDE = 256  # pixels of the windows that are looked at
SCALES = slice(-3, -1)  # features at 1/8 and 1/16: texture and shapes, not yet classes
SHRINKAGE = 0.05  # of the correlation matrix toward the identity (Ledoit and Wolf 2004)


@dataclass(frozen=True)
class Familiarity:
    """Where the features of training images lie, and how far from there is still ordinary.

    The distance is Mahalanobis' (1936), divided by the square root of F: about 1 for the images it
    was fitted to.

    Attributes:
        center: Mean features, (F,) float32.
        whitening: What makes their differences from it uncorrelated and of spread 1, (F, F)
            float32.
        limit: The distance from which on an image is unlike them, () float32.
    """

    center: Tensor
    whitening: Tensor
    limit: Tensor

    def distance(self, features: Tensor) -> Tensor:
        """Of each row of (N, F) features, (N,)."""
        return ((features - self.center) @ self.whitening).square().mean(dim=1).sqrt()

    def to(self, device: torch.device | str | None) -> "Familiarity":
        """The same on a device; None for where it is."""
        moved = (getattr(self, each.name).to(device) for each in fields(self))
        return Familiarity(*moved)


@torch.inference_mode()
def features(model: ChangeModel, images: Tensor) -> Tensor | None:
    """Means and spreads of the encoder's features over each image.

    Args:
        model: In evaluation mode.
        images: (N, bands, S, S) float32, as the model takes a date.

    Returns:
        (N, F); None for networks without an encoder of single dates.
    """
    encoder = getattr(model.network, "semantic_encoder", None)
    if encoder is None:
        return None
    found = encoder(model.normalize(images))[SCALES]
    moments = [moment for x in found for moment in (x.mean(dim=(2, 3)), x.std(dim=(2, 3)))]
    return torch.cat(moments, dim=1)


def fit(training: Tensor, validation: Tensor, quantile: float) -> Familiarity:
    """Learn what is ordinary.

    Args:
        training: Features of images that the model learnt from, (N, F).
        validation: Features of ordinary images that it did not learn from, (M, F).
        quantile: Of their distances, which becomes the limit.
    """
    center, spread = training.mean(dim=0), training.std(dim=0).clamp(min=1e-6)
    correlation = torch.corrcoef(((training - center) / spread).T).nan_to_num()
    correlation = correlation * (1 - SHRINKAGE) + SHRINKAGE * torch.eye(len(correlation))
    values, vectors = torch.linalg.eigh(correlation)
    whitening = (vectors / values.sqrt()) / spread[:, None]
    known = Familiarity(center, whitening, torch.tensor(0.0))
    return replace(known, limit=known.distance(validation).quantile(quantile))
