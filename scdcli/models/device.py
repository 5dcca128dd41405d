"""Devices, precisions, and batches that fit into memory."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

from scdcli.errors import InputError, ModelError, UnknownName

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

# What PyTorch raises as a plain RuntimeError when a library below it gets no memory. cuDNN says of
# a convolution whose workspace finds no room that it knows no way to compute it.
SIGNS = (
    "out of memory",
    "can't allocate memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_NOT_INITIALIZED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR",
    "unable to find an engine",
    "Unable to find a valid cuDNN algorithm",
)
BFLOAT16 = (8, 0)  # compute capability from which on bf16 is computed, not emulated


def pick_device(name: str = "auto") -> torch.device:
    """The device for ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    A GPU with a number becomes the current one: otherwise memory that is pinned for transfers, and
    whatever names no device, would open a context on the first GPU, too.

    Raises:
        InputError: A GPU is asked for and there is none (or no such number).
        UnknownName: Anything else.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda" if count else "cpu")
    kind, colon, number = name.partition(":")
    numbered = kind == "cuda" and number.isascii() and number.isdigit()
    if kind not in ("cpu", "cuda") or (colon and not numbered):
        raise UnknownName("device", name, ("auto", "cpu", "cuda", "cuda:N"))
    if kind == "cuda" and int(number or 0) >= count:
        raise InputError(
            f"the device {name} is asked for, but PyTorch sees {count} CUDA GPUs here; "
            "use --device cpu, or install a CUDA build of PyTorch."
        )
    if numbered:
        torch.cuda.set_device(int(number))
    return torch.device(name)


@contextmanager
def deterministic(wanted: bool = True) -> Iterator[None]:
    """Use only algorithms that give the same bits on the same device every time."""
    if not wanted:
        yield
        return
    # Read when the first GPU is used; without it cuBLAS may add up in any order.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def pick_precision(name: str, device: torch.device) -> torch.dtype:
    """The dtype for ``auto``, ``fp32``, ``bf16`` or ``fp16``; auto is fp32 on a CPU."""
    if name != "auto":
        if name not in PRECISIONS:
            raise UnknownName("precision", name, ("auto", *PRECISIONS))
        return PRECISIONS[name]
    if device.type != "cuda":
        return torch.float32
    if torch.version.hip is not None:  # AMD numbers its GPUs otherwise
        return torch.bfloat16
    able = torch.cuda.get_device_capability(device) >= BFLOAT16
    return torch.bfloat16 if able else torch.float16


def autocast(device: torch.device, precision: torch.dtype) -> AbstractContextManager[None]:
    """Mixed precision where it is not plain float32; plain float32 rounds nothing to TF32."""
    if precision == torch.float32:
        if device.type == "cuda":
            torch.backends.cudnn.allow_tf32 = False
            torch.backends.cuda.matmul.allow_tf32 = False
        return nullcontext()
    return torch.autocast(device.type, precision)


class BatchSize:
    """Chips per forward pass; every pass has exactly this many until it is halved."""

    def __init__(self, size: int, note: Callable[[str], None]) -> None:
        """Start with ``size``; ``note`` gets one sentence, the first time it is halved."""
        self.size = size
        self._note = note
        self._noted = False

    def halve(self, chip: int) -> None:
        """Go on with half as many.

        Raises:
            ModelError: One chip, of ``chip`` pixels, is too much.
        """
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if self.size == 1:
            raise ModelError(
                f"the memory is too small for one chip of {chip} x {chip} pixels; use a smaller "
                f"--chip, for example {chip // 2}, or --device cpu."
            )
        if not self._noted:
            self._note(
                f"The memory is too small for {self.size} chips at a time: going on with fewer, "
                "which changes nothing in the result."
            )
        self._noted = True
        self.size //= 2


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether an error is a lack of memory, so that a smaller batch may help."""
    return isinstance(error, torch.OutOfMemoryError) or any(sign in str(error) for sign in SIGNS)
