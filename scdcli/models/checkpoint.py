"""Model files: safetensors with a JSON header that says all needed to use the model again.

No pickle anywhere: a foreign or damaged file is an error, never code that runs.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from math import inf
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from scdcli import __version__
from scdcli.errors import ModelError, look_up
from scdcli.files.whole import write_whole
from scdcli.legend import Legend
from scdcli.models import MODEL_SUFFIX, find_model, known_as
from scdcli.models.familiarity import Familiarity
from scdcli.models.networks import NetworkSettings, build
from scdcli.models.networks.model import ChangeModel
from scdcli.models.requirements import Requirements
from scdcli.rasters.pair.mappings import MeanStd
from scdcli.rasters.pair.settings import PairSettings

FORMAT = 3  # 2 brought what SINCE_2 names, 3 the tensors of FAMILIAR
HEADER_KEY = "scd"
SINCE_2 = {"temperature", "normalization", "pixel_size"}  # header entries of format 2
FAMILIAR = "familiar."  # begins the names of tensors that are none of the network's
# Whether each date is brought to the mean and spread of the training data.
STANDARDIZATIONS = {"none": False, "per-date": True}


def write_tensors(path: Path, tensors: Mapping[str, Tensor], description: dict[str, Any]) -> None:
    """Write a safetensors file with a JSON header, whole or not at all.

    Raises:
        OutputError: It cannot be written.
    """
    ready = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_whole(path, save(ready, {HEADER_KEY: json.dumps(description, ensure_ascii=False)}))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the JSON header of a file that `write_tensors` wrote.

    Raises:
        ModelError: It is not such a file, or it is truncated.
    """
    remedy = "give a file written by scd train, or the name of a bundled model"
    if path.suffix.lower() == ".onnx":
        raise ModelError(
            f"{path} is a graph for other programs, without legend and threshold; scd reads the "
            f"{MODEL_SUFFIX} that it was exported from."
        )
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


