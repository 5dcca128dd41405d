"""Settings of a training with all defaults, for the command line and for Python.

Nothing heavy is imported, so that a help page is not slow.
"""

from dataclasses import dataclass, field
from pathlib import Path

from scdcli.datasets.augmentation import Augmentation


@dataclass(frozen=True)
class TrainingSettings:
    """The protocol; the defaults are the paper's (Section VI-A)."""

    epochs: int = 50
    batch: int = 4  # over all processes
    accumulate: int = 1  # batches per step of the optimizer
    optimizer: str = "sgd"
    lr: float = 0.005
    encoder_lr: float = 1.0  # times lr, for the encoder
    momentum: float = 0.9
    weight_decay: float = 1e-4
    poly_power: float = 0.9
    patience: int | None = None  # epochs without a better one until the run ends; None: all of them
    ema: float = 0.0  # decay of the weight average, 0 for none
    cover: bool = False  # semantic terms on every pixel of known land cover
    class_weights: str = "none"  # a scheme of `scdcli.training.classweights.SCHEMES`
    freeze: str = "none"  # what stays as it is, of `scdcli.models.networks.FREEZABLE`
    seed: int = 0
    standardize: str = "none"  # "per-date": every image is brought to one mean and spread
    preset: str | None = None  # where the values come from; for the record
    augmentation: Augmentation = field(default_factory=Augmentation)


SECOND_STAGE = TrainingSettings(epochs=20, class_weights="inverse")
"""The protocol of a network that revises another, where it differs from `TrainingSettings`."""


@dataclass(frozen=True)
class DataSettings:
    """The pairs, bands and classes of labelled sets that are trained on.

    Attributes:
        bands: Bands to use of both images, numbers from 1 or names; None for all but alpha.
        legend: Built-in legend or file; None for what the labels say.
        val_share: Share of each set's training pairs that is held out, where no folder and no file
            says which.
        split_file: Which pairs train and which validate.
        repeat: How often the pairs of each set come in an epoch; None for once each.
        chips_per_epoch: Windows drawn from large scenes in an epoch; None for area / chip².
        pixel_size: Finest and coarsest pixels in meters, of images without a georeference.
        cover: Whether classes are learnt on every pixel; None for where the land cover is known.
        binary: Whether labels are masks of change, whatever the layout.
    """

    bands: tuple[int | str, ...] | None = None
    legend: str | None = None
    val_share: float = 0.05
    split_file: Path | None = None
    repeat: tuple[int, ...] | None = None
    chips_per_epoch: int | None = None
    pixel_size: tuple[float, float] | None = None
    cover: bool | None = None
    binary: bool = False


@dataclass(frozen=True)
class HardwareSettings:
    """Where and how to compute.

    Attributes:
        precision: ``auto``, ``fp32``, ``bf16`` or ``fp16``.
        threads: CPU threads; None for what PyTorch takes.
        deterministic: Use only algorithms that give the same bits every time.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        workers: Processes that prepare data, of each process that trains; None for as many as
            keep a GPU busy, and none on a CPU.
    """

    precision: str = "auto"
    threads: int | None = None
    deterministic: bool = False
    device: str = "auto"
    workers: int | None = None


@dataclass(frozen=True)
class TrainingJob:
    """A whole run.

    Attributes:
        datasets: Folders of labelled sets.
        out: The run's folder.
        network: By name; None for that of ``init``, else asn. Blocks and width are alike.
        blocks: Basic blocks of the encoders; None for those of ``init``, else residual.
        encoder: What reads the images; None for that of ``init``, else paper.
        width: Multiplier of all channel counts; None for that of ``init``, else 1.
        standardize: ``none`` or ``per-date``; None for that of ``init``, else none.
        settings: The protocol of a network trained as a whole.
        second: The protocol of a network that revises another.
        data: What is trained on.
        hardware: Where to compute.
        init: A bundled model or a file whose weights to start from.
        pretrained: Whether the encoder begins with ImageNet weights.
        encoder_weights: Their file; None for that of the installed package.
        calibrate: In the end fit temperature and threshold to the validation pairs.
        half: Store the model files in 16 bits.
        resume: Continue the run in ``out``.
    """

    datasets: tuple[Path, ...]
    out: Path
    network: str | None = None
    blocks: str | None = None
    encoder: str | None = None
    width: float | None = None
    standardize: str | None = None
    settings: TrainingSettings = TrainingSettings()
    second: TrainingSettings = SECOND_STAGE
    data: DataSettings = DataSettings()
    hardware: HardwareSettings = HardwareSettings()
    init: str | None = None
    pretrained: bool = False
    encoder_weights: Path | None = None
    calibrate: bool = True
    half: bool = False
    resume: bool = False
