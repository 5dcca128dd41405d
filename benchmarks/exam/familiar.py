"""Tell a model what the images look like that it learnt from, and measure how well it knows.

Usage: python benchmarks/exam/familiar.py DATA PACK.zip MODEL OUT.safetensors

The features of training images come from the pack that trained it (`benchmarks/gpu/pack.py`); the
limit from ordinary images that trained nothing: the validation city, the validation tiles of Dubai,
the far end of the coast of Monterey. Then it prints how many other images are beyond the limit:
ordinary ones that neither fit nor trained (the exam's city, another tile of Dubai, pairs of other
satellites and seasons), and those it should refuse (Landsat, NAIP at 5 m, drawn craters, noise).
"""

import argparse
import re
import sys
from pathlib import Path

import numpy as np
import rasterio
import torch
from numpy.typing import NDArray
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).parents[1] / "gpu"))
import pack as packs

from scdcli.models.checkpoint import describe_familiar, load_model
from scdcli.models.familiarity import features, fit
from scdcli.models.networks.model import ChangeModel
from scdcli.rasters.pair.mappings import MeanStd

SIDE = 256
MOST = 60  # images of a source
QUANTILE = 0.95
Images = list[NDArray[np.uint8]]


def main() -> None:
    """Fit, write, measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("pack", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    loaded = load_model(str(given.model))
    assert loaded.mean_std is not None
    settings = (loaded.model, loaded.mean_std)
    training = describe(trained(given.pack, rng), *settings)
    ordinary = {name: describe(each, *settings) for name, each in fitting(given.data, rng).items()}
    known = fit(training, torch.cat(list(ordinary.values())), QUANTILE)
    describe_familiar(given.model, given.out, known)
    print(f"limit {float(known.limit):.2f}; beyond it:")
    tested = {name: describe(each, *settings) for name, each in testing(given.data, rng).items()}
    for name, rows in ({"training": training} | ordinary | tested).items():
        beyond = float((known.distance(rows) > known.limit).float().mean())
        print(f"  {name:22s} {beyond:.2f} of {len(rows)}")


def describe(images: Images, model: ChangeModel, mean_std: MeanStd) -> torch.Tensor:
    """Features of images, each brought to the model's mean and spread first."""
    rows = []
    for image in images:
        pixels = image.astype(np.float32)
        mean, std = pixels.mean(axis=(1, 2)), np.maximum(pixels.std(axis=(1, 2)), 1)
        wanted, spread = (np.array(x, np.float32) for x in (mean_std.mean, mean_std.std))
        pixels = (pixels - mean[:, None, None]) / std[:, None, None]
        pixels = pixels * spread[:, None, None] + wanted[:, None, None]
        row = features(model, torch.from_numpy(pixels[None].astype(np.float32)))
        assert row is not None
        rows.append(row)
    return torch.cat(rows)


def trained(pack: Path, rng: np.random.Generator) -> Images:
    """Images of all sources that trained."""
    unpacked = packs.unpack(pack)
    taken = [
        image
        for bank in (unpacked.large, unpacked.small)
        for image in bank.images.numpy()[rng.permutation(len(bank.images))[: 3 * MOST]]
    ]
    return [window for image in taken for window in windows(image, 1, rng)]


def fitting(data: Path, rng: np.random.Generator) -> dict[str, Images]:
    """Ordinary images for the limit."""
    city = sorted((data / "california/images").glob(f"{packs.VALIDATION}_*.tif"))
    dubai = [f for k in (1, 3) for f in sorted((data / f"dubai/tile{k}/images").glob("*.jpg"))]
    coast = [
        f
        for f in sorted((data / "monterey/images").iterdir())
        if int(re.findall(r"\d+", f.stem)[1]) >= packs.MONTEREY_TRAIN
    ]
    return {
        "validation city": read(city, 1, rng),
        "Dubai 1 and 3": read(dubai, 3, rng),
        "Monterey's end": read(coast, 1, rng),
    }


def testing(data: Path, rng: np.random.Generator) -> dict[str, Images]:
    """Images for the figures."""
    names = ("old", "new")
    woods = [f for name in names for f in sorted((data / "wv_naip").glob(f"*-{name}.tif"))[4:]]
    pairs = [f for side in "AB" for f in sorted((data / "real_pairs" / side).iterdir())]
    return {
        "exam's city": read(
            sorted((data / "california/images").glob(f"{packs.EXAM}_*.tif")), 1, rng
        ),
        "Dubai 8": read(sorted((data / "dubai/tile8/images").glob("*.jpg")), 3, rng),
        "real pairs": read(pairs, 1, rng),
        "West Virginia": read(woods, 1, rng),
        "Landsat": read(sorted((data / "landsat").glob("*.tif")), 8, rng),
        "NAIP at 5 m": read(sorted((data / "naip").glob("*.tif")), 6, rng),
        "craters": [craters(rng) for _ in range(20)],
        "noise": [rng.integers(0, 255, (3, SIDE, SIDE)).astype(np.uint8) for _ in range(6)],
    }


def read(files: list[Path], each: int, rng: np.random.Generator) -> Images:
    """Windows of files, of at most `MOST` of them."""
    chosen = [files[k] for k in sorted(rng.permutation(len(files))[:MOST])]
    found: Images = []
    for file in chosen:
        with rasterio.open(file) as dataset:
            found += windows(dataset.read([1, 2, 3]), each, rng)
    return found


def windows(image: NDArray[np.uint8], count: int, rng: np.random.Generator) -> Images:
    """Random windows of an image, mirrored up to their size where it is smaller."""
    lacking = [(0, 0), *((0, max(0, SIDE - side)) for side in image.shape[1:])]
    image = np.pad(image, lacking, mode="symmetric")
    corners = [rng.integers(0, [s - SIDE + 1 for s in image.shape[1:]]) for _ in range(count)]
    return [image[:, row : row + SIDE, col : col + SIDE] for row, col in corners]


def craters(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Rough ground full of craters in the colors of Mars."""
    size = (SIDE, SIDE)
    height = sum(ndimage.gaussian_filter(rng.normal(size=size), s) * s for s in (2, 6, 20))
    rows, cols = np.ogrid[:SIDE, :SIDE]
    for _ in range(20):
        row, col, radius = *rng.integers(0, SIDE, 2), rng.integers(5, 30)
        away = np.hypot(rows - row, cols - col) / radius
        height = height + np.where(away < 1.3, (1 - abs(away - 1)) * 1.5 * np.sign(cols - col), 0)
    height = (height - height.min()) / np.ptp(height)
    return np.stack([height * 180 + 60, height * 100 + 40, height * 60 + 30]).astype(np.uint8)


if __name__ == "__main__":
    main()
