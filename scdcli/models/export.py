"""A model as an ONNX file, for other programs."""

from json import dumps
from pathlib import Path
from typing import Any

from scdcli.errors import ModelError, OutputError
from scdcli.files.whole import require_free_file, write_whole
from scdcli.models.checkpoint import LoadedModel, load_model
from scdcli.models.engines import largest_difference, run_graph
from scdcli.models.graph import to_onnx

SUFFIX = ".onnx"
# Sizes of the pairs that the file is tried with, (batch, height, width): of several, and odd.
TRIED = ((1, 256, 256), (2, 96, 128), (3, 77, 45))


def export_model(name: str, out: Path, *, overwrite: bool = False) -> dict[str, Any]:
    """Write a model as an ONNX file, once ONNX Runtime gives the logits of PyTorch with it.

    Returns:
        JSON-ready: the file, its metadata, pairs tried and the largest difference of logits.

    Raises:
        ModelError: The model is damaged, has no translation into ONNX, or ONNX Runtime is missing
            or gives other logits.
        OutputError: The file exists, cannot be written, or has another suffix.
        UnknownName: No such model.
    """
    if out.suffix != SUFFIX:
        raise OutputError(f"{out} is to be an ONNX file; name one that ends in {SUFFIX}.")
    require_free_file(out, overwrite=overwrite)
    loaded = load_model(name)
    metadata = describe(loaded)
    graph = to_onnx(loaded.model, metadata)
    try:
        forward = run_graph(graph, loaded.model.output)
    except ImportError as error:
        raise ModelError(
            f"the file cannot be tried without ONNX Runtime ({error}); pip install onnxruntime."
        ) from error
    difference = largest_difference(forward, loaded.model, TRIED)
    write_whole(out, graph)
    return {
        "output": str(out),
        "metadata": metadata,
        "pairs": len(TRIED),
        "difference": difference,
    }


def describe(loaded: LoadedModel) -> dict[str, str]:
    """What is needed to make maps of the logits, as texts."""
    header = loaded.header
    return {
        "model": loaded.name,
        "sha256": loaded.sha256,
        "output": loaded.model.output,
        "legend": dumps(header.legend.to_dict(), ensure_ascii=False),
        "threshold": repr(header.threshold),
        "temperature": repr(header.temperature),
        "normalization": header.normalization,
        "mean": dumps(loaded.model.mean.tolist()),
        "std": dumps(loaded.model.std.tolist()),
    }
