"""The model a training starts from: fresh, or with the weights of a trained one."""

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from scdcli.datasets.dataset import other_bands, read_images
from scdcli.datasets.division import part_of
from scdcli.datasets.samples import Sample
from scdcli.errors import DatasetError, ModelError, TrainingError
from scdcli.legend import Legend
from scdcli.models.checkpoint import LoadedModel
from scdcli.models.networks import NetworkSettings, build, initialize
from scdcli.models.networks.encoders import EfficientNetLite, load_imagenet
from scdcli.models.networks.model import ChangeModel
from scdcli.models.networks.own import is_own
from scdcli.models.pretrained import EncoderWeights
from scdcli.rasters.pair.open import open_pair
from scdcli.rasters.pair.settings import PairSettings

# A network that revises a trained and from then on frozen one: that network's name, and its
# attribute inside.
REVISES = {"asn-atl": "asn"}


def start_model(
    samples: Sequence[Sample],
    network: NetworkSettings,
    start: LoadedModel | None = None,
    encoder_weights: EncoderWeights | None = None,
) -> ChangeModel:
    """A model to train, with the normalization of what it starts from, or else of the samples.

    Args:
        samples: The training pairs.
        network: What to build.
        start: A model of the same network and classes, or of the one it revises, whose weights to
            take.
        encoder_weights: What a fresh network's encoder begins with; the rest begins at random.

    Raises:
        ModelError: ``start`` is of another network, or missing where there is one to revise; the
            encoder's weights are those of another.
        TrainingError: The images have another number of bands than the network.
        UnknownName: No such network or blocks.
    """
    built = build(network)
    if start is not None:
        require_same_network(start, network)
        start = inner_model(start, network)
        revised = start.header.network.name != network.name
        part = getattr(built, REVISES[network.name]) if revised else built
        part.load_state_dict(start.model.network.state_dict())
    elif network.name in REVISES:
        raise ModelError(
            f"{network.name} revises a trained {REVISES[network.name]} and none is given; give "
            "one with --init."
        )
    else:
        if not is_own(network.name):  # which begins as its constructor leaves it
            initialize(built)
        if encoder_weights is not None:
            body = next(x for x in built.modules() if isinstance(x, EfficientNetLite))
            load_imagenet(body, encoder_weights.tensors, encoder_weights.source)
    if start is not None:
        # Its weights were trained with that normalization.
        return ChangeModel(built, start.model.mean.tolist(), start.model.std.tolist())
    return ChangeModel(built, *_normalization(samples, network.bands))


def require_same_legend(start: LoadedModel, network: NetworkSettings, legend: Legend) -> None:
    """Refuse to revise a model that tells other classes apart than the labels do.

    Raises:
        ModelError: The class names differ.
    """
    there, here = start.header.legend.names, legend.names
    if network.name in REVISES and there != here:
        raise ModelError(
            f"{start.name} has the classes {', '.join(there)} and the labels have "
            f"{', '.join(here)}; {network.name} needs a model trained on the same classes: train "
            f"--network {REVISES[network.name]} on them first."
        )


def require_same_standardization(
    start: LoadedModel, network: NetworkSettings, standardize: str, frozen: str = "none"
) -> None:
    """Refuse another standardization than a model knows that is revised or partly frozen.

    Raises:
        ModelError: The normalizations differ, and the model is to be revised or partly frozen.
    """
    known = start.header.normalization
    if known != standardize and (network.name in REVISES or frozen != "none"):
        kept = "is to be revised" if network.name in REVISES else f"keeps its {frozen}"
        raise ModelError(
            f"{start.name} was trained with --standardize {known} and {kept} with "
            f"{standardize}; leave --standardize out to take that of the model."
        )


