"""A model made ready to predict."""

from collections.abc import Callable
from pathlib import Path

from scdcli.models import DEFAULT_MODEL
from scdcli.models.checkpoint import LoadedModel, load_model
from scdcli.models.device import pick_device, pick_precision
from scdcli.models.engines import pick_engine
from scdcli.prediction.chain import Predictor, default_chip, default_overlap, default_supertile
from scdcli.prediction.settings import INFERENCE, InferenceSettings, MappingUnit
from scdcli.prediction.tiling import Tiling
from scdcli.prediction.tta import find_tta


def make_predictor(
    model: str | Path | LoadedModel = DEFAULT_MODEL,
    inference: InferenceSettings = INFERENCE,
    *,
    note: Callable[[str], None] = lambda sentence: None,
) -> Predictor:
    """A model and how to run it, with every choice made that the settings leave open.

    Args:
        model: A bundled model by name, a model file, or a model that is loaded already; that is
            moved to the device, and stays where it is with ``auto``.
        inference: How to run it.
        note: Called with a sentence on what was chosen.

    Raises:
        InputError: No such GPU, the overlap leaves no stride, or the engine does not compute there.
        ModelError: The model file is damaged, or the engine cannot run its network.
        UnknownName: No such model, device, precision, engine or test-time augmentation.
    """
    if isinstance(model, LoadedModel):
        device = model.model.mean.device
        if inference.device != "auto":
            device = pick_device(inference.device)
    else:
        device = pick_device(inference.device)
    gpu = device.type == "cuda"
    tta = find_tta(inference.tta, gpu=gpu)
    precision = pick_precision(inference.precision, device)
    loaded = model if isinstance(model, LoadedModel) else load_model(str(model), device)
    loaded.model.to(device)
    threshold, overlap = inference.threshold, inference.overlap
    chip = inference.chip or default_chip(loaded)
    predictor = Predictor(
        loaded,
        device,
        loaded.header.threshold if threshold is None else threshold,
        precision=precision,
        tta=tta,
        tiling=Tiling(
            chip, default_overlap(chip) if overlap is None else overlap, default_supertile(loaded)
        ),
        batch=inference.batch or (8 if gpu else 1),
        unit=MappingUnit.parse(inference.mmu),
        threshold_from="model" if threshold is None else "option",
        say=note,
        engine=pick_engine(inference.engine, loaded.model, device, precision),
    )
    note(f"Model {loaded.name}, test-time augmentation {tta}, on {predictor.where}.")
    if predictor.engine.note:
        note(predictor.engine.note)
    return predictor
