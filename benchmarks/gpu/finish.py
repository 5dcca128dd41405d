"""Make a model file of what `default_model.py` left.

Usage: python benchmarks/gpu/finish.py RUN OUT.safetensors [--mean-with EARLIER.safetensors ...]

RUN holds `model.safetensors` and `run.json`. The model takes dates brought to one mean and spread
(`MEAN`, `STD`, those of ImageNet), which is what it was trained on.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from scdcli.legend import URBAN
from scdcli.models.checkpoint import ModelHeader, save_model
from scdcli.models.networks import NetworkSettings, build
from scdcli.models.networks.model import ChangeModel

MEAN, STD = 115.6, 57.6
PIXELS = (0.3, 1.7)  # meters, as `scdcli.training.live.scenes.METERS`


def main() -> None:
    """Read, wrap, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--mean-with", type=Path, nargs="+", default=[], help="earlier weights, of the same network"
    )
    parser.add_argument("--threshold", type=float, default=0.5)
    parser.add_argument("--temperature", type=float, default=1.0)
    given = parser.parse_args()
    run = json.loads((given.run / "run.json").read_text())
    settings = NetworkSettings(
        run["network"], width=run["width"], classes=len(URBAN), encoder=run["encoder"]
    )
    network = build(settings)
    network.load_state_dict(weights([given.run / "model.safetensors", *given.mean_with]))
    header = ModelHeader(
        settings,
        URBAN,
        threshold=given.threshold,
        temperature=given.temperature,
        normalization="per-date",
        pixel_size=PIXELS,
        chip=run["size"],
        land_cover=True,
        training=run,
    )
    model = ChangeModel(network, [MEAN] * 3, [STD] * 3).eval()
    save_model(given.out, model, header, half=True)
    print(f"{given.out}: {given.out.stat().st_size / 2**20:.1f} MiB")


def weights(files: Sequence[Path]) -> dict[str, Tensor]:
    """The mean of the weights in some files, in float32."""
    first, *others = (load_file(file) for file in files)
    return {
        name: sum((other[name].float() for other in others), x.float()) / len(files)
        if x.is_floating_point()
        else x
        for name, x in first.items()
    }


if __name__ == "__main__":
    main()
