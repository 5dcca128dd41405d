"""A network as an ONNX graph, for engines that run such graphs and for programs of others.

The network runs once, on a small pair of a fixed size, and every operation on the way from the
images to the logits becomes a node. What does not depend on the images is computed then and is
stored as a number. Batch and sizes stay open: a size that occurs in an operation is that of an
earlier tensor, which the graph looks up when it runs.

Not `torch.onnx.export`: it takes minutes for such a network where this takes a tenth of a second,
so that a graph would have to be kept, and found anew where the model or the code has changed.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from scdcli.errors import ModelError
from scdcli.models.networks.model import ChangeModel
from scdcli.models.networks.outputs import Output

OPSET = 18
IR_VERSION = 8  # of the opset, so that older engines read the file, too
# Odd on every scale down to 1/16: then nothing that depends on the size can be left out.
SIDES = (97, 129)
DYNAMIC = {0: "batch", 2: "height", 3: "width"}  # axes of images and logits


def to_onnx(model: ChangeModel, metadata: Mapping[str, str] | None = None) -> bytes:
    """The ONNX graph of a model, inputs ``before`` and ``after``, outputs named as its logits.

    Args:
        model: In evaluation mode, in float32.
        metadata: What the file says beside the graph.

    Raises:
        ModelError: The network does something that there is no translation for.
    """
    bands = model.mean.shape[0]
    # Any values will do, if only both dates are valid images.
    pair = [model.mean[:, None, None].expand(2, bands, *SIDES).contiguous().cpu() for _ in range(2)]
    recorder = Recorder(model)
    for name, image in zip(("before", "after"), pair, strict=True):
        recorder.bind(image, name)
    # Not in inference mode, in which operations are not taken apart.
    with torch.inference_mode(False), torch.no_grad(), recorder:
        logits = model(*pair)
    built = recorder.build(logits, bands)
    helper.set_model_props(built, dict(metadata or {}))
    graph: bytes = built.SerializeToString()
    return graph


def untranslated(what: str) -> ModelError:
    """The error for what a network does that has no translation."""
    return ModelError(f"there is no translation of {what} into ONNX.")


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes down, as nodes, what is done with tensors that depend on the images."""

    def __init__(self, model: ChangeModel) -> None:
        """Know the tensors of the model, which keep their names."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.padded: dict[str, tuple[str, list[int]]] = {}  # by name: of what, and by how much
        self._names: dict[int, str] = {}  # by the identity of tensors that depend on the images
        self._constants: dict[int, str] = {}
        self._sizes: dict[tuple[int, int], str] = {}  # the first tensor of this size on this axis
        self._alive: list[Tensor] = []  # as long as it is, no other tensor has its identity
        state = {**dict(model.named_parameters()), **dict(model.named_buffers())}
        self._known = {id(tensor): name for name, tensor in state.items()}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Otherwise PyTorch first loads its compiler, which takes seconds."""
        return False

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        """Carry out an operation, and write it down if it depends on the images."""
        result = func(*args, **(kwargs or {}))
        given = [each for arg in args for each in (arg if isinstance(arg, list) else [arg])]
        if not any(isinstance(each, Tensor) and id(each) in self._names for each in given):
            return result
        name = func.overloadpacket.__name__
        translate = TRANSLATIONS.get(name.removesuffix("_"))
        if translate is None:
            raise untranslated(name)
        made = translate(self, *args, **(kwargs or {}))
        # Of several results only those count that the translation gives, such as the first of a
        # batch normalization.
        several = isinstance(result, list | tuple)
        names = made if isinstance(made, list) else [made]
        for tensor, output in zip(result if several else [result], names, strict=False):
            self.bind(tensor, output)
        return result

    def bind(self, tensor: Tensor, name: str) -> None:
        """Call a tensor by a name from now on."""
        self._names[id(tensor)] = name
        self._alive.append(tensor)
        for axis in DYNAMIC:
            if axis < tensor.ndim and (axis == 0 or tensor.ndim == 4):
                self._sizes.setdefault((axis, tensor.shape[axis]), name)

    def name(self, value: Tensor | float) -> str:
        """The name of a tensor or number as the input of a node."""
        if not isinstance(value, Tensor):
            return self.constant(np.array(value, dtype=np.float32))
        name = self._names.get(id(value)) or self._constants.get(id(value))
        if name in self.padded:
            raise untranslated("a padding that no convolution follows")
        if name is None:
            name = self.constant(value.numpy(force=True), self._known.get(id(value)))
            self._constants[id(value)] = name
            self._alive.append(value)
        return name

    def unpadded(self, x: Tensor) -> tuple[str, list[int]]:
        """The name of a tensor before it was padded, and by how much; nothing where it was not."""
        name = self._names.get(id(x), "")
        return self.padded.get(name) or (self.name(x), [])

    def constant(self, array: NDArray[Any], name: str | None = None) -> str:
        """The name of a new constant."""
        name = name or f"constant_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def integers(self, *values: int) -> str:
        """The name of a constant vector."""
        return self.constant(np.array(values, dtype=np.int64))

    def scalar(self, value: int) -> str:
        """The name of a constant without axes."""
        return self.constant(np.array(value, dtype=np.int64))

    def add(self, kind: str, inputs: Sequence[str], count: int = 1, **attributes: Any) -> list[str]:  # noqa: ANN401
        """The names of the outputs of a new node."""
        label = f"{kind}_{len(self.nodes)}"
        outputs = [label if count == 1 else f"{label}_{number}" for number in range(count)]
        self.nodes.append(helper.make_node(kind, inputs, outputs, name=label, **attributes))
        return outputs

    def node(self, kind: str, *inputs: Tensor | float | str, **attributes: Any) -> str:  # noqa: ANN401
        """The name of the output of a new node."""
        named = [each if isinstance(each, str) else self.name(each) for each in inputs]
        return self.add(kind, named, **attributes)[0]

    def size(self, axis: int, length: int) -> str:
        """The name of a vector with one size, open where the axis is and it is above 1."""
        if axis not in DYNAMIC or length <= 1:
            return self.integers(length)
        source = self._sizes.get((axis, length))
        if source is None:
            raise untranslated(
                f"the size {length} on axis {axis}, which is that of no earlier tensor"
            )
        return self.add("Shape", [source], start=axis, end=axis + 1)[0]

    def sizes(self, lengths: Sequence[int], like: Sequence[int]) -> str:
        """The name of a vector of sizes; -1 where ``like`` has the length to keep."""
        parts = [
            self.size(axis, like[axis] if length == -1 else length)
            for axis, length in enumerate(lengths)
        ]
        return self.add("Concat", parts, axis=0)[0]

    def build(self, logits: Output, bands: int) -> onnx.ModelProto:
        """The finished graph."""
        inputs = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, _open(bands))
            for name in ("before", "after")
        ]
        outputs = []
        for field, tensor in zip(logits._fields, logits, strict=True):
            self.nodes.append(
                helper.make_node("Identity", [self.name(tensor)], [field], name=field)
            )
            shape = _open(tensor.shape[1])
            outputs.append(helper.make_tensor_value_info(field, TensorProto.FLOAT, shape))
        graph = helper.make_graph(self.nodes, "scd", inputs, outputs, self.initializers)
        opsets = [helper.make_opsetid("", OPSET)]
        return helper.make_model(
            graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="scd"
        )