@dataclass(frozen=True)
class ModelHeader:
    """What a model file holds beside its tensors."""

    network: NetworkSettings
    legend: Legend
    threshold: float = 0.5  # τ of Eq. 12, of the calibrated probability
    temperature: float = 1.0  # divides the logit of the change probability
    normalization: str = "none"  # a name in `STANDARDIZATIONS`
    pixel_size: tuple[float, float] | None = None  # finest and coarsest known, in meters
    chip: int = 512  # the size it was trained on; the global feature depends on it
    land_cover: bool = False  # trained on the class of every pixel, not only of changed ones
    training: dict[str, Any] = field(default_factory=dict)  # data, seed, settings
    scores: dict[str, Any] = field(default_factory=dict)
    version: str = __version__


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to run.

    Attributes:
        name: The name of a bundled model, or of a file without its folders.
        model: The network with its normalization, in evaluation mode.
        header: The header of the file.
        sha256: The SHA-256 of the file, in hexadecimal.
        given: The name or path that the user gave.
        familiarity: What its training images look like; None where the file does not say.
    """

    name: str
    model: ChangeModel
    header: ModelHeader
    sha256: str
    given: str = ""
    familiarity: Familiarity | None = None

    @property
    def requirements(self) -> Requirements:
        """What the model expects of a pair."""
        return Requirements(
            self.name, self.header.network.bands, self.header.pixel_size, self.given
        )

    @property
    def mean_std(self) -> MeanStd | None:
        """The mean and spread that each date is brought to first; None to leave dates as is."""
        return date_mean_std(self.model, self.header.normalization)

    def reads(self, settings: PairSettings) -> PairSettings:
        """The settings with the number of bands and the standardization of this model."""
        return replace(settings, count=self.header.network.bands, mean_std=self.mean_std)


def describe_familiar(source: Path, out: Path, familiarity: Familiarity) -> None:
    """A copy of a model file that also says what images it knows.

    Args:
        source: The model file.
        out: The copy; may be the same file.
        familiarity: Fitted with this very model.
    """
    tensors, description = read_tensors(source)
    known = {f"{FAMILIAR}{name}": tensor for name, tensor in vars(familiarity).items()}
    write_tensors(out, tensors | known, _described(_header(source, description)))


def save_model(path: Path, model: ChangeModel, header: ModelHeader, *, half: bool = False) -> None:
    """Write a model file, whole or not at all; ``half`` stores the weights in 16 bits.

    Statistics and biases keep their 32 bits: they are few, and may exceed what 16 bits hold.

    Raises:
        OutputError: The file cannot be written.
    """
    tensors = {
        name: tensor.half() if half and tensor.ndim > 1 else tensor
        for name, tensor in model.state_dict().items()
    }
    write_tensors(path, tensors, _described(header))


def calibrate_model(
    source: Path, out: Path, *, threshold: float, temperature: float, record: dict[str, Any]
) -> None:
    """Copy a model file with another threshold and temperature; its tensors stay as they are.

    The copy may be the same file. What both were fitted to is kept in the scores as
    ``calibration``.

    Raises:
        ModelError: ``source`` is no model file.
        OutputError: ``out`` cannot be written.
    """
    tensors, description = read_tensors(source)
    header = _header(source, description)
    scores = header.scores | {"calibration": record}
    header = replace(
        header, threshold=threshold, temperature=temperature, scores=scores, version=__version__
    )
    write_tensors(out, tensors, _described(header))


def load_model(name: str, device: str | torch.device | None = None) -> LoadedModel:
    """A bundled model by name, or a model file by path, in float32 and evaluation mode.

    Args:
        name: The name or the path.
        device: Where its weights are to lie; None for the CPU.

    Raises:
        UnknownName: Neither a bundled model nor a file.
        ModelError: The file is not a model of ours, is damaged, or is of a later format.
    """
    path = find_model(name)
    tensors, description = read_tensors(path)
    header = _header(path, description)
    classes, bands = len(header.legend), header.network.bands
    if header.network.classes != classes:
        raise ModelError(
            f"{path.name}: the network has {header.network.classes} classes and the legend "
            f"{classes}; the file is damaged, train or fetch it again."
        )
    model = ChangeModel(build(header.network), [0.0] * bands, [1.0] * bands)
    familiarity = _familiarity(tensors, path)
    _fill(model, {k: x for k, x in tensors.items() if not k.startswith(FAMILIAR)}, path)
    digest = sha256(path.read_bytes()).hexdigest()
    # The order of memory that convolutions on a CPU are fastest in (a third, at 8 channels).
    try:
        model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    except torch.OutOfMemoryError as error:
        raise ModelError(
            f"{device} has no room for the model {path.name}; see what else runs there, or use "
            "--device cpu."
        ) from error
    return LoadedModel(known_as(name), model.eval(), header, digest, name, familiarity)


def date_mean_std(model: ChangeModel, normalization: str) -> MeanStd | None:
    """The mean and spread that each date of a pair is brought to before a model sees it.

    Args:
        model: The model, which holds both per band.
        normalization: A name in `STANDARDIZATIONS`.

    Returns:
        Mean and spread per band; None where dates stay as they are.

    Raises:
        UnknownName: There is no such name.
    """
    if not look_up("--standardize", normalization, STANDARDIZATIONS):
        return None
    return MeanStd(tuple(model.mean.tolist()), tuple(model.std.tolist()))


def _described(header: ModelHeader) -> dict[str, Any]:
    return asdict(header) | {"legend": header.legend.to_dict(), "format": FORMAT}


def _header(path: Path, description: dict[str, Any]) -> ModelHeader:
    try:
        # What a file of format 1 does not say was then as the defaults are.
        later = SINCE_2 if description["format"] < 2 else set()
        known = {key: description[key] for key in ModelHeader.__dataclass_fields__.keys() - later}
        known["network"] = NetworkSettings(**description["network"])
        known["legend"] = Legend.from_dict(description["legend"])
        known["pixel_size"] = tuple(known.get("pixel_size") or ()) or None
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{path} holds no usable model header ({error!r}); is it a training state instead "
            "of a model? Give best.safetensors or last.safetensors."
        ) from error
    header = ModelHeader(**known)
    if not (0 <= header.threshold <= 1 and 0 < header.temperature < inf):
        raise ModelError(
            f"{path} has the threshold {header.threshold} and the temperature "
            f"{header.temperature}: one should be from 0 to 1, the other above 0; the file is "
            "damaged, train or fetch it again."
        )
    return header


def _familiarity(tensors: dict[str, Tensor], path: Path) -> Familiarity | None:
    known = {k.removeprefix(FAMILIAR): x for k, x in tensors.items() if k.startswith(FAMILIAR)}
    if not known:
        return None
    size = len(known["center"]) if "center" in known and known["center"].ndim == 1 else 0
    shapes = {"center": (size,), "whitening": (size, size), "limit": ()}
    if {name: tuple(x.shape) for name, x in known.items()} != shapes or not all(
        torch.isfinite(x).all() for x in known.values()
    ):
        raise ModelError(
            f"{path}: what it says of the images it knows ({FAMILIAR}*) is damaged; train or fetch "
            "it again."
        )
    return Familiarity(**known)


def _fill(model: ChangeModel, tensors: dict[str, Tensor], path: Path) -> None:
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    stored = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if wanted != stored:
        name = min(set(wanted.items()) ^ set(stored.items()))[0]
        raise ModelError(
            f"{path} does not hold the network its header names: of {len(wanted)} tensors, for "
            f"example {name} should be {wanted.get(name, 'absent')} and is "
            f"{stored.get(name, 'absent')}; train it again with this version of scd."
        )
    model.load_state_dict(tensors)
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise ModelError(f"{path}: the tensor {name} holds values that are not numbers.")
    if not (tensors["std"] > 0).all():
        raise ModelError(
            f"{path}: std, the spread of the bands, is {tensors['std'].tolist()}, and all of them "
            "are above 0; the file is damaged, train or fetch it again."
        )
