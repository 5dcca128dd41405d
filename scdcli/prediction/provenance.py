"""How an output was made, for its metadata: inputs, model and settings."""

from dataclasses import asdict
from typing import Any

from scdcli import __version__
from scdcli.files.naming import crs_name, file_name
from scdcli.models.checkpoint import LoadedModel
from scdcli.polygons.zones import Zones
from scdcli.prediction.chain import Predictor, unit_pixels
from scdcli.prediction.cleaning import Cleaning
from scdcli.prediction.settings import OutputSettings
from scdcli.rasters.grid import Grid
from scdcli.rasters.pair.open import Pair

GOING_ON = ("overwrite", "resume", "report")  # settings that do not change what is predicted


def tags(pair: Pair, predictor: Predictor) -> dict[str, str]:
    """How a raster was made, as its tags; holds nothing that changes from run to run."""
    settings = {name.upper(): str(value) for name, value in describe_run(predictor).items()}
    return settings | {
        "LEGEND": predictor.loaded.header.legend.dumps(),
        "VERSION": __version__,
        "MODEL": predictor.loaded.name,
        "MODEL_SHA256": predictor.loaded.sha256,
        "BEFORE": pair.provenance["before"]["name"],
        "AFTER": pair.provenance["after"]["name"],
    }


def describe_prediction(
    pair: Pair, predictor: Predictor, output: OutputSettings | None, zones: Zones | None = None
) -> dict[str, Any]:
    """Inputs, model and settings, JSON-ready: equal records are the same prediction.

    Args:
        pair: The two scenes.
        predictor: The model and how it is run.
        output: What is written; None for a prediction in memory.
        zones: Those that areas are given by.
    """
    written = asdict(output) if output else {}
    settings = {name: written[name] for name in written if name not in GOING_ON}
    if zones is not None:
        settings |= zones.settings
    return {
        "scd": __version__,
        "inputs": pair.provenance,
        "model": describe_model(predictor.loaded),
        "settings": describe_run(predictor) | settings | describe_pair(pair),
        "grid": describe_grid(pair.grid),
    }


def describe_run(predictor: Predictor) -> dict[str, Any]:
    """How the model was run, JSON-ready."""
    return {
        "threshold": predictor.threshold,
        "threshold_from": predictor.threshold_from,
        "temperature": predictor.temperature,
        "mmu": str(predictor.unit),
        "tta": predictor.tta,
        "chip": predictor.tiling.chip,
        "overlap": predictor.tiling.overlap,
        "batch": predictor.batch,
        "device": str(predictor.device),
        "precision": str(predictor.precision).removeprefix("torch."),
        "engine": predictor.engine.name,
    }


def describe_cleaning(pair: Pair, predictor: Predictor, cleaning: Cleaning) -> dict[str, int]:
    """The minimum mapping unit in pixels, and how many pixels it has changed; JSON-ready."""
    counts = cleaning._asdict().items()
    return {"mmu_pixels": unit_pixels(pair, predictor)} | {f"{key}_pixels": n for key, n in counts}


def describe_pair(pair: Pair) -> dict[str, Any]:
    """How the pair was to be read, JSON-ready; the folder of a file is left out."""
    settings = pair.settings
    return {
        "scale": settings.scale,
        "normalize": settings.normalize,
        "statistics": settings.statistics
        if settings.computes_statistics
        else file_name(settings.statistics),
        "strict": settings.strict,
        "coregister": pair.coregister,
        "bands": settings.bands,
        "after_bands": settings.after_bands,
        "assume_crs": settings.assume_crs,
        "bounds": settings.bounds,
        "bounds_crs": settings.bounds_crs,
        "aoi": None if settings.aoi is None else file_name(settings.aoi),
    }


def describe_grid(grid: Grid) -> dict[str, Any]:
    """Where the rasters lie, JSON-ready."""
    return {
        "width": grid.width,
        "height": grid.height,
        "transform": list(grid.transform)[:6],
        "crs": crs_name(grid.crs),
        "bounds": list(grid.bounds),
    }


def describe_model(loaded: LoadedModel) -> dict[str, Any]:
    """Which model it was, JSON-ready."""
    return {
        "name": loaded.name,
        "sha256": loaded.sha256,
        "network": asdict(loaded.header.network),
        "legend": loaded.header.legend.to_dict(),
    }
