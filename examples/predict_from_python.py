"""Map the changes of a pair from Python and print the hectares of every transition.

Usage: python examples/predict_from_python.py BEFORE AFTER OUT
"""

import sys
from pathlib import Path

from scdcli.models.checkpoint import DEFAULT_MODEL, load_model
from scdcli.models.device import pick_device
from scdcli.prediction.chain import Predictor
from scdcli.prediction.write import OutputSettings, write_prediction
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.pair.settings import PairSettings


def main(before: str, after: str, out: str) -> None:
    """Predict with the bundled model."""
    device = pick_device()
    loaded = load_model(DEFAULT_MODEL, device)
    predictor = Predictor(loaded, device, loaded.header.threshold)
    # How the model wants its images: so many bands, and perhaps each date at its own levels.
    wanted = PairSettings(count=loaded.header.network.bands, levels=loaded.levels)
    with open_pair(before, after, wanted) as pair:
        summary = write_prediction(pair, predictor, Path(out), OutputSettings(), recorded={})
    for row in summary["transitions"]:
        print(f"{row['from_name']} → {row['to_name']}: {row['hectares']:.2f} ha")


if __name__ == "__main__":
    main(*sys.argv[1:])
