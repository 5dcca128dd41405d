"""`scd`: what changed on the ground, from which land cover to which.

From Python, ``import scdcli`` gives the names below; each is loaded when it is first used, so that
nothing heavy is imported before. Where PROJ_DATA, GDAL_DATA or their like name the data of another
program, they are taken out of the environment, and ONNX Runtime is told there to report nothing
(`scdcli.environment`).
"""

from importlib import import_module
from typing import TYPE_CHECKING

from scdcli.environment import report_no_use, require_working_folder, use_own_data

if TYPE_CHECKING:
    from scdcli.errors import (
        DatasetError,
        InputError,
        ModelError,
        OutputError,
        PairError,
        ScdError,
        TrainingError,
        UnknownName,
    )
    from scdcli.legend import LandCover, Legend
    from scdcli.models.checkpoint import LoadedModel, load_model
    from scdcli.prediction.predict import Prediction, predict
    from scdcli.prediction.settings import InferenceSettings, OutputSettings
    from scdcli.rasters.grid import Grid
    from scdcli.rasters.pair.open import Pair, open_pair
    from scdcli.rasters.pair.settings import PairSettings
    from scdcli.scoring.comparison import Run
    from scdcli.scoring.evaluation import Evaluation
    from scdcli.scoring.job import evaluate

use_own_data()  # before anything loads rasterio
report_no_use()  # before anything loads ONNX Runtime

__version__ = "0.1.0"

__all__ = [
    "DatasetError",
    "Evaluation",
    "Grid",
    "InferenceSettings",
    "InputError",
    "LandCover",
    "Legend",
    "LoadedModel",
    "ModelError",
    "OutputError",
    "OutputSettings",
    "Pair",
    "PairError",
    "PairSettings",
    "Prediction",
    "Run",
    "ScdError",
    "TrainingError",
    "UnknownName",
    "evaluate",
    "load_model",
    "open_pair",
    "predict",
]

_MODULES = {
    "scdcli.errors": (
        *("DatasetError", "InputError", "ModelError", "OutputError", "PairError", "ScdError"),
        *("TrainingError", "UnknownName"),
    ),
    "scdcli.legend": ("LandCover", "Legend"),
    "scdcli.models.checkpoint": ("LoadedModel", "load_model"),
    "scdcli.prediction.predict": ("Prediction", "predict"),
    "scdcli.prediction.settings": ("InferenceSettings", "OutputSettings"),
    "scdcli.rasters.grid": ("Grid",),
    "scdcli.rasters.pair.open": ("Pair", "open_pair"),
    "scdcli.rasters.pair.settings": ("PairSettings",),
    "scdcli.scoring.comparison": ("Run",),
    "scdcli.scoring.evaluation": ("Evaluation",),
    "scdcli.scoring.job": ("evaluate",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'scdcli' has no attribute {name!r}")
    require_working_folder()  # torch does not survive its import without one
    globals()[name] = found = getattr(import_module(_MODULE_OF[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
