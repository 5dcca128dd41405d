"""The settings of a prediction: the model, how it is run, how the pair is read, what is written.

All defaults are here and in `scdcli.rasters.pair.settings`, for the command line and for Python.
Nothing heavy is imported, so that a help page is not slow.
"""

import math
import re
from dataclasses import dataclass

from scdcli.errors import InputError
from scdcli.models import DEFAULT_MODEL
from scdcli.rasters.pair.settings import DEFAULTS, PairSettings


@dataclass(frozen=True)
class MappingUnit:
    """The minimum mapping unit: the smallest region of a map.

    Attributes:
        amount: Its size; 0 where a map keeps all.
        in_pixels: Whether that is in pixels, instead of square metres.
    """

    amount: float = 0.0
    in_pixels: bool = True

    @classmethod
    def parse(cls, text: str) -> "MappingUnit":
        """A number of square metres, ``20``, or of pixels, ``4px``.

        Raises:
            InputError: It is neither.
        """
        found = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(px|m2|m²)?\s*", text)
        if found is None:
            raise InputError(
                f"{text!r} is no minimum mapping unit: give square metres as 20 or pixels as 4px; "
                "0 keeps all."
            )
        return cls(float(found[1]), found[2] == "px")

    def __str__(self) -> str:
        """As `parse` reads it."""
        return f"{self.amount:g}" + ("px" if self.in_pixels else " m²") * bool(self.amount)

    def pixels(self, pixel_area: float | None) -> int:
        """Smallest number of pixels of a region.

        Args:
            pixel_area: Square metres of a pixel; None without a CRS, where all sizes are in pixels.
        """
        each = 1.0 if self.in_pixels or pixel_area is None else pixel_area
        # Half a millionth less, so that 20 m² are 20 pixels of 1 m², however these were computed.
        return math.ceil(self.amount / each * (1 - 5e-7))


KEEP_ALL = MappingUnit()


@dataclass(frozen=True)
class InferenceSettings:
    """How a model is run.

    Attributes:
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``; auto takes a GPU when there is one.
        precision: ``auto``, ``fp32``, ``bf16`` or ``fp16``; auto is fp32 on a CPU.
        engine: What runs the network: ``auto`` or a name in `scdcli.models.engines.ENGINES`; auto
            is onnxruntime for fp32 on a CPU, where it can run the network, and else torch.
        tta: Test-time augmentation, ``auto`` or a name in `scdcli.prediction.tta.TTA`; auto is none
            on a CPU and ms+flip on a GPU; adaptive is ms+flip for chips in which one view sees
            change, and none for the others.
        threshold: Change probability, 0 to 1, from which a pixel counts as changed; None for the
            threshold in the model file.
        mmu: Minimum mapping unit, square metres as ``20`` or pixels as ``4px``; what is smaller
            is not mapped, and classes are those of a neighborhood; ``0`` keeps all as it is.
        chip: Side in pixels of what the network sees at a time; None for 512, or what the model
            was trained on if that is larger.
        overlap: Pixels that neighboring chips share; None for 64, or a quarter of a smaller chip
            than 256.
        batch: Chips per forward pass; None for 1, on a GPU 8.
    """

    device: str = "auto"
    precision: str = "auto"
    engine: str = "auto"
    tta: str = "auto"
    threshold: float | None = None
    mmu: str = "16px"
    chip: int | None = None
    overlap: int | None = None
    batch: int | None = None


@dataclass(frozen=True)
class OutputSettings:
    """What is written of a prediction.

    Attributes:
        land_cover: Also write the class of every pixel at each date.
        formats: Formats of the polygons, names in `scdcli.polygons.files.vector.DRIVERS`.
        simplify: How far outlines of polygons may move, m (pixels without a CRS).
        zones: A file of polygons, such as districts, by which areas are given, too: ``FILE`` or
            ``FILE:LAYER``.
        zone_names: The field of it in which their names stand; None to look for one.
        report: Also write ``report.html`` and ``preview.png``, to look at.
        overwrite: Replace a prediction that is there.
        resume: Go on with what an interrupted run left; leave a finished one alone.
    """

    land_cover: bool = False
    formats: tuple[str, ...] = ("gpkg",)
    simplify: float = 0.0
    zones: str | None = None
    zone_names: str | None = None
    report: bool = True
    overwrite: bool = False
    resume: bool = False


@dataclass(frozen=True)
class PredictionJob:
    """All settings of a prediction, for any pair.

    Attributes:
        model: A bundled model by name, or a model file.
        inference: How the model is run.
        pair: How two images are read as a pair.
        coregister: Move AFTER over BEFORE by the shift between them.
        output: What is written.
    """

    model: str = DEFAULT_MODEL
    inference: InferenceSettings = InferenceSettings()
    pair: PairSettings = DEFAULTS
    coregister: bool = False
    output: OutputSettings = OutputSettings()


INFERENCE = InferenceSettings()
OUTPUT = OutputSettings()
