"""A network together with the normalization of its input: what is trained, saved and run."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from scdcli.models.networks.outputs import Output


class ChangeModel(nn.Module):
    """A network that takes pairs in the units of the images.

    Mean and standard deviation per band are buffers, so that model files carry them.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        """Wrap ``network``; ``mean`` and ``std`` are per band, in the units of the images."""
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32))

    @property
    def output(self) -> str:
        """The kind of output of the network, a key of `scdcli.prediction.decode.READOUTS`."""
        return self.network.output  # type: ignore[return-value]

    def forward(self, before: Tensor, after: Tensor) -> Output:
        """Logits of a pair, each date (B, bands, H, W) in the units of the images (uint8: 0-255).

        Both dates are normalized alike: the difference between them is the signal.
        """
        return self.network(self.normalize(before), self.normalize(after))  # type: ignore[no-any-return]

    def normalize(self, image: Tensor) -> Tensor:
        """(B, bands, H, W) in the units of the images, brought to mean 0 and spread 1."""
        return (image - self.mean[:, None, None]) / self.std[:, None, None]
