"""Where to compute and in which precision."""

from contextlib import AbstractContextManager, nullcontext

import torch

from scdcli.errors import InputError, UnknownName

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def pick_device(name: str = "auto") -> torch.device:
    """The device for ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        InputError: A GPU is asked for and there is none (or no such number).
        UnknownName: Anything else.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda" if count else "cpu")
    kind, colon, number = name.partition(":")
    if kind not in ("cpu", "cuda") or (colon and not number.isdigit()):
        raise UnknownName("device", name, ("auto", "cpu", "cuda", "cuda:N"))
    if kind == "cuda" and int(number or 0) >= count:
        raise InputError(
            f"the device {name} is asked for, but PyTorch sees {count} CUDA GPUs here; "
            "use --device cpu, or install a CUDA build of PyTorch."
        )
    return torch.device(name)


def pick_precision(name: str, device: torch.device) -> torch.dtype:
    """The dtype for ``auto``, ``fp32``, ``bf16`` or ``fp16``; auto is fp32 on a CPU."""
    if name != "auto":
        if name not in PRECISIONS:
            raise UnknownName("precision", name, ("auto", *PRECISIONS))
        return PRECISIONS[name]
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def autocast(device: torch.device, precision: torch.dtype) -> AbstractContextManager[None]:
    """Mixed precision where it is not plain float32."""
    if precision == torch.float32:
        return nullcontext()
    return torch.autocast(device.type, precision)