def _open(channels: int) -> list[str | int]:
    return [DYNAMIC[0], channels, DYNAMIC[2], DYNAMIC[3]]


def _convolution(
    graph: Recorder,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    transposed: bool,
    output_padding: list[int],
    groups: int,
) -> str:
    stride, padding, dilation = (_both(each) for each in (stride, padding, dilation))
    settings: dict[str, Any] = {"strides": stride, "dilations": dilation, "group": groups}
    source, pads = graph.unpadded(x)
    if pads:
        if pads != _same(x, pads, weight, stride) or any(padding) or transposed:
            raise untranslated("a padding that is not TensorFlow's SAME")
        settings["auto_pad"] = "SAME_UPPER"
    else:
        settings["pads"] = [*padding, *padding]
    if transposed:
        settings["output_padding"] = _both(output_padding)
    inputs = (source, weight) if bias is None else (source, weight, bias)
    return graph.node("ConvTranspose" if transposed else "Conv", *inputs, **settings)


def _same(x: Tensor, pads: list[int], weight: Tensor, stride: list[int]) -> list[int]:
    """The padding, last axis first, that brings ``x`` without ``pads`` to TensorFlow's SAME."""
    wanted = []
    for axis, place in ((-1, 0), (-2, 2)):
        length = x.shape[axis] - pads[place] - pads[place + 1]
        step, size = stride[axis], weight.shape[axis]
        missing = max((-(-length // step) - 1) * step + size - length, 0)
        wanted += [missing // 2, missing - missing // 2]
    return wanted


def _pad(graph: Recorder, x: Tensor, pads: list[int], value: float = 0) -> str:
    if value:
        raise untranslated("a padding with another value than 0")
    name = f"padded_{len(graph.padded)}"
    graph.padded[name] = (graph.name(x), list(pads))
    return name


def _batch_norm(
    graph: Recorder,
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    mean: Tensor,
    var: Tensor,
    training: bool,
    momentum: float,
    eps: float,
) -> str:
    assert not training
    return graph.node("BatchNormalization", x, weight, bias, mean, var, epsilon=eps)


def _max_pool(
    graph: Recorder,
    x: Tensor,
    size: list[int],
    stride: list[int] = [],  # noqa: B006  as in the schema
    padding: Sequence[int] = (0,),
    dilation: Sequence[int] = (1,),
    ceil: bool = False,
) -> str:
    return graph.node(
        "MaxPool",
        x,
        kernel_shape=_both(size),
        strides=_both(stride or size),
        pads=2 * _both(padding),
        dilations=_both(dilation),
        ceil_mode=int(ceil),
    )


def _both(values: Sequence[int]) -> list[int]:
    """Values of height and width, of which PyTorch may give one for both."""
    return [*values] * 2 if len(values) == 1 else [*values]


def _bilinear(
    graph: Recorder, x: Tensor, size: list[int], align_corners: bool, *scales: float | None
) -> str:
    lengths = graph.sizes([*x.shape[:2], *size], x.shape)
    mode = "align_corners" if align_corners else "half_pixel"
    return graph.node(
        "Resize", x, "", "", lengths, mode="linear", coordinate_transformation_mode=mode
    )


def _split(graph: Recorder, x: Tensor, size: int, dim: int = 0) -> list[str]:
    length = x.shape[dim]
    if length % size:
        raise untranslated("a split into unequal parts")
    count = length // size
    if count == 1:
        return [graph.name(x)]
    return graph.add("Split", [graph.name(x)], count, axis=dim, num_outputs=count)


def _split_sizes(graph: Recorder, x: Tensor, sizes: list[int], dim: int = 0) -> list[str]:
    return graph.add("Split", [graph.name(x), graph.integers(*sizes)], len(sizes), axis=dim)


def _slice(
    graph: Recorder,
    x: Tensor,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> str:
    start, length = start or 0, x.shape[dim]
    if start < 0 or step != 1 or (end is not None and end < 0):
        raise untranslated("a slice with steps or from the end")
    if end is None or end >= length:
        last = graph.integers(np.iinfo(np.int64).max)
    else:
        last = graph.size(dim, end)
    return graph.node("Slice", x, graph.integers(start), last, graph.integers(dim))


def _mean(
    graph: Recorder, x: Tensor, dims: list[int], keepdim: bool = False, *, dtype: object = None
) -> str:
    return graph.node("ReduceMean", x, graph.integers(*dims), keepdims=int(keepdim))


def _index(graph: Recorder, x: Tensor, indices: list[Tensor | None]) -> str:
    chosen = [(axis, index) for axis, index in enumerate(indices) if index is not None]
    if len(chosen) != 1:
        raise untranslated("indices on several axes at a time")
    (axis, index), *_ = chosen
    return graph.node("Gather", x, index, axis=axis)


def _arithmetic(kind: str) -> Callable[..., str]:
    def translate(graph: Recorder, x: Tensor, y: Tensor | float, *, alpha: float = 1) -> str:
        return graph.node(kind, x, y if alpha == 1 else graph.node("Mul", y, alpha))

    return translate


def _kept(graph: Recorder, x: Tensor, *args: object, **kwargs: object) -> str:
    if kwargs.get("dtype") not in (None, torch.float32):
        raise untranslated(f"a conversion to {kwargs['dtype']}")
    return graph.name(x)


# By the name of PyTorch's operation, without the _ of those that change their input. Each gets the
# arguments of the operation and gives the name of what holds the result, or a list of such names.
TRANSLATIONS: dict[str, Callable[..., str | list[str]]] = {
    "convolution": _convolution,
    "constant_pad_nd": _pad,
    "native_batch_norm": _batch_norm,
    "max_pool2d_with_indices": _max_pool,
    "upsample_bilinear2d": _bilinear,
    "leaky_relu": lambda g, x, slope=0.01: g.node("LeakyRelu", x, alpha=slope),
    "relu": lambda g, x: g.node("Relu", x),
    "hardtanh": lambda g, x, low=-1.0, high=1.0: g.node("Clip", x, low, high),
    "sigmoid": lambda g, x: g.node("Sigmoid", x),
    "_softmax": lambda g, x, dim, half: g.node("Softmax", x, axis=dim),
    "abs": lambda g, x: g.node("Abs", x),
    "add": _arithmetic("Add"),
    "sub": _arithmetic("Sub"),
    "mul": _arithmetic("Mul"),
    "div": _arithmetic("Div"),
    "addmm": lambda g, bias, x, weight: g.node("Gemm", x, weight, bias),
    "mean": _mean,
    "cat": lambda g, parts, dim=0: g.node("Concat", *parts, axis=dim),
    "split": _split,
    "split_with_sizes": _split_sizes,
    "slice": _slice,
    "index": _index,
    "select": lambda g, x, dim, place: g.node("Gather", x, g.scalar(place), axis=dim),
    "unsqueeze": lambda g, x, dim: g.node("Unsqueeze", x, g.integers(dim)),
    "expand": lambda g, x, sizes: g.node("Expand", x, g.sizes(sizes, x.shape)),
    "repeat": lambda g, x, times: g.node("Tile", x, g.integers(*times)),
    "clone": _kept,
    "_to_copy": _kept,
    "alias": _kept,
    "detach": _kept,
}
