"""Predict the places of the exam as `scd predict` would, for `exam.py` to score.

Usage: python benchmarks/exam/predict.py CALIFORNIA_DIR MODEL OUT

OUT gets one ``<place>.npz`` for each place. MODEL is a bundled model or a file.
"""

import argparse
from pathlib import Path

import numpy as np
import rasterio
import torch
from exam import load_exam

from scdcli.models.checkpoint import load_model
from scdcli.rasters.pair.mappings import standardize


def main() -> None:
    """One pair after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("california", type=Path)
    parser.add_argument("model")
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    loaded = load_model(given.model)
    names = [cover.name for cover in loaded.header.legend.classes]
    for place in load_exam():
        city, number = place.name.rsplit("_", 1)
        images = []
        for year in (place.before, place.after):
            with rasterio.open(given.california / "images" / f"{city}_{year}_{number}.tif") as file:
                image = file.read([1, 2, 3])
            seen = np.ones(image.shape[1:], dtype=bool)
            if loaded.mean_std is not None:
                image = standardize(image, seen, loaded.mean_std)
            images.append(torch.from_numpy(image.astype(np.float32))[None])
        with torch.inference_mode():
            logits = loaded.model(*images)
        score = (logits.change[:, 1] - logits.change[:, 0]) / loaded.header.temperature
        np.savez_compressed(
            given.out / f"{place.name}.npz",
            probability=score.sigmoid()[0].numpy(),
            **{"from": logits.from_class.argmax(1)[0].numpy().astype(np.uint8)},
            to=logits.to_class.argmax(1)[0].numpy().astype(np.uint8),
            classes=np.array(names),
        )


if __name__ == "__main__":
    main()
