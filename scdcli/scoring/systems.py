"""The systems that are compared, models and folders of maps, and the legend they share."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scdcli.errors import DatasetError
from scdcli.legend import CHANGE, Legend
from scdcli.rasters.pair.bands import BandNames
from scdcli.rasters.pair.methods import DEFAULT_METHOD
from scdcli.scoring.mappairs import files_legend
from scdcli.scoring.mapsets import LabelSet

if TYPE_CHECKING:
    from scdcli.prediction.chain import Predictor


@dataclass(frozen=True)
class System:
    """A model with one test-time augmentation, or a folder of maps.

    Attributes:
        name: Short, and the same for all its test-time augmentations.
        predictor: The model and how to run it; None for a folder.
        bands: Numbers or names of the bands it reads of the images; None for all but alpha.
        normalize: How AFTER is brought to the values of BEFORE.
        folder: The folder of maps that exist; None for a model.
        maps: The maps in it.
    """

    name: str
    predictor: "Predictor | None" = None
    bands: BandNames | None = None
    normalize: str = DEFAULT_METHOD
    folder: Path | None = None
    maps: LabelSet | None = None

    @property
    def tta(self) -> str | None:
        """Test-time augmentation; None for maps that exist."""
        return self.predictor.tta if self.predictor else None

    @property
    def legend(self) -> Legend | None:
        """The legend of the model; None for maps that exist."""
        return self.predictor.loaded.header.legend if self.predictor else None

    @property
    def maps_land_cover(self) -> bool:
        """Whether it is a model that was trained on the class of every pixel."""
        return self.predictor is not None and self.predictor.loaded.header.land_cover

    def describe(self) -> dict[str, Any]:
        """The folder of the maps, or the model and its settings; JSON-ready."""
        if self.predictor is None:
            return {"predictions": str(self.folder), "model": None, "settings": None}
        # Imports torch, which scoring maps that exist does without.
        from scdcli.prediction.provenance import describe_model, describe_run

        settings = describe_run(self.predictor) | {"bands": self.bands, "normalize": self.normalize}
        model = describe_model(self.predictor.loaded)
        return {"predictions": None, "model": model, "settings": settings}


def shared_legend(
    systems: Sequence[System], truth: LabelSet, given: Legend | None
) -> Legend | None:
    """The legend of the labels and of all systems; None for indices that nobody declared.

    Raises:
        DatasetError: The models predict other classes than each other, or than the given legend;
            or one is given for masks of change.
    """
    if truth.masks:
        if given:
            raise DatasetError(
                f"{truth.root} holds masks of change, which have no classes; leave --legend out."
            )
        return CHANGE
    models = [system for system in systems if system.legend]
    for system in models:
        _require_same_classes(models[0], system, given)
    if given or models:
        return given or models[0].legend
    legends = (files_legend(truth, system.maps) for system in systems)
    return next((legend for legend in legends if legend), None)


def _require_same_classes(first: System, system: System, given: Legend | None) -> None:
    legend, other = system.legend, first.legend
    assert legend is not None
    assert other is not None
    if given and len(given) != len(legend):
        raise DatasetError(
            f"legend {given.name!r} has {len(given)} classes, but the model {system.name} predicts "
            f"{len(legend)}; choose a model with the legend of the labels."
        )
    if not given and legend.names != other.names:
        raise DatasetError(
            f"the model {first.name} predicts {', '.join(other.names)}, and {system.name} predicts "
            f"{', '.join(legend.names)}: they cannot be compared. Score them apart."
        )
