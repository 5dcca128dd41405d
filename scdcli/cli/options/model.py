"""The model and how to run it, from the options that predict and evaluate share."""

from typing import TYPE_CHECKING, Any

from scdcli.cli.terminal import Terminal

if TYPE_CHECKING:
    from scdcli.prediction.chain import Predictor


def make_predictor(options: dict[str, Any], terminal: Terminal) -> "Predictor":
    """A predictor from `running_options`; says what it chose."""
    from scdcli.models.checkpoint import DEFAULT_MODEL, load_model
    from scdcli.models.device import pick_device, pick_precision
    from scdcli.prediction.chain import Predictor, default_chip, default_overlap, default_supertile
    from scdcli.prediction.tiling import Tiling
    from scdcli.prediction.tta import find_tta

    device = pick_device(options["device"])
    gpu = device.type == "cuda"
    tta = find_tta(options["tta"], gpu=gpu)
    precision = pick_precision(options["precision"], device)
    loaded = load_model(options["model"] or DEFAULT_MODEL, device)
    threshold, overlap = options["threshold"], options["overlap"]
    chip = options["chip"] or default_chip(loaded)
    terminal.note(f"Model {loaded.name}, test-time augmentation {tta}, on {device}.")
    return Predictor(
        loaded,
        device,
        loaded.header.threshold if threshold is None else threshold,
        precision=precision,
        tta=tta,
        tiling=Tiling(
            chip, default_overlap(chip) if overlap is None else overlap, default_supertile(loaded)
        ),
        batch=options["batch"] or (8 if gpu else 1),
        threshold_from="model" if threshold is None else "option",
        say=terminal.note,
    )
