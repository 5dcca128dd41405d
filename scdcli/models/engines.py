"""Engines by name: what carries out the forward passes of a network.

PyTorch runs everything, everywhere. ONNX Runtime does the same on processors in about half the
time: it has the whole network before it starts, joins what can be done at once, and lays out memory
for it. What it gives is compared with PyTorch's before it is used.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from scdcli.errors import InputError, ModelError, UnknownName
from scdcli.models.graph import to_onnx
from scdcli.models.networks.model import ChangeModel
from scdcli.models.networks.outputs import OUTPUTS, Output

# Logits of a batch of pairs, each date (B, bands, H, W) float32 in the units of the images.
Forward = Callable[[Tensor, Tensor], Output]

Size = tuple[int, int, int]  # batch, height, width

TOLERANCE = 1e-4  # of logits
REMEDY = "use --engine torch"


@dataclass(frozen=True)
class Engine:
    """What carries out forward passes.

    Attributes:
        name: A name in `ENGINES`.
        forward: Gives the logits of a batch of pairs.
        note: Why a faster one could not be taken; empty if there is nothing to say.
    """

    name: str
    forward: Forward
    note: str = ""


def pick_engine(
    name: str, model: ChangeModel, device: torch.device, precision: torch.dtype
) -> Engine:
    """The engine for a name in `ENGINES`, or for ``auto``.

    Args:
        name: auto is ONNX Runtime for float32 on a CPU where it is installed and can run the
            network, and PyTorch otherwise.
        model: In evaluation mode, on the device.
        device: Where to compute.
        precision: Of the forward passes.

    Raises:
        InputError: The engine computes nothing of this kind.
        ModelError: It is not installed, or cannot run this network.
        UnknownName: There is no such engine.
    """
    if name not in ("auto", *ENGINES):
        raise UnknownName("engine", name, ("auto", *ENGINES))
    plain = device.type == "cpu" and precision == torch.float32
    if name == "auto":
        if not plain:
            return Engine("torch", model)
        try:
            return Engine(FASTEST, ENGINES[FASTEST](model))
        except ModelError as error:
            note = f"PyTorch runs the network, which takes longer; {FASTEST} does not: {error}"
            return Engine("torch", model, note)
    if name != "torch" and not plain:
        raise InputError(
            f"the engine {name} computes in fp32 on a CPU, and {device} in "
            f"{str(precision).removeprefix('torch.')} is asked for; {REMEDY}, or --device cpu "
            "--precision fp32."
        )
    try:
        return Engine(name, ENGINES[name](model))
    except ModelError as error:
        raise ModelError(f"the engine {name} cannot be used: {error} Or {REMEDY}.") from error


def _in_onnxruntime(model: ChangeModel) -> Forward:
    """Raises a ModelError where it is not installed, or gives other logits."""
    try:
        forward = run_graph(to_onnx(model), model.output)
    except ImportError as error:
        raise ModelError(f"it is not installed ({error}); pip install onnxruntime.") from error
    largest_difference(forward, model)
    return forward


def run_graph(graph: bytes, output: str) -> Forward:
    """A function that runs an ONNX graph, on as many threads as PyTorch uses.

    Raises:
        ImportError: ONNX Runtime is not installed.
        ModelError: It cannot read the graph.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = 4  # what fails is raised
    try:
        session = onnxruntime.InferenceSession(graph, options, ["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no class in common
        raise ModelError(f"it cannot read the graph ({_first_line(error)}).") from error

    def forward(before: Tensor, after: Tensor) -> Output:
        try:
            logits = session.run(None, {"before": before.numpy(), "after": after.numpy()})
        except Exception as error:
            if "allocate" in str(error):  # as one that a smaller batch may mend
                raise torch.OutOfMemoryError(_first_line(error)) from error
            raise ModelError(f"ONNX Runtime failed ({_first_line(error)}); {REMEDY}.") from error
        return OUTPUTS[output](*map(torch.from_numpy, logits))

    return forward


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


@torch.inference_mode()
def largest_difference(
    forward: Forward, model: ChangeModel, sizes: Sequence[Size] = ((1, 64, 96),)
) -> float:
    """How far the logits are from those of the model itself, on pairs of random pixels.

    Args:
        forward: What to try.
        model: In evaluation mode, on the CPU.
        sizes: Of the pairs, (batch, height, width).

    Raises:
        ModelError: It is more than `TOLERANCE` of the largest logit, and of 1.
    """
    largest = 0.0
    random = torch.Generator().manual_seed(0)
    for batch, height, width in sizes:
        shape = (2, batch, model.mean.shape[0], height, width)
        spread = model.std[:, None, None] * torch.randn(shape, generator=random)
        pair = model.mean[:, None, None] + spread
        for given, wanted in zip(forward(*pair), model(*pair), strict=True):
            difference = float((given - wanted).abs().max())
            allowed = TOLERANCE * max(1.0, float(wanted.abs().max()))
            if not difference <= allowed:  # also where it is no number
                raise ModelError(
                    f"its logits differ from PyTorch's by {difference:.2g} where {allowed:.2g} is "
                    "allowed; please tell us of it."
                )
            largest = max(largest, difference)
    return largest


# By name: makes what gives the logits; a ModelError says why it cannot.
ENGINES: dict[str, Callable[[ChangeModel], Forward]] = {
    "torch": lambda model: model,
    "onnxruntime": _in_onnxruntime,
}
FASTEST = "onnxruntime"  # on a CPU, as benchmarks/engines.py measures
