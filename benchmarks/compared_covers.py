"""A model that compares two land-cover maps, out of one with a change branch.

Usage: python benchmarks/compared_covers.py MODEL OUT.safetensors
The semantic branch of `hrscd-str3`, `hrscd-str4` is that of `hrscd-str1`, layer by layer. OUT is an
`hrscd-str1` with MODEL's: what MODEL would find if changed were where its classes differ.
"""

import sys
from dataclasses import replace
from pathlib import Path

from scdcli.checkpoint import load_model, save_model
from scdcli.networks import build
from scdcli.networks.model import ChangeModel


def compared_covers(source: str, out: Path) -> None:
    """Write the semantic branch of a model as a model of its own; threshold 0.5 is its rule."""
    loaded = load_model(source)
    settings = replace(loaded.header.network, name="hrscd-str1")
    bands = settings.bands
    model = ChangeModel(build(settings), [0.0] * bands, [1.0] * bands)
    known = loaded.model.state_dict()
    model.load_state_dict({name: known[name] for name in model.state_dict()})
    header = replace(
        loaded.header, network=settings, threshold=0.5, temperature=1.0, scores={}, land_cover=True
    )
    save_model(out, model, header)


if __name__ == "__main__":
    compared_covers(sys.argv[1], Path(sys.argv[2]))