def require_same_network(start: LoadedModel, network: NetworkSettings) -> None:
    """Refuse to start a network from one that is built otherwise.

    Raises:
        ModelError: Name, blocks, width, bands or number of classes differ.
    """
    other = start.header.network
    if other.bands != network.bands:
        fewer = other.bands < network.bands
        example = ",".join(map(str, range(1, other.bands + 1)))
        remedy = (
            f"choose as many with --bands, for example --bands {example}"
            if fewer
            else (f"give a model of {network.bands} bands")
        )
        raise ModelError(
            f"{start.name} reads {other.bands} bands and the images of the set have "
            f"{network.bands}; {remedy}, or start without --init."
        )
    names = {network.name, REVISES.get(network.name, network.name)}
    names |= {name for name, revised in REVISES.items() if revised == network.name}
    differing = [
        f"{field.name} {getattr(other, field.name)} there and {getattr(network, field.name)} here"
        for field in fields(NetworkSettings)
        if getattr(other, field.name) != getattr(network, field.name)
        and not (field.name == "name" and other.name in names)
    ]
    if differing:
        raise ModelError(
            f"{start.name} cannot be the start of this training: {', '.join(differing)}; leave "
            "out what is to be as in the model, give a model of the network "
            f"{' or '.join(sorted(names))} with the same settings, or start without --init."
        )


def inner_model(start: LoadedModel, network: NetworkSettings) -> LoadedModel:
    """The network inside a model that revises the one to be trained; any other model as it is."""
    own = start.header.network
    if REVISES.get(own.name) != network.name:
        return start
    inside = getattr(start.model.network, network.name).requires_grad_(True)
    model = ChangeModel(inside, start.model.mean.tolist(), start.model.std.tolist())
    return replace(
        start, model=model, header=replace(start.header, network=replace(own, name=network.name))
    )


def _normalization(samples: Sequence[Sample], bands: int) -> tuple[list[float], list[float]]:
    mean, std = band_statistics(samples)
    if len(mean) != bands:
        raise TrainingError(
            f"{samples[0].before} has {len(mean)} bands, the network is built for "
            f"{bands}; build it for {len(mean)}, or choose {bands} of them with --bands."
        )
    return mean, std


MOST_PAIRS = 200
WINDOW = 256  # pixels, of a scene


def band_statistics(samples: Sequence[Sample]) -> tuple[list[float], list[float]]:
    """Mean and standard deviation per band over both dates of up to 200 samples spread evenly.

    Of scenes as many windows are looked at, together.

    Raises:
        DatasetError: The images differ in their number of bands.
    """
    distinct = list(dict.fromkeys(samples))
    windows = max(1, MOST_PAIRS // len(distinct))
    sums: list[NDArray[np.float64]] = []
    for sample in distinct[:: max(1, len(distinct) // MOST_PAIRS)]:
        images = _scene_images(sample, windows) if sample.windowed else _pair_images(sample)
        for image in images:
            if sums and sums[0].shape[1] != len(image):
                raise other_bands(sample.before.name, len(image), sums[0].shape[1])
            x = image.astype(np.float64)
            if x.size:
                sums.append(np.stack([x.mean(axis=1), (x**2).mean(axis=1)]))
    if not sums:
        raise DatasetError(
            f"no image of the set holds a measured pixel, {samples[0].before} first."
        )
    mean, square = np.mean(sums, axis=0)
    std = np.sqrt(np.maximum(square - mean**2, 1.0))
    return mean.tolist(), std.tolist()


def _pair_images(sample: Sample) -> Iterator[NDArray[np.generic]]:
    """The measured pixels of both dates, (C, N)."""
    for image, measured in read_images(sample):
        yield image[:, measured]


def _scene_images(sample: Sample, windows: int) -> Iterator[NDArray[np.generic]]:
    """The measured pixels of windows at random places of a scene, always the same ones."""
    part = part_of(sample)
    height, width = min(WINDOW, part.height), min(WINDOW, part.width)
    rng = np.random.default_rng(0)
    with open_pair(sample.before, sample.after, PairSettings(bands=sample.bands)) as pair:
        for _ in range(windows):
            top = part.top + int(rng.integers(part.height - height + 1))
            left = part.left + int(rng.integers(part.width - width + 1))
            before, after, valid = pair.read(Window(left, top, width, height))
            yield before[:, valid]
            yield after[:, valid]
