"""Tensors and a JSON header in one safetensors file: models, and the state of a training.

No pickle anywhere: a foreign or damaged file is an error, never code that runs.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from scdcli import __version__
from scdcli.errors import ModelError, OutputError

FORMAT = 2
HEADER_KEY = "scd"


def write_tensors(path: Path, tensors: Mapping[str, Tensor], description: dict[str, Any]) -> None:
    """A safetensors file with a JSON header, written beside and renamed."""
    partial = path.with_name(f".{path.name}.partial")
    ready = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        partial.write_bytes(save(ready, {HEADER_KEY: json.dumps(description, ensure_ascii=False)}))
        partial.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        partial.unlink(missing_ok=True)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and JSON header of a file `write_tensors` wrote.

    Raises:
        ModelError: It is not such a file, or it is truncated.
    """
    remedy = "give a file written by scd train, or the name of a bundled model"
    try:
        with safe_open(path, framework="pt") as stored:
            description = (stored.metadata() or {}).get(HEADER_KEY)
            if description is None:
                raise ModelError(f"{path} holds tensors but no scd header; {remedy}.")
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        header = json.loads(description)
        if not isinstance(header, dict) or not isinstance(header.get("format"), int):
            raise ModelError(f"{path} has a header that is not of scd; {remedy}.")
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"{path} is not an scd model file ({error}); {remedy}.") from error
    if header["format"] > FORMAT:
        raise ModelError(
            f"{path} has model format {header['format']}, this scd {__version__} reads up to "
            f"{FORMAT}; upgrade scd."
        )
    return tensors, header
